//! Who may sign on here by staff code and PIN, and how often a wrong PIN may be tried. Pure, but for the hash.
//!
//! Five wrong PINs of one person in a row lock that person out for a minute, each further five for twice as long, up to an hour:
//! the ten thousand PINs of four digits then take some eighty days. A right one begins the count anew, and so does a new PIN
//! that core sends. The count is on the disk before anybody hears that a PIN was wrong.
//!
//! A lock runs by the clock of the machine that nobody can set, and after a start from its beginning: a terminal that does not know
//! the date, or is told a wrong one, opens no earlier and locks nobody for ever. It is of this till alone: another one counts by
//! itself. What a lock cannot do: whoever is root here needs no till to try PINs ([`saoma_protocol::cashier`]).

use std::{collections::BTreeMap, time::Duration, time::Instant};

use argon2::{Argon2, Params, PasswordHash, PasswordVerifier as _, password_hash};
use saoma_protocol::{
    CashierId, Millis,
    cashier::{CashierCard, CashierList, Pin, StaffCode, SupervisorFor, TillRole, Verifier},
};
use serde::{Deserialize, Serialize};

/// Wrong PINs in a row before a person is locked out.
pub const TRIES_MAX: u32 = 5;
/// The first lock, in milliseconds.
const LOCK_MS_FIRST: i64 = 60_000;
/// The longest lock, in milliseconds.
const LOCK_MS_MAX: i64 = 60 * 60_000;
/// Most memory that checking a PIN may take, in KiB: what core asks for is 7 MiB, and the terminal has 40.
const MEMORY_KIB_MAX: u32 = 32 * 1024;
/// Most passes.
const PASSES_MAX: u32 = 16;

/// What the disk has of somebody's wrong PINs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// Wrong ones in a row, 1 or more.
    pub wrong: u32,
    /// When the last was tried, by the clock that tells the date.
    pub last_at: Millis,
}

impl Tries {
    /// What is there, and cannot be read: as many as lock.
    pub const UNREADABLE: Self = Self { wrong: TRIES_MAX, last_at: Millis(0) };

    /// How long the last of them locks, in milliseconds; 0 if it does not.
    #[must_use]
    pub fn lock_ms(self) -> i64 {
        if self.wrong == 0 || !self.wrong.is_multiple_of(TRIES_MAX) {
            return 0;
        }
        let doublings = (self.wrong / TRIES_MAX - 1).min(16);
        (LOCK_MS_FIRST << doublings).min(LOCK_MS_MAX)
    }

    /// What is left of that lock by the clock that tells the date, in milliseconds: to be told, and nothing opens by it.
    #[must_use]
    pub fn left_ms(self, now: Millis) -> i64 {
        let gone = now.since(self.last_at).max(0);
        (self.lock_ms() - gone).max(0)
    }

    /// How many are left before the next lock.
    #[must_use]
    pub const fn left(self) -> u32 {
        TRIES_MAX - self.wrong % TRIES_MAX
    }
}

/// A change to what the disk has of cashiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CashierChange {
    List(Box<CashierList>),
    Tried(CashierId, Tries),
    Forget(CashierId),
}

/// Everybody who may sign on here, with their wrong PINs.
#[derive(Debug)]
pub struct Cashiers {
    list: CashierList,
    tries: BTreeMap<CashierId, (Tries, Instant)>,
}

impl Cashiers {
    /// As the disk has it. `at`: the moment of the start.
    #[must_use]
    pub fn new(list: CashierList, tries: Vec<(CashierId, Tries)>, at: Instant) -> Self {
        let held = |(id, tries): (CashierId, Tries)| (id, (tries, at + millis(tries.lock_ms())));
        Self { list, tries: tries.into_iter().map(held).collect() }
    }

    #[must_use]
    pub const fn list(&self) -> &CashierList {
        &self.list
    }

    /// Whether who signs on shows a PIN. Also where nobody may sign on here any more.
    #[must_use]
    pub const fn are_known(&self) -> bool {
        self.list.pins
    }

    #[must_use]
    pub fn by_code(&self, code: &str) -> Option<&CashierCard> {
        let code: StaffCode = code.trim().parse().ok()?;
        self.list.cashiers.iter().find(|card| card.staff_code == code)
    }

    /// Whether money goes back here only with a supervisor's PIN, if `signed_on` stands at the till.
    #[must_use]
    pub fn needs_supervisor(&self, signed_on: Option<CashierId>) -> bool {
        let is_supervisor = |card: &CashierCard| Some(card.id) == signed_on && card.role == TillRole::Supervisor;
        self.are_known()
            && self.list.supervisor_for == SupervisorFor::Refunds
            && !self.list.cashiers.iter().any(is_supervisor)
    }

