//! What the day came to: how many, how fast, how much, and what went wrong.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    time::Duration,
};

use saoma_protocol::{Currency, Money};
use serde::Serialize;

/// What was timed, each from the press to its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Sold, journaled, and answered.
    CashSale,
    /// The sale of a code is in the journal.
    CodeKeyed,
    /// The customer sees the code: core and channel have answered.
    CodeOnShow,
    ScanKeyed,
    /// Paid or declined: core and channel have answered.
    ScanSettled,
    Cancel,
    Void,
    Refund,
    Reprint,
    CashMoved,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::CashSale => "cash sale, journaled",
            Self::CodeKeyed => "code, journaled",
            Self::CodeOnShow => "code, on show",
            Self::ScanKeyed => "scan, journaled",
            Self::ScanSettled => "scan, settled",
            Self::Cancel => "cancel",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::Reprint => "reprint",
            Self::CashMoved => "cash in or out",
        }
    }
}

/// Where sales ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Paid,
    Cancelled,
    /// Declined, expired, reversed.
    NotPaid,
    /// Nobody knows yet; the till goes on asking.
    Open,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Cancelled => "cancelled",
            Self::NotPaid => "not paid",
            Self::Open => "still open",
        }
    }
}

/// What is counted while the day goes on.
#[derive(Debug, Default)]
pub struct Tally {
    took: BTreeMap<Step, Vec<Duration>>,
    ends: BTreeMap<End, u64>,
    taken_minor: i64,
    /// Refusals by what was pressed and the till's code for them, with one of its sentences.
    refused: BTreeMap<(Step, String), (u64, String)>,
    unheard: BTreeMap<String, u64>,
    /// What people counted in the drawer.
    pub drawer_minor: i64,
    /// A press about cash went unheard: nobody knows what is in the drawer.
    pub is_drawer_unsure: bool,
    /// Mistakes of the till's, in words.
    pub faults: Vec<String>,
    latest: Duration,
}

impl Tally {
    /// With that much in the drawer.
    #[must_use]
    pub fn new(drawer_minor: i64) -> Self {
        Self { drawer_minor, ..Self::default() }
    }

    pub fn took(&mut self, step: Step, took: Duration) {
        self.took.entry(step).or_default().push(took);
    }

    pub fn ended(&mut self, end: End, amount_minor: i64) {
        *self.ends.entry(end).or_default() += 1;
        if end == End::Paid {
            self.taken_minor += amount_minor;
        }
    }

    pub fn refused(&mut self, step: Step, code: String, detail: String) {
        self.refused.entry((step, code)).or_insert((0, detail)).0 += 1;
    }

    pub fn unheard(&mut self, why: String) {
        *self.unheard.entry(why).or_default() += 1;
    }

    /// Something began that much later than planned.
    pub fn began_late(&mut self, late: Duration) {
        self.latest = self.latest.max(late);
    }

    #[must_use]
    pub fn sold(&self) -> (u64, i64) {
        (self.ends.get(&End::Paid).copied().unwrap_or_default(), self.taken_minor)
    }

    #[must_use]
    pub fn summary(&self, about: About) -> Summary {
        let steps = self.took.iter().map(|(step, took)| Timed::of(*step, took, about.lasted)).collect();
        let refused = self.refused.iter().map(|((pressed, code), (count, detail))| Refusal {
            pressed: *pressed,
            code: code.clone(),
            count: *count,
            detail: detail.clone(),
        });
        Summary {
            seconds: about.lasted.as_secs_f64(),
            synced_per_s: about.synced as f64 / about.watched.as_secs_f64().max(f64::EPSILON),
            steps,
            ends: self.ends.clone(),
            taken: Money::new(self.taken_minor, about.currency),
            began_late_ms_max: ms(self.latest),
            refused: refused.collect(),
            unheard: self.unheard.clone(),
            faults: self.faults.clone(),
            about,
        }
    }
}

/// What is known of the day besides.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    pub seed: u64,
    /// Times as fast as a day; `None`: as fast as the till takes it.
    pub speed: Option<u32>,
    pub cashiers: usize,
    pub currency: Currency,
    #[serde(skip)]
    pub lasted: Duration,
    /// And until core had the journal, or was not waited for any longer.
    #[serde(skip)]
    pub watched: Duration,
    /// Entries of the journal that the day made, and how many more of them core has than at the beginning.
    pub entries: u64,
    pub synced: u64,
    pub unsent: u64,
    pub was_stopped: bool,
    /// The drawer at the end: what people counted, and what the till expected; `None` if the batch stayed open.
    pub drawer: Option<Drawer>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Drawer {
    pub counted: Money,
    pub expected: Money,
}

