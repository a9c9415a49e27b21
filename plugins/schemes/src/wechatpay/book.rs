//! The scheme's books: orders and refunds, and what may become of them. No clock and no network in here.

use std::collections::{BTreeMap, BTreeSet};

use ring::digest;
use serde_json::Value;

use super::{
    form::{Pay, Refund},
    moment::DAY_MS,
    refusal::Refusal,
};
use crate::stage::{OrderSeen, Unplayable};

/// A reversal comes within seven days, a refund within a year, and no more than fifty of them.
const REVERSE_WITHIN_MS: i64 = 7 * DAY_MS;
const REFUND_WITHIN_MS: i64 = 365 * DAY_MS;
const REFUNDS_MAX: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A code of the customer's.
    Micropay,
    /// A code for the customer.
    Native,
    /// A page that is open in the customer's app.
    Jsapi,
}

/// `trade_state`. An order of which money was given back is told as `REFUND`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    NotPay,
    UserPaying,
    Success,
    PayError,
    Closed,
    Revoked,
}

/// The text of the code that is shown for an order.
pub(super) fn code_url(number: &str) -> String {
    let hash = hex::encode(digest::digest(&digest::SHA256, number.as_bytes()));
    format!("weixin://wxpay/bizpayurl?pr={}", &hash[..9])
}

pub(super) struct Order {
    pub(super) number: String,
    pub(super) kind: Kind,
    pub(super) total: i64,
    pub(super) state: State,
    /// Empty until it is paid.
    pub(super) transaction_id: String,
    pub(super) paid_at: i64,
    pub(super) revoked_at: i64,
    pub(super) refunds: Vec<RefundOrder>,
    created_at: i64,
    expires_at: Option<i64>,
    /// The request, by which a repetition is told from another order of the same number.
    asked: Value,
    times_taken: u32,
}

pub(super) struct RefundOrder {
    pub(super) number: String,
    pub(super) refund_id: String,
    pub(super) amount: i64,
    pub(super) created_at: i64,
    pub(super) is_done: bool,
}

#[derive(Default)]
pub(super) struct Book {
    orders: BTreeMap<String, Order>,
    /// The files of the bill that was asked for last, by their tokens.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// The codes that were charged: each is good for one order.
    codes: BTreeSet<String>,
    n_numbers: u64,
}

impl Order {
    pub(super) fn trade_state(&self) -> &'static str {
        match self.state {
            State::NotPay => "NOTPAY",
            State::UserPaying => "USERPAYING",
            State::Success if self.refunds.is_empty() => "SUCCESS",
            State::Success => "REFUND",
            State::PayError => "PAYERROR",
            State::Closed => "CLOSED",
            State::Revoked => "REVOKED",
        }
    }

    pub(super) fn is_paid(&self) -> bool {
        !self.transaction_id.is_empty()
    }

    fn refunded(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.amount).sum()
    }

    /// Why nothing more can become of it, if so.
    fn over(&self) -> Option<Refusal> {
        match self.state {
            State::Success => Some(Refusal::paid()),
            State::Closed => Some(Refusal::closed()),
            State::Revoked => Some(Refusal::reversed()),
            State::PayError => Some(Refusal::declined()),
            State::NotPay | State::UserPaying => None,
        }
    }
}