    /// What is left of the person's lock.
    #[must_use]
    pub fn locked_for(&self, cashier: CashierId, at: Instant) -> Option<Duration> {
        let (_, until) = self.tries.get(&cashier)?;
        until.checked_duration_since(at).filter(|left| !left.is_zero())
    }

    #[must_use]
    pub fn is_anybody_locked(&self, at: Instant) -> bool {
        self.tries.keys().any(|cashier| self.locked_for(*cashier, at).is_some())
    }

    /// The person's wrong PINs in a row.
    #[must_use]
    pub fn tries(&self, cashier: CashierId) -> Option<Tries> {
        self.tries.get(&cashier).map(|(tries, _)| *tries)
    }

    /// A PIN is about to be checked, and counts as wrong until it is right: what is to be on the disk before that.
    pub fn tried(&mut self, cashier: CashierId, now: Millis, at: Instant) -> Tries {
        let before = self.tries.get(&cashier).map_or(0, |(tries, _)| tries.wrong);
        let tries = Tries { wrong: before.saturating_add(1), last_at: now };
        self.tries.insert(cashier, (tries, at + millis(tries.lock_ms())));
        tries
    }

    /// The last try was none: the count is as it was. What the disk is to be told.
    pub fn untried(&mut self, cashier: CashierId, before: Option<Tries>, at: Instant) -> CashierChange {
        match before {
            Some(tries) => {
                self.tries.insert(cashier, (tries, at));
                CashierChange::Tried(cashier, tries)
            }
            None => self.came_in(cashier),
        }
    }

    /// The right PIN: the count begins anew. What the disk is to be told.
    pub fn came_in(&mut self, cashier: CashierId) -> CashierChange {
        self.tries.remove(&cashier);
        CashierChange::Forget(cashier)
    }

    /// What the disk is to be told of `next`: it, and whose wrong PINs count no more, because they have left or have a new PIN.
    #[must_use]
    pub fn changes_to(&self, next: &CashierList) -> Vec<CashierChange> {
        let verifier = |list: &'_ CashierList, id: CashierId| {
            list.cashiers.iter().find(|card| card.id == id).map(|card| card.verifier.clone())
        };
        let is_over = |id: &&CashierId| {
            let after = verifier(next, **id);
            // A list that was not known says nothing of a new PIN.
            after.is_none() || verifier(&self.list, **id).is_some_and(|before| Some(before) != after)
        };
        let forgotten = self.tries.keys().filter(is_over).map(|id| CashierChange::Forget(*id));
        forgotten.chain([CashierChange::List(Box::new(next.clone()))]).collect()
    }

    /// These changes are on the disk.
    pub fn apply(&mut self, changes: Vec<CashierChange>) {
        for change in changes {
            match change {
                CashierChange::List(list) => self.list = *list,
                CashierChange::Forget(id) => {
                    self.tries.remove(&id);
                }
                // Counted in memory before it was written.
                CashierChange::Tried(..) => {}
            }
        }
    }
}

