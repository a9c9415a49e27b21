//! The customers: accounts with balances, their history, and the payment codes they show to cashiers.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{
    amount::{self, Currency},
    refusal::Refusal,
};

/// How long a payment code can be charged.
pub const CODE_LIFE_MS: i64 = 60_000;
/// How long a used or expired code is remembered, so that it is told apart from one that never was.
const CODE_MEMORY_MS: i64 = 3_600_000;
/// Codes remembered before the old ones are looked for and dropped.
const CODES_MAX: usize = 10_000;
/// Newest entries of the history that are shown.
const HISTORY_SHOWN_MAX: usize = 50;
/// Largest single payment: 500,000.00 in CNY, and as many minor units of the others.
pub const PAYMENT_MINOR_MAX: i64 = 50_000_000;

/// A customer's account.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: &'static str,
    pub name: &'static str,
    /// In each currency, minor units, 0 or more.
    pub balances_minor: BTreeMap<Currency, i64>,
    pub history: Vec<Entry>,
}

/// One movement on an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub at: i64,
    pub kind: EntryKind,
    /// The scheme's number of the order or refund.
    pub reference: String,
    pub merchant_name: String,
    pub subject: String,
    /// Minor units; negative when money leaves the account.
    pub amount_minor: i64,
    pub currency: Currency,
}

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EntryKind {
    Payment,
    Reversal,
    Refund,
}

/// An account as the wallet's page lists it: what it has in CNY.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountView {
    pub id: &'static str,
    pub name: &'static str,
    pub balance: String,
    pub currency: &'static str,
}

/// One movement as the wallet's page lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryView {
    pub at: i64,
    pub kind: EntryKind,
    pub reference: String,
    pub merchant_name: String,
    pub subject: String,
    pub amount: String,
    pub currency: &'static str,
}

#[derive(Clone, Debug)]
struct Code {
    account: &'static str,
    expires_at: i64,
    used: bool,
}

/// All accounts and codes.
#[derive(Debug)]
pub struct Accounts {
    accounts: Vec<Account>,
    codes: HashMap<String, Code>,
}

impl Default for Accounts {
    /// The three customers of `PROTOCOL.md`: rich, modest, broke.
    fn default() -> Self {
        let open = |id, name, minor| Account {
            id,
            name,
            balances_minor: Currency::ALL.into_iter().map(|currency| (currency, minor)).collect(),
            history: Vec::new(),
        };
        Self {
            accounts: vec![open("alice", "Alice", 100_000_000), open("bob", "Bob", 10_000), open("carol", "Carol", 0)],
            codes: HashMap::new(),
        }
    }
}

impl Account {
    fn balance_minor(&self, currency: Currency) -> i64 {
        self.balances_minor.get(&currency).copied().unwrap_or_default()
    }
}

impl Accounts {
    #[must_use]
    pub fn views(&self) -> Vec<AccountView> {
        let view = |account: &Account| AccountView {
            id: account.id,
            name: account.name,
            balance: amount::format(account.balance_minor(Currency::Cny), Currency::Cny),
            currency: Currency::Cny.code(),
        };
        self.accounts.iter().map(view).collect()
    }

    /// All balances in that currency together, in minor units.
    #[must_use]
    pub fn total_minor(&self, currency: Currency) -> i64 {
        self.accounts.iter().map(|account| account.balance_minor(currency)).sum()
    }

    /// The newest movements first.
    ///
    /// # Errors
    /// `AccountNotFound`.
    pub fn history(&self, id: &str) -> Result<Vec<EntryView>, Refusal> {
        let view = |entry: &Entry| EntryView {
            at: entry.at,
            kind: entry.kind,
            reference: entry.reference.clone(),
            merchant_name: entry.merchant_name.clone(),
            subject: entry.subject.clone(),
            amount: amount::format(entry.amount_minor, entry.currency),
            currency: entry.currency.code(),
        };
        Ok(self.find(id)?.history.iter().rev().take(HISTORY_SHOWN_MAX).map(view).collect())
    }

    /// # Errors
    /// `AccountNotFound`.
    pub fn find(&self, id: &str) -> Result<&Account, Refusal> {
        self.accounts.iter().find(|account| account.id == id).ok_or(Refusal::AccountNotFound)
    }

