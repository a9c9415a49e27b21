//! Publishing a package to a core and rolling it out: thin clients of `/v1/plugin-packages` and `/v1/plugin-rollouts`.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use saoma_channels::package::{ENVELOPE_BYTES_MAX, Envelope};
use serde_json::{Value, json};

use super::{
    core_api::{Arguments as CoreArguments, Core},
    package::{envelope_of, limited},
};
use crate::http::v1::plugin_packages::CONTENT_TYPE;

const TRUST_EXAMPLE: &str = "Example:
  saoma plugin trust publisher.pub.pem --name 'Corner Pay Ltd' --to https://pay.example.com

The file is what `saoma plugin keygen` printed. Compare its key id with the publisher by another way than the one it came by: whoever
is trusted decides what code handles payments. The platform's administrator trusts for everybody, a merchant's owner for that merchant.";

const PUBLISH_EXAMPLE: &str = "Example:
  SAOMA_TOKEN=… saoma plugin publish my.wasm --to https://pay.example.com

Sends the component and the envelope beside it (my.wasm.saoma.json, from `saoma plugin sign`), and prints the package's hash, its
name from then on. It serves nobody until it is installed. The same package again is the same answer.

Exit code 0: it is there. 1: core refused it or could not be asked, and why.";

const INSTALL_EXAMPLE: &str = "Examples:
  saoma plugin install 3b2f… --to https://pay.example.com
  saoma plugin install 3b2f… --to https://pay.example.com --canary ten_01J9Z3NDEKTSV4RRFFQ69G5FAV

New payments go through it; those that have begun end with the package that began them. Rules are asked about the sales that begin from
then on, of merchants that have chosen them (PUT /v1/merchant-rules names them by their id). With --canary only those merchants' new
payments do: look at them, then `saoma plugin promote`, or `saoma plugin rollback`.";

const ROLLBACK_EXAMPLE: &str = "Example:
  saoma plugin rollback my-wallet --to https://pay.example.com

Ends the canary; without one, new payments go through what served before the last installation.";

const RETIRE_EXAMPLE: &str = "Examples:
  saoma plugin retire 3b2f… --successor 9c41… --to https://pay.example.com
  saoma plugin retire 3b2f… --successor built_in --to https://pay.example.com

For a version that must not be called again at all: what is still to be asked or given back of its payments goes through the
successor. Roll it back first. It cannot be undone.";

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Has a core believe a publisher's signatures.
    #[command(after_help = TRUST_EXAMPLE)]
    Trust {
        /// The publisher's public key, in PEM.
        public_key: PathBuf,
        /// Who it is, for the list of publishers.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        core: CoreArguments,
    },
    /// Sends a signed component to a core, and prints the package's hash.
    #[command(after_help = PUBLISH_EXAMPLE)]
    Publish {
        /// The component, a .wasm file with its envelope beside it.
        component: PathBuf,
        #[command(flatten)]
        core: CoreArguments,
    },
    /// Gives a published package to new payments, of everybody or of some merchants.
    #[command(after_help = INSTALL_EXAMPLE)]
    Install {
        /// The package's hash.
        package: String,
        /// Only this merchant's payments; may be given several times. For the platform's administrator.
        #[arg(long, value_name = "MERCHANT")]
        canary: Vec<String>,
        #[command(flatten)]
        core: CoreArguments,
    },
    /// Gives the canary's package to everybody.
    Promote {
        /// The plugin's id.
        plugin: String,
        #[command(flatten)]
        core: CoreArguments,
    },
    /// Takes the last step back for new payments.
    #[command(after_help = ROLLBACK_EXAMPLE)]
    Rollback {
        /// The plugin's id.
        plugin: String,
        #[command(flatten)]
        core: CoreArguments,
    },
    /// Takes a package out of use for good.
    #[command(after_help = RETIRE_EXAMPLE)]
    Retire {
        /// The package's hash.
        package: String,
        /// What its payments go through from then on: another package's hash, or built_in.
        #[arg(long, value_name = "PACKAGE")]
        successor: String,
        #[command(flatten)]
        core: CoreArguments,
    },
    /// Shows what new payments go through.
    Status {
        /// The plugin's id; without it, all that were rolled out.
        plugin: Option<String>,
        #[command(flatten)]
        core: CoreArguments,
    },
}

