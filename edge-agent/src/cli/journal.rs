//! `saoma-edge journal`.

use std::io::{BufWriter, Write as _};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use saoma_protocol::{Millis, Sequence};
use time::{
    Date, OffsetDateTime, Time, UtcOffset, format_description::well_known::Rfc3339, macros::format_description,
};

use super::Exit;
use crate::{
    config::Config,
    journal::{
        Settings,
        export::{COLUMNS, csv_line, json_line},
        look, rekey, verify,
    },
    link::identity::DataDir,
    update::disk::Slots,
};

#[derive(Debug, Subcommand)]
pub(super) enum Journal {
    /// Check every entry against the chain of hashes, and its signature. Changes nothing; may run beside the agent.
    Verify,
    /// Write entries to standard output, as JSON Lines or CSV. Changes nothing; may run beside the agent.
    ///
    /// Digits that may be a card's number are masked. An export is for reading, verify is the proof.
    ///
    /// Example: saoma-edge journal export --format csv --since 2026-11-01 --until 2026-11-30 > november.csv
    Export(Export),
    /// Tell all entries again and compare with the sales, refunds and shifts that the journal keeps beside them.
    ///
    /// Names each difference and repairs none. Changes nothing; may run beside the agent. Exit code: 0 they agree, 2 they
    /// differ.
    Replay,
    /// Encrypt the journal under another key. The agent must not run.
    ///
    /// Draws a key into journal.key beside the journal, and removes the old one once nothing is encrypted under it any more.
    /// Where systemd hands over the key (LoadCredential=journal-key:…): put a new one there, the old one as
    /// journal-key-before, and run this with both. Cut off at any moment, it goes on when it is called again, or at the agent's
    /// next start. Copies of the journal from before need the old key: keep it apart as long as they are kept.
    Rekey,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// First entry, by its number.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    from: u64,
    /// Last entry, by its number; all without it.
    #[arg(long, value_name = "NUMBER")]
    to: Option<u64>,
    /// First day, in the shop's time (till.utc_offset_minutes), as 2026-11-30.
    #[arg(long, value_name = "DAY", value_parser = day)]
    since: Option<Date>,
    /// Last day, as the first.
    #[arg(long, value_name = "DAY", value_parser = day)]
    until: Option<Date>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| "a day is written as 2026-11-30".to_owned())
}

impl Journal {
    pub(super) fn run(&self, config: &Config) -> Result<Exit> {
        let settings =
            Settings { path: DataDir::as_it_is(&config.data_dir).journal(), free_bytes_min: 0, pages_max: 0 };
        match self {
            Self::Verify => {
                let verified = verify(&settings.path)?;
                println!(
                    "{}",
                    serde_json::json!({
                        "whole": true,
                        "entries": verified.entries,
                        "signed": verified.signed,
                        "synced_through": verified.synced_through,
                    })
                );
                Ok(Exit::Done)
            }
            Self::Export(export) => {
                export.run(&settings, config.till.utc_offset_minutes)?;
                Ok(Exit::Done)
            }
            Self::Replay => {
                let replayed = look(&settings)?.replay()?;
                println!("{}", serde_json::to_string(&replayed).context("write the result as JSON")?);
                Ok(if replayed.differences.is_empty() { Exit::Done } else { Exit::Faults })
            }
            Self::Rekey => {
                let _lock = DataDir::as_it_is(&config.data_dir).lock()?;
                // The copy, put back, would be under the key that this drops.
                ensure!(
                    !Slots::of(&config.data_dir).keeps_journal(),
                    "give the journal another key: a release is on trial, and a copy of the journal waits for the way back; \
                     let the agent run until `saoma-edge update status` has no trial any more"
                );
                let rekeyed = rekey(&settings)?;
                eprintln!("The journal is under the key {} now ({}).", rekeyed.key, rekeyed.source);
                if !rekeyed.wiped {
                    eprintln!(
                        "What was encrypted under the old key may still stand in free parts of the file: make room on the \
                         disk; the agent's next start tidies up."
                    );
                }
                println!("{}", serde_json::to_string(&rekeyed).context("write the result as JSON")?);
                Ok(Exit::Done)
            }
        }
    }
}

impl Export {
    fn run(&self, settings: &Settings, utc_offset_minutes: i32) -> Result<()> {
        let mut store = look(settings)?;
        let offset = UtcOffset::from_whole_seconds(utc_offset_minutes.saturating_mul(60)).unwrap_or(UtcOffset::UTC);
        let begin = |day: Date| Millis(day.with_time(Time::MIDNIGHT).assume_offset(offset).unix_timestamp() * 1_000);
        let since = self.since.map(begin);
        // The day after the last one: without one, the calendar ends first.
        let before = self.until.and_then(Date::next_day).map(begin);
        let mut out = BufWriter::new(std::io::stdout().lock());
        let failed = || "write to standard output";
        if matches!(self.format, Format::Csv) {
            writeln!(out, "{}", COLUMNS.join(",")).with_context(failed)?;
        }
        let mut after = Sequence(self.from.saturating_sub(1));
        'all: loop {
            let page = store.signed_after(after)?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            for entry in page {
                if self.to.is_some_and(|to| entry.sequence.0 > to) {
                    break 'all;
                }
                // A clock may be set back: an entry that is too late says nothing about the next.
                let at = entry.stamp().at();
                if since.is_some_and(|since| at < since) || before.is_some_and(|before| at >= before) {
                    continue;
                }
                let at = moment(at, offset);
                let line = match self.format {
                    Format::Jsonl => json_line(&entry, &at)?.to_string(),
                    Format::Csv => csv_line(&entry, &at)?,
                };
                writeln!(out, "{line}").with_context(failed)?;
            }
        }
        out.flush().with_context(failed)
    }
}

/// As RFC 3339 writes it, in the shop's time.
fn moment(at: Millis, offset: UtcOffset) -> String {
    OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1_000))
        .ok()
        .and_then(|moment| moment.checked_to_offset(offset))
        .and_then(|moment| moment.format(&Rfc3339).ok())
        // A clock outside the calendar still gives something that can be read.
        .unwrap_or_else(|| at.0.to_string())
}
