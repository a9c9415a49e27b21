//! The order book: what each call of the merchant and the customer does to orders and balances.
//!
//! Every function takes the time and whatever chance it needs. What happens by itself (a slow confirmation, an order's
//! end, a slow refund) happens the moment anyone looks, dated to when it was due; [`Book::advance`] looks at the slow
//! confirmations, so that their notifications leave in time.

mod staged;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    account::{Accounts, Entry, EntryKind},
    amount::{self, Currency},
    fault::{self, Fault, Manner, RefundFault},
    order::{
        Change, CustomerView, DeclineCode, NewOrder, NewRefund, Notifications, Order, OrderView, Presentation, Refund,
        RefundStatus, RefundView, Status,
    },
    refusal::Refusal,
};
use crate::stage;

/// How long the slow things take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Fault 92: from the code or the button to `PAID`.
    pub slow_ms: i64,
    /// Fault 81: from the refund's acceptance to `DONE`.
    pub refund_ms: i64,
}

/// What is to be told to a merchant. The rim sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub merchant: String,
    pub order_number: String,
    pub url: String,
    pub body: OrderView,
    /// How many times over, even if accepted at once.
    pub times: u8,
    /// The very first attempt carries a wrong signature.
    pub wrong_signature_first: bool,
    pub traceparent: Option<String>,
}

/// What comes of a call that a fault may spoil.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    Answer(T, Manner),
    /// Nothing was done and nothing will be said.
    Silence,
}

/// What waits for the stage door waits for as long as it takes: a century.
const UNTIL_PLAYED_MS: i64 = 3_155_760_000_000;

type OrderKey = (String, String);

/// All orders, the accounts that pay them, and the notices not yet handed to the rim.
#[derive(Debug)]
pub struct Book {
    pub accounts: Accounts,
    base_url: String,
    timing: Timing,
    orders: Vec<Order>,
    by_key: HashMap<OrderKey, usize>,
    by_token: HashMap<String, usize>,
    /// Numbers closed before they were used.
    burnt: HashSet<OrderKey>,
    /// Orders in `Paying`.
    paying: Vec<usize>,
    references: u64,
    notices: Vec<Notice>,
    /// Amounts have no magic.
    is_on_stage: bool,
    /// What the call that is under way runs into on the stage.
    staged: Option<stage::Fault>,
}

impl Book {
    /// `base_url` without a slash at the end; order links begin with it.
    #[must_use]
    pub fn new(base_url: String, timing: Timing) -> Self {
        Self {
            accounts: Accounts::default(),
            base_url,
            timing,
            orders: Vec::new(),
            by_key: HashMap::new(),
            by_token: HashMap::new(),
            burnt: HashSet::new(),
            paying: Vec::new(),
            references: 0,
            notices: Vec::new(),
            is_on_stage: false,
            staged: None,
        }
    }

    /// The notices that came up since the last call.
    #[must_use]
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Brings slow confirmations that are due to their end.
    pub fn advance(&mut self, now: i64) {
        for idx in std::mem::take(&mut self.paying) {
            self.look_at(idx, now);
            if self.orders[idx].status == Status::Paying {
                self.paying.push(idx);
            }
        }
    }

    /// `POST /v1/orders`: puts an order on show under `token`.
    ///
    /// # Errors
    /// `BadRequest`, `CurrencyUnsupported`, `OrderClosed` for a burnt number, `OrderConflict`.
    pub fn create(
        &mut self,
        merchant: &str,
        new: NewOrder,
        token: String,
        traceparent: Option<String>,
        now: i64,
    ) -> Result<OrderView, Refusal> {
        if new.code.is_some() {
            return Err(Refusal::BadRequest("code belongs to POST /v1/charges".into()));
        }
        let (amount_minor, currency) = new.check()?;
        if let Some(idx) = self.known(merchant, &new.order_number)? {
            self.look_at(idx, now);
            let order = &self.orders[idx];
            return match order.presentation {
                Presentation::CustomerShows => Err(Refusal::OrderConflict("kind: it is a charge")),
                Presentation::MerchantShows { .. }
                    if (order.amount_minor, order.currency) != (amount_minor, currency) =>
                {
                    Err(Refusal::OrderConflict("amount"))
                }
                Presentation::MerchantShows { .. } => Ok(order.view(&self.base_url, 0)),
            };
        }
        if new.expires_at <= now {
            return Err(Refusal::BadRequest("expires_at is in the past".into()));
        }
        let presentation = Presentation::MerchantShows { token };
        let idx = self.open(merchant, new, (amount_minor, currency), presentation, traceparent, now);
        Ok(self.orders[idx].view(&self.base_url, 0))
    }

