//! Money without decimals and with three of them, from the sale to the channel's bill.

use saoma_channels::{BillLine, BillRow, PaymentStatus, RefundStatus};
use saoma_domain::{
    ledger::Account,
    payment::State,
    recon::{Key, Movement, Side},
};
use saoma_protocol::{Amount, Currency, Money, PaymentId, RefundId, api::RefundKind};
use saoma_server::payments::{PaymentError, give_back};

use crate::{
    reconcile::{DAY, HOUR_MS, on_both},
    scheme_world::{Counter, Say, giving_back},
};

/// Price, 0.60 % of it half up, a part given back, and how the price is written.
const CASES: [(&str, i64, i64, i64, &str); 2] =
    [("JPY", 1_250, 8, 400, "1250 JPY"), ("KWD", 12_345, 74, 45, "12.345 KWD")];

async fn gives_back(
    counter: &Counter,
    payment: PaymentId,
    number: u8,
    kind: RefundKind,
    amount: Option<Amount>,
) -> bool {
    let wish = giving_back(number, payment, kind, amount);
    match give_back(&counter.app, counter.scope, wish).await {
        Ok(_) => true,
        Err(PaymentError::Refused(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn sums_of_other_decimals_are_sold_given_back_voided_and_compared() {
    for (currency, minor, fee_minor, part_minor, written) in CASES {
        let currency: Currency = currency.parse().unwrap();
        on_both(async |counter| {
            let amount = |minor| Amount::new(minor, currency).unwrap();
            assert_eq!(amount(minor).to_string(), written);
            *counter.scheme.price.lock().unwrap() = Some(amount(minor));
            let sold = counter.sells(PaymentStatus::Succeeded).await;
            let id = sold.payment.payment.id;
            counter.scheme.always("refund", Say::Refund(RefundStatus::Succeeded));
            let yuan = Amount::new(1, Currency::CNY).unwrap();
            assert!(!gives_back(&counter, id, 1, RefundKind::Refund, Some(yuan)).await, "in another currency");
            assert!(!gives_back(&counter, id, 1, RefundKind::Refund, Some(amount(minor + 1))).await, "more than all");
            assert!(gives_back(&counter, id, 2, RefundKind::Refund, Some(amount(part_minor))).await);
            let state = counter.state(id).await;
            assert!(matches!(&state, State::Captured(capture) if capture.refunded_minor == part_minor), "{state:?}");
            let voided = counter.sells(PaymentStatus::Succeeded).await.payment.payment.id;
            counter.scheme.next("cancel", Say::Status(PaymentStatus::Closed));
            assert!(gives_back(&counter, voided, 3, RefundKind::Void, None).await);
            assert!(matches!(counter.state(voided).await, State::Voided { .. }));

            let at = counter.app.now();
            let line = |movement, number: String, minor, fee_minor| {
                let money = |minor| Money::new(minor, currency);
                BillLine::Row(BillRow {
                    key: Key { number, movement },
                    order_number: id.to_string(),
                    reference: String::new(),
                    side: Side { money: money(minor), fee: money(fee_minor), at },
                })
            };
            let refund = RefundId::from_bytes([2; 16]).to_string();
            let payment = |minor| line(Movement::Payment, id.to_string(), minor, fee_minor);
            let back = line(Movement::Refund, refund, part_minor, 0);
            let undone = [Movement::Payment, Movement::Reversal].map(|movement| {
                // By this account's terms the channel keeps its fee of what is undone.
                let fee_minor = if movement == Movement::Payment { fee_minor } else { 0 };
                line(movement, voided.to_string(), minor, fee_minor)
            });
            counter.later(12 * HOUR_MS);
            // The smallest unit more than was sold.
            counter.scheme.lists(DAY, [vec![payment(minor + 1), back.clone()], undone.to_vec()].concat());
            counter.compares(DAY).await;
            let waiting = counter.waiting().await;
            assert_eq!(waiting.len(), 1, "{waiting:?}");
            let corrections: Vec<_> = waiting.iter().filter_map(|one| Some(one.correction?.amount)).collect();
            assert_eq!(corrections, [Money::new(1, currency)]);
            counter.scheme.lists(DAY, [vec![payment(minor), back], undone.to_vec()].concat());
            counter.compares(DAY).await;
            assert!(counter.waiting().await.is_empty());
            assert_ne!(counter.holds(Account::ChannelClearing).await, 0);
            counter.books_hold().await;
        })
        .await;
    }
}
