//! What did not agree: what a repeated comparison makes of it, and of what persons have decided meanwhile.

use std::cell::Cell;

use saoma_domain::recon::{
    Class, Correction, Field, Finding, Key, Known, Movement, Ours, Side, Standing, Theirs, compare, corrected,
    duplicate, only_ours, only_theirs, unreadable,
};
use saoma_protocol::{Currency, DiscrepancyId, Millis, Money};
use saoma_store::{
    Dialect,
    discrepancies::{self, Discrepancy, Filter, Run, STALE},
    reconciliations::{self, Reconciliation},
};

use crate::{
    base::{Base, on_both},
    house::{House, at, bytes},
    reconciliation::{DAY, key, new_run, side},
};

const NEXT_DAY: &str = "2026-02-01";

/// Comparisons of one house, each begun after the one before was cut off.
struct Desk<'a> {
    base: &'a Base,
    tea: House,
    ids: Cell<u8>,
    runs: Cell<u8>,
}

fn payment(number: &str) -> Key {
    key(number, Movement::Payment)
}

fn ours(number: &str, minor: i64) -> Ours {
    Ours { key: payment(number), side: side(minor, 1) }
}

fn line(number: &str, minor: i64, line: u64) -> Theirs {
    Theirs { key: payment(number), side: side(minor, 1), line }
}

fn lacks(number: &str, minor: i64) -> Finding {
    only_ours(&ours(number, minor), None, true)
}

fn strange(number: &str, minor: i64) -> Finding {
    only_theirs(&line(number, minor, 4), Known::Nothing)
}

/// The books have 1,250 of it, the bill so much.
fn differs(number: &str, minor: i64) -> Finding {
    compare(&ours(number, 1_250), &line(number, minor, 1)).expect("a difference")
}

fn agrees(number: &str) -> Finding {
    corrected(&payment(number), 0, Some(side(1_250, 1)), Some(&line(number, 1_250, 1)))
}

impl<'a> Desk<'a> {
    fn open(base: &'a Base) -> Self {
        Self { base, tea: House::build(base, b'T'), ids: Cell::new(0), runs: Cell::new(0) }
    }

    fn id(&self) -> DiscrepancyId {
        self.ids.set(self.ids.get() + 1);
        DiscrepancyId::from_bytes(bytes(b'T', self.ids.get()))
    }

    fn begins(&self, day: &str) -> (Run, Millis) {
        self.runs.set(self.runs.get() + 1);
        let now = at(i64::from(self.runs.get()) * 1_000);
        let new = Reconciliation { day: day.to_owned(), ..new_run(&self.tea, self.runs.get(), now) };
        assert_eq!(self.base.write(|tx| reconciliations::start(tx, &self.tea.scope, &new)), None);
        (Run { id: new.id, account: self.tea.account, day: day.to_owned() }, now)
    }

    /// A whole comparison of the day that found these; the answer is how many it closed.
    fn compares(&self, day: &str, findings: &[Finding]) -> usize {
        let (run, now) = self.begins(day);
        let found: Vec<_> = findings.iter().map(|finding| (self.id(), finding.clone())).collect();
        self.base.write(|tx| discrepancies::keep(tx, &self.tea.scope, &run, &found, now));
        self.base.write(|tx| discrepancies::close_others(tx, &self.tea.scope, &run, "not found", now))
    }

    fn list(&self, filter: &Filter) -> Vec<Discrepancy> {
        self.base.read(|tx| discrepancies::list(tx, &self.tea.scope, filter, None, 50))
    }

    /// `day class number money state correction`.
    fn told(&self, filter: &Filter) -> Vec<String> {
        let one = |one: &Discrepancy| {
            let number = one.finding.key.as_ref().map_or("-", |key| key.number.as_str());
            let minor = one.finding.ours.or(one.finding.theirs).map_or(0, |side| side.money.minor());
            let correction = one.correction.map_or("-".to_owned(), |correction| correction.amount.minor().to_string());
            let (class, standing) = (one.finding.class.text(), one.standing.text());
            format!("{} {class} {number} {minor} {standing} {correction}", one.day)
        };
        let mut told: Vec<String> = self.list(filter).iter().map(one).collect();
        told.sort();
        told
    }

    fn all(&self) -> Vec<String> {
        self.told(&Filter::default())
    }

    fn waiting(&self) -> Vec<String> {
        self.told(&Filter { waiting: true, ..Filter::default() })
    }