    /// `POST /v1/charges`: takes the money from the account that shows `code`.
    ///
    /// # Errors
    /// `BadRequest`, `CurrencyUnsupported`, `OrderClosed` for a burnt number, `OrderConflict`, `CodeInvalid`,
    /// `CodeExpired`. A decline is not an error but an order.
    pub fn charge(
        &mut self,
        merchant: &str,
        new: NewOrder,
        traceparent: Option<String>,
        now: i64,
    ) -> Result<Outcome<OrderView>, Refusal> {
        let code = new.code.clone().ok_or_else(|| Refusal::BadRequest("missing field `code`".into()))?;
        let (amount_minor, currency) = new.check()?;
        if let Some(idx) = self.known(merchant, &new.order_number)? {
            self.look_at(idx, now);
            let order = &self.orders[idx];
            return match order.presentation {
                Presentation::MerchantShows { .. } => Err(Refusal::OrderConflict("kind: it is not a charge")),
                Presentation::CustomerShows if (order.amount_minor, order.currency) != (amount_minor, currency) => {
                    Err(Refusal::OrderConflict("amount"))
                }
                Presentation::CustomerShows => Ok(Outcome::Answer(order.view(&self.base_url, 0), Manner::Plain)),
            };
        }
        match self.staged {
            Some(stage::Fault::CodeExpired) => return Err(Refusal::CodeExpired),
            Some(stage::Fault::CodeInvalid) => return Err(Refusal::CodeInvalid),
            _ => {}
        }
        let fault = self.fault_of(amount_minor);
        if fault == Some(Fault::SilentBefore) {
            return Ok(Outcome::Silence);
        }
        let payer = self.accounts.take_code(&code, now)?;
        let idx = self.open(merchant, new, (amount_minor, currency), Presentation::CustomerShows, traceparent, now);
        match (self.staged_decline(), self.accounts.can_pay(payer, amount_minor, currency)) {
            (Some(code), _) => self.decline(idx, payer, code, now),
            _ if fault == Some(Fault::Declines) => self.decline(idx, payer, DeclineCode::InsufficientFunds, now),
            (None, Err(Refusal::LimitExceeded { .. })) => self.decline(idx, payer, DeclineCode::LimitExceeded, now),
            (None, Err(_)) => self.decline(idx, payer, DeclineCode::InsufficientFunds, now),
            (None, Ok(())) => self.collect(idx, payer, now),
        }
        let view = self.orders[idx].view(&self.base_url, overstated_minor(fault));
        Ok(Outcome::Answer(view, fault.map_or(Manner::Plain, Fault::charge_manner)))
    }

    /// `GET /v1/orders/{order_number}`: the truth, whatever was answered before.
    ///
    /// # Errors
    /// `OrderNotFound`.
    pub fn query(&mut self, merchant: &str, number: &str, now: i64) -> Result<OrderView, Refusal> {
        let idx = self.find(merchant, number, now)?;
        Ok(self.orders[idx].view(&self.base_url, 0))
    }

    /// `POST /v1/orders/{order_number}/close`.
    ///
    /// # Errors
    /// `OrderNotFound`, and the number is burnt; `NotReversible`.
    pub fn close(&mut self, merchant: &str, number: &str, now: i64) -> Result<OrderView, Refusal> {
        let Ok(idx) = self.find(merchant, number, now) else {
            self.burnt.insert((merchant.to_owned(), number.to_owned()));
            return Err(Refusal::OrderNotFound);
        };
        match self.orders[idx].status {
            Status::Waiting | Status::Paying | Status::Declined => {
                self.orders[idx].enter(Status::Closed, now, "closed by the merchant");
            }
            Status::Paid if !self.orders[idx].refunds.is_empty() => return Err(Refusal::NotReversible),
            Status::Paid => self.reverse(idx, now),
            Status::Closed | Status::Reversed | Status::Refunded | Status::PartlyRefunded => {}
        }
        Ok(self.orders[idx].view(&self.base_url, 0))
    }

