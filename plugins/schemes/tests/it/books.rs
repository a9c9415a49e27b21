//! The order book's rules: a line per story. After every step the customers' and merchants' money adds up.

use saoma_schemes::wallet::{
    account::Accounts,
    amount::{self, Currency},
    bill,
    book::{Book, Outcome, Timing},
    fault::Manner,
    order::{NewOrder, NewRefund},
    refusal::Refusal,
};

const NOW: i64 = 1_700_000_000_000;

/// `amount | step=result step=result … | charged reversed refunded notices`. Steps: `order`, `charge:account`,
/// `pay:account`, `close`, `query`, `show`, `refund:number:amount`, `refund?number`, `wait:ms`.
const STORIES: &str = "
12.50 | order=WAITING pay:alice=PAID query=PAID | 1 0 0.00 1
12.50 | order=WAITING order=WAITING pay:alice=PAID order=PAID pay:bob=ALREADY_PAID | 1 0 0.00 1
12.50 | order=WAITING pay:carol=INSUFFICIENT_FUNDS query=WAITING pay:bob=PAID | 1 0 0.00 1
12.50 | order=WAITING pay:dave=ACCOUNT_NOT_FOUND query=WAITING | 0 0 0.00 0
12.50 | order=WAITING close=CLOSED pay:alice=ORDER_CLOSED close=CLOSED | 0 0 0.00 0
12.50 | order=WAITING wait:119999 query=WAITING wait:1 query=CLOSED pay:alice=ORDER_EXPIRED close=CLOSED | 0 0 0.00 0
12.50 | order=WAITING wait:120000 pay:alice=ORDER_EXPIRED order=CLOSED | 0 0 0.00 0
12.50 | order=WAITING pay:alice=PAID wait:120000 query=PAID | 1 0 0.00 1
12.50 | order=WAITING pay:alice=PAID close=REVERSED close=REVERSED pay:alice=ORDER_CLOSED | 1 1 0.00 1
12.50 | close=ORDER_NOT_FOUND order=ORDER_CLOSED charge:alice=ORDER_CLOSED query=ORDER_NOT_FOUND | 0 0 0.00 0
12.50 | charge:alice=PAID charge:bob=PAID query=PAID | 1 0 0.00 1
12.50 | charge:alice=PAID order=ORDER_CONFLICT | 1 0 0.00 1
12.50 | order=WAITING charge:alice=ORDER_CONFLICT | 0 0 0.00 0
12.50 | charge:carol=DECLINED charge:alice=DECLINED query=DECLINED close=CLOSED | 0 0 0.00 1
12.50 | charge:alice=PAID close=REVERSED charge:alice=REVERSED | 1 1 0.00 1
500000.01 | charge:alice=DECLINED | 0 0 0.00 1
500000.01 | order=WAITING pay:alice=LIMIT_EXCEEDED query=WAITING | 0 0 0.00 0
12.50 | refund:r1:1.00=ORDER_NOT_FOUND | 0 0 0.00 0
12.50 | order=WAITING refund:r1:1.00=REFUND_EXCEEDS | 0 0 0.00 0
12.50 | charge:alice=PAID refund:r1:5.00=DONE query=PARTLY_REFUNDED refund:r2:7.50=DONE query=REFUNDED | 1 0 12.50 1
12.50 | charge:alice=PAID refund:r1:5.00=DONE refund:r1:5.00=DONE refund:r1:5.01=REFUND_CONFLICT | 1 0 5.00 1
12.50 | charge:alice=PAID refund:r1:5.00=DONE refund:r2:7.51=REFUND_EXCEEDS close=NOT_REVERSIBLE | 1 0 5.00 1
12.50 | charge:alice=PAID refund:r1:12.50=DONE close=NOT_REVERSIBLE refund:r2:0.01=REFUND_EXCEEDS | 1 0 12.50 1
12.50 | charge:alice=PAID close=REVERSED refund:r1:0.01=REFUND_EXCEEDS | 1 1 0.00 1
12.50 | charge:alice=PAID refund?r1=REFUND_NOT_FOUND refund:r1:1.00=DONE refund?r1=DONE | 1 0 1.00 1
12.50 | charge:alice=PAID refund:r1:1.81=PROCESSING close=NOT_REVERSIBLE refund:r2:10.70=REFUND_EXCEEDS query=PAID | 1 0 0.00 1
12.50 | charge:alice=PAID refund:r1:1.81=PROCESSING wait:1999 refund?r1=PROCESSING wait:1 refund?r1=DONE query=PARTLY_REFUNDED | 1 0 1.81 1
12.50 | charge:alice=PAID refund:r1:1.82=DONE/Never refund:r1:1.82=DONE | 1 0 1.82 1
12.91 | charge:alice=DECLINED | 0 0 0.00 1
12.91 | order=WAITING pay:alice=INSUFFICIENT_FUNDS query=DECLINED pay:bob=ORDER_CLOSED | 0 0 0.00 1
12.92 | charge:alice=PAYING charge:alice=PAYING wait:2999 query=PAYING wait:1 query=PAID | 1 0 0.00 1
12.92 | order=WAITING pay:alice=PAYING pay:alice=ALREADY_PAID wait:3000 query=PAID | 1 0 0.00 1
12.92 | charge:alice=PAYING close=CLOSED wait:3000 query=CLOSED | 0 0 0.00 0
12.92 | charge:carol=DECLINED | 0 0 0.00 1
12.93 | charge:alice=PAID/Never charge:alice=PAID query=PAID | 1 0 0.00 0
12.93 | order=WAITING pay:alice=PAID query=PAID | 1 0 0.00 0
12.94 | charge:alice=PAID | 1 0 0.00 3
12.94 | order=WAITING pay:alice=PAID | 1 0 0.00 3
12.95 | charge:alice=PAID/WrongSignature charge:alice=PAID query=PAID | 1 0 0.00 1
12.96 | charge:alice=PAID/Garbage query=PAID | 1 0 0.00 1
12.97 | charge:alice=silence charge:alice=silence query=ORDER_NOT_FOUND | 0 0 0.00 0
12.97 | charge:alice=silence close=ORDER_NOT_FOUND charge:alice=ORDER_CLOSED | 0 0 0.00 0
12.97 | order=WAITING pay:alice=PAID | 1 0 0.00 1
12.98 | order=WAITING close=CLOSED query=CLOSED show=WAITING pay:alice=PAID query=PAID close=REVERSED | 1 1 0.00 1
12.98 | order=WAITING wait:120000 query=CLOSED close=CLOSED pay:alice=PAID query=PAID | 1 0 0.00 1
12.98 | order=WAITING close=CLOSED pay:alice=PAID pay:bob=ALREADY_PAID | 1 0 0.00 1
12.98 | charge:alice=PAID close=REVERSED | 1 1 0.00 1
12.99 | charge:alice=PAID query=PAID | 1 0 0.00 1
";

