//! The terminal's certificate, its key, and who may read them.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use rcgen::KeyPair;
use saoma_protocol::Millis;

use super::{Finding, Verdict, span};
use crate::link::{
    certificate::{self, Validity},
    identity::{DataDir, Identity},
};
use crate::private_file::NOBODY;

const AGAIN: &str = "get another certificate, which keeps the journal: saoma-edge enrol --again";

pub(super) fn look(path: &Path, folder: &DataDir, identity: &Identity, now: Millis) -> Vec<Finding> {
    let mut findings = vec![certificate(folder, identity, now)];
    let fix = "let the agent's user alone in: chmod 0700 on the data directory";
    let mut folder = mode("data_dir_mode", path, fix);
    // What is in it shuts others out by itself, as long as they cannot put something else in its place.
    if fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o022 == 0) {
        folder.verdict = folder.verdict.min(Verdict::Warning);
    }
    let fix = "let the agent's user alone read it: chmod 0600 on the key";
    findings.extend([folder, mode("key_mode", &path.join(&identity.key_file), fix)]);
    findings
}

fn certificate(folder: &DataDir, identity: &Identity, now: Millis) -> Finding {
    let key = folder.key_pem(identity, NOBODY).map_err(|error| error.to_string());
    let key =
        key.and_then(|pem| KeyPair::from_pem(&pem).map_err(|_| "read the terminal's key: it is damaged".to_owned()));
    let key = match key {
        Ok(key) => key,
        Err(why) => return Finding::fault("certificate", format!("failed to {why}"), AGAIN),
    };
    match certificate::check(&identity.certificate_chain_pem, &key, identity.terminal) {
        Ok(validity) => judge(validity, now),
        Err(why) => Finding::fault("certificate", format!("core will not let this terminal in: {why}"), AGAIN),
    }
}

fn judge(validity: Validity, now: Millis) -> Finding {
    let left = validity.not_after.since(now);
    if now < validity.not_before {
        let found = format!("the certificate is good only in {}", span(validity.not_before.since(now)));
        return Finding::fault("certificate", found, "set this machine's clock: it is most likely behind");
    }
    if validity.is_over(now) {
        let found = format!("the certificate is over since {}: core lets this terminal in no more", span(-left));
        return Finding::fault("certificate", found, AGAIN);
    }
    let found = format!("the certificate fits its key and is good for {} more", span(left));
    if validity.is_nearly_over(now) {
        let fix = "it should have been renewed long ago: let the agent run with a link to core, and read its log";
        return Finding::warning("certificate", found, fix);
    }
    Finding::ok("certificate", found)
}

fn mode(check: &'static str, path: &Path, fix: &'static str) -> Finding {
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 == 0 => {
            Finding::ok(check, format!("{} is for its owner alone", path.display()))
        }
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            Finding::fault(check, format!("others get at {} (mode {mode:04o})", path.display()), fix)
        }
        Err(error) => Finding::fault(check, format!("{} cannot be looked at: {error}", path.display()), fix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_by_the_day() {
        const DAY_MS: i64 = 86_400_000;
        let validity = Validity { not_before: Millis(0), not_after: Millis(360 * DAY_MS) };
        for (day, verdict, words) in [
            (-1, Verdict::Fault, "good only in 24 hours"),
            (10, Verdict::Ok, "350 days more"),
            (310, Verdict::Warning, "50 days more"),
            (363, Verdict::Fault, "over since 3 days"),
        ] {
            let finding = judge(validity, Millis(day * DAY_MS));
            assert!(finding.verdict == verdict && finding.found.contains(words), "{day}: {finding:?}");
        }
    }
}