    /// `POST /v1/orders/{order_number}/refunds`.
    ///
    /// # Errors
    /// `BadRequest`, `OrderNotFound`, `RefundConflict`, `RefundExceeds` (also if the order is not paid).
    pub fn refund(
        &mut self,
        merchant: &str,
        number: &str,
        new: NewRefund,
        now: i64,
    ) -> Result<Outcome<RefundView>, Refusal> {
        let idx = self.find(merchant, number, now)?;
        let amount_minor = new.check(self.orders[idx].currency)?;
        let order = &self.orders[idx];
        if let Some(refund) = order.refunds.iter().find(|refund| refund.number == new.refund_number) {
            return if refund.amount_minor == amount_minor {
                Ok(Outcome::Answer(order.refund_view(refund), Manner::Plain))
            } else {
                Err(Refusal::RefundConflict)
            };
        }
        let left_minor = order.refundable_minor();
        if amount_minor > left_minor {
            return Err(Refusal::RefundExceeds { left: amount::format(left_minor, order.currency) });
        }
        let fault = fault::of_refund(amount_minor).filter(|_| !self.is_on_stage);
        let reference = self.next_reference("SR");
        let slow_ms = match (fault, self.staged) {
            (Some(RefundFault::Slow), _) => self.timing.refund_ms,
            (_, Some(stage::Fault::Pending)) => UNTIL_PLAYED_MS,
            _ => 0,
        };
        self.orders[idx].refunds.push(Refund {
            number: new.refund_number,
            amount_minor,
            reason: new.reason,
            reference,
            status: RefundStatus::Processing,
            at: now,
            done_at: now + slow_ms,
        });
        self.look_at(idx, now);
        let order = &self.orders[idx];
        let manner = if fault == Some(RefundFault::SilentAfter) { Manner::Never } else { Manner::Plain };
        match order.refunds.last() {
            Some(refund) => Ok(Outcome::Answer(order.refund_view(refund), manner)),
            None => Err(Refusal::RefundNotFound),
        }
    }

    /// `GET /v1/orders/{order_number}/refunds/{refund_number}`.
    ///
    /// # Errors
    /// `OrderNotFound`, `RefundNotFound`.
    pub fn query_refund(
        &mut self,
        merchant: &str,
        number: &str,
        refund_number: &str,
        now: i64,
    ) -> Result<RefundView, Refusal> {
        let idx = self.find(merchant, number, now)?;
        let order = &self.orders[idx];
        let refund = order.refunds.iter().find(|refund| refund.number == refund_number);
        refund.map(|refund| order.refund_view(refund)).ok_or(Refusal::RefundNotFound)
    }

    /// What the customer's page shows of the order under `token`.
    ///
    /// # Errors
    /// `OrderNotFound`.
    pub fn show(&mut self, token: &str, now: i64) -> Result<CustomerView, Refusal> {
        let idx = *self.by_token.get(token).ok_or(Refusal::OrderNotFound)?;
        self.look_at(idx, now);
        Ok(self.orders[idx].customer_view())
    }

    /// The customer presses "pay" on that page.
    ///
    /// # Errors
    /// `OrderNotFound`, `AccountNotFound`, `AlreadyPaid`, `OrderClosed`, `OrderExpired`, `LimitExceeded`,
    /// `InsufficientFunds`. After a real lack of funds another account may still pay; fault 91 declines for good.
    pub fn pay(
        &mut self,
        token: &str,
        account: &str,
        traceparent: Option<String>,
        now: i64,
    ) -> Result<OrderView, Refusal> {
        let idx = *self.by_token.get(token).ok_or(Refusal::OrderNotFound)?;
        self.look_at(idx, now);
        let payer = self.accounts.find(account)?.id;
        let order = &mut self.orders[idx];
        let races = order.fault == Some(Fault::CloseRaces);
        match order.status {
            Status::Waiting => {}
            Status::Closed if races => {}
            Status::Closed if order.expired => return Err(Refusal::OrderExpired),
            Status::Closed | Status::Reversed | Status::Declined => return Err(Refusal::OrderClosed),
            Status::Paying | Status::Paid | Status::Refunded | Status::PartlyRefunded => {
                return Err(Refusal::AlreadyPaid);
            }
        }
        if traceparent.is_some() {
            order.traceparent = traceparent;
        }
        if order.fault == Some(Fault::Declines) {
            self.decline(idx, payer, DeclineCode::InsufficientFunds, now);
            return Err(Refusal::InsufficientFunds);
        }
        self.accounts.can_pay(payer, order.amount_minor, order.currency)?;
        self.collect(idx, payer, now);
        Ok(self.orders[idx].view(&self.base_url, 0))
    }

    /// Every order in the sequence of its creation, as of `now`.
    pub fn orders(&mut self, now: i64) -> &[Order] {
        for idx in 0..self.orders.len() {
            self.look_at(idx, now);
        }
        &self.orders
    }

