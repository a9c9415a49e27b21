//! The door in the shop's network: its certificate, whether it is open, who may come in.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use saoma_protocol::Millis;

use super::{Finding, span};
use crate::{
    config::Config,
    journal::{Beside, JournalError, Settings},
    link::identity::DataDir,
    paired::{
        Place,
        book::{DEVICES_MAX, is_live},
        certificate, keeper,
    },
    private_file::GROUP_AND_OTHERS,
};

const CONNECT_MAX: Duration = Duration::from_secs(2);

/// `agent_runs`: whether an agent does, if that could be told.
pub(super) fn look(config: &Config, folder: &DataDir, agent_runs: Option<bool>, now: Millis) -> Vec<Finding> {
    // One that cannot be read keeps the agent from starting, and was told of as that.
    let Ok(Some(place)) = config.paired.place() else {
        return vec![Finding::ok("paired", "no device in the network is let in: paired.listen is empty")];
    };
    let mut findings = vec![shown(config, &place, now)];
    if agent_runs == Some(true) {
        findings.push(door(place.listen));
    }
    let settings = Settings { path: folder.journal(), free_bytes_min: 0, pages_max: 0 };
    if settings.path.exists() {
        findings.push(devices(Beside::of(&settings).and_then(|file| keeper::read(&file)), now));
    }
    findings
}

fn shown(config: &Config, place: &Place, now: Millis) -> Finding {
    const CHECK: &str = "paired_certificate";
    const ANEW: &str = "remove paired-door.pem from the data directory and start the agent again: it makes another one";
    match certificate::look(&config.data_dir, &place.host, GROUP_AND_OTHERS) {
        Ok(None) => Finding::ok(CHECK, "there is none yet: the agent's next start makes it"),
        Err(error) => Finding::fault(CHECK, format!("devices in the network cannot come in: failed to {error}"), ANEW),
        Ok(Some(shown)) => {
            let validity = shown.validity;
            let left = validity.not_after.since(now);
            let anew = if shown.is_ours { "start the agent, which makes another" } else { ANEW };
            if now < validity.not_before {
                let found = format!(
                    "the door's certificate is not good yet, for {} more",
                    span(validity.not_before.since(now))
                );
                return Finding::fault(CHECK, found, anew);
            }
            if !shown.names_host {
                return Finding::fault(CHECK, "the door's certificate does not name paired.host", anew);
            }
            if validity.is_over(now) {
                return Finding::fault(CHECK, format!("the door's certificate is over since {}", span(-left)), anew);
            }
            let found =
                format!("the door's certificate is good for {} more; SHA-256 {}", span(left), shown.fingerprint);
            if validity.is_nearly_over(now) && !shown.is_ours {
                return Finding::warning(CHECK, found, "it is not the agent's own: put a newer one there");
            }
            Finding::ok(CHECK, found)
        }
    }
}

fn door(listen: SocketAddr) -> Finding {
    const CHECK: &str = "paired_door";
    // An agent that listens everywhere listens here.
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    match TcpStream::connect_timeout(&SocketAddr::new(ip, listen.port()), CONNECT_MAX) {
        Ok(_) => Finding::ok(CHECK, format!("{listen} takes connections")),
        Err(error) => Finding::fault(
            CHECK,
            format!("{listen} takes no connection: {error}"),
            "read on the till's page of the paired devices why; is it an address of this machine?",
        ),
    }
}

fn devices(read: Result<crate::paired::book::Devices, JournalError>, now: Millis) -> Finding {
    const CHECK: &str = "paired_devices";
    match read {
        Ok(devices) => {
            let live = devices.all().iter().filter(|device| is_live(device, Some(now))).count();
            let names: Vec<String> = devices.all().iter().map(|device| device.name.to_string()).collect();
            let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
            Finding::ok(CHECK, format!("{live} of {DEVICES_MAX} devices may come in{names}"))
        }
        Err(error) => Finding::fault(
            CHECK,
            format!("no device that was paired may come in: failed to {}", error.chain()),
            "pair them anew at the till",
        ),
    }
}
