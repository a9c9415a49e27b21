//! `saoma-edge may-stop`.

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Exit;
use crate::{
    config::Config,
    doctor::agent,
    journal::{Settings, look},
    link::identity::DataDir,
};

/// As the till's state names it (`TILL-API.md`).
#[derive(Deserialize, Serialize)]
struct State {
    under_way: Vec<String>,
}

/// # Errors
/// If it cannot be told: the agent runs and its till does not answer, or the journal cannot be read.
pub(super) fn run(config: &Config) -> Result<Exit> {
    let folder = DataDir::as_it_is(&config.data_dir);
    let runs = folder.is_in_use().context("find out whether an agent runs; run this as the agent's user")?;
    let waits_for = if runs { told_by_agent(config)? } else { left_behind(config, &folder)? };
    let may_stop = waits_for.is_empty();
    println!("{}", json!({"may_stop": may_stop, "agent_runs": runs, "waits_for": waits_for}));
    Ok(if may_stop { Exit::Done } else { Exit::Faults })
}

fn told_by_agent(config: &Config) -> Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    match runtime.block_on(agent::state::<State>(config)) {
        Ok(state) => Ok(state.under_way),
        Err(error) => {
            bail!("hear from the agent what is under way ({error}); see that till.listen is set as for the agent")
        }
    }
}

/// Nothing is under way where no agent runs; its money may be on this disk alone all the same.
fn left_behind(config: &Config, folder: &DataDir) -> Result<Vec<String>> {
    let path = folder.journal();
    if !path.exists() {
        return Ok(Vec::new());
    }
    let journal = &config.journal;
    let settings = Settings { path, free_bytes_min: journal.free_bytes_min, pages_max: journal.pages_max };
    let unsent = look(&settings)?.unsent()?;
    Ok(if unsent.count > 0 { vec!["unsent".to_owned()] } else { Vec::new() })
}