    /// The orders of this number, one for each merchant that has it.
    pub fn orders_numbered(&mut self, number: &str, now: i64) -> Vec<&Order> {
        for idx in 0..self.orders.len() {
            if self.orders[idx].number == number {
                self.look_at(idx, now);
            }
        }
        self.orders.iter().filter(|order| order.number == number).collect()
    }

    /// Lets the rim record what became of an order's notifications.
    pub fn note_notifications(&mut self, merchant: &str, number: &str, note: impl FnOnce(&mut Notifications)) {
        if let Some(idx) = self.by_key.get(&(merchant.to_owned(), number.to_owned())) {
            note(&mut self.orders[*idx].notifications);
        }
    }

    /// The numbers burnt by a close before any order.
    #[must_use]
    pub fn burnt_count(&self) -> usize {
        self.burnt.len()
    }

    fn known(&self, merchant: &str, number: &str) -> Result<Option<usize>, Refusal> {
        let key = (merchant.to_owned(), number.to_owned());
        if self.burnt.contains(&key) {
            return Err(Refusal::OrderClosed);
        }
        Ok(self.by_key.get(&key).copied())
    }

    fn find(&mut self, merchant: &str, number: &str, now: i64) -> Result<usize, Refusal> {
        let key = (merchant.to_owned(), number.to_owned());
        let idx = *self.by_key.get(&key).ok_or(Refusal::OrderNotFound)?;
        self.look_at(idx, now);
        Ok(idx)
    }

    fn open(
        &mut self,
        merchant: &str,
        new: NewOrder,
        (amount_minor, currency): (i64, Currency),
        presentation: Presentation,
        traceparent: Option<String>,
        now: i64,
    ) -> usize {
        let idx = self.orders.len();
        let reference = self.next_reference("SW");
        self.by_key.insert((merchant.to_owned(), new.order_number.clone()), idx);
        if let Presentation::MerchantShows { token } = &presentation {
            self.by_token.insert(token.clone(), idx);
        }
        let why = match presentation {
            Presentation::MerchantShows { .. } => "ordered by the merchant",
            Presentation::CustomerShows => "charged by the merchant",
        };
        self.orders.push(Order {
            merchant: merchant.to_owned(),
            number: new.order_number,
            presentation,
            amount_minor,
            currency,
            fault: self.fault_of(amount_minor),
            subject: new.subject,
            merchant_name: new.merchant_name,
            store_name: new.store_name,
            created_at: now,
            expires_at: new.expires_at,
            notify_url: new.notify_url,
            traceparent,
            reference,
            status: Status::Waiting,
            decline_code: None,
            payer: None,
            paid_at: None,
            reversed_at: None,
            settles_at: None,
            expired: false,
            refunds: Vec::new(),
            changes: vec![Change { at: now, status: Status::Waiting, why }],
            charged_count: 0,
            reversed_count: 0,
            notifications: Notifications::default(),
        });
        idx
    }

    fn fault_of(&self, amount_minor: i64) -> Option<Fault> {
        fault::of_order(amount_minor).filter(|_| !self.is_on_stage)
    }

    /// The scheme's own numbers: `SW` for orders, `SR` for refunds, then a count that never repeats.
    fn next_reference(&mut self, prefix: &str) -> String {
        self.references += 1;
        format!("{prefix}{:012}", self.references)
    }

    fn look_at(&mut self, idx: usize, now: i64) {
        let order = &mut self.orders[idx];
        match order.status {
            Status::Waiting if order.token().is_some() && order.expires_at <= now => {
                order.expired = true;
                order.enter(Status::Closed, order.expires_at, "its time was up");
            }
            Status::Paying => match (order.settles_at, order.payer) {
                (Some(at), Some(payer)) if at <= now => self.settle(idx, payer, at),
                _ => {}
            },
            Status::Paid => self.finish_refunds(idx, now),
            _ => {}
        }
    }

    fn finish_refunds(&mut self, idx: usize, now: i64) {
        let order = &mut self.orders[idx];
        let mut credits = Vec::new();
        for refund in &mut order.refunds {
            if refund.status == RefundStatus::Processing && refund.done_at <= now {
                refund.status = RefundStatus::Done;
                credits.push((refund.done_at, refund.reference.clone(), refund.amount_minor));
            }
        }
        for (at, reference, amount_minor) in credits {
            let status = self.orders[idx].shown_status();
            self.orders[idx].changes.push(Change { at, status, why: "refunded" });
            self.give_back(idx, EntryKind::Refund, at, reference, amount_minor);
        }
    }

