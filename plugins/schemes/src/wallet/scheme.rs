//! All state of the scheme behind one lock. A call locks, decides and unlocks; nothing waits while it holds the lock.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

use super::{
    account::Accounts,
    amount::{self, Currency},
    book::Book,
    gate::Gate,
};

/// What the lock guards.
#[derive(Debug)]
pub struct State {
    pub gate: Gate,
    pub book: Book,
}

/// The scheme.
#[derive(Debug)]
pub struct Scheme(Mutex<State>);

impl Scheme {
    #[must_use]
    pub fn new(gate: Gate, book: Book) -> Self {
        Self(Mutex::new(State { gate, book }))
    }

    /// A holder that panicked leaves at worst one order half-shown to a test; the others go on.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /admin/totals`: the whole scheme in CNY on one page.
#[derive(Clone, Debug, Serialize)]
pub struct TotalsView {
    pub orders: u64,
    pub orders_by_status: BTreeMap<String, u64>,
    pub burnt_numbers: usize,
    pub charged_count: u64,
    pub reversed_count: u64,
    pub charged: String,
    pub reversed: String,
    pub refunded: String,
    /// What the merchants hold: charged, less reversed, less refunded.
    pub net: String,
    /// What the customers hold.
    pub balances: String,
    /// Customers and merchants together hold what the customers began with, in each currency.
    pub balanced: bool,
    pub currency: &'static str,
}

impl State {
    pub fn totals(&mut self, now: i64) -> TotalsView {
        let is_balanced = |state: &mut Self, currency| {
            let held = state.book.accounts.total_minor(currency) + state.book.totals(currency, now).net_minor();
            held == Accounts::default().total_minor(currency)
        };
        let balanced = Currency::ALL.into_iter().all(|currency| is_balanced(self, currency));
        let totals = self.book.totals(Currency::Cny, now);
        let balances = self.book.accounts.total_minor(Currency::Cny);
        let cny = |minor| amount::format(minor, Currency::Cny);
        TotalsView {
            orders: totals.orders_by_status.values().sum(),
            burnt_numbers: self.book.burnt_count(),
            charged_count: totals.charged_count,
            reversed_count: totals.reversed_count,
            charged: cny(totals.charged_minor),
            reversed: cny(totals.reversed_minor),
            refunded: cny(totals.refunded_minor),
            net: cny(totals.net_minor()),
            balances: cny(balances),
            balanced,
            currency: Currency::Cny.code(),
            orders_by_status: totals.orders_by_status,
        }
    }
}