pub(super) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Trust { public_key, name, core } => trust(&Core::new(core)?, &public_key, &name)?,
        Command::Publish { component, core } => publish(&Core::new(core)?, &component)?,
        Command::Install { package, canary, core } => install(&Core::new(core)?, &package, &canary)?,
        Command::Promote { plugin, core } => step(&Core::new(core)?, &plugin, "promote", json!({}))?,
        Command::Rollback { plugin, core } => step(&Core::new(core)?, &plugin, "rollback", json!({}))?,
        Command::Retire { package, successor, core } => {
            let retired =
                Core::new(core)?.post(&["plugin-packages", &package, "retire"], &json!({ "successor": successor }))?;
            println!("{} {} is retired", text(&retired["plugin"]), text(&retired["version"]));
        }
        Command::Status { plugin, core } => status(&Core::new(core)?, plugin.as_deref())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn trust(core: &Core, public_key: &Path, name: &str) -> Result<()> {
    let key = super::package::public_key(public_key)?;
    let trusted = core.post(&["plugin-publishers"], &json!({ "name": name, "public_key": key.to_pem() }))?;
    println!("{}", text(&trusted["key_id"]));
    Ok(())
}

fn publish(core: &Core, path: &Path) -> Result<()> {
    let component = super::read(path)?;
    let file = envelope_of(path);
    let within = || format!("read the envelope {}; `saoma plugin sign` writes it", file.display());
    let json = limited(&file, ENVELOPE_BYTES_MAX as u64).with_context(within)?;
    // On the wire it is one line; who wrote it, and how, is no matter of the signature's.
    let envelope = Envelope::read(&json).with_context(within)?;
    let mut body = serde_json::to_vec(&envelope).with_context(within)?;
    body.push(b'\n');
    body.extend(component);
    let published = core.post_bytes(&["plugin-packages"], CONTENT_TYPE, body)?;
    eprintln!("published {} {}", text(&published["plugin"]), text(&published["version"]));
    println!("{}", text(&published["hash"]));
    Ok(())
}

fn install(core: &Core, package: &str, canary: &[String]) -> Result<()> {
    let found = core.get(&["plugin-packages", package])?;
    let plugin = text(&found["package"]["plugin"]);
    match canary {
        [] => step(core, plugin, "install", json!({ "package": package })),
        tenants => step(core, plugin, "canary", json!({ "package": package, "tenants": tenants })),
    }
}

/// A step from where the rollout stands: core refuses it if somebody took another in between.
fn step(core: &Core, plugin: &str, step: &str, mut body: Value) -> Result<()> {
    body["version"] = core.get(&["plugin-rollouts", plugin])?["version"].clone();
    let rollout = core.post(&["plugin-rollouts", plugin, step], &body)?;
    print!("{}", shown(&rollout));
    Ok(())
}

fn status(core: &Core, plugin: Option<&str>) -> Result<()> {
    let rollouts = match plugin {
        Some(plugin) => vec![core.get(&["plugin-rollouts", plugin])?],
        None => core.get(&["plugin-rollouts"])?["items"].as_array().cloned().unwrap_or_default(),
    };
    rollouts.iter().for_each(|rollout| print!("{}", shown(rollout)));
    Ok(())
}

/// A rollout for people.
fn shown(rollout: &Value) -> String {
    let mut lines = format!("{}, step {}\n", text(&rollout["plugin"]), rollout["version"]);
    let mut row = |what: &str, told: &str| {
        if !told.is_empty() {
            let _ = writeln!(lines, "  {what:<14} {told}");
        }
    };
    row("stable", text(&rollout["stable"]));
    row("canary", text(&rollout["canary"]));
    for tenant in rollout["canary_tenants"].as_array().into_iter().flatten() {
        row("canary of", text(tenant));
    }
    row("previous", text(&rollout["previous"]));
    row("this node", text(&rollout["this_node"]["problem"]));
    for unfit in rollout["unfit"].as_array().into_iter().flatten() {
        let whose = unfit["channel_account"]
            .as_str()
            .map_or_else(|| format!("the rules of {}", text(&unfit["tenant"])), str::to_owned);
        row("unfit", &format!("{whose}: {}", text(&unfit["why"])));
    }
    lines
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_is_shown_without_what_it_lacks() {
        let rollout = json!({
            "plugin": "my-wallet", "version": 3, "stable": "built_in", "canary": "3b2f",
            "canary_tenants": ["ten_1", "ten_2"], "this_node": {}, "unfit": [],
        });
        let told = "my-wallet, step 3\n  stable         built_in\n  canary         3b2f\n  canary of      ten_1\n  canary of      ten_2\n";
        assert_eq!(shown(&rollout), told);
    }
}
