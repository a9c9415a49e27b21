//! Codes on show: one per payment, each opening counted.

use saoma_domain::{pay_code::PayCodeId, payment::State};
use saoma_store::{
    StoreError, access,
    pay_codes::{self, PayCode},
    payments,
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, at, cny},
};

fn code(house: &House, id: u8, number: u8) -> PayCode {
    PayCode {
        id: PayCodeId([id; 16]),
        payment: house.payment_id(number),
        channel_code: "weixin://wxpay/bizpayurl?pr=ä".to_owned(),
        scans: 0,
        scan_limit: 3,
        created_at: NOW,
        expires_at: at(60_000),
    }
}

fn show(base: &Base, house: &House, number: u8) -> PayCode {
    house.sell(base, number, cny(500), &State::Presenting { expires_at: at(60_000) });
    let code = code(house, number, number);
    base.write(|tx| pay_codes::insert_new(tx, &house.scope, &code));
    code
}

#[test]
fn a_payment_has_one_code() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let first = show(base, &tea, 1);
        tea.sell(base, 2, cny(500), &State::Created);
        let insert = |code: PayCode| base.try_write(|tx| pay_codes::insert_new(tx, &tea.scope, &code));
        let taken = Err(StoreError::Conflict { what: "the payment's code" });
        assert_eq!(insert(code(&tea, 9, 1)), taken, "a second code");
        assert_eq!(insert(code(&tea, 1, 2)), taken, "another's code");
        assert_eq!(base.read(|tx| pay_codes::of_payment(tx, &tea.scope, first.payment)), Some(first.clone()));
        assert_eq!(base.read(|tx| pay_codes::of_payment(tx, &tea.scope, tea.payment_id(2))), None);
        assert_eq!(base.read(|tx| payments::load_sale(tx, &tea.scope, first.payment)).code, Some(first.clone()));
        assert_eq!(base.read(|tx| access::by_pay_code(tx, first.id)), (tea.scope, first));
        let missing = base.try_read(|tx| access::by_pay_code(tx, PayCodeId([7; 16])));
        assert_eq!(missing, Err(StoreError::NotFound { what: "the code" }));
    });
}

#[test]
fn every_opening_is_counted_past_the_limit_too() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let (shown, other) = (show(base, &tea, 1), show(base, &tea, 2));
        let mut counts: Vec<u32> = std::thread::scope(|scope| {
            let open = || -> Vec<u32> {
                (0..5).map(|_| base.write(|tx| pay_codes::count_scan(tx, &tea.scope, shown.id)).scans).collect()
            };
            let customers: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            customers.into_iter().flat_map(|customer| customer.join().expect("a customer")).collect()
        });
        counts.sort_unstable();
        assert_eq!(counts, (1..=20).collect::<Vec<_>>(), "no two were told the same count");
        let stored = base.read(|tx| pay_codes::of_payment(tx, &tea.scope, shown.payment));
        assert_eq!(stored, Some(PayCode { scans: 20, ..shown }));
        assert_eq!(base.read(|tx| pay_codes::of_payment(tx, &tea.scope, other.payment)), Some(other));
        let missing = base.try_write(|tx| pay_codes::count_scan(tx, &tea.scope, PayCodeId([7; 16])));
        assert_eq!(missing, Err(StoreError::NotFound { what: "the code" }));
    });
}
