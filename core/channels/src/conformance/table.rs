//! The table of cases, `sdk/conformance/cases.toml`, and what its lines mean.
//!
//! A line is something that core, the customer or the far side does; after `->` stands what may come of it. What may come is a word
//! of the contract (`told.rs`), several with `|` between them; `failed` stands for a failure with any code, `unclear` for an answer
//! that says that there was none.

use serde::Deserialize;

use super::checks;

const TABLE: &str = include_str!("../../../../sdk/conformance/cases.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    /// The version of this kit: grows by one with each release that asks for other cases.
    pub kit: u32,
    case: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    /// The first kit that plays it.
    #[serde(default = "first_kit")]
    since: u32,
    /// The last one that does; none: this one and those to come.
    until: Option<u32>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    mandatory: bool,
    /// One row for each, with the word in the place of `{}`.
    #[serde(default)]
    each: Vec<String>,
    why: String,
    steps: Vec<String>,
}

const fn first_kit() -> u32 {
    1
}

/// One case, ready to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub name: String,
    /// What the manifest must offer (`coverage.rs`) for the case to be played; `not x`: what it must not.
    pub needs: Vec<String>,
    /// Whether a far side that cannot play it is no excuse.
    pub is_mandatory: bool,
    /// What the contract says about it.
    pub why: String,
    pub steps: Vec<Step>,
}

/// One line of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub text: String,
    pub verb: Verb,
    /// What may come of it; empty for what has no outcome.
    pub expected: Vec<String>,
}

/// How a customer is asked for the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The shop shows a code.
    Shown,
    /// The customer shows a code.
    Code,
    /// The customer hands over a card.
    Card,
    /// A terminal sold to a card without a network.
    Stored,
    /// The customer has a page open in an app.
    InApp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// `next ACT FAULT`: the far side plays it at the next request of that kind.
    Next {
        act: String,
        fault: String,
    },
    /// `paid`: an order that the customer has paid, by whichever way the channel has.
    Paid,
    /// `charge [AMOUNT]`, `create [AMOUNT]`, `card [AMOUNT]`, `open [AMOUNT]`: again with the same number if there was one.
    Ask {
        way: Way,
        amount_minor: Option<i64>,
    },
    Query,
    Cancel,
    /// `refund NAME AMOUNT`, the amount a number of minor units or `whole`.
    Refund {
        name: String,
        amount_minor: Option<i64>,
    },
    QueryRefund {
        name: String,
    },
    /// `pays [REFUND]`: the customer pays, or is paid, what the line before said waits for that.
    Pays {
        refund: Option<String>,
    },
    /// `pays-late`: the customer tries to pay what may be over. What was called closed or not found takes no money.
    PaysLate,
    Declines,
    /// `notify [FAULT] [of REFUND]`; `truncated` is done here.
    Notify {
        fault: Option<String>,
        refund: Option<String>,
    },
    /// `again`: the last notification once more.
    Again,
    /// `dispute NEWS`: the scheme takes that step.
    Dispute(String),
    /// `notify-dispute [FAULT]`: its message about the last step; `truncated` is done here.
    NotifyDispute {
        fault: Option<String>,
    },
    /// `dispute-again`: that message once more.
    DisputeAgain,
    /// `hold-dispute`: the message about the last step is on its way; `dispute-held`: it comes.
    HoldDispute,
    DisputeHeld,
    /// `books TAKEN BACK`: what the far side's books say of the order, `BACK` in minor units or `whole`.
    Books {
        taken: u32,
        back_minor: Option<i64>,
    },
    /// `subject TEXT`: of the orders to come.
    Subject(String),
    /// `clock MS`: core's clock, ahead of the scheme's.
    Clock(i64),
    /// `other`: another order from here on.
    Other,
    /// `settle [OFF]`: a batch's totals, so many minor units more than they are; again with the same number if there was one.
    Settle {
        off_minor: i64,
    },
    /// `upload`: its rows; `finish`: the end of them.
    Upload,
    Finish,
    /// `batches OVER BALANCED`: how many batches are over in the far side's books.
    Batches {
        over: usize,
        balanced: usize,
    },
    /// `bill`: what came onto the day's bill since the case began.
    Bill,
    /// `check NAME`: what no line can say.
    Check(String),
}

/// Every case of this kit, in the table's order.
///
/// # Errors
/// A row that cannot be read, in words. A test reads them all.
pub(super) fn cases() -> Result<Vec<Case>, String> {
    let table = Table::ours()?;
    table.of_kit(table.kit)
}

