//! Releases: what runs, what was gone back from, and whether the next one could be kept and believed.

use super::Finding;
use crate::{
    config::Config,
    update::{
        disk::Slots,
        fetch::trusted,
        slots::{Place, State},
    },
};

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let slots = Slots::of(&config.data_dir);
    if config.update.repository.is_empty() && !slots.folder().exists() {
        return Vec::new();
    }
    let check = "update";
    let state = match slots.state() {
        Ok(state) => state,
        Err(error) => {
            let fix = "the image's program is started meanwhile; remove slots/state.json to fetch releases anew";
            return vec![Finding::fault(check, format!("failed to {error}"), fix)];
        }
    };
    let mut findings = vec![judge(&state)];
    if let Some(program) = state.program(state.at)
        && let Err(error) = slots.check(state.at, program)
    {
        let fix = "another release is started in its place; it is replaced by the next one that is fetched";
        findings.push(Finding::warning("update_slot", format!("failed to {error}"), fix));
    }
    if !config.update.repository.is_empty() {
        findings.push(match trusted(&slots, &config.update.root) {
            Ok(trusted) => {
                Finding::ok("update_trust", format!("releases are believed by root version {}", trusted.root.version))
            }
            Err(error) => {
                let fix = "put the first root.json of those who make releases where update.root says";
                Finding::warning("update_trust", format!("failed to {error}"), fix)
            }
        });
        if slots.folder().exists()
            && let Err(error) = slots.check_room(0, config.journal.free_bytes_min)
        {
            findings.push(Finding::warning(
                "update_room",
                format!("failed to {error}"),
                "make room on the data directory's disk",
            ));
        }
    }
    findings
}

fn judge(state: &State) -> Finding {
    let check = "update";
    let runs = match state.program(state.at) {
        Some(program) => format!("release {} is in force (slot {})", program.version, state.at.name()),
        None => "the image's program is in force".to_owned(),
    };
    if let Some(trial) = &state.trial {
        let version = state.program(trial.slot).map(|program| program.version.to_string()).unwrap_or_default();
        if trial.stays {
            let found = format!(
                "release {version} has not proven itself, and has changed the journal: there is no way back from it"
            );
            return Finding::fault(
                check,
                found,
                "see that core is reached; a newer release is fetched and tried all the same",
            );
        }
        let found = format!("{runs}; release {version} is on trial, started {} times", trial.starts);
        return Finding::warning(check, found, "none: it proves itself, or is gone back from");
    }
    match state.failed.last() {
        Some(failed) if state.program(state.at).is_none_or(|program| program.version < failed.version) => {
            let found = format!("{runs}; release {} was gone back from: {}", failed.version, failed.why);
            Finding::warning(check, found, "tell the makers; a newer release is tried when they bring one")
        }
        _ => {
            Finding::ok(check, if state.at == Place::Image { format!("{runs}; nothing newer was tried") } else { runs })
        }
    }
}
