//! Alipay's books: trades, refunds, and codes that nobody has scanned yet. No clock, chance or network.
//!
//! A code on show has no trade: that comes into being when a customer scans it. Until then Alipay answers "no such trade" to
//! query and close, and close makes the number unusable all the same.

use std::collections::BTreeMap;

use super::refusal::Refusal;

/// A trade can be cancelled for so long.
const CANCEL_MS_MAX: i64 = 24 * 3_600_000;
/// A paid trade can be refunded for so long; then it is finished.
const REFUND_MS_MAX: i64 = 365 * 24 * 3_600_000;
/// A code that nobody scans lives so long, whatever else was asked for.
const CODE_MS_MAX: i64 = 2 * 3_600_000;

/// An order as the merchant sent it: another one under the same number is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    pub number: String,
    pub amount_minor: i64,
    pub subject: String,
    pub expires_at: i64,
}

impl NewOrder {
    /// Whether it is that order again, whatever its time.
    fn repeats(&self, other: &Self) -> bool {
        (&self.number, self.amount_minor, &self.subject) == (&other.number, other.amount_minor, &other.subject)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Waiting,
    Success,
    Finished,
    Closed,
}

impl Status {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "WAIT_BUYER_PAY",
            Self::Success => "TRADE_SUCCESS",
            Self::Finished => "TRADE_FINISHED",
            Self::Closed => "TRADE_CLOSED",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Refund {
    pub number: String,
    pub amount_minor: i64,
    pub at: i64,
    /// Not while it is worked on.
    pub is_paid: bool,
}

#[derive(Clone, Debug)]
pub struct Trade {
    pub order: NewOrder,
    pub trade_no: String,
    pub status: Status,
    pub created_at: i64,
    pub paid_at: Option<i64>,
    /// Given back by a cancel, under the trade's own number.
    pub is_cancelled: bool,
    pub refunds: Vec<Refund>,
    pub times_taken: u32,
}

impl Trade {
    /// What was taken out of the merchant's account for refunds, those being worked on too.
    #[must_use]
    pub fn refunded_minor(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.amount_minor).sum()
    }

    /// What the customer has back.
    #[must_use]
    pub fn given_back_minor(&self) -> i64 {
        self.refunds.iter().filter(|refund| refund.is_paid).map(|refund| refund.amount_minor).sum()
    }
}

/// A code that nobody has scanned.
#[derive(Clone, Debug)]
struct Shown {
    order: NewOrder,
    shown_at: i64,
    is_unusable: bool,
}

/// What a cancel did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Close,
    Refund,
}

/// The text of the code that is shown for an order.
#[must_use]
pub fn code_of(number: &str) -> String {
    format!("https://qr.alipay.com/{number}")
}

#[derive(Default)]
pub struct Book {
    trades: BTreeMap<String, Trade>,
    shown: BTreeMap<String, Shown>,
}

impl Book {
    pub fn trades(&self) -> impl Iterator<Item = &Trade> {
        self.trades.values()
    }

    /// The order whose code is on show, if nobody has scanned it.
    #[must_use]
    pub fn shown(&self, number: &str) -> Option<&NewOrder> {
        self.shown.get(number).map(|shown| &shown.order)
    }

    /// The trade of this number, as it stands at `now`.
    pub fn trade(&mut self, number: &str, now: i64) -> Option<&mut Trade> {
        let trade = self.trades.get_mut(number)?;
        match (trade.status, trade.paid_at) {
            (Status::Waiting, _) if now >= trade.order.expires_at => trade.status = Status::Closed,
            (Status::Success, Some(paid_at)) if now > paid_at + REFUND_MS_MAX => trade.status = Status::Finished,
            _ => {}
        }
        Some(trade)
    }

