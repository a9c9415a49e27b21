//! Do the books of scheme, core and terminal say the same, to the cent, and what people were told? A function of them alone.

use super::{
    books::{Books, OPEN, Order, Payment, Sale},
    load::Told,
};

/// Everything that does not agree; nothing, if all is well.
pub fn check(books: &Books, told: &[Told]) -> Vec<String> {
    let mut found = books.objections.clone();
    if !books.scheme_balances {
        found.push("the scheme's customers and merchants do not hold what the customers began with".to_owned());
    }
    for (number, order) in &books.scheme {
        found.extend(scheme_and_core(number, order, books.core.get(number)));
    }
    for (number, payment) in &books.core {
        found.extend(core_alone(number, payment, books));
    }
    for (number, sale) in &books.till {
        found.extend(till_and_core(number, sale, books.core.get(number)));
    }
    found.extend(sums(books));
    found.extend(told.iter().filter_map(|told| untrue(told, books)));
    found
}

fn scheme_and_core(number: &str, order: &Order, payment: Option<&Payment>) -> Vec<String> {
    let mut found = Vec::new();
    if order.charged > 1 || order.reversed > order.charged {
        found.push(format!("{number} was charged {} times and reversed {} times", order.charged, order.reversed));
    }
    let Some(payment) = payment else {
        found.push(format!("the scheme has {number}, core never heard of it: {order:?}"));
        return found;
    };
    let differs = payment.amount_minor != order.amount_minor
        || payment.held_minor() != order.net_minor()
        || (payment.is_captured() && payment.refunds != order.refunds);
    if differs {
        found.push(format!("{number}: the scheme says {order:?}, core {payment:?}"));
    }
    found
}

fn core_alone(number: &str, payment: &Payment, books: &Books) -> Vec<String> {
    let mut found = Vec::new();
    if OPEN.contains(&payment.state.as_str()) {
        found.push(format!("{number} was left {}", payment.state));
    }
    let was_paid = payment.is_captured() || payment.state == "voided";
    if was_paid && !payment.is_cash && books.scheme.get(number).is_none_or(|order| order.charged != 1) {
        found.push(format!("core says that {number} was paid, the scheme did not charge it once: {payment:?}"));
    }
    if payment.is_of_till && !books.till.contains_key(number) {
        found.push(format!("core has {number} of the till, the till has not: {payment:?}"));
    }
    found
}

fn till_and_core(number: &str, sale: &Sale, payment: Option<&Payment>) -> Option<String> {
    let Some(payment) = payment else {
        // It was never sent, and the till says so.
        return (sale.is_paid || sale.is_cash || sale.state != "failed")
            .then(|| format!("the till has {number}, core never heard of it: {sale:?}"));
    };
    let same =
        (sale.amount_minor, &sale.state, sale.is_cash) == (payment.amount_minor, &payment.state, payment.is_cash);
    // Core gives late money back by itself, which the till sees as a sum and not by its number.
    let till_knows_all = sale.refunds.iter().all(|(refund, minor)| payment.refunds.get(refund) == Some(minor));
    let undone_alike = sale.void.is_none() || sale.void == payment.void;
    (!same || !till_knows_all || !undone_alike).then(|| format!("{number}: the till says {sale:?}, core {payment:?}"))
}

fn sums(books: &Books) -> Vec<String> {
    let account = |name: &str| books.ledger.get(name).copied().unwrap_or(0);
    let scheme_minor: i64 = books.scheme.values().map(Order::net_minor).sum();
    let drawer_minor: i64 = books.core.values().filter(|payment| payment.is_cash).map(Payment::held_minor).sum();
    let of_till = || books.core.values().filter(|payment| payment.is_of_till);
    let taken = of_till().filter(|payment| payment.is_captured() || payment.state == "voided");
    let taken_minor: i64 = taken.map(|payment| payment.amount_minor).sum();
    let holds = [
        ("the ledger sums to", books.ledger.values().sum(), 0),
        (
            "clearing and fees against what the scheme holds:",
            account("channel_clearing") + account("fees"),
            scheme_minor,
        ),
        ("cash in the drawer against cash taken and not given back:", account("cash_in_drawer"), drawer_minor),
        ("refunds in transit:", account("refunds_in_transit"), 0),
        ("the till's sales against core's of this till:", books.till_sums.sales_minor, taken_minor),
    ];
    let mut found: Vec<String> = holds
        .into_iter()
        .filter(|(_, is, should)| is != should)
        .map(|(what, is, should)| format!("{what} {is} instead of {should}"))
        .collect();
    if !books.till_sums.core_agrees {
        found.push(format!("the till's books and core's of this till do not agree: {:?}", books.till_sums));
    }
    found
}

