//! One terminal's sums.

use saoma_domain::{payment::State, refund};
use saoma_protocol::{
    Amount, Currency, Money, Sequence, TerminalId,
    api::{Failure, TerminalBooks},
};
use saoma_store::{StoreError, books, refunds};

use crate::{
    base::on_both,
    house::{House, NOW, captured, cny},
};

#[test]
fn books_hold_what_was_captured_and_what_was_given_back() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let of_till = || base.read(|tx| books::of_terminal(tx, &tea.scope, tea.terminal));
        let nothing = TerminalBooks {
            journal_through: Sequence(0),
            sales_count: 0,
            sales: Vec::new(),
            refunds_count: 0,
            refunds: Vec::new(),
        };
        assert_eq!(of_till(), nothing);
        let yen: Currency = "JPY".parse().expect("a currency");
        let failure = Failure { code: "no_funds".to_owned(), message: "none".to_owned() };
        tea.sell(base, 1, cny(500), &captured(100, 0));
        tea.sell(base, 2, cny(700), &State::Voided { captured_at: NOW });
        tea.sell(base, 3, Amount::new(900, yen).expect("an amount"), &captured(0, 50));
        // Money that never came.
        tea.sell(base, 4, cny(1_000), &State::Failed { failure: failure.clone() });
        tea.sell(base, 5, cny(1_000), &State::Unknown { since: NOW });
        tea.sell(base, 6, cny(1_000), &State::Reversed);
        // Not this till's.
        tea.sell_with(base, 7, cny(1_000), &captured(0, 0), |payment| payment.terminal = None);
        let elsewhere = tea.payment_id(7);
        for (number, payment, minor, state) in [
            (1, tea.payment_id(1), 60, refund::State::Succeeded),
            (2, tea.payment_id(1), 40, refund::State::Succeeded),
            (3, tea.payment_id(2), 700, refund::State::Succeeded),
            (4, tea.payment_id(3), 50, refund::State::Pending),
            (5, tea.payment_id(1), 5, refund::State::Failed { failure }),
            (6, elsewhere, 7, refund::State::Succeeded),
        ] {
            let mut refund = tea.refund(number, payment, cny(minor));
            refund.refund.state = state;
            base.write(|tx| refunds::insert_new(tx, &tea.scope, &refund));
        }
        let expected = TerminalBooks {
            journal_through: Sequence(0),
            sales_count: 3,
            sales: vec![cny(1_200).money(), Money::new(900, yen)],
            refunds_count: 3,
            refunds: vec![cny(800).money()],
        };
        assert_eq!(of_till(), expected);
        let nobody = base.try_read(|tx| books::of_terminal(tx, &tea.scope, TerminalId::from_bytes([9; 16])));
        assert_eq!(nobody, Err(StoreError::NotFound { what: "the terminal" }));
    });
}