struct Stage {
    book: Book,
    now: i64,
    amount: String,
    codes: u32,
    notices: u32,
}

impl Stage {
    fn new(amount: &str) -> Self {
        let timing = Timing { slow_ms: 3_000, refund_ms: 2_000 };
        let book = Book::new("http://wallet".into(), timing);
        Self { book, now: NOW, amount: amount.to_owned(), codes: 0, notices: 0 }
    }

    fn new_order(&self, code: Option<String>) -> NewOrder {
        NewOrder {
            order_number: "n1".into(),
            amount: self.amount.clone(),
            currency: "CNY".into(),
            subject: "Soup".into(),
            merchant_name: "Noodles".into(),
            store_name: "Corner".into(),
            expires_at: NOW + 120_000,
            notify_url: "http://merchant/notify".into(),
            code,
        }
    }

    fn step(&mut self, step: &str) -> String {
        let (verb, rest) = step.split_once(':').unwrap_or((step, ""));
        let now = self.now;
        let result = match verb {
            "order" => self.book.create("m1", self.new_order(None), "tok".into(), None, now).map(status),
            "charge" => {
                self.codes += 1;
                let code = format!("88{}", self.codes);
                self.book.accounts.show_code(rest, code.clone(), now).unwrap();
                self.book.charge("m1", self.new_order(Some(code)), None, now).map(outcome)
            }
            "pay" => self.book.pay("tok", rest, None, now).map(status),
            "close" => self.book.close("m1", "n1", now).map(status),
            "query" => self.book.query("m1", "n1", now).map(status),
            "show" => self.book.show("tok", now).map(status),
            "refund" => {
                let (number, amount) = rest.split_once(':').unwrap();
                let refund = NewRefund { refund_number: number.into(), amount: amount.into(), reason: String::new() };
                self.book.refund("m1", "n1", refund, now).map(outcome)
            }
            "wait" => {
                self.now += rest.parse::<i64>().unwrap();
                self.book.advance(self.now);
                Ok(String::new())
            }
            _ => {
                let (_, number) = step.split_once("refund?").unwrap();
                self.book.query_refund("m1", "n1", number, now).map(status)
            }
        };
        self.notices += self.book.take_notices().iter().map(|notice| u32::from(notice.times)).sum::<u32>();
        let net = self.book.totals(Currency::Cny, self.now).net_minor();
        assert_eq!(
            self.book.accounts.total_minor(Currency::Cny) + net,
            Accounts::default().total_minor(Currency::Cny),
            "after {step}"
        );
        result.unwrap_or_else(|refusal| refusal.code().to_owned())
    }
}