impl Book {
    pub(super) fn orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }

    pub(super) fn order(&self, number: &str) -> Option<&Order> {
        self.orders.get(number)
    }

    /// Charges a customer; `is_slow` if they have to type their password first.
    pub(super) fn charge(
        &mut self,
        pay: &Pay,
        code: &str,
        asked: Value,
        now: i64,
        is_slow: bool,
    ) -> Result<&Order, Refusal> {
        if self.is_new(&pay.out_trade_no, &asked)? {
            if !self.codes.insert(code.to_owned()) {
                return Err(Refusal::code_used());
            }
            let state = if is_slow { State::UserPaying } else { State::NotPay };
            self.open(pay, asked, Kind::Micropay, state, now, None);
            if !is_slow {
                self.take(&pay.out_trade_no, now);
            }
        }
        self.order(&pay.out_trade_no).ok_or_else(Refusal::no_order)
    }

    pub(super) fn announce(
        &mut self,
        pay: &Pay,
        asked: Value,
        kind: Kind,
        now: i64,
        expires_at: Option<i64>,
    ) -> Result<(), Refusal> {
        if self.is_new(&pay.out_trade_no, &asked)? {
            self.open(pay, asked, kind, State::NotPay, now, expires_at);
        }
        Ok(())
    }

    fn is_new(&self, number: &str, asked: &Value) -> Result<bool, Refusal> {
        match self.orders.get(number) {
            None => Ok(true),
            Some(order) => match order.over() {
                Some(refusal) => Err(refusal),
                None if order.asked == *asked => Ok(false),
                None => Err(Refusal::invalid("请求重入时，参数与首次请求时不一致")),
            },
        }
    }

    fn open(&mut self, pay: &Pay, asked: Value, kind: Kind, state: State, now: i64, expires_at: Option<i64>) {
        let order = Order {
            number: pay.out_trade_no.clone(),
            kind,
            total: pay.amount.total,
            state,
            transaction_id: String::new(),
            paid_at: 0,
            revoked_at: 0,
            refunds: Vec::new(),
            created_at: now,
            expires_at,
            asked,
            times_taken: 0,
        };
        self.orders.insert(order.number.clone(), order);
    }

    fn take(&mut self, number: &str, now: i64) {
        let id = self.next_number("42000");
        if let Some(order) = self.orders.get_mut(number) {
            order.state = State::Success;
            order.transaction_id = id;
            order.paid_at = now;
            order.times_taken += 1;
        }
    }

    /// 28 digits, as the scheme's own numbers have.
    fn next_number(&mut self, prefix: &str) -> String {
        self.n_numbers += 1;
        format!("{prefix}{:0width$}", self.n_numbers, width = 28 - prefix.len())
    }

    pub(super) fn close(&mut self, number: &str) -> Result<(), Refusal> {
        let order = self.orders.get_mut(number).ok_or_else(Refusal::no_order)?;
        match (order.kind, order.state) {
            (Kind::Micropay, _) => Err(Refusal::invalid("当前交易不允许进行普通关单(只能撤销)")),
            (Kind::Native | Kind::Jsapi, State::Success) => Err(Refusal::paid()),
            (Kind::Native | Kind::Jsapi, _) => {
                order.state = State::Closed;
                Ok(())
            }
        }
    }

    /// Of a number that is not there the scheme says that it is done, as merchants have reported.
    pub(super) fn reverse(&mut self, number: &str, now: i64) -> Result<(), Refusal> {
        let Some(order) = self.orders.get_mut(number) else {
            return Ok(());
        };
        if order.kind != Kind::Micropay {
            return Err(Refusal::invalid("当前交易不允许撤销"));
        }
        if now - order.created_at > REVERSE_WITHIN_MS {
            return Err(Refusal::too_late_to_reverse());
        }
        match order.state {
            State::Success if !order.refunds.is_empty() => return Err(Refusal::declined()),
            State::Success => (order.state, order.revoked_at) = (State::Revoked, now),
            State::NotPay | State::UserPaying | State::PayError => order.state = State::Closed,
            State::Closed | State::Revoked => {}
        }
        Ok(())
    }

    /// `is_slow` if it is worked on until it is paid out at the stage door.
    pub(super) fn refund(
        &mut self,
        asked: &Refund,
        now: i64,
        is_slow: bool,
    ) -> Result<(&Order, &RefundOrder), Refusal> {
        let found = self.orders.values().find(|order| match (&asked.transaction_id, &asked.out_trade_no) {
            (Some(id), _) => order.is_paid() && order.transaction_id == *id,
            (None, number) => number.as_ref() == Some(&order.number),
        });
        let number = found.ok_or_else(|| Refusal::no_resource("订单不存在"))?.number.clone();
        if let Some((of, known)) = self.refund_of(&asked.out_refund_no) {
            let is_same = of.number == number && known.amount == asked.amount.refund && of.total == asked.amount.total;
            if !is_same {
                return Err(Refusal::invalid("请求重入时，参数与首次请求时不一致"));
            }
        } else {
            let refund_id = self.next_number("50300");
            let order = self.orders.get_mut(&number).ok_or_else(Refusal::no_order)?;
            let (number, amount) = (asked.out_refund_no.clone(), asked.amount.refund);
            if order.state != State::Success {
                return Err(Refusal::invalid("订单未支付或已撤销，不能退款"));
            }
            if now - order.paid_at > REFUND_WITHIN_MS {
                return Err(Refusal::invalid("订单已超过可退款的最大期限"));
            }
            if asked.amount.total != order.total {
                return Err(Refusal::invalid("订单金额与原订单不一致"));
            }
            if amount > order.total - order.refunded() || order.refunds.len() == REFUNDS_MAX {
                return Err(Refusal::invalid("申请退款总金额不能超过订单金额，部分退款不能超过50次"));
            }
            order.refunds.push(RefundOrder { number, refund_id, amount, created_at: now, is_done: !is_slow });
        }
        self.refund_of(&asked.out_refund_no).ok_or_else(|| Refusal::no_resource("退款单不存在"))
    }

    pub(super) fn refund_of(&self, number: &str) -> Option<(&Order, &RefundOrder)> {
        let with_order = |order| move |refund| (order, refund);
        self.orders
            .values()
            .flat_map(|order| order.refunds.iter().map(with_order(order)))
            .find(|(_, refund)| refund.number == number)
    }

    /// How often customers' money was taken.
    pub(super) fn taken(&self) -> u32 {
        self.orders.values().map(|order| order.times_taken).sum()
    }

    pub(super) fn seen(&self, number: &str) -> Option<OrderSeen> {
        let order = self.order(number)?;
        let was_reversed = order.state == State::Revoked;
        Some(OrderSeen {
            code: (order.kind == Kind::Native).then(|| code_url(&order.number)),
            subject: order.asked["description"].as_str().map(str::to_owned),
            number: order.number.clone(),
            amount_minor: order.total,
            currency: "CNY".to_owned(),
            state: order.trade_state().to_owned(),
            times_taken: order.times_taken,
            given_back_minor: if was_reversed { order.total } else { order.refunded() },
        })
    }

    pub(super) fn pay(&mut self, number: &str, now: i64) -> Result<(), Unplayable> {
        let refunds = self.orders.values_mut().flat_map(|order| order.refunds.iter_mut());
        if let Some(refund) = refunds.into_iter().find(|refund| refund.number == number && !refund.is_done) {
            refund.is_done = true;
            return Ok(());
        }
        let order = self.order(number).ok_or_else(|| nothing_waits(number))?;
        if order.over().is_some() || order.expires_at.is_some_and(|at| at <= now) {
            return Err(nothing_waits(number));
        }
        self.take(number, now);
        Ok(())
    }

    pub(super) fn decline(&mut self, number: &str) -> Result<(), Unplayable> {
        match self.orders.get_mut(number) {
            Some(order) if order.state == State::UserPaying => {
                order.state = State::PayError;
                Ok(())
            }
            _ => Err(nothing_waits(number)),
        }
    }
}

fn nothing_waits(number: &str) -> Unplayable {
    Unplayable(format!("nothing of the number {number} waits"))
}
