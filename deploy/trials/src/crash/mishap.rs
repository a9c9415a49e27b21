//! What can happen to a shop, and drawing it.

use std::fmt;

use crate::{sim::luck::Luck, wire::Mood};

/// Which database core stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// A line of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Terminal to core, HTTPS.
    Terminals,
    /// Terminal to broker, MQTT.
    Mqtt,
    /// Both of the terminal's at once.
    Till,
    /// Core to scheme.
    Scheme,
    /// Customers, the merchant's systems and the scheme's notifications to core.
    Api,
    /// Core to PostgreSQL.
    Database,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// kill -9.
    CoreKilled,
    TerminalKilled,
    BothKilled,
    /// The same, and what was not synced is lost. Of a core on SQLite.
    CorePowerCut,
    TerminalPowerCut,
    /// An orderly stop in the middle of everything.
    CoreStopped,
    BrokerStopped,
    Line(Line, Mood),
    /// That of core's database: its own folder, or PostgreSQL's.
    CoreDiskFull,
    TerminalDiskFull,
    /// Of core's SQLite, or PostgreSQL's own.
    CoreFsyncFails,
    TerminalFsyncFails,
    /// kill -9 of the postmaster.
    PostgresKilled,
    PostgresStopped,
}

/// What of a shop a mishap befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Program,
    Power,
    Disk,
    Fsync,
    Line,
}

/// A round: what happens, and when.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    pub number: u32,
    pub mishap: Mishap,
    /// From the beginning of the load.
    pub after_ms: u64,
    /// How long it lasts.
    pub for_ms: u64,
    /// What is still running by then is killed in the middle of it.
    pub then_killed: bool,
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

impl Mishap {
    const fn kind(self) -> Kind {
        match self {
            Self::CoreKilled | Self::TerminalKilled | Self::BothKilled | Self::CoreStopped => Kind::Program,
            Self::BrokerStopped | Self::PostgresKilled | Self::PostgresStopped => Kind::Program,
            Self::CorePowerCut | Self::TerminalPowerCut => Kind::Power,
            Self::CoreDiskFull | Self::TerminalDiskFull => Kind::Disk,
            Self::CoreFsyncFails | Self::TerminalFsyncFails => Kind::Fsync,
            Self::Line(..) => Kind::Line,
        }
    }
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line, mood) => write!(f, "Line{line:?}{mood:?}"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, mishap, after_ms, for_ms, then_killed } = self;
        let killed = if *then_killed { ", then killed" } else { "" };
        write!(f, "round {number}: {mishap} after {after_ms} ms for {for_ms} ms{killed}")
    }
}

/// Everything that can happen on that database; without disks of our own nobody's gets full.
fn all(database: Database, disks: bool) -> Vec<Mishap> {
    let mut all = vec![
        Mishap::CoreKilled,
        Mishap::TerminalKilled,
        Mishap::BothKilled,
        Mishap::TerminalPowerCut,
        Mishap::CoreStopped,
        Mishap::BrokerStopped,
        Mishap::CoreFsyncFails,
        Mishap::TerminalFsyncFails,
    ];
    if disks {
        all.extend([Mishap::CoreDiskFull, Mishap::TerminalDiskFull]);
    }
    let mut lines = vec![Line::Terminals, Line::Mqtt, Line::Till, Line::Scheme, Line::Api];
    if database == Database::Sqlite {
        all.push(Mishap::CorePowerCut);
    }
    if database == Database::Postgres {
        all.extend([Mishap::PostgresKilled, Mishap::PostgresStopped]);
        lines.push(Line::Database);
    }
    for line in lines {
        all.extend([Mood::Cut, Mood::Stalled, Mood::Deaf, Mood::Hole].map(|mood| Mishap::Line(line, mood)));
    }
    all
}