fn status(view: impl serde::Serialize) -> String {
    serde_json::to_value(view).unwrap()["status"].as_str().unwrap().to_owned()
}

fn outcome(outcome: Outcome<impl serde::Serialize>) -> String {
    match outcome {
        Outcome::Answer(view, Manner::Plain) => status(view),
        Outcome::Answer(view, manner) => format!("{}/{manner:?}", status(view)),
        Outcome::Silence => "silence".to_owned(),
    }
}

#[test]
fn stories() {
    for story in STORIES.trim().lines() {
        let [amount, steps, books] = story.split(" | ").collect::<Vec<_>>()[..] else { panic!("{story}") };
        let mut stage = Stage::new(amount);
        for step in steps.split_whitespace() {
            let (step, expected) = step.split_once('=').unwrap_or((step, ""));
            assert_eq!(stage.step(step), expected, "{step} in {story}");
        }
        let totals = stage.book.totals(Currency::Cny, stage.now);
        let refunded = amount::format(totals.refunded_minor, Currency::Cny);
        let shown = format!("{} {} {refunded} {}", totals.charged_count, totals.reversed_count, stage.notices);
        assert_eq!(shown, books, "{story}");
    }
}

#[test]
fn codes_are_checked_before_an_order_is_kept() {
    let mut stage = Stage::new("12.50");
    let expires_at = stage.book.accounts.show_code("bob", "8801".into(), NOW).unwrap();
    for (code, now, refusal) in [("8800", NOW, Refusal::CodeInvalid), ("8801", expires_at, Refusal::CodeExpired)] {
        let order = stage.new_order(Some(code.into()));
        assert_eq!(stage.book.charge("m1", order, None, now), Err(refusal));
        assert_eq!(stage.step("query"), "ORDER_NOT_FOUND");
    }
    let order = stage.new_order(Some("8801".into()));
    assert!(stage.book.charge("m1", order.clone(), None, NOW).is_ok());
    let another = NewOrder { order_number: "n2".into(), ..order };
    assert_eq!(stage.book.charge("m1", another, None, NOW), Err(Refusal::CodeInvalid), "a code is used once");
}

