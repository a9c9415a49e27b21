//! `saoma-edge doctor`: looks at everything that a terminal needs, and says of each thing how it is and what to do.
//!
//! May run beside the agent: it takes nothing from it (no session at the broker, no serial line) and changes nothing; on the
//! disk it writes one small file and removes it. Each check stands for itself: one that fails hides no other.

pub(crate) mod agent;
mod certificates;
mod devices;
mod disk;
mod journal;
mod link;
mod paired;
mod time;
mod update;
mod wire;

use saoma_protocol::Millis;
use serde::Serialize;

use crate::{
    app::now,
    config::Config,
    link::{
        identity::{DataDir, Identity, IdentityError},
        tls,
    },
    private_file::NOBODY,
};

/// How a thing is. In the order of their weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    /// The terminal sells, and somebody should see to it.
    Warning,
    /// The terminal cannot do a part of its work.
    Fault,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name, stable: `core`, `clock`, `disk_room`, …
    pub check: &'static str,
    pub verdict: Verdict,
    /// What was found and what it means.
    pub found: String,
    /// What to do; empty if nothing is to be done.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub fix: &'static str,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, found: found.into(), fix: "" }
    }

    fn warning(check: &'static str, found: impl Into<String>, fix: &'static str) -> Self {
        Self { check, verdict: Verdict::Warning, found: found.into(), fix }
    }

    pub(crate) fn fault(check: &'static str, found: impl Into<String>, fix: &'static str) -> Self {
        Self { check, verdict: Verdict::Fault, found: found.into(), fix }
    }
}

/// The heaviest of all verdicts.
#[must_use]
pub fn worst(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
}

/// Makes every check. `print`: a slip from the receipt printer as well.
pub async fn examine(config: &Config, print: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !config.data_dir.is_dir() {
        let found = format!("there is no data directory {}: this terminal is not enrolled", config.data_dir.display());
        return vec![Finding::fault(
            "data_dir",
            found,
            "set data_dir to where it is, or enrol: saoma-edge enrol --help",
        )];
    }
    let folder = DataDir::as_it_is(&config.data_dir);
    findings.extend(disk::look(config));
    findings.extend(update::look(config));
    let identity = folder.identity();
    match &identity {
        Ok(identity) => findings.extend(of_enrolled(config, &folder, identity, now()).await),
        Err(error) => {
            let fix = match error {
                IdentityError::NotEnrolled(_) => "enrol: saoma-edge enrol --help",
                IdentityError::Private(_) | IdentityError::File { .. } => {
                    "put its owner and its mode right: the agent refuses it too"
                }
                IdentityError::Damaged { .. } => "get it anew, which keeps the journal: saoma-edge enrol --again",
            };
            findings.push(Finding::fault("identity", format!("failed to {error}"), fix));
        }
    }
    let terminal = identity.ok().map(|identity| identity.terminal);
    findings.extend(journal::look(config, &folder, terminal, now()));
    let in_use = folder.is_in_use();
    findings.extend(paired::look(config, &folder, in_use.as_ref().ok().copied(), now()));
    findings.push(time::look(config, in_use.as_ref().is_ok_and(|runs| *runs)).await);
    match in_use {
        Ok(agent_runs) => findings.extend(devices::look(config, agent_runs, print).await),
        // Two programs on one scanner take each other's bytes.
        Err(error) => findings.push(Finding::warning(
            "device",
            format!("whether an agent has the devices cannot be told: {error}; they were left alone"),
            "run this as the agent's user",
        )),
    }
    findings
}

async fn of_enrolled(config: &Config, folder: &DataDir, identity: &Identity, now: Millis) -> Vec<Finding> {
    let mut findings = certificates::look(&config.data_dir, folder, identity, now);
    // Its mode is a check of its own.
    let tls = folder.key_pem(identity, NOBODY).map_err(|error| error.to_string()).and_then(|key| {
        tls::enrolled(&identity.ca_pem, &identity.certificate_chain_pem, &key).map_err(|error| error.to_string())
    });
    match tls {
        Ok(tls) => findings.extend(link::look(config, identity, &tls).await),
        Err(why) => findings.push(Finding::fault(
            "core",
            format!("core cannot be asked without a certificate and its key: failed to {why}"),
            "get another certificate: saoma-edge enrol --again",
        )),
    }
    findings
}

/// A time span for people: the largest whole unit.
fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    for (unit_seconds, unit) in [(86_400, "days"), (3_600, "hours"), (60, "minutes")] {
        if seconds >= 2 * unit_seconds {
            return format!("{} {unit}", seconds / unit_seconds);
        }
    }
    format!("{seconds} seconds")
}