/// The rounds of a seed: every mishap comes before any comes again. Only those whose name holds one of `only`, if any is named.
pub fn rounds(seed: u64, count: u32, database: Database, disks: bool, only: &[String]) -> Vec<Round> {
    let mut luck = Luck::of(seed, "rounds");
    let mut wanted = all(database, disks);
    wanted.retain(|mishap| only.is_empty() || only.iter().any(|part| mishap.to_string().contains(part.as_str())));
    let mut deck = Vec::new();
    let mut rounds = Vec::new();
    while rounds.len() < count as usize && !wanted.is_empty() {
        if deck.is_empty() {
            deck.clone_from(&wanted);
        }
        let mishap = deck.swap_remove(luck.idx(deck.len()));
        // A full disk or an fsync that fails strikes whoever writes meanwhile.
        let shortest = if matches!(mishap.kind(), Kind::Disk | Kind::Fsync) { 400 } else { 20 };
        let longest = if luck.permille(300) { 6_000 } else { 2_000 };
        rounds.push(Round {
            number: u32::try_from(rounds.len()).unwrap_or(u32::MAX) + 1,
            mishap,
            after_ms: luck.between(100, 1_500).unsigned_abs(),
            for_ms: luck.between(shortest, longest).unsigned_abs(),
            then_killed: luck.permille(350),
        });
    }
    rounds
}

/// The first seed from `seed` on whose rounds have a mishap of each kind that there is; none if there are fewer rounds than kinds.
pub fn seed_of_every_kind(seed: u64, count: u32, database: Database, disks: bool, only: &[String]) -> Option<u64> {
    /// Of six rounds, one seed in some ten has each kind.
    const SEEDS_MAX: u64 = 10_000;
    let kinds = |rounds: &[Round]| {
        let mut kinds: Vec<Kind> = Vec::new();
        for kind in rounds.iter().map(|round| round.mishap.kind()) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds.len()
    };
    let every = u32::try_from(all(database, disks).len()).ok()?;
    let there = kinds(&rounds(seed, every, database, disks, only));
    (seed..seed.saturating_add(SEEDS_MAX)).find(|seed| kinds(&rounds(*seed, count, database, disks, only)) == there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_of_every_kind_has_disks_fsync_power_lines_and_programs() {
        for (database, disks, kinds) in
            [(Database::Sqlite, true, 5), (Database::Postgres, true, 5), (Database::Sqlite, false, 4)]
        {
            let seed = seed_of_every_kind(1, 6, database, disks, &[]).unwrap();
            let mut drawn: Vec<String> = rounds(seed, 6, database, disks, &[])
                .iter()
                .map(|round| format!("{:?}", round.mishap.kind()))
                .collect();
            drawn.sort();
            drawn.dedup();
            assert_eq!(drawn.len(), kinds, "{drawn:?}");
        }
        assert_eq!(seed_of_every_kind(1, 4, Database::Sqlite, true, &[]), None, "four rounds have no five kinds");
    }

    #[test]
    fn a_seed_draws_the_same_rounds_and_every_mishap_comes_before_any_comes_again() {
        for database in [Database::Sqlite, Database::Postgres] {
            let count = all(database, true).len();
            let drawn = rounds(7, u32::try_from(count).unwrap(), database, true, &[]);
            let names = |rounds: &[Round]| rounds.iter().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(names(&drawn), names(&rounds(7, u32::try_from(count).unwrap(), database, true, &[])));
            let mut mishaps: Vec<String> = drawn.iter().map(|round| round.mishap.to_string()).collect();
            mishaps.sort();
            mishaps.dedup();
            assert_eq!(mishaps.len(), count);
        }
        let only = rounds(7, 9, Database::Sqlite, true, &["Fsync".to_owned()]);
        assert!(only.len() == 9 && only.iter().all(|round| round.mishap.to_string().contains("Fsync")));
        assert!(rounds(7, 9, Database::Sqlite, true, &["nothing".to_owned()]).is_empty());
    }
}