    /// Whether the account can pay this much now.
    ///
    /// # Errors
    /// `AccountNotFound`, `LimitExceeded`, `InsufficientFunds`.
    pub fn can_pay(&self, id: &str, minor: i64, currency: Currency) -> Result<(), Refusal> {
        let account = self.find(id)?;
        if minor > PAYMENT_MINOR_MAX {
            return Err(Refusal::LimitExceeded { max: amount::format(PAYMENT_MINOR_MAX, currency) });
        }
        if account.balance_minor(currency) < minor { Err(Refusal::InsufficientFunds) } else { Ok(()) }
    }

    /// Takes a payment from the account, or leaves it as it was.
    ///
    /// # Errors
    /// As [`Accounts::can_pay`].
    pub fn debit(&mut self, id: &str, entry: Entry) -> Result<(), Refusal> {
        self.can_pay(id, -entry.amount_minor, entry.currency)?;
        self.book(id, entry);
        Ok(())
    }

    /// Gives money back to the account.
    pub fn credit(&mut self, id: &str, entry: Entry) {
        self.book(id, entry);
    }

    fn book(&mut self, id: &str, entry: Entry) {
        if let Some(account) = self.accounts.iter_mut().find(|account| account.id == id) {
            *account.balances_minor.entry(entry.currency).or_default() += entry.amount_minor;
            account.history.push(entry);
        }
    }

    /// Puts a payment code on show; gives when it dies. Earlier codes of the account stay good until their own end.
    ///
    /// # Errors
    /// `AccountNotFound`.
    pub fn show_code(&mut self, id: &str, digits: String, now: i64) -> Result<i64, Refusal> {
        let account = self.find(id)?.id;
        if self.codes.len() >= CODES_MAX {
            self.codes.retain(|_, code| code.expires_at + CODE_MEMORY_MS > now);
        }
        let expires_at = now + CODE_LIFE_MS;
        self.codes.insert(digits, Code { account, expires_at, used: false });
        Ok(expires_at)
    }

    /// Uses a payment code up and says whose it is.
    ///
    /// # Errors
    /// `CodeInvalid` if unknown or used, `CodeExpired`.
    pub fn take_code(&mut self, digits: &str, now: i64) -> Result<&'static str, Refusal> {
        let code = self.codes.get_mut(digits).filter(|code| !code.used).ok_or(Refusal::CodeInvalid)?;
        if code.expires_at <= now {
            return Err(Refusal::CodeExpired);
        }
        code.used = true;
        Ok(code.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(amount_minor: i64) -> Entry {
        Entry {
            at: 1,
            kind: EntryKind::Payment,
            reference: "SW1".into(),
            merchant_name: "Noodles".into(),
            subject: "Soup".into(),
            amount_minor,
            currency: Currency::Cny,
        }
    }

    #[test]
    fn a_debit_never_overdraws() {
        for (id, minor, result) in [
            ("bob", 10_000, Ok(())),
            ("bob", 10_001, Err(Refusal::InsufficientFunds)),
            ("carol", 1, Err(Refusal::InsufficientFunds)),
            ("alice", PAYMENT_MINOR_MAX, Ok(())),
            ("alice", PAYMENT_MINOR_MAX + 1, Err(Refusal::LimitExceeded { max: "500000.00".into() })),
            ("dave", 1, Err(Refusal::AccountNotFound)),
        ] {
            let mut accounts = Accounts::default();
            let before = accounts.total_minor(Currency::Cny);
            assert_eq!(accounts.debit(id, entry(-minor)), result, "{id} {minor}");
            let moved = if result.is_ok() { minor } else { 0 };
            assert_eq!(accounts.total_minor(Currency::Cny), before - moved, "{id} {minor}");
        }
    }

    #[test]
    fn a_code_works_once_and_for_a_minute() {
        let mut accounts = Accounts::default();
        let expires_at = accounts.show_code("bob", "881".into(), 1_000).unwrap();
        assert_eq!(expires_at, 61_000);
        accounts.show_code("bob", "882".into(), 1_000).unwrap();
        assert_eq!(accounts.take_code("880", 1_000), Err(Refusal::CodeInvalid));
        assert_eq!(accounts.take_code("881", 60_999), Ok("bob"));
        assert_eq!(accounts.take_code("881", 60_999), Err(Refusal::CodeInvalid));
        assert_eq!(accounts.take_code("882", 61_000), Err(Refusal::CodeExpired));
        assert_eq!(accounts.show_code("dave", "883".into(), 0), Err(Refusal::AccountNotFound));
    }
}