    /// Starts taking the money from an account that could pay a moment ago.
    fn collect(&mut self, idx: usize, payer: &'static str, now: i64) {
        let order = &mut self.orders[idx];
        order.payer = Some(payer);
        let is_pending = self.staged == Some(stage::Fault::Pending);
        if is_pending || order.fault == Some(Fault::Slow) {
            order.settles_at = Some(now + if is_pending { UNTIL_PLAYED_MS } else { self.timing.slow_ms });
            order.enter(Status::Paying, now, "the customer is confirming");
            self.paying.push(idx);
        } else {
            self.settle(idx, payer, now);
        }
    }

    fn settle(&mut self, idx: usize, payer: &'static str, at: i64) {
        let order = &mut self.orders[idx];
        let late = order.status == Status::Closed;
        let entry = Entry {
            at,
            kind: EntryKind::Payment,
            reference: order.reference.clone(),
            merchant_name: order.merchant_name.clone(),
            subject: order.subject.clone(),
            amount_minor: -order.amount_minor,
            currency: order.currency,
        };
        match self.accounts.debit(payer, entry) {
            Ok(()) => {
                order.charged_count += 1;
                order.paid_at = Some(at);
                order.enter(Status::Paid, at, if late { "paid by the customer after the close" } else { "paid" });
                self.notify(idx);
            }
            Err(Refusal::LimitExceeded { .. }) => self.decline(idx, payer, DeclineCode::LimitExceeded, at),
            Err(_) => self.decline(idx, payer, DeclineCode::InsufficientFunds, at),
        }
    }

    fn decline(&mut self, idx: usize, payer: &'static str, code: DeclineCode, at: i64) {
        let order = &mut self.orders[idx];
        order.payer = Some(payer);
        order.decline_code = Some(code);
        order.enter(Status::Declined, at, "declined");
        self.notify(idx);
    }

    fn reverse(&mut self, idx: usize, now: i64) {
        let order = &mut self.orders[idx];
        order.reversed_count += 1;
        order.reversed_at = Some(now);
        order.enter(Status::Reversed, now, "closed by the merchant after payment");
        let (reference, amount_minor) = (order.reference.clone(), order.amount_minor);
        self.give_back(idx, EntryKind::Reversal, now, reference, amount_minor);
    }

    fn give_back(&mut self, idx: usize, kind: EntryKind, at: i64, reference: String, amount_minor: i64) {
        let order = &self.orders[idx];
        let (merchant_name, subject, currency) = (order.merchant_name.clone(), order.subject.clone(), order.currency);
        if let Some(payer) = order.payer {
            self.accounts.credit(payer, Entry { at, kind, reference, merchant_name, subject, amount_minor, currency });
        }
    }

    fn notify(&mut self, idx: usize) {
        let order = &self.orders[idx];
        let fault = order.fault;
        let times = fault.map_or(1, Fault::notifications);
        if times == 0 || order.notify_url.is_empty() {
            return;
        }
        self.notices.push(Notice {
            merchant: order.merchant.clone(),
            order_number: order.number.clone(),
            url: order.notify_url.clone(),
            body: order.view(&self.base_url, overstated_minor(fault)),
            times,
            wrong_signature_first: fault == Some(Fault::WrongSignature),
            traceparent: order.traceparent.clone(),
        });
    }

    /// What the merchants have in all of that currency: count of orders by status, and sums in minor units.
    pub fn totals(&mut self, currency: Currency, now: i64) -> Totals {
        let mut totals = Totals::default();
        for order in self.orders(now).iter().filter(|order| order.currency == currency) {
            *totals.orders_by_status.entry(format!("{:?}", order.shown_status())).or_default() += 1;
            totals.charged_count += u64::from(order.charged_count);
            totals.reversed_count += u64::from(order.reversed_count);
            totals.charged_minor += order.amount_minor * i64::from(order.charged_count);
            totals.reversed_minor += order.amount_minor * i64::from(order.reversed_count);
            totals.refunded_minor += order.refunded_minor();
        }
        totals
    }
}

/// Sums over the whole book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub orders_by_status: BTreeMap<String, u64>,
    pub charged_count: u64,
    pub reversed_count: u64,
    pub charged_minor: i64,
    pub reversed_minor: i64,
    pub refunded_minor: i64,
}

impl Totals {
    #[must_use]
    pub const fn net_minor(&self) -> i64 {
        self.charged_minor - self.reversed_minor - self.refunded_minor
    }
}

fn overstated_minor(fault: Option<Fault>) -> i64 {
    i64::from(fault == Some(Fault::Overstates))
}