    fn of(&self, number: &str) -> Discrepancy {
        let is_it = |one: &Discrepancy| one.finding.key.as_ref().map_or("-", |key| key.number.as_str()) == number;
        let mut waiting = self.list(&Filter { waiting: true, ..Filter::default() });
        waiting.retain(is_it);
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        waiting.remove(0)
    }

    /// A person brings it there.
    fn decide(&self, number: &str, standing: Standing) {
        let mut one = self.of(number);
        one.standing = standing;
        if standing == Standing::WrittenOff {
            one.lost = one.correction;
        }
        self.base.write(|tx| discrepancies::save(tx, &self.tea.scope, &mut one.clone()));
        let stale = self.base.try_write(|tx| discrepancies::save(tx, &self.tea.scope, &mut one.clone()));
        assert_eq!(stale, Err(STALE));
    }
}

#[test]
fn a_repeated_comparison_keeps_what_was_decided_and_closes_what_is_gone() {
    on_both(|base| {
        let desk = Desk::open(base);
        let findings = [
            lacks("a", 5),
            lacks("b", 6),
            strange("c", 7),
            unreadable(2, "?".to_owned()),
            unreadable(9, "!".to_owned()),
        ];
        assert_eq!(desk.compares(DAY, &findings), 0);
        let mut back: Vec<Finding> = desk.list(&Filter::default()).into_iter().map(|one| one.finding).collect();
        back.sort_by_key(|finding| findings.iter().position(|one| one == finding));
        assert_eq!(back, findings, "what was found is read back as it was");

        // A person books c away; somebody would write a off.
        desk.decide("c", Standing::Resolved);
        desk.decide("a", Standing::WriteOffProposed);
        // The same bill again: nothing moves. A revised one: a is of another amount, b is gone, and so is line 2.
        let proposed = desk.of("a").version;
        assert_eq!(desk.compares(DAY, &findings), 0);
        assert_eq!((desk.of("a").version, desk.of("a").standing), (proposed, Standing::WriteOffProposed));
        let revised = [lacks("a", 4), strange("c", 7), strange("d", 1), unreadable(9, "!".to_owned())];
        assert_eq!(desk.compares(DAY, &revised), 2);
        let shown = [
            "2026-01-31 missing_here c 7 resolved 7",
            "2026-01-31 missing_here d 1 open 1",
            // Nobody has agreed to write that off.
            "2026-01-31 missing_there a 4 open -4",
            "2026-01-31 missing_there b 6 closed -6",
            "2026-01-31 unreadable - 0 closed -",
            "2026-01-31 unreadable - 0 open -",
        ];
        assert_eq!(desk.all(), shown);
        assert!(desk.of("a").version > proposed, "whoever saw the other amount cannot decide this one");
        // Of another amount only that is left which was not booked.
        desk.compares(DAY, &[strange("c", 8), lacks("a", 4)]);
        assert!(desk.all().contains(&"2026-01-31 missing_here c 8 open 1".to_owned()), "{:?}", desk.all());
        assert!(desk.all().contains(&shown[0].to_owned()));

        // The next day's bill has a, as the books do.
        let (run, now) = desk.begins(NEXT_DAY);
        base.write(|tx| discrepancies::settle(tx, &desk.tea.scope, &run, &[payment("a")], now));
        assert_eq!(desk.waiting(), ["2026-01-31 missing_here c 8 open 1"]);
        let waiting_of = |day: &'static str| base.read(|tx| discrepancies::waiting_of_day(tx, &desk.tea.scope, day));
        assert_eq!(waiting_of(DAY).into_values().collect::<Vec<_>>(), [1], "what is decided waits for nobody");
        assert!(waiting_of(NEXT_DAY).is_empty());

        let of = |filter: Filter| desk.list(&filter).len();
        assert_eq!(of(Filter { standing: Some(Standing::Resolved), ..Filter::default() }), 1);
        assert_eq!(of(Filter { class: Some(Class::MissingThere), ..Filter::default() }), 2);
        assert_eq!(of(Filter { day: Some(DAY.to_owned()), account: Some(desk.tea.account), ..Filter::default() }), 7);
        let (mut paged, mut last) = (0, None);
        loop {
            let page = base.read(|tx| discrepancies::list(tx, &desk.tea.scope, &Filter::default(), last, 3));
            let Some(end) = page.last() else { break };
            last = Some(discrepancies::Cursor { at: end.found_at, id: end.id });
            paged += page.len();
        }
        assert_eq!(paged, 7);
        assert_eq!(last.expect("one").to_string().parse(), Ok(last.expect("one")));
    });
}

