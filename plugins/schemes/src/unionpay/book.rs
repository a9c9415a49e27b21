//! The gateway's transactions: what may follow what, and what it does to the money. No clock, no network.

use std::collections::BTreeMap;

use super::{
    moment::clearing_day,
    request::{Refusal, refusal},
};

/// How far `txnTime` may be from the scheme's clock. The documents want the current time and name no tolerance.
const SKEW_MS: i64 = 3_600_000;
/// 退货可以在原始消费发生后30日内.
const REFUND_MS: i64 = 30 * 24 * 3_600_000;
/// The longest life of a code that is shown.
const CODE_MS: i64 = 31 * 24 * 3_600_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A code is shown and not paid.
    Announced,
    Working,
    Done,
    Refused(&'static str),
    Reversed,
}

/// A transaction that moves money, or a code that waits for one.
#[derive(Clone, Debug)]
pub struct Transaction {
    pub order_id: String,
    pub txn_time: String,
    pub txn_type: &'static str,
    pub sub_type: &'static str,
    pub amount: i64,
    pub state: State,
    pub query_id: String,
    pub trace_no: String,
    pub at_ms: i64,
    /// Of a sale: until when its code can be paid.
    pub dies_at_ms: i64,
    /// Of a refund or a void: the sale's number.
    pub original: Option<String>,
    pub code: String,
    pub times_taken: u32,
    pub given_back: i64,
}

/// What a sale, a refund or a void asks for.
pub struct New<'a> {
    pub order_id: &'a str,
    pub txn_time: &'a str,
    /// `txn_time`, in milliseconds.
    pub sent_ms: i64,
    pub amount: i64,
}

#[derive(Default)]
pub struct Book {
    by_order_id: BTreeMap<String, Transaction>,
    count: u64,
}

impl Book {
    pub fn get(&self, order_id: &str) -> Option<&Transaction> {
        self.by_order_id.get(order_id)
    }

    pub fn all(&self) -> impl Iterator<Item = &Transaction> {
        self.by_order_id.values()
    }

    /// What a query about this number and time finds. A code that nobody has paid, and a charge that was reversed before it took
    /// money, are not found: no public document says what a query tells of them.
    pub fn find(&self, order_id: &str, txn_time: &str) -> Option<&Transaction> {
        let found = self.get(order_id).filter(|found| found.txn_time == txn_time)?;
        let is_nothing = matches!(found.state, State::Announced | State::Reversed) && found.times_taken == 0;
        (!is_nothing).then_some(found)
    }

    /// 申请二维码. The same once more, not paid yet: the same code (no document says so, nor otherwise).
    pub fn apply(&mut self, new: &New<'_>, dies_at_ms: i64, now_ms: i64) -> Result<Transaction, Refusal> {
        if let Some(before) = self.get(new.order_id) {
            let is_same = before.txn_time == new.txn_time && before.amount == new.amount;
            return match before.state {
                State::Announced if is_same && before.sub_type == "07" => Ok(before.clone()),
                _ => Err(duplicate()),
            };
        }
        is_current(new, now_ms)?;
        if dies_at_ms <= now_ms || dies_at_ms > now_ms.saturating_add(CODE_MS) {
            return Err(refusal("10", "报文格式错误: payTimeout"));
        }
        let mut transaction = self.transaction(new, "01", "07", State::Announced, now_ms);
        transaction.dies_at_ms = dies_at_ms;
        transaction.code = format!("https://qr.95516.com/00010000/62{:030}", self.count);
        Ok(self.put(transaction))
    }

    /// 二维码消费.
    pub fn charge(&mut self, new: &New<'_>, qr_no: &str, state: State, now_ms: i64) -> Result<Transaction, Refusal> {
        self.is_new(new, now_ms)?;
        // The codes of customers have 19 digits and begin with 62.
        if qr_no.len() != 19 || !qr_no.starts_with("62") {
            return Err(refusal("61", "输入的卡号无效，请确认后输入"));
        }
        let mut transaction = self.transaction(new, "01", "06", state, now_ms);
        transaction.times_taken = u32::from(state == State::Done);
        Ok(self.put(transaction))
    }

    /// 退货.
    pub fn refund(
        &mut self,
        new: &New<'_>,
        original_query_id: &str,
        state: State,
        now_ms: i64,
    ) -> Result<Transaction, Refusal> {
        self.is_new(new, now_ms)?;
        let sale = self.original(original_query_id)?;
        if now_ms > sale.at_ms.saturating_add(REFUND_MS) {
            return Err(refusal("39", "交易不在受理时间范围内"));
        }
        if sale.given_back == sale.amount {
            return Err(refusal("45", "原交易已被成功退货或已被成功撤销"));
        }
        if new.amount > sale.amount - sale.given_back {
            return Err(refusal("36", "与原交易信息不符"));
        }
        self.give_back(new, &sale.order_id, "04", state, now_ms)
    }