#[test]
fn what_a_merchant_may_not_send() {
    let good = Stage::new("12.50").new_order(None);
    let long = "x".repeat(257);
    for (case, order, code) in [
        ("zero", NewOrder { amount: "0.00".into(), ..good.clone() }, "BAD_REQUEST"),
        ("negative", NewOrder { amount: "-1.00".into(), ..good.clone() }, "BAD_REQUEST"),
        ("not canonical", NewOrder { amount: "1.5".into(), ..good.clone() }, "BAD_REQUEST"),
        ("too large", NewOrder { amount: "99999999999.00".into(), ..good.clone() }, "BAD_REQUEST"),
        ("dollars", NewOrder { currency: "USD".into(), ..good.clone() }, "CURRENCY_UNSUPPORTED"),
        ("no number", NewOrder { order_number: String::new(), ..good.clone() }, "BAD_REQUEST"),
        ("a number that is a path", NewOrder { order_number: "../x".into(), ..good.clone() }, "BAD_REQUEST"),
        ("a long number", NewOrder { order_number: "n".repeat(65), ..good.clone() }, "BAD_REQUEST"),
        ("a long subject", NewOrder { subject: long.clone(), ..good.clone() }, "BAD_REQUEST"),
        ("a file to notify", NewOrder { notify_url: "file:///etc/passwd".into(), ..good.clone() }, "BAD_REQUEST"),
        ("in the past", NewOrder { expires_at: NOW, ..good.clone() }, "BAD_REQUEST"),
        ("a code", NewOrder { code: Some("88".into()), ..good.clone() }, "BAD_REQUEST"),
    ] {
        let mut book = Stage::new("12.50").book;
        let refusal = book.create("m1", order, "tok".into(), None, NOW).expect_err(case);
        assert_eq!(refusal.code(), code, "{case}");
        assert!(book.orders(NOW).is_empty(), "{case}");
    }
    let mut book = Stage::new("12.50").book;
    book.create("m1", good.clone(), "tok".into(), None, NOW).unwrap();
    let dearer = NewOrder { amount: "12.51".into(), ..good.clone() };
    assert_eq!(book.create("m1", dearer, "t2".into(), None, NOW), Err(Refusal::OrderConflict("amount")));
    assert!(book.create("m2", good, "t3".into(), None, NOW).is_ok(), "another merchant has numbers of its own");
}

#[test]
fn the_bill_has_every_payment_and_refund_of_the_day_and_pages_through_them() {
    let mut book = Stage::new("12.50").book;
    let order = Stage::new("12.50").new_order(None);
    for i in 0..bill::PAGE_ROWS + 3 {
        let number = format!("n{i}");
        let token = format!("t{i}");
        let order = NewOrder { order_number: number, amount: "1.00".into(), ..order.clone() };
        book.create("m1", order, token.clone(), None, NOW).unwrap();
        book.pay(&token, "alice", None, NOW).unwrap();
    }
    book.close("m1", "n0", NOW).unwrap();
    book.close("m1", "n1", NOW + 86_400_000).unwrap();
    let refund = NewRefund { refund_number: "r1".into(), amount: "0.90".into(), reason: String::new() };
    book.refund("m1", "n2", refund, NOW).unwrap();

    let orders = book.orders(NOW + 86_400_000);
    let first = bill::page(orders, "m1", "2023-11-14", "", bill::PAGE_ROWS).unwrap();
    assert_eq!(first.rows.len(), bill::PAGE_ROWS);
    let second =
        bill::page(orders, "m1", "2023-11-14", first.next_cursor.as_deref().unwrap(), bill::PAGE_ROWS).unwrap();
    // All but the one reversed on the same day, and the refund.
    assert_eq!((second.rows.len(), second.next_cursor), (3, None));
    let refunds: Vec<_> = first.rows.iter().chain(&second.rows).filter(|row| row.refund_number.is_some()).collect();
    assert_eq!(refunds.len(), 1);
    assert_eq!((refunds[0].amount.as_str(), refunds[0].fee.as_str()), ("-0.90", "-0.01"));
    let next_day = bill::page(orders, "m1", "2023-11-15", "", bill::PAGE_ROWS).unwrap();
    assert_eq!(next_day.rows.len(), 1);
    assert_eq!((next_day.rows[0].order_number.as_str(), next_day.rows[0].amount.as_str()), ("n1", "-1.00"));
    assert!(bill::page(orders, "m2", "2023-11-14", "", bill::PAGE_ROWS).unwrap().rows.is_empty());
    assert!(bill::page(orders, "m1", "2023-11-14", "-1", bill::PAGE_ROWS).is_err());
}