/// Whatever a later bill says, what was booked about a movement and what is still offered come to what differs.
#[test]
fn what_a_decision_booked_is_not_offered_again_and_is_offered_back() {
    on_both(|base| {
        let desk = Desk::open(base);
        // The next day's bill has what a person, or two, had given up.
        desk.compares(
            DAY,
            &[lacks("m", 1_250), lacks("w", 1_250), differs("x", 1_200), duplicate(&line("d", 9, 6), 2)],
        );
        for number in ["m", "x", "d"] {
            desk.decide(number, Standing::Resolved);
        }
        desk.decide("w", Standing::WrittenOff);
        desk.compares(NEXT_DAY, &[agrees("m"), agrees("w")]);
        assert_eq!(desk.waiting(), ["2026-02-01 corrected m 1250 open 1250", "2026-02-01 corrected w 1250 open 1250"]);
        let lost = |number: &str| base.read(|tx| discrepancies::lost_before(tx, &desk.tea.scope, &desk.of(number)));
        let money = |minor| Money::new(minor, Currency::CNY);
        assert_eq!((lost("m"), lost("w")), (None, Some(Correction { amount: money(-1_250), fee: money(-1) })));
        for number in ["m", "w"] {
            desk.decide(number, Standing::Resolved);
        }
        desk.compares(NEXT_DAY, &[agrees("m"), agrees("w")]);
        assert_eq!(desk.waiting(), [""; 0], "taken back once");

        // A revision that says more, one that differs in its moments and lines alone, and one that agrees.
        desk.compares(DAY, &[differs("x", 1_170), duplicate(&line("d", 9, 5), 2)]);
        assert_eq!(desk.waiting(), ["2026-01-31 amount x 1250 open -30"], "the same line too many is one line up");
        let mut moved = differs("x", 1_200);
        let later = |side: Side| Side { at: at(77), ..side };
        (moved.theirs, moved.line) = (moved.theirs.map(later), Some(9));
        desk.compares(DAY, &[moved, duplicate(&line("d", 9, 5), 2)]);
        assert_eq!(desk.waiting(), [""; 0]);
        desk.compares(DAY, &[agrees("x"), corrected(&payment("d"), 2, None, None)]);
        assert_eq!(desk.waiting(), ["2026-01-31 corrected d 0 open -9", "2026-01-31 corrected x 1250 open 50"]);

        // In the order of the numbers, for whoever walks through them.
        let numbers = |limit| {
            let (mut all, mut last) = (Vec::new(), None);
            loop {
                let page =
                    base.read(|tx| discrepancies::decided(tx, &desk.tea.scope, desk.tea.account, last.as_ref(), limit));
                let Some(end) = page.last() else { break all };
                last = Some(end.clone());
                all.extend(page.into_iter().map(|one| format!("{} {}", one.key.number, one.correction.amount.minor())));
            }
        };
        let mut sorted = numbers(2);
        sorted.sort();
        assert_eq!(sorted, ["d 9", "m -1250", "m 1250", "w -1250", "w 1250", "x -50"]);
        assert_eq!(numbers(100).len(), 6);
        assert!(numbers(1).iter().map(|one| &one[..1]).is_sorted());
    });
}

#[test]
fn one_movement_waits_once_whichever_day_it_is_told_on() {
    on_both(|base| {
        let desk = Desk::open(base);
        desk.compares(DAY, &[lacks("m", 1_250)]);
        let mei = saoma_protocol::UserId::from_bytes(bytes(b'T', 1));
        let mut given = desk.of("m");
        (given.standing, given.assigned_to) = (Standing::Assigned, Some(mei));
        base.write(|tx| discrepancies::save(tx, &desk.tea.scope, &mut given.clone()));
        // The next day's bill has it with another amount: whoever books both would take 1,300 out.
        let known = Known::Moved(side(1_250, 1));
        let other = only_theirs(&line("m", 1_200, 3), known);
        assert_eq!(other.fields, [Field::Amount, Field::Date]);
        desk.compares(NEXT_DAY, &[other]);
        assert_eq!(desk.waiting(), ["2026-02-01 amount m 1250 assigned -50"]);
        assert_eq!(desk.of("m").assigned_to, Some(mei));
        // A line too many is another matter, and of its own day.
        desk.compares(DAY, &[duplicate(&line("m", 1_250, 7), 1)]);
        assert_eq!(desk.waiting().len(), 2);
    });
}

