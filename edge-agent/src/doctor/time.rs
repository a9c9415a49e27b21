//! Whether core's time can be kept without a network, by which offline codes and cards are taken.

use serde::Deserialize;

use super::{Finding, agent};
use crate::{
    app::{TIME_UNKEPT, moment},
    config::Config,
};

const CHECK: &str = "core_time";
const FIX: &str =
    "remove ProcSubset= from the agent's unit (the shipped one has none), or mount /proc whole; then restart the agent";

#[derive(Deserialize)]
struct State {
    alarms: Vec<Alarm>,
}

#[derive(Deserialize)]
struct Alarm {
    code: String,
}

/// As this program sees the machine, and as the agent does, which its unit may have shut in.
pub(super) async fn look(config: &Config, agent_runs: bool) -> Finding {
    if moment().is_none() {
        let found = "this system does not tell how long it has been running (/proc/uptime, /proc/sys/kernel/random/boot_id): no offline \
                     code and no card is taken without a network";
        return Finding::fault(CHECK, found, FIX);
    }
    if !agent_runs {
        return Finding::ok(CHECK, "core's time can be kept without a network");
    }
    match agent::state::<State>(config).await {
        Ok(state) if state.alarms.iter().any(|alarm| alarm.code == TIME_UNKEPT) => {
            let found =
                "the agent is shut off from /proc/uptime: it takes no offline code and no card without a network";
            Finding::fault(CHECK, found, FIX)
        }
        Ok(_) => Finding::ok(CHECK, "the agent can keep core's time without a network"),
        Err(error) => {
            let found =
                format!("whether the agent can keep core's time is not known: its till does not answer ({error})");
            Finding::warning(CHECK, found, "see that till.listen is set as for the agent")
        }
    }
}