    /// `alipay.trade.precreate`: the text of the code.
    ///
    /// # Errors
    /// If the number is taken by another order, or is over.
    pub fn precreate(&mut self, order: NewOrder, now: i64) -> Result<String, Refusal> {
        if let Some(trade) = self.trade(&order.number, now) {
            return Err(repeated(trade, &order));
        }
        if self.shown.get(&order.number).is_some_and(|shown| !shown.order.repeats(&order)) {
            return Err(Refusal::Business("ACQ.CONTEXT_INCONSISTENT"));
        }
        let number = order.number.clone();
        let code = code_of(&number);
        self.shown.entry(number).or_insert(Shown { order, shown_at: now, is_unusable: false });
        Ok(code)
    }

    /// `alipay.trade.pay`: takes the money, or waits for the customer's yes.
    ///
    /// # Errors
    /// If the number was used before.
    pub fn pay(&mut self, order: NewOrder, must_confirm: bool, now: i64) -> Result<Trade, Refusal> {
        if let Some(trade) = self.trade(&order.number, now) {
            return match (trade.order.repeats(&order), trade.status) {
                (true, Status::Waiting) => Ok(trade.clone()),
                _ => Err(repeated(trade, &order)),
            };
        }
        if self.shown.contains_key(&order.number) {
            return Err(Refusal::Business("ACQ.CONTEXT_INCONSISTENT"));
        }
        let mut trade = self.opened(order, now);
        if !must_confirm {
            take(&mut trade, now);
        }
        self.trades.insert(trade.order.number.clone(), trade.clone());
        Ok(trade)
    }

    /// `alipay.trade.cancel`; `None` if there is no such trade.
    ///
    /// # Errors
    /// If it can no longer be cancelled.
    pub fn cancel(&mut self, number: &str, now: i64) -> Result<Option<(Trade, Action)>, Refusal> {
        let Some(trade) = self.trade(number, now) else { return Ok(None) };
        let action = match trade.status {
            Status::Waiting => {
                trade.status = Status::Closed;
                Action::Close
            }
            Status::Closed if trade.is_cancelled => Action::Refund,
            Status::Closed if trade.paid_at.is_none() => Action::Close,
            Status::Finished => return Err(Refusal::Business("ACQ.TRADE_HAS_FINISHED")),
            Status::Closed | Status::Success if !trade.refunds.is_empty() => {
                return Err(Refusal::Business("ACQ.REASON_TRADE_REFUND_FEE_ERR"));
            }
            Status::Closed | Status::Success if now > trade.created_at + CANCEL_MS_MAX => {
                return Err(Refusal::Business("ACQ.TRADE_CANCEL_TIME_OUT"));
            }
            Status::Closed | Status::Success => {
                let whole = Refund {
                    number: trade.order.number.clone(),
                    amount_minor: trade.order.amount_minor,
                    at: now,
                    is_paid: true,
                };
                trade.refunds.push(whole);
                trade.is_cancelled = true;
                trade.status = Status::Closed;
                Action::Refund
            }
        };
        Ok(Some((trade.clone(), action)))
    }

    /// `alipay.trade.close`.
    ///
    /// # Errors
    /// Unless the trade waits for the customer.
    pub fn close(&mut self, number: &str, now: i64) -> Result<Trade, Refusal> {
        if let Some(shown) = self.shown.get_mut(number) {
            shown.is_unusable = true;
        }
        let trade = self.trade(number, now).ok_or(Refusal::Business("ACQ.TRADE_NOT_EXIST"))?;
        if trade.status != Status::Waiting {
            return Err(Refusal::Business("ACQ.REASON_TRADE_STATUS_INVALID"));
        }
        trade.status = Status::Closed;
        Ok(trade.clone())
    }

