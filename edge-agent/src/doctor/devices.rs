//! Printer, scanner, display, drawer, scale, speaker and card reader: asked by the agent if one runs, since it has them, and else by us.

use serde::Deserialize;

use super::{Finding, agent};
use crate::{
    config::Config,
    peripherals::{PeripheralHealth, PeripheralState, registry},
};

const CHECK: &str = "device";

pub(super) async fn look(config: &Config, agent_runs: bool, print: bool) -> Vec<Finding> {
    if !agent_runs {
        let config = config.peripherals.clone();
        return match tokio::task::spawn_blocking(move || open(&config, print)).await {
            Ok(findings) => findings,
            Err(error) => vec![Finding::fault(CHECK, format!("the check itself broke: {error}"), "tell the makers")],
        };
    }
    let mut findings = match agent::state::<State>(config).await {
        Ok(state) => state.peripherals.iter().map(judge).collect(),
        Err(why) => {
            let found = format!("the agent has the devices, and its till does not say how they are ({why})");
            vec![Finding::warning(
                CHECK,
                found,
                "see that till.listen is set as for the agent, or stop the agent first",
            )]
        }
    };
    if print {
        let found = "nothing was printed: the agent has the printer";
        findings.push(Finding::warning(CHECK, found, "reprint a receipt at the till, or stop the agent first"));
    }
    findings
}

#[derive(Deserialize)]
struct State {
    peripherals: Vec<PeripheralHealth>,
}

fn open(config: &crate::config::PeripheralsConfig, print: bool) -> Vec<Finding> {
    let mut devices = match registry::open(config) {
        Ok(devices) => devices,
        Err(error) => {
            return vec![Finding::fault(CHECK, error.to_string(), "saoma-edge config --explain lists the drivers")];
        }
    };
    let mut healths = vec![devices.printer.health(), devices.drawer.health(), devices.display.health()];
    healths.extend(devices.scanner.as_mut().map(|scanner| scanner.health()));
    healths.extend(devices.scale.as_mut().map(|scale| scale.health()));
    healths.extend(devices.speaker.as_mut().map(|speaker| speaker.health()));
    healths.extend(devices.card_reader.as_mut().map(|reader| reader.health()));
    let mut findings: Vec<Finding> = healths.iter().map(judge).collect();
    if print {
        findings.push(match devices.printer.self_test() {
            Ok(seen) => Finding::ok("print", format!("the test slip is printed; you should see {seen}")),
            Err(error) => Finding::fault("print", error.to_string(), "do what it says and print again"),
        });
    }
    findings
}

fn judge(health: &PeripheralHealth) -> Finding {
    let PeripheralHealth { kind, driver, state, detail } = health;
    let named = format!("{kind} ({driver})");
    match state {
        PeripheralState::Ok if detail.is_empty() => Finding::ok(CHECK, format!("{named} is ready")),
        PeripheralState::Ok => Finding::ok(CHECK, format!("{named}: {detail}")),
        PeripheralState::Warning => Finding::warning(CHECK, format!("{named}: {detail}"), "see to it before it stops"),
        PeripheralState::Failed => {
            let fix = "do what it says; sales that can do without it go on";
            Finding::fault(CHECK, format!("{named}: {detail}"), fix)
        }
    }
}