impl Table {
    /// # Errors
    /// It cannot be read, in words.
    pub(super) fn ours() -> Result<Self, String> {
        Self::read(TABLE)
    }

    pub(super) fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// What the kit of that version plays, of this one or an older one.
    ///
    /// # Errors
    /// A row that cannot be read, in words.
    pub(super) fn of_kit(&self, kit: u32) -> Result<Vec<Case>, String> {
        let mut cases = Vec::new();
        for row in self.case.iter().filter(|row| row.is_in(kit)) {
            if row.each.is_empty() {
                cases.push(case(row, "")?);
            }
            for word in &row.each {
                cases.push(case(row, word)?);
            }
        }
        Ok(cases)
    }
}

impl Row {
    fn is_in(&self, kit: u32) -> bool {
        self.since <= kit && self.until.is_none_or(|until| kit <= until)
    }
}

/// The names of all cases.
#[must_use]
pub fn names() -> Vec<String> {
    rows().into_iter().flatten().collect()
}

/// The same, row by row of the table: each has one case, or one for each word of `each`.
#[must_use]
pub fn rows() -> Vec<Vec<String>> {
    let table = Table::ours().unwrap_or(Table { kit: 0, case: Vec::new() });
    let kit = table.kit;
    let of_row = |row: Row| match row.each.as_slice() {
        [] => vec![row.name],
        words => words.iter().map(|word| row.name.replace("{}", word)).collect(),
    };
    table.case.into_iter().filter(|row| row.is_in(kit)).map(of_row).collect()
}

fn case(row: &Row, word: &str) -> Result<Case, String> {
    let put = |text: &str| text.replace("{}", word);
    let steps = row.steps.iter().map(|text| step(&put(text))).collect::<Result<_, _>>();
    let name = put(&row.name);
    Ok(Case {
        steps: steps.map_err(|why| format!("{name}: {why}"))?,
        name,
        needs: row.needs.clone(),
        is_mandatory: row.mandatory,
        why: put(&row.why),
    })
}

fn step(text: &str) -> Result<Step, String> {
    let (doing, expected) = text.split_once(" -> ").unwrap_or((text, ""));
    let expected = expected.split(" | ").map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let verb = verb(doing.trim()).ok_or_else(|| format!("the line {text:?} cannot be read"))?;
    Ok(Step { text: text.to_owned(), verb, expected })
}

fn verb(doing: &str) -> Option<Verb> {
    if let Some(subject) = doing.strip_prefix("subject ") {
        return Some(Verb::Subject(subject.to_owned()));
    }
    let words: Vec<&str> = doing.split_whitespace().collect();
    let text = |word: &&str| (*word).to_owned();
    Some(match words.as_slice() {
        ["next", act, fault] => Verb::Next { act: text(act), fault: text(fault) },
        ["subject"] => Verb::Subject(String::new()),
        ["paid"] => Verb::Paid,
        ["charge", amount @ ..] => asked(Way::Code, amount)?,
        ["create", amount @ ..] => asked(Way::Shown, amount)?,
        ["card", amount @ ..] => asked(Way::Card, amount)?,
        ["forward", amount @ ..] => asked(Way::Stored, amount)?,
        ["open", amount @ ..] => asked(Way::InApp, amount)?,
        ["query"] => Verb::Query,
        ["cancel"] => Verb::Cancel,
        ["refund", name, amount] => Verb::Refund { name: text(name), amount_minor: whole_or(amount)? },
        ["query-refund", name] => Verb::QueryRefund { name: text(name) },
        ["pays"] => Verb::Pays { refund: None },
        ["pays", refund] => Verb::Pays { refund: Some(text(refund)) },
        ["pays-late"] => Verb::PaysLate,
        ["declines"] => Verb::Declines,
        ["notify"] => Verb::Notify { fault: None, refund: None },
        ["notify", "of", refund] => Verb::Notify { fault: None, refund: Some(text(refund)) },
        ["notify", fault] => Verb::Notify { fault: Some(text(fault)), refund: None },
        ["again"] => Verb::Again,
        ["dispute", news] => Verb::Dispute(text(news)),
        ["notify-dispute"] => Verb::NotifyDispute { fault: None },
        ["notify-dispute", fault] => Verb::NotifyDispute { fault: Some(text(fault)) },
        ["dispute-again"] => Verb::DisputeAgain,
        ["hold-dispute"] => Verb::HoldDispute,
        ["dispute-held"] => Verb::DisputeHeld,
        ["books", taken, back] => Verb::Books { taken: taken.parse().ok()?, back_minor: whole_or(back)? },
        ["clock", ahead_ms] => Verb::Clock(ahead_ms.parse().ok()?),
        ["other"] => Verb::Other,
        ["bill"] => Verb::Bill,
        ["settle"] => Verb::Settle { off_minor: 0 },
        ["settle", off] => Verb::Settle { off_minor: off.parse().ok()? },
        ["upload"] => Verb::Upload,
        ["finish"] => Verb::Finish,
        ["batches", over, balanced] => Verb::Batches { over: over.parse().ok()?, balanced: balanced.parse().ok()? },
        ["check", name] if checks::NAMES.contains(name) => Verb::Check(text(name)),
        _ => return None,
    })
}