    /// `alipay.trade.refund`: the trade, and whether money was moved by this very request.
    ///
    /// # Errors
    /// If the trade is not there, not paid or finished, the sum is too large, or the number had another amount.
    pub fn refund(
        &mut self,
        number: &str,
        refund_number: &str,
        amount_minor: i64,
        is_slow: bool,
        now: i64,
    ) -> Result<(Trade, bool), Refusal> {
        let trade = self.trade(number, now).ok_or(Refusal::Business("ACQ.TRADE_NOT_EXIST"))?;
        if let Some(before) = trade.refunds.iter().find(|refund| refund.number == refund_number) {
            return match before.amount_minor == amount_minor {
                true => Ok((trade.clone(), false)),
                false => Err(Refusal::Business("ACQ.DISCORDANT_REPEAT_REQUEST")),
            };
        }
        match (trade.status, trade.paid_at) {
            (Status::Finished, _) => return Err(Refusal::Business("ACQ.TRADE_HAS_FINISHED")),
            (Status::Waiting, _) | (_, None) => return Err(Refusal::Business("ACQ.TRADE_STATUS_ERROR")),
            (Status::Success | Status::Closed, Some(_)) => {}
        }
        if trade.refunded_minor() + amount_minor > trade.order.amount_minor {
            return Err(Refusal::Business("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"));
        }
        let refund = Refund { number: refund_number.to_owned(), amount_minor, at: now, is_paid: !is_slow };
        trade.refunds.push(refund);
        if trade.given_back_minor() == trade.order.amount_minor {
            trade.status = Status::Closed;
        }
        Ok((trade.clone(), !is_slow))
    }

    /// The customer scans the code if there is one, and pays; or a refund that is worked on is paid out.
    ///
    /// # Errors
    /// If nothing of that number waits, in words.
    pub fn customer_pays(&mut self, number: &str, now: i64) -> Result<(), String> {
        for trade in self.trades.values_mut() {
            let all = trade.order.amount_minor;
            if let Some(refund) = trade.refunds.iter_mut().find(|refund| refund.number == number && !refund.is_paid) {
                (refund.is_paid, refund.at) = (true, now);
                if trade.given_back_minor() == all {
                    trade.status = Status::Closed;
                }
                return Ok(());
            }
        }
        take(self.waiting(number, now)?, now);
        Ok(())
    }

    /// The customer scans the code if there is one, and turns it down.
    ///
    /// # Errors
    /// If nothing of that number waits, in words.
    pub fn customer_declines(&mut self, number: &str, now: i64) -> Result<(), String> {
        self.waiting(number, now)?.status = Status::Closed;
        Ok(())
    }

    fn waiting(&mut self, number: &str, now: i64) -> Result<&mut Trade, String> {
        if let Some(shown) = self.shown.get(number) {
            if shown.is_unusable {
                return Err("the order was closed before anybody scanned its code".to_owned());
            }
            if now >= shown.order.expires_at || now >= shown.shown_at + CODE_MS_MAX {
                return Err("the code is too old".to_owned());
            }
            let trade = self.opened(shown.order.clone(), now);
            self.shown.remove(number);
            self.trades.insert(number.to_owned(), trade);
        }
        match self.trade(number, now) {
            Some(trade) if trade.status == Status::Waiting => Ok(trade),
            Some(trade) => Err(format!("the trade is {}", trade.status.word())),
            None => Err("no such order".to_owned()),
        }
    }

    fn opened(&self, order: NewOrder, now: i64) -> Trade {
        Trade {
            order,
            trade_no: format!("{}220014{:010}", super::clock::day(now).replace('-', ""), self.trades.len() + 1),
            status: Status::Waiting,
            created_at: now,
            paid_at: None,
            is_cancelled: false,
            refunds: Vec::new(),
            times_taken: 0,
        }
    }
}

fn take(trade: &mut Trade, now: i64) {
    (trade.status, trade.paid_at) = (Status::Success, Some(now));
    trade.times_taken += 1;
}

/// Why a number cannot be used again.
fn repeated(trade: &Trade, order: &NewOrder) -> Refusal {
    Refusal::Business(match trade.status {
        _ if !trade.order.repeats(order) => "ACQ.CONTEXT_INCONSISTENT",
        Status::Waiting => "ACQ.CONTEXT_INCONSISTENT",
        Status::Success | Status::Finished => "ACQ.TRADE_HAS_SUCCESS",
        Status::Closed => "ACQ.TRADE_HAS_CLOSE",
    })
}
