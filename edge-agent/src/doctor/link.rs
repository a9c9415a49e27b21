//! Core and its broker, as this terminal meets them, and core's clock against this machine's.

use std::time::{Duration, Instant};

use rustls::ClientConfig;
use url::Url;

use super::{
    Finding, Verdict,
    wire::{Stuck, Took, reach},
};
use crate::{
    app::now,
    config::Config,
    link::{
        https::{Core, HttpsError},
        identity::Identity,
    },
};

/// Receipts, and the end of a code on the display, are visibly wrong from here on.
const OFF_MS_WARNING: i64 = 5_000;
/// Half of the life that a code on the display has by default: customers are turned away.
const OFF_MS_FAULT: i64 = 60_000;
/// `Date` has whole seconds (RFC 9110, section 5.6.7).
const DATE_STEP_MS: i64 = 1_000;

pub(super) async fn look(config: &Config, identity: &Identity, tls: &ClientConfig) -> Vec<Finding> {
    let url = Url::parse(&identity.core_url).ok();
    let core = url.as_ref().and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
    let mut findings = Vec::new();
    match core {
        Some((host, port)) => {
            findings.push(door("core", &host, port, tls).await);
            if findings.iter().all(|finding| finding.verdict == Verdict::Ok) {
                findings.extend(answer(config, identity, tls).await);
            }
        }
        None => {
            let found = format!("core's address {:?} cannot be read", identity.core_url);
            findings.push(Finding::fault("core", found, "enrol again: saoma-edge enrol --again"));
        }
    }
    let mut broker = door("broker", &identity.mqtt_host, identity.mqtt_port, tls).await;
    // Everything goes over HTTPS meanwhile.
    broker.verdict = broker.verdict.min(Verdict::Warning);
    findings.push(broker);
    findings
}

async fn door(check: &'static str, host: &str, port: u16, tls: &ClientConfig) -> Finding {
    let (name, tls) = (host.to_owned(), tls.clone());
    let reached = tokio::task::spawn_blocking(move || reach(&name, port, &tls)).await;
    let address = format!("{host}:{port}");
    match reached {
        Ok(Ok(Took { dns, tcp, tls })) => Finding::ok(
            check,
            format!("{address} lets this terminal in (name {dns} ms, connection {tcp} ms, TLS {tls} ms)"),
        ),
        Ok(Err(Stuck::Name(why))) => {
            let fix = "see the network's cable, its DNS server, and that the name is right";
            Finding::fault(check, format!("nobody knows the name {host} ({why})"), fix)
        }
        Ok(Err(Stuck::Connection(why))) => {
            let fix = "see the network's cable, and that no firewall shuts this port; else core is down";
            Finding::fault(check, format!("{address} cannot be reached ({why})"), fix)
        }
        Ok(Err(Stuck::Tls(why))) => {
            let fix = "see the checks of the clock and the certificate; something between may break TLS open; \
                       else ask whether this terminal was revoked";
            Finding::fault(check, format!("{address} and this terminal do not believe each other ({why})"), fix)
        }
        Ok(Err(Stuck::Untimely(untimely))) => {
            let fix = "set this machine's clock, and let systemd-timesyncd or chrony keep it; if it is right, start core anew";
            Finding::fault(check, format!("{address} is core, and is not believed: {}", untimely.by(now())), fix)
        }
        Ok(Err(Stuck::Silent)) => {
            let fix = "see what else loads the line; else core is overloaded, or something between swallows TLS";
            Finding::fault(check, format!("{address} takes the connection and then says nothing for seconds"), fix)
        }
        Err(error) => Finding::fault(check, format!("the check itself broke: {error}"), "tell the makers"),
    }
}

/// A whole request, and what it says of the time.
async fn answer(config: &Config, identity: &Identity, tls: &ClientConfig) -> Vec<Finding> {
    let check = "core_answer";
    let answer_max = Duration::from_millis(config.link.answer_timeout_ms);
    let core = match Core::new(&identity.core_url, tls.clone(), answer_max) {
        Ok(core) => core,
        Err(error) => {
            return vec![Finding::fault(check, format!("requests cannot be made: {error}"), "tell the makers")];
        }
    };
    let (began, began_at) = (Instant::now(), now());
    match core.clock().await {
        Ok(date) => {
            let took_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
            let found = Finding::ok(check, format!("core knows this terminal and answers in {took_ms} ms"));
            let clock = match date {
                // It was said somewhere in that second, half-way through the request.
                Some(date) => {
                    clock(began_at.plus(took_ms / 2).since(date.plus(DATE_STEP_MS / 2)), took_ms / 2 + DATE_STEP_MS / 2)
                }
                None => Finding::warning("clock", "core's answer has no date to compare with", "see the clock by hand"),
            };
            vec![found, clock]
        }
        Err(HttpsError::Refused(problem)) => {
            let fix = "see on the dashboard whether this terminal is active; if it is: saoma-edge enrol --again";
            vec![Finding::fault(check, format!("core does not let this terminal in: {}", problem.detail), fix)]
        }
        Err(error) => vec![Finding::fault(check, format!("failed to {error}"), "try again; else core's log says more")],
    }
}

/// `ahead_ms`: this machine's clock less core's, known to `within_ms`.
fn clock(ahead_ms: i64, within_ms: i64) -> Finding {
    let surely_ms = ahead_ms.saturating_abs().saturating_sub(within_ms);
    let side = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let off =
        format!("this machine's clock is {} ms {side} core's, give or take {within_ms} ms", ahead_ms.saturating_abs());
    let fix = "let the system set its clock from the network (systemd-timesyncd or chrony)";
    if surely_ms >= OFF_MS_FAULT {
        let found = format!("{off}: far too much, codes end early or late and certificates seem over");
        return Finding::fault("clock", found, fix);
    }
    if surely_ms >= OFF_MS_WARNING {
        return Finding::warning("clock", format!("{off}: too much, receipts show a wrong time"), fix);
    }
    Finding::ok("clock", off)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_wrong_only_as_far_as_is_surely_known() {
        for (ahead_ms, within_ms, verdict) in [
            (0, 500, Verdict::Ok),
            (5_400, 500, Verdict::Ok),
            (5_500, 500, Verdict::Warning),
            (-5_500, 500, Verdict::Warning),
            (60_499, 500, Verdict::Warning),
            (60_500, 500, Verdict::Fault),
            (-3_600_000, 2_000, Verdict::Fault),
            (i64::MIN, 0, Verdict::Fault),
        ] {
            assert_eq!(clock(ahead_ms, within_ms).verdict, verdict, "{ahead_ms} {within_ms}");
        }
    }
}