    /// 消费撤销: the same clearing day, and the whole of it.
    pub fn void(&mut self, new: &New<'_>, original_query_id: &str, now_ms: i64) -> Result<Transaction, Refusal> {
        self.is_new(new, now_ms)?;
        let sale = self.original(original_query_id)?;
        self.may_be_undone(&sale, now_ms)?;
        if new.amount != sale.amount {
            return Err(refusal("36", "与原交易信息不符"));
        }
        self.give_back(new, &sale.order_id, "31", State::Done, now_ms)
    }

    /// 冲正, of a charge alone, within its clearing day. Once more: done, as reversals are repeated until they are acknowledged.
    pub fn reverse(&mut self, order_id: &str, txn_time: &str, now_ms: i64) -> Result<Transaction, Refusal> {
        let found = self.get(order_id).filter(|found| found.txn_time == txn_time && found.txn_type == "01");
        let sale = found.cloned().ok_or_else(|| refusal("34", "查无此交易"))?;
        match sale.state {
            State::Reversed => return Ok(sale),
            State::Done if sale.sub_type == "06" => self.may_be_undone(&sale, now_ms)?,
            State::Working if sale.sub_type == "06" => {}
            _ => return Err(refusal("35", "原交易不存在或状态不正确")),
        }
        let given_back = if sale.state == State::Done { sale.amount } else { 0 };
        Ok(self.put(Transaction { state: State::Reversed, given_back, ..sale }))
    }

    /// What waits is carried out: by the customer, for a refund by the bank.
    pub fn finish(&mut self, order_id: &str, outcome: State, now_ms: i64) -> Option<()> {
        let waiting = self.get(order_id)?.clone();
        let is_payable = match waiting.state {
            State::Announced => outcome == State::Done && now_ms <= waiting.dies_at_ms,
            State::Working => true,
            _ => false,
        };
        if !is_payable {
            return None;
        }
        let takes = outcome == State::Done && waiting.txn_type == "01";
        if let Some(sale) = waiting.original.as_ref().filter(|_| outcome != State::Done) {
            // What was set aside for the refund is there again.
            let sale = self.by_order_id.get_mut(sale)?;
            sale.given_back -= waiting.amount;
        }
        let times_taken = waiting.times_taken + u32::from(takes);
        self.put(Transaction { state: outcome, at_ms: now_ms, times_taken, ..waiting });
        Some(())
    }

    fn original(&self, query_id: &str) -> Result<Transaction, Refusal> {
        let sale =
            self.all().find(|sale| sale.query_id == query_id && sale.txn_type == "01" && sale.state == State::Done);
        sale.cloned().ok_or_else(|| refusal("35", "原交易不存在或状态不正确"))
    }

    fn may_be_undone(&self, sale: &Transaction, now_ms: i64) -> Result<(), Refusal> {
        if sale.given_back == sale.amount {
            return Err(refusal("45", "原交易已被成功退货或已被成功撤销"));
        }
        if sale.given_back > 0 {
            return Err(refusal("35", "原交易不存在或状态不正确"));
        }
        if clearing_day(sale.at_ms) != clearing_day(now_ms) {
            return Err(refusal("39", "交易不在受理时间范围内"));
        }
        Ok(())
    }

    fn give_back(
        &mut self,
        new: &New<'_>,
        sale: &str,
        txn_type: &'static str,
        state: State,
        now_ms: i64,
    ) -> Result<Transaction, Refusal> {
        if let Some(sale) = self.by_order_id.get_mut(sale) {
            sale.given_back += new.amount;
        }
        let mut transaction = self.transaction(new, txn_type, "00", state, now_ms);
        transaction.original = Some(sale.to_owned());
        Ok(self.put(transaction))
    }

    fn is_new(&self, new: &New<'_>, now_ms: i64) -> Result<(), Refusal> {
        if self.get(new.order_id).is_some() {
            return Err(duplicate());
        }
        is_current(new, now_ms)
    }

    fn transaction(
        &mut self,
        new: &New<'_>,
        txn_type: &'static str,
        sub_type: &'static str,
        state: State,
        now_ms: i64,
    ) -> Transaction {
        self.count += 1;
        Transaction {
            order_id: new.order_id.to_owned(),
            txn_time: new.txn_time.to_owned(),
            txn_type,
            sub_type,
            amount: new.amount,
            state,
            query_id: format!("{}{:07}", new.txn_time, self.count),
            trace_no: format!("{:06}", self.count % 1_000_000),
            at_ms: now_ms,
            dies_at_ms: i64::MAX,
            original: None,
            code: String::new(),
            times_taken: 0,
            given_back: 0,
        }
    }

    fn put(&mut self, transaction: Transaction) -> Transaction {
        self.by_order_id.insert(transaction.order_id.clone(), transaction.clone());
        transaction
    }
}

fn is_current(new: &New<'_>, now_ms: i64) -> Result<(), Refusal> {
    if (new.sent_ms - now_ms).abs() > SKEW_MS { Err(refusal("10", "报文格式错误: txnTime")) } else { Ok(()) }
}

fn duplicate() -> Refusal {
    refusal("12", "重复交易")
}