/// What somebody was told and is not so.
fn untrue(told: &Told, books: &Books) -> Option<String> {
    let is_true = match told {
        Told::Keyed { payment, amount_minor } => {
            books.till.get(payment).is_some_and(|sale| sale.amount_minor == *amount_minor)
        }
        Told::Taken { payment, amount_minor } => {
            books.core.get(payment).is_some_and(|payment| payment.amount_minor == *amount_minor)
        }
        Told::Paid { payment, amount_minor } => books.core.get(payment).is_some_and(|payment| {
            payment.amount_minor == *amount_minor && (payment.is_captured() || payment.state == "voided")
        }),
        Told::GivenBack { payment, refund, amount_minor } => books.core.get(payment).is_some_and(|payment| {
            payment.refunds.get(refund) == Some(amount_minor) || payment.void.as_ref() == Some(refund)
        }),
        Told::NotKeyed { cashier } => books.till.values().all(|sale| sale.cashier != *cashier),
        Told::NotTaken { reference } => {
            books.core.values().all(|payment| payment.reference.as_ref() != Some(reference))
        }
        Told::Unclear(_) => false,
    };
    (!is_true).then(|| format!("somebody was told what is not so: {told:?}"))
}

/// A mistake that the comparison must see; whether there was anything to make it with.
type Mistake = (&'static str, fn(&mut Books) -> bool);

const MISTAKES: &[Mistake] = &[
    ("the scheme's book lacks a capture", |books| {
        let number = books.scheme.iter().find(|(_, order)| order.net_minor() > 0).map(|(number, _)| number.clone());
        number.is_some_and(|number| books.scheme.remove(&number).is_some())
    }),
    ("the scheme charged once more", |books| {
        let order = books.scheme.values_mut().find(|order| order.charged == 1 && order.reversed == 0);
        order.is_some_and(|order| {
            order.charged += 1;
            true
        })
    }),
    ("the scheme's book lacks a refund", |books| {
        books.scheme.values_mut().any(|order| order.refunds.pop_first().is_some())
    }),
    ("core lost a payment", |books| {
        let number = books.core.iter().find(|(_, payment)| payment.held_minor() > 0).map(|(number, _)| number.clone());
        number.is_some_and(|number| books.core.remove(&number).is_some())
    }),
    ("core left a payment unknown", |books| {
        let payment = books.core.values_mut().find(|payment| payment.state == "failed" || payment.state == "reversed");
        payment.is_some_and(|payment| {
            "unknown".clone_into(&mut payment.state);
            true
        })
    }),
    ("a set of postings is missing", |books| {
        let clearing = books.ledger.get("channel_clearing").copied().unwrap_or(0);
        *books.ledger.entry("channel_clearing".to_owned()).or_default() -= 100;
        *books.ledger.entry("merchant_payable".to_owned()).or_default() += 100;
        clearing != 0
    }),
    ("half a set of postings is missing", |books| {
        *books.ledger.entry("merchant_payable".to_owned()).or_default() += 1;
        true
    }),
    ("the till lost a sale", |books| {
        let number = books.till.iter().find(|(_, sale)| sale.is_paid).map(|(number, _)| number.clone());
        number.is_some_and(|number| books.till.remove(&number).is_some())
    }),
    ("the till's sums are a cent off", |books| {
        books.till_sums.sales_minor += 1;
        true
    }),
];

/// Makes each mistake in a copy of good books; those that the comparison does not see. `made` counts those that it could make.
pub fn unseen_mistakes(books: &Books, made: &mut std::collections::BTreeMap<&'static str, u32>) -> Vec<&'static str> {
    let mut unseen = Vec::new();
    for &(what, mistake) in MISTAKES {
        let mut wrong = books.clone();
        if mistake(&mut wrong) {
            *made.entry(what).or_default() += 1;
            if check(&wrong, &[]).is_empty() {
                unseen.push(what);
            }
        }
    }
    unseen
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::crash::books::TillSums;

    /// A sale by code, partly given back, one that failed, one that was voided, and one for cash.
    fn good() -> Books {
        let refunds = BTreeMap::from([("rfd_1".to_owned(), 300)]);
        let order =
            |amount_minor, charged, reversed| Order { amount_minor, charged, reversed, refunds: BTreeMap::new() };
        let payment =
            |state: &str, amount_minor| Payment { amount_minor, state: state.to_owned(), ..Payment::default() };
        let scheme = BTreeMap::from([
            ("pay_code".to_owned(), Order { refunds: refunds.clone(), ..order(1_000, 1, 0) }),
            ("pay_failed".to_owned(), order(91, 0, 0)),
            ("pay_void".to_owned(), order(500, 1, 1)),
        ]);
        let of_till = |payment| Payment { is_of_till: true, ..payment };
        let core = BTreeMap::from([
            ("pay_code".to_owned(), of_till(Payment { refunds: refunds.clone(), ..payment("partly_refunded", 1_000) })),
            ("pay_failed".to_owned(), payment("failed", 91)),
            (
                "pay_void".to_owned(),
                Payment {
                    void: Some("rfd_2".to_owned()),
                    reference: Some("void".to_owned()),
                    ..payment("voided", 500)
                },
            ),
            ("pay_cash".to_owned(), of_till(Payment { is_cash: true, ..payment("succeeded", 250) })),
        ]);
        let sale = |state: &str, amount_minor, is_cash| Sale {
            amount_minor,
            state: state.to_owned(),
            is_cash,
            is_paid: true,
            cashier: format!("sells {amount_minor}"),
            refunds: BTreeMap::new(),
            void: None,
        };
        let till = BTreeMap::from([
            ("pay_code".to_owned(), Sale { refunds, ..sale("partly_refunded", 1_000, false) }),
            ("pay_cash".to_owned(), sale("succeeded", 250, true)),
            ("pay_offline".to_owned(), Sale { is_paid: false, ..sale("failed", 70, false) }),
        ]);
        let ledger = [("channel_clearing", 696), ("fees", 4), ("cash_in_drawer", 250), ("merchant_payable", -950)];
        Books {
            scheme,
            scheme_balances: true,
            core,
            till,
            ledger: ledger.into_iter().map(|(name, minor)| (name.to_owned(), minor)).collect(),
            till_sums: TillSums { sales_minor: 1_250, core_agrees: true },
            objections: Vec::new(),
        }
    }

    #[test]
    fn good_books_agree_and_no_mistake_goes_unseen() {
        let books = good();
        let told = [
            Told::Keyed { payment: "pay_offline".to_owned(), amount_minor: 70 },
            Told::Taken { payment: "pay_failed".to_owned(), amount_minor: 91 },
            Told::Paid { payment: "pay_void".to_owned(), amount_minor: 500 },
            Told::GivenBack { payment: "pay_void".to_owned(), refund: "rfd_2".to_owned(), amount_minor: 500 },
            Told::GivenBack { payment: "pay_code".to_owned(), refund: "rfd_1".to_owned(), amount_minor: 300 },
            Told::NotKeyed { cashier: "sells 71".to_owned() },
            Told::NotTaken { reference: "none".to_owned() },
        ];
        assert_eq!(check(&books, &told), Vec::<String>::new());
        let mut made = BTreeMap::new();
        assert_eq!(unseen_mistakes(&books, &mut made), Vec::<&str>::new());
        assert_eq!(made.len(), MISTAKES.len(), "not all were made: {made:?}");
    }

    #[test]
    fn what_was_told_and_is_not_so_is_found() {
        let books = good();
        let payment = |name: &str| name.to_owned();
        for told in [
            Told::Keyed { payment: payment("pay_none"), amount_minor: 70 },
            Told::Keyed { payment: payment("pay_offline"), amount_minor: 71 },
            Told::Taken { payment: payment("pay_none"), amount_minor: 91 },
            Told::Paid { payment: payment("pay_failed"), amount_minor: 91 },
            Told::Paid { payment: payment("pay_cash"), amount_minor: 251 },
            Told::GivenBack { payment: payment("pay_code"), refund: payment("rfd_1"), amount_minor: 301 },
            Told::GivenBack { payment: payment("pay_code"), refund: payment("rfd_9"), amount_minor: 300 },
            Told::NotKeyed { cashier: "sells 70".to_owned() },
            Told::NotTaken { reference: "void".to_owned() },
            Told::Unclear("500".to_owned()),
        ] {
            assert_eq!(check(&books, std::slice::from_ref(&told)).len(), 1, "{told:?}");
        }
    }

    #[test]
    fn a_sale_that_only_the_till_has_must_be_one_that_failed() {
        for (state, is_paid) in [("succeeded", true), ("sending", false), ("cancelled", false)] {
            let mut books = good();
            let sale = books.till.get_mut("pay_offline").unwrap();
            (sale.state, sale.is_paid) = (state.to_owned(), is_paid);
            assert_eq!(check(&books, &[]).len(), 1, "{state}");
        }
    }
}