#[test]
fn what_was_closed_and_comes_back_is_open_again() {
    on_both(|base| {
        let desk = Desk::open(base);
        let findings = [lacks("m", 1_250), differs("x", 1_200), unreadable(3, "?".to_owned())];
        desk.compares(DAY, &findings);
        let before = desk.waiting();
        assert_eq!(desk.compares(DAY, &[]), 3);
        assert_eq!(desk.waiting(), [""; 0]);
        desk.compares(DAY, &findings);
        assert_eq!((desk.waiting(), desk.all().len()), (before, 3), "the same rows");
    });
}

/// On PostgreSQL a person's click and a comparison meet at one row: the comparison tries again, and counts the click.
#[test]
fn a_person_who_acts_meanwhile_is_counted() {
    on_both(|base| {
        let desk = Desk::open(base);
        desk.compares(DAY, &[differs("x", 1_200)]);
        let (run, now) = desk.begins(DAY);
        let revised = [(desk.id(), differs("x", 1_170))];
        let mut clicked = desk.of("x");
        clicked.standing = Standing::Resolved;
        let keep = || base.try_write(|tx| discrepancies::keep(tx, &desk.tea.scope, &run, &revised, now));
        let scope = desk.tea.scope;
        let keep_apart = {
            let (run, revised) = (run.clone(), revised.clone());
            move || base.try_write(|tx| discrepancies::keep(tx, &scope, &run, &revised, now))
        };
        let (click, kept) = base.overlap(|tx| discrepancies::save(tx, &scope, &mut clicked.clone()), keep_apart);
        assert_eq!(click, Ok(()));
        assert_eq!(kept, if base.store.dialect() == Dialect::Postgres { Err(STALE) } else { Ok(()) });
        assert_eq!(keep(), Ok(()));
        assert_eq!(desk.waiting(), ["2026-01-31 amount x 1250 open -30"]);
    });
}

/// A person assigns it while a comparison finds it again: it is still found by that one, which does not close it.
#[test]
fn a_person_who_assigns_does_not_undo_that_it_was_found() {
    on_both(|base| {
        let desk = Desk::open(base);
        desk.compares(DAY, &[differs("x", 1_200)]);
        let mut seen = desk.of("x");
        let (run, now) = desk.begins(DAY);
        let found = [(desk.id(), differs("x", 1_200))];
        base.write(|tx| discrepancies::keep(tx, &desk.tea.scope, &run, &found, now));
        seen.standing = Standing::Assigned;
        base.write(|tx| discrepancies::save(tx, &desk.tea.scope, &mut seen.clone()));
        assert_eq!(base.write(|tx| discrepancies::close_others(tx, &desk.tea.scope, &run, "not found", now)), 0);
        assert_eq!(desk.waiting(), ["2026-01-31 amount x 1250 assigned -50"]);
    });
}

/// Neither what waits nor what is known of a batch costs a walk through the tenant's whole history.
#[test]
fn lists_are_read_from_their_indexes() {
    let base = Base::new(Dialect::Sqlite);
    let waiting = base.plan(
        "SELECT id FROM discrepancies WHERE tenant_id = 'mrc_x' AND state IN ('open', 'assigned', 'write_off_proposed') \
         ORDER BY found_at DESC, id DESC LIMIT 50",
    );
    assert!(waiting.iter().any(|step| step.contains("discrepancies_waiting_by_time")), "{waiting:?}");
    let known = base.plan(
        "SELECT id FROM discrepancies WHERE tenant_id = 'mrc_x' AND channel_account_id = 'cha_x' AND number IN ('a', 'b')",
    );
    assert!(known.iter().any(|step| step.contains("discrepancies_by_number")), "{known:?}");
    let booked = base.plan(
        "SELECT id FROM discrepancies WHERE tenant_id = 'mrc_x' AND channel_account_id = 'cha_x' AND currency IS NOT NULL \
         AND state IN ('resolved', 'written_off') AND number > '' ORDER BY number, id LIMIT 50",
    );
    assert!(booked.iter().any(|step| step.contains("discrepancies_booked")), "{booked:?}");
}
