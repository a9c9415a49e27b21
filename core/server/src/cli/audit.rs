use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use saoma_channels::{Clock as _, SystemClock};
use saoma_store::{Store, access, audit};

use crate::{
    audit_anchor::{self, Signer},
    audit_check,
    config::Config,
    own_keys,
};

const VERIFY_EXAMPLE: &str = "Examples:
  saoma audit verify
  saoma audit verify --anchor /mnt/auditor/anchors-2026-11.jsonl
  saoma audit verify --tenant ten_01J9Z3NDEKTSV4RRFFQ69G5FAV

Every entry is chained to the one before it by its hash: a changed, swapped or missing entry shows by itself. Entries that were
cut off at the end, or a log that was written anew from some entry on, show by what was noted elsewhere before: give it with
--anchor. That may be the output of `saoma audit anchor`, core's own file audit-anchors.jsonl, or core's log in JSON.

With --anchor, each log is listed with the last entry that an anchor holds it to: what is younger, or without one, could have been
cut off unseen.

Exit code 0: everything holds. 1: something does not, and the first broken entry of each log is told.";

const ANCHOR_EXAMPLE: &str = "Example:
  saoma audit anchor >> /mnt/auditor/anchors-2026-11.jsonl

One line of JSON for the end of each log: its number, its hash, the time, and a signature (Ed25519) by a key that lies sealed in
the database. Keep the lines where whoever can write to the database cannot. Core notes the same lines every ten minutes in its
log and in audit-anchors.jsonl in its data folder.";

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Reads every audit log, the platform's and the merchants', and proves that nothing in it was changed.
    #[command(after_help = VERIFY_EXAMPLE)]
    Verify {
        /// One merchant's log alone, or `platform`.
        #[arg(long)]
        tenant: Option<String>,
        /// Ends of logs that were noted before, as lines of JSON. May be given several times.
        #[arg(long, value_name = "FILE")]
        anchor: Vec<PathBuf>,
    },
    /// Prints the end of every audit log, signed, to be kept elsewhere.
    #[command(after_help = ANCHOR_EXAMPLE)]
    Anchor,
}

pub(super) fn run(command: &Command, config: &Config) -> Result<ExitCode> {
    let store = super::open_existing(config)?;
    match command {
        Command::Verify { tenant, anchor } => verify(&store, config, tenant.as_deref(), anchor),
        Command::Anchor => {
            let (signer, now) = (signer(&store, config)?, SystemClock.now());
            for anchor in audit_anchor::ends(&store, &signer, now)? {
                println!("{}", anchor.line());
            }
            eprintln!("saoma: the public key (Ed25519) is {}", signer.public_key());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn signer(store: &Store, config: &Config) -> Result<Signer> {
    let now = SystemClock.now();
    let vault = own_keys::open(store, &config.secrets.master_key_file, now).context("open the keys")?;
    Ok(Signer::open(store, &vault, now)?)
}

fn verify(store: &Store, config: &Config, of: Option<&str>, files: &[PathBuf]) -> Result<ExitCode> {
    let all = store.read_blocking(|tx| audit::chains(tx, &access::process()))?;
    let mut anchors = Vec::new();
    let mut findings = Vec::new();
    if !files.is_empty() {
        let signer = signer(store, config)?;
        for file in files {
            let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
            let (ours, foreign) = audit_anchor::read(&text, &signer);
            findings.extend(
                foreign
                    .into_iter()
                    .map(|line| format!("{}:{line}: not an anchor of this core's, or not whole", file.display())),
            );
            if ours.is_empty() {
                bail!(
                    "{} holds no anchor: give it the output of `saoma audit anchor`, or core's log in JSON",
                    file.display()
                );
            }
            anchors.extend(ours);
        }
    }
    let is_asked_for = |chain: &str| of.is_none_or(|of| of == chain);
    let mut chains: Vec<String> = all.into_iter().chain(anchors.iter().map(|anchor| anchor.chain.clone())).collect();
    chains.retain(|chain| is_asked_for(chain));
    chains.sort();
    chains.dedup();
    if let (Some(of), true) = (of, chains.is_empty()) {
        bail!("there is no audit log of {of}: give a merchant's id, or `platform`");
    }
    let (mut entries, mut anchored) = (0, 0);
    for chain in &chains {
        let of_chain: Vec<_> = anchors.iter().filter(|anchor| anchor.chain == *chain).collect();
        let (count, found) = audit_check::check(store, chain, &of_chain)?;
        (entries, anchored) = (entries + count, anchored + of_chain.len());
        // Whoever cuts a log takes its anchors away as well, if they can: an auditor sees here how far each one reaches.
        match of_chain.iter().max_by_key(|anchor| anchor.sequence) {
            _ if files.is_empty() => {}
            Some(newest) => {
                println!("{chain}: {count} entries; anchored to entry {} at {}", newest.sequence, newest.time())
            }
            None => println!("{chain}: {count} entries; NO ANCHOR, so a cut end would not show"),
        }
        findings.extend(found.into_iter().map(|finding| format!("{chain} {finding}")));
    }
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("{} logs of {entries} entries hold, and {} anchors", chains.len(), anchored);
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("saoma: the audit log does not hold: {} findings", findings.len());
    Ok(ExitCode::FAILURE)
}
