use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use saoma_channels::{Clock as _, SystemClock};
use saoma_protocol::{Millis, TenantId};
use saoma_store::{Store, TenantScope, access, master_keys, sealed, server_keys, tenant_keys};

use crate::{config::Config, ledger_check::each_tenant, own_keys, rotation, secrets::Vault};

const LIST_EXAMPLE: &str = "Example:
  saoma --config saoma.toml keys list

A key's bytes are never shown. A master key that is retired seals nothing any more: its file may be destroyed.";

const MASTER_EXAMPLE: &str = "Example:
  saoma --config saoma.toml keys rotate-master

Call it as core's user on one node, with core's own settings, while the nodes serve. It draws the new key into a file beside
secrets.master_key_file, waits until every running node can read it, and wraps all keys under it. Where nodes do not share the
folder, it says which node lacks the file: copy it there and call it again. Where the folder cannot be written, put a file of 32
random bytes there yourself (secrets.master_key_file, a dot, and any name): it is taken.

Whenever it is cut off, call it again: it goes on. At its end it names the old file, which nothing in the database needs any
more. Backups of the database from before still need it: keep it with them, or destroy both.";

const TENANT_EXAMPLE: &str = "Examples:
  saoma keys rotate-tenant ten_01J9Z3NDEKTSV4RRFFQ69G5FAV
  saoma keys rotate-tenant --all

The merchant's secrets (of channel accounts and webhooks) stay what they are; the key that they are sealed under is a new one.
It may be called while the nodes serve, and again when it was cut off.";

const SESSIONS_EXAMPLE: &str = "Example:
  saoma keys rotate-sessions

Core does this by itself every thirty days. Nobody is signed out: the old key checks until its last token is over. The new one
signs half a minute later, once every node knows it.";

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Names and ages of all keys, and how much lies under each.
    #[command(after_help = LIST_EXAMPLE)]
    List,
    /// Draws a new master key and wraps every key of the database under it, while core serves.
    #[command(after_help = MASTER_EXAMPLE)]
    RotateMaster,
    /// Gives a merchant a new data key and seals all its secrets under it, while core serves.
    #[command(after_help = TENANT_EXAMPLE)]
    RotateTenant {
        /// The merchant's id.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        tenant: Option<TenantId>,
        /// Every merchant, one after the other.
        #[arg(long)]
        all: bool,
    },
    /// Draws a new key for the access tokens of sessions.
    #[command(after_help = SESSIONS_EXAMPLE)]
    RotateSessions,
}

pub(super) fn run(command: &Command, config: &Config) -> Result<ExitCode> {
    let store = super::open_existing(config)?;
    let file = &config.secrets.master_key_file;
    let vault = own_keys::open(&store, file, SystemClock.now()).context("open the keys")?;
    match command {
        Command::List => list(&store, &vault),
        Command::RotateMaster => rotate_master(&store, &vault),
        Command::RotateTenant { tenant: Some(tenant), .. } => {
            let scope = store.read_blocking(|tx| access::enter_tenant(tx, &access::process(), *tenant))?;
            rotate_tenant(&store, &vault, scope)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::RotateTenant { tenant: None, .. } => rotate_all(&store, &vault),
        Command::RotateSessions => match own_keys::rotate_sessions(&store, &vault, SystemClock.now(), false)? {
            Some(kid) => {
                println!("{kid}");
                Ok(ExitCode::SUCCESS)
            }
            None => bail!("another key of sessions was drawn at this very moment: look with `saoma keys list`"),
        },
    }
}

fn rotate_master(store: &Store, vault: &Vault) -> Result<ExitCode> {
    let done = rotation::rotate_master(store, vault, || SystemClock.now(), |what| eprintln!("saoma: {what}"))
        .context("rotate the master key")?;
    eprintln!("saoma: {} keys were wrapped anew; {} seals now ({})", done.rewrapped, done.name, done.file.display());
    eprintln!("saoma: nothing in the database needs these files any more; destroy them on every node:");
    for file in &done.old_files {
        println!("{}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn rotate_tenant(store: &Store, vault: &Vault, scope: TenantScope) -> Result<()> {
    let done = rotation::rotate_tenant(store, vault, scope, || SystemClock.now())
        .with_context(|| format!("rotate the data key of {}", scope.tenant()))?;
    match done {
        Some(done) => {
            println!("{} has data key {}; {} secrets were sealed anew", scope.tenant(), done.number, done.resealed)
        }
        None => println!("{} has no secrets and no data key", scope.tenant()),
    }
    Ok(())
}

/// One whose value cannot be opened does not keep the others from their new key.
fn rotate_all(store: &Store, vault: &Vault) -> Result<ExitCode> {
    let mut failed = 0;
    each_tenant(store, |scope| {
        if let Err(error) = rotate_tenant(store, vault, scope) {
            eprintln!("saoma: {error:#}");
            failed += 1;
        }
        Ok(())
    })?;
    match failed {
        0 => Ok(ExitCode::SUCCESS),
        _ => bail!("{failed} merchants keep their earlier data keys; the others have new ones"),
    }
}

fn list(store: &Store, vault: &Vault) -> Result<ExitCode> {
    let (process, now, ring) = (access::process(), SystemClock.now(), vault.masters().ring());
    let (masters, own) = store.read_blocking(|tx| {
        Ok::<_, saoma_store::StoreError>((master_keys::list(tx, &process)?, server_keys::list_all(tx, &process)?))
    })?;
    println!("master keys");
    let mut seals = "seals";
    for master in &masters {
        let data_keys = store.read_blocking(|tx| tenant_keys::count_under(tx, &process, &master.name))?;
        let own_keys = own.iter().filter(|key| key.master == master.name).count();
        let state = match master.retired_at {
            None => std::mem::replace(&mut seals, "being left"),
            Some(_) => "retired",
        };
        let files: Vec<String> = ring.files(&master.name).iter().map(|file| file.display().to_string()).collect();
        let files = if files.is_empty() { "no file here".to_owned() } else { files.join(", ") };
        println!(
            "  {}  {state}, since {}; wraps {data_keys} data keys and {own_keys} of the platform's keys; {files}",
            master.name,
            age(master.began_at, now)
        );
    }
    for name in ring.names().iter().filter(|name| masters.iter().all(|master| master.name != **name)) {
        println!(
            "  {name}  seals nothing yet; {}",
            ring.files(name).first().map_or_else(String::new, |file| file.display().to_string())
        );
    }
    println!("the platform's keys");
    for key in &own {
        let retired = if key.retired_at.is_some() { ", retired" } else { "" };
        println!("  {}  {}, made {}{retired}; under {}", key.kid, key.kind, age(key.created_at, now), key.master);
    }
    println!("merchants' data keys");
    each_tenant(store, |scope| {
        for key in store.read_blocking(|tx| tenant_keys::list(tx, &scope))? {
            let values = store.read_blocking(|tx| sealed::count_under(tx, &scope, key.number))?;
            println!(
                "  {} {}  made {}; seals {values} secrets; under {}",
                scope.tenant(),
                key.number,
                age(key.created_at, now),
                key.master
            );
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The day (UTC), and how many there are since.
fn age(at: Millis, now: Millis) -> String {
    let day =
        jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.strftime("%F").to_string());
    format!("{day} ({} days)", now.since(at).div_euclid(86_400_000))
}