fn asked(way: Way, amount: &[&str]) -> Option<Verb> {
    let amount_minor = match amount {
        [] => None,
        [amount] => Some(amount.parse().ok()?),
        _ => return None,
    };
    Some(Verb::Ask { way, amount_minor })
}

/// `None` within is the whole amount.
fn whole_or(word: &str) -> Option<Option<i64>> {
    if word == "whole" { Some(None) } else { word.parse().ok().map(Some) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{conformance::KIT_VERSION, registry::ContentHash};

    #[test]
    fn the_table_can_be_read() {
        let cases = cases().expect("sound");
        let names: BTreeSet<_> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len(), "each name stands once");
        for case in &cases {
            assert!(!case.why.is_empty() && !case.name.contains("{}"), "{}", case.name);
            for step in &case.steps {
                let has_outcome = !matches!(
                    step.verb,
                    Verb::Next { .. }
                        | Verb::Paid
                        | Verb::Pays { .. }
                        | Verb::PaysLate
                        | Verb::Declines
                        | Verb::Dispute(_)
                        | Verb::HoldDispute
                        | Verb::Books { .. }
                        | Verb::Subject(_)
                        | Verb::Clock(_)
                        | Verb::Other
                        | Verb::Batches { .. }
                        | Verb::Check(_)
                );
                assert_eq!(has_outcome, !step.expected.is_empty(), "{}: {}", case.name, step.text);
            }
        }
    }

    /// What a report of a kit proves must not change once a release had that kit: a row that is new, or asks for something else, is
    /// `since` the next one (and what it takes the place of `until` this one), and `kit` is raised with the first of them.
    #[test]
    fn a_kit_asks_for_what_it_asked_for_when_it_was_released() {
        let table = Table::ours().expect("sound");
        let asked = |kit: u32| {
            let mut text = String::new();
            for case in table.of_kit(kit).expect("sound") {
                text += &format!("{} {:?} {}\n", case.name, case.needs, case.is_mandatory);
            }
            (kit, ContentHash::of(text.as_bytes()).to_string())
        };
        let kits: Vec<_> = (1..=table.kit).map(asked).collect();
        let pinned = [(1, "ad674b10c762e91ed64a18d820f2ecad62dd461b7efc0f97659e0b0ee1382169")]
            .map(|(kit, hash)| (kit, hash.to_owned()));
        assert_eq!(kits, pinned);
        assert_eq!(table.kit.to_string(), KIT_VERSION);
    }

    #[test]
    fn each_kit_has_rows_of_its_own() {
        let row = |name: &str, more: &str| {
            format!("[[case]]\nname = \"{name}\"\n{more}\nwhy = \"x\"\nsteps = [\"query -> failed\"]\n")
        };
        let rows = [row("old", ""), row("gone", "until = 1"), row("new", "since = 2"), row("newest", "since = 3")];
        let table = Table::read(&format!("kit = 3\n{}", rows.concat())).expect("sound");
        let names = |kit| table.of_kit(kit).expect("sound").into_iter().map(|case| case.name).collect::<Vec<_>>();
        assert_eq!(names(1), ["old", "gone"]);
        assert_eq!(names(2), ["old", "new"]);
        assert_eq!(names(3), ["old", "new", "newest"]);
    }

    #[test]
    fn lines_that_mean_nothing_are_refused() {
        for text in [
            "dance",
            "check nothing",
            "refund r1",
            "books one 0",
            "next charge",
            "charge 12.50 -> succeeded",
            "card 1 2 -> succeeded",
            "settle a little -> balanced",
            "batches 1",
        ] {
            assert!(step(text).is_err(), "{text}");
        }
    }
}