/// How long one kind of step took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timed {
    pub step: Step,
    pub count: usize,
    pub per_s: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub worst_ms: f64,
}

impl Timed {
    fn of(step: Step, took: &[Duration], lasted: Duration) -> Self {
        let mut sorted = took.to_vec();
        sorted.sort_unstable();
        let at = |percent| ms(percentile(&sorted, percent));
        let per_s = sorted.len() as f64 / lasted.as_secs_f64().max(f64::EPSILON);
        Self { step, count: sorted.len(), per_s, p50_ms: at(50), p99_ms: at(99), worst_ms: at(100) }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    pub pressed: Step,
    pub code: String,
    pub count: u64,
    pub detail: String,
}

/// The day in figures; `--json` prints it, [`fmt::Display`] is for people.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub seconds: f64,
    pub synced_per_s: f64,
    pub steps: Vec<Timed>,
    pub ends: BTreeMap<End, u64>,
    pub taken: Money,
    pub began_late_ms_max: f64,
    pub refused: Vec<Refusal>,
    pub unheard: BTreeMap<String, u64>,
    /// What the till did wrong. Anything here is a mistake to report.
    pub faults: Vec<String>,
    #[serde(flatten)]
    pub about: About,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let About { seed, speed, cashiers, entries, synced, unsent, was_stopped, drawer, .. } = &self.about;
        let speed = speed.map_or("as fast as it goes".to_owned(), |speed| format!("{speed} times as fast as a day"));
        let stopped = if *was_stopped { ", stopped before the end" } else { "" };
        writeln!(f, "seed {seed}, {speed}, {cashiers} at once: {:.1} s{stopped}", self.seconds)?;
        writeln!(f, "{:<22}{:>8}{:>9}{:>10}{:>10}{:>10}", "", "count", "per s", "p50 ms", "p99 ms", "worst ms")?;
        for Timed { step, count, per_s, p50_ms, p99_ms, worst_ms } in &self.steps {
            let name = step.name();
            writeln!(f, "{name:<22}{count:>8}{per_s:>9.2}{p50_ms:>10.1}{p99_ms:>10.1}{worst_ms:>10.1}")?;
        }
        let mut ends = String::new();
        for (end, count) in &self.ends {
            write!(ends, "{count} {}, ", end.name())?;
        }
        writeln!(f, "sales: {ends}taken {}", self.taken)?;
        if self.began_late_ms_max > 1_000.0 {
            writeln!(f, "the till did not keep up: up to {:.1} s behind the plan", self.began_late_ms_max / 1e3)?;
        }
        for Refusal { pressed, code, count, detail } in &self.refused {
            writeln!(f, "refused: {} × {count}, {code} ({detail})", pressed.name())?;
        }
        for (why, count) in &self.unheard {
            writeln!(f, "no answer: × {count} ({why})")?;
        }
        match drawer {
            None => writeln!(f, "drawer: not counted, the batch is still open")?,
            Some(Drawer { counted, expected }) if counted == expected => writeln!(f, "drawer: {counted}, as expected")?,
            Some(Drawer { counted, expected }) => writeln!(f, "drawer: {counted}, and the till expected {expected}")?,
        }
        let per_s = self.synced_per_s;
        writeln!(f, "journal: {entries} entries; {synced} synced meanwhile ({per_s:.1} per s), {unsent} unsent")?;
        self.faults.iter().try_for_each(|fault| writeln!(f, "FAULT: {fault}"))
    }
}

/// By the nearest rank: the smallest that so many of a hundred do not exceed. `sorted` from the shortest on; zero if it is empty.
#[must_use]
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_of_what_was_measured() {
        let took: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        let timed = Timed::of(Step::CashSale, &took, Duration::from_secs(10));
        let figures = (timed.count, timed.per_s, timed.p50_ms, timed.p99_ms, timed.worst_ms);
        assert_eq!(figures, (200, 20.0, 100.0, 198.0, 200.0));
        let one = Timed::of(Step::Void, &[Duration::from_millis(3)], Duration::from_secs(1));
        assert_eq!((one.p50_ms, one.p99_ms, one.worst_ms), (3.0, 3.0, 3.0));
    }
}