/// `90` → `90 seconds`, `120` → `2 minutes`.
#[must_use]
pub fn in_words(seconds: u64) -> String {
    match seconds {
        1 => "1 second".to_owned(),
        60 => "1 minute".to_owned(),
        _ if seconds.is_multiple_of(60) => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} seconds"),
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Not something that a PIN can be checked against here.
#[derive(Debug, thiserror::Error)]
#[error("the PIN cannot be checked here: have a new PIN set on the dashboard")]
pub struct NotAVerifier;

/// Whether the PIN is the one. Takes some 20 ms of a fast processor, a quarter of a second of a slow one.
///
/// # Errors
/// For what is no PHC string of argon2id, or asks for more than a terminal has.
pub fn fits(pin: &Pin, verifier: &Verifier) -> Result<bool, NotAVerifier> {
    let hash = PasswordHash::new(&verifier.0).map_err(|_| NotAVerifier)?;
    let params = Params::try_from(&hash).map_err(|_| NotAVerifier)?;
    let is_known = hash.algorithm == argon2::ARGON2ID_IDENT && hash.hash.is_some();
    if !is_known || params.m_cost() > MEMORY_KIB_MAX || params.t_cost() > PASSES_MAX || params.p_cost() > 4 {
        return Err(NotAVerifier);
    }
    match Argon2::default().verify_password(pin.expose().as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(password_hash::Error::Password) => Ok(false),
        // A version or a salt that this code does not know: nobody is locked out for it.
        Err(_) => Err(NotAVerifier),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn id(number: u8) -> CashierId {
        CashierId::from_bytes([number; 16])
    }

    fn card(number: u8, role: TillRole, verifier: &str) -> CashierCard {
        CashierCard {
            id: id(number),
            name: format!("cashier {number}"),
            staff_code: format!("0{number}").parse().unwrap(),
            role,
            verifier: Verifier(verifier.to_owned()),
        }
    }

    fn list(cashiers: Vec<CashierCard>) -> CashierList {
        CashierList { version: 1, pins: true, supervisor_for: SupervisorFor::Refunds, cashiers }
    }

    #[test]
    fn locks_double_up_to_an_hour() {
        for (wrong, minutes, left) in [
            (0, 0, 5),
            (1, 0, 4),
            (4, 0, 1),
            (5, 1, 5),
            (6, 0, 4),
            (10, 2, 5),
            (15, 4, 5),
            (20, 8, 5),
            (25, 16, 5),
            (30, 32, 5),
            (35, 60, 5),
            (40, 60, 5),
            (4_294_967_295, 60, 5),
        ] {
            let tries = Tries { wrong, last_at: Millis(0) };
            assert_eq!((tries.lock_ms(), tries.left()), (minutes * MINUTE, left), "{wrong}");
        }
    }

    /// Ten wrong ones lock for two minutes, from the minute 100 on.
    #[test]
    fn what_is_left_of_a_lock_by_whatever_clock() {
        let tries = Tries { wrong: 10, last_at: Millis(100 * MINUTE) };
        for (now, left) in [
            (100 * MINUTE, 2 * MINUTE),
            (101 * MINUTE, MINUTE),
            (102 * MINUTE - 1, 1),
            (102 * MINUTE, 0),
            (100_000 * MINUTE, 0),
            // Set back.
            (99 * MINUTE, 2 * MINUTE),
            (0, 2 * MINUTE),
            (i64::MIN, 2 * MINUTE),
            (i64::MAX, 0),
        ] {
            assert_eq!(tries.left_ms(Millis(now)), left, "{now}");
        }
        assert_eq!(Tries { wrong: 9, ..tries }.left_ms(Millis(100 * MINUTE)), 0);
    }

    #[test]
    fn a_lock_runs_by_the_clock_that_nobody_sets() {
        let start = Instant::now();
        let after = |minutes: i64| start + millis(minutes * MINUTE);
        let mut cashiers = Cashiers::new(list(vec![card(1, TillRole::Cashier, "v")]), Vec::new(), start);
        for wrong in 1..=TRIES_MAX {
            assert_eq!(cashiers.locked_for(id(1), start), None);
            // Whatever the date is.
            assert_eq!(cashiers.tried(id(1), Millis(-i64::from(wrong) * MINUTE), start).wrong, wrong);
        }
        assert_eq!(cashiers.locked_for(id(1), start), Some(Duration::from_secs(60)));
        assert_eq!(cashiers.locked_for(id(2), start), None, "others are not");
        assert!(cashiers.is_anybody_locked(start) && !cashiers.is_anybody_locked(after(1)));
        assert_eq!(cashiers.locked_for(id(1), after(1)), None);
        assert_eq!(cashiers.came_in(id(1)), CashierChange::Forget(id(1)));
        assert_eq!(cashiers.tried(id(1), Millis(0), start).wrong, 1, "a right one begins the count anew");
        // As the disk has it after a restart: all of the lock, whatever day it seems to be.
        let held = vec![(id(1), Tries { wrong: 5, last_at: Millis(10 * MINUTE) }), (id(2), Tries::UNREADABLE)];
        let cashiers = Cashiers::new(CashierList::default(), held, start);
        for id in [id(1), id(2)] {
            assert_eq!(cashiers.locked_for(id, start), Some(Duration::from_secs(60)));
            assert_eq!(cashiers.locked_for(id, after(1)), None);
        }
    }

    /// The fifth, of a PIN that cannot be checked: neither it nor the four before are worth more or less.
    #[test]
    fn what_could_not_be_checked_was_no_try() {
        let start = Instant::now();
        let four = Tries { wrong: 4, last_at: Millis(0) };
        let mut cashiers = Cashiers::new(list(vec![card(1, TillRole::Cashier, "v")]), vec![(id(1), four)], start);
        let before = cashiers.tries(id(1));
        assert_eq!(cashiers.tried(id(1), Millis(1), start).wrong, 5);
        assert!(cashiers.locked_for(id(1), start).is_some());
        assert_eq!(cashiers.untried(id(1), before, start), CashierChange::Tried(id(1), four));
        assert_eq!((cashiers.locked_for(id(1), start), cashiers.tries(id(1))), (None, Some(four)));
        cashiers.came_in(id(1));
        cashiers.tried(id(1), Millis(1), start);
        assert_eq!(cashiers.untried(id(1), None, start), CashierChange::Forget(id(1)));
        assert_eq!(cashiers.tries(id(1)), None);
    }

    #[test]
    fn whose_tries_count_no_more() {
        let start = Instant::now();
        let both = list(vec![card(1, TillRole::Cashier, "v"), card(2, TillRole::Cashier, "v")]);
        let mut cashiers = Cashiers::new(both, Vec::new(), start);
        cashiers.tried(id(1), Millis(0), start);
        cashiers.tried(id(2), Millis(0), start);
        let renamed = list(vec![card(1, TillRole::Supervisor, "v"), card(2, TillRole::Cashier, "w")]);
        let changes = cashiers.changes_to(&renamed);
        let told = |list: &CashierList| CashierChange::List(Box::new(list.clone()));
        assert_eq!(changes, [CashierChange::Forget(id(2)), told(&renamed)], "a new PIN is a new count");
        cashiers.apply(changes);
        let nobody = CashierList::default();
        assert_eq!(cashiers.changes_to(&nobody), [CashierChange::Forget(id(1)), told(&nobody)]);
    }

    #[test]
    fn who_needs_a_supervisor() {
        let both = vec![card(1, TillRole::Cashier, "v"), card(2, TillRole::Supervisor, "v")];
        let needs = |list: CashierList, who| Cashiers::new(list, Vec::new(), Instant::now()).needs_supervisor(who);
        for (who, needed) in [(None, true), (Some(id(1)), true), (Some(id(2)), false), (Some(id(9)), true)] {
            assert_eq!(needs(list(both.clone()), who), needed, "{who:?}");
            let free = CashierList { supervisor_for: SupervisorFor::None, ..list(both.clone()) };
            assert!(!needs(free, who));
        }
        assert!(needs(list(Vec::new()), None), "the last one left, and everybody gives money back");
        assert!(!needs(CashierList { pins: false, ..list(Vec::new()) }, None), "there never was any");
        let cashiers = Cashiers::new(list(both), Vec::new(), Instant::now());
        assert_eq!(cashiers.by_code(" 02 ").map(|card| card.id), Some(id(2)));
        assert!(cashiers.by_code("2").is_none() && cashiers.by_code("").is_none());
    }

    #[test]
    fn a_list_that_could_not_be_read_forgives_nobody() {
        let (start, tries) = (Instant::now(), Tries { wrong: 5, last_at: Millis(0) });
        let known = list(vec![card(1, TillRole::Cashier, "v"), card(2, TillRole::Cashier, "w")]);
        let counted = vec![(id(1), tries), (id(3), tries)];
        let forgotten = |before: CashierList| {
            let changes = Cashiers::new(before, counted.clone(), start).changes_to(&known);
            changes
                .into_iter()
                .filter_map(|change| match change {
                    CashierChange::Forget(id) => Some(id),
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(forgotten(CashierList::shut()), [id(3)], "who has left");
        assert_eq!(forgotten(list(vec![card(1, TillRole::Cashier, "old")])), [id(1), id(3)], "who has a new PIN");
    }

    #[test]
    fn a_pin_fits_its_verifier_alone() {
        // Made with another implementation: Python's argon2-cffi.
        let verifier = Verifier(GOLDEN.to_owned());
        let fits = |pin: &str, verifier: &Verifier| fits(&Pin::new(pin.to_owned()), verifier);
        assert!(fits("7391", &verifier).unwrap());
        assert!(!fits("7392", &verifier).unwrap() && !fits("", &verifier).unwrap());
        for bad in [
            String::new(),
            "7391".to_owned(),
            GOLDEN.replace("argon2id", "argon2i"),
            GOLDEN.replace("m=7168", "m=999999"),
            GOLDEN.replace("t=5", "t=99"),
            GOLDEN.replace("v=19", "v=99"),
            GOLDEN.replace("AwMDAwMDAwMDAwMDAwMDAw", "AwMD"),
            GOLDEN.rsplit_once('$').unwrap().0.to_owned(),
        ] {
            assert!(fits("7391", &Verifier(bad.clone())).is_err(), "{bad}");
        }
    }

    const GOLDEN: &str =
        "$argon2id$v=19$m=7168,t=5,p=1$AwMDAwMDAwMDAwMDAwMDAw$pZfKiyD7xqPsH8oxsw27LImW6yrSEZ/zGD3X+DMqSMM";
}
