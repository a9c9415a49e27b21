//! Days without a line: what was sold meanwhile comes to core in order, while the till sells on and its plug is pulled.

use saoma_edge::journal::{Commit, Settings, Store};
use saoma_protocol::{Amount, Currency, Millis, PaymentId, Sequence, TerminalId, journal::Record};
use serde_json::json;

use crate::{
    hand::signer,
    shop::{Shop, number, until},
};

const SALES: u64 = 5_000;
/// Entries of one commit, so that they are there in seconds.
const AT_ONCE: usize = 500;

fn payment(counter: u64) -> PaymentId {
    let mut id = [9; 16];
    id[..8].copy_from_slice(&counter.to_be_bytes());
    PaymentId::from_bytes(id)
}

/// The entries of so many cash sales, as the till wrote them.
fn sell_without_a_line(shop: &Shop) {
    let settings = Settings { path: shop.folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
    let (mut store, _) = Store::open(&settings, TerminalId::from_bytes([2; 16]), Millis(1)).unwrap();
    store.sign_by(signer());
    let sold = |counter| Record::CashSale {
        payment: payment(counter),
        // Apart from those that the till keys afterwards.
        counter: Sequence(1_000_000 + counter),
        amount: Amount::new(100, Currency::CNY).unwrap(),
        tendered_minor: 100,
        goods: Vec::new(),
        cashier: "Li".to_owned(),
        split: None,
        quote: None,
        reference: None,
    };
    let numbers: Vec<u64> = (1..=SALES).collect();
    for part in numbers.chunks(AT_ONCE) {
        let records = part.iter().copied().map(sold).collect();
        store.commit(&Commit { records, ..Commit::default() }, Millis(1)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_sales_arrive_in_order_with_a_kill_in_the_middle_and_sales_meanwhile() {
    let mut shop = Shop::open().await;
    shop.stop_till().await;
    shop.core.switch_off().await;
    sell_without_a_line(&shop);
    shop.start_till().await;
    let state = shop.till.get("/api/state").await;
    assert_eq!((&state["unsent"]["count"], &state["unsent"]["oldest_at"]), (&json!(SALES), &json!(1)));
    assert_eq!(state["unsent"]["at_risk"], json!([{"minor": SALES * 100, "currency": "CNY"}]));

    shop.core.switch_on();
    let mut expected: Vec<PaymentId> = (1..=SALES).map(payment).collect();
    let half = usize::try_from(SALES / 2).unwrap();
    until("half of it to be with core", async || {
        expected.push(number(&shop.till.sell(json!({"amount_minor": 7, "method": "cash"})).await));
        shop.core.look(|known| known.journal.len() >= half).then_some(())
    })
    .await;
    shop.kill_till();
    shop.start_till().await;
    until("the rest of it to be with core", async || {
        expected.push(number(&shop.till.sell(json!({"amount_minor": 7, "method": "cash"})).await));
        shop.core.look(|known| known.journal.len() >= 2 * half).then_some(())
    })
    .await;
    shop.nothing_unsent().await;
    let state = shop.till.get("/api/state").await;
    assert_eq!((&state["unsent"]["at_risk"], &state["unsent"]["oldest_at"]), (&json!([]), &json!(null)));
    let booked: Vec<PaymentId> = shop.core.look(|known| {
        let sold = known.journal.iter().map(|record| match record {
            Record::CashSale { payment, .. } => *payment,
            other => panic!("{other:?}"),
        });
        sold.collect()
    });
    assert!(booked == expected, "{} entries, each once and in order; {} were sold", booked.len(), expected.len());
}
