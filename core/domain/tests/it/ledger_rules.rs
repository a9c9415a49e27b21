//! One line per event: the postings that it must have.

use std::collections::BTreeSet;

use saoma_domain::{
    ledger::{Account, Kind, Posting, PostingSet, Unbalanced, rules},
    payment::Method,
};
use saoma_protocol::{Currency, Money};

use crate::people::cny;

fn money(minor: i64) -> Money {
    Money::new(minor, Currency::CNY)
}

/// `debit ← credit amount` of each set.
fn told(sets: &[PostingSet]) -> String {
    let line = |set: &PostingSet| {
        let side = |positive: bool| set.postings().iter().find(|posting| (posting.money.minor() > 0) == positive);
        let (debit, credit) = (side(true).unwrap(), side(false).unwrap());
        assert_eq!((set.postings().len(), debit.money.minor()), (2, -credit.money.minor()));
        format!("{} ← {} {}", debit.account.text(), credit.account.text(), debit.money.minor())
    };
    sets.iter().map(line).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_event_has_its_postings() {
    use Method::{Cash, CustomerPresented, MerchantPresented};
    let (hundred, forty) = (cny(100), cny(40));
    let table: Vec<(Kind, &str, Vec<PostingSet>, &str)> = vec![
        (
            Kind::Captured,
            "with a fee",
            rules::captured(CustomerPresented, hundred, money(6)),
            "channel_clearing ← merchant_payable 100, fees ← channel_clearing 6",
        ),
        (
            Kind::Captured,
            "without one",
            rules::captured(MerchantPresented, hundred, money(0)),
            "channel_clearing ← merchant_payable 100",
        ),
        (
            Kind::Captured,
            "a fee above the amount",
            rules::captured(MerchantPresented, hundred, money(130)),
            "channel_clearing ← merchant_payable 100, fees ← channel_clearing 130",
        ),
        (Kind::Captured, "cash", rules::captured(Cash, hundred, money(0)), "cash_in_drawer ← merchant_payable 100"),
        (Kind::RefundReserved, "", rules::refund_reserved(forty), "merchant_payable ← refunds_in_transit 40"),
        (
            Kind::RefundSucceeded,
            "fee kept",
            rules::refund_succeeded(CustomerPresented, forty, money(0)),
            "refunds_in_transit ← channel_clearing 40",
        ),
        (
            Kind::RefundSucceeded,
            "fee returned",
            rules::refund_succeeded(CustomerPresented, forty, money(2)),
            "refunds_in_transit ← channel_clearing 40, channel_clearing ← fees 2",
        ),
        (
            Kind::RefundSucceeded,
            "cash",
            rules::refund_succeeded(Cash, forty, money(0)),
            "refunds_in_transit ← cash_in_drawer 40",
        ),
        (Kind::RefundFailed, "", rules::refund_failed(forty), "refunds_in_transit ← merchant_payable 40"),
        (Kind::RefundReopened, "", rules::refund_reserved(forty), "merchant_payable ← refunds_in_transit 40"),
        (
            Kind::Undone,
            "fee kept",
            rules::undone(MerchantPresented, hundred, money(0)),
            "merchant_payable ← channel_clearing 100",
        ),
        (
            Kind::Undone,
            "fee returned",
            rules::undone(MerchantPresented, hundred, money(6)),
            "merchant_payable ← channel_clearing 100, channel_clearing ← fees 6",
        ),
        (Kind::FeeCorrected, "more", rules::fee_corrected(money(1)).unwrap(), "fees ← channel_clearing 1"),
        (Kind::FeeCorrected, "less", rules::fee_corrected(money(-1)).unwrap(), "channel_clearing ← fees 1"),
        (Kind::FeeCorrected, "none", rules::fee_corrected(money(0)).unwrap(), ""),
        (
            Kind::BillCorrected,
            "more",
            rules::bill_corrected(money(3)).unwrap(),
            "channel_clearing ← merchant_payable 3",
        ),
        (
            Kind::BillCorrected,
            "less",
            rules::bill_corrected(money(-3)).unwrap(),
            "merchant_payable ← channel_clearing 3",
        ),
        (Kind::WrittenOff, "lost", rules::written_off(money(-3)).unwrap(), "risk_loss ← channel_clearing 3"),
        (Kind::WrittenOff, "found", rules::written_off(money(3)).unwrap(), "channel_clearing ← risk_loss 3"),
        (Kind::DrawerFloat, "", rules::drawer_float(hundred), "cash_in_drawer ← cash_in_safe 100"),
        (Kind::PaidIn, "", rules::paid_in(hundred), "cash_in_drawer ← cash_in_safe 100"),
        (Kind::PaidOut, "", rules::paid_out(forty), "cash_in_safe ← cash_in_drawer 40"),
        (Kind::DrawerCounted, "over", rules::drawer_counted(money(5)).unwrap(), "cash_in_drawer ← cash_over_short 5"),
        (Kind::DrawerCounted, "short", rules::drawer_counted(money(-5)).unwrap(), "cash_over_short ← cash_in_drawer 5"),
        (Kind::StoredValueToppedUp, "", rules::stored_value_topped_up(hundred), "cash_in_safe ← stored_value 100"),
        (Kind::StoredValueTopUpReversed, "", rules::stored_value_paid_out(hundred), "stored_value ← cash_in_safe 100"),
        (Kind::StoredValueCharged, "", rules::stored_value_charged(forty), "stored_value ← stored_value_due 40"),
        (Kind::StoredValueReturned, "", rules::stored_value_returned(forty), "stored_value_due ← stored_value 40"),
        (Kind::StoredValuePaidOut, "", rules::stored_value_paid_out(forty), "stored_value ← cash_in_safe 40"),
        (Kind::DoubleSpent, "", rules::double_spent(forty), "risk_loss ← stored_value_due 40"),
        (Kind::DoubleSpentReturned, "", rules::double_spent_returned(forty), "stored_value_due ← risk_loss 40"),
        (Kind::LossRecovered, "", rules::loss_recovered(forty), "stored_value ← risk_loss 40"),
        (Kind::DisputeOpened, "", rules::dispute_opened(hundred), "disputes_held ← channel_clearing 100"),
        (Kind::DisputeWon, "", rules::dispute_won(hundred, money(0)), "channel_clearing ← disputes_held 100"),
        (
            Kind::DisputeWon,
            "with a fee",
            rules::dispute_won(hundred, money(15)),
            "channel_clearing ← disputes_held 100, fees ← channel_clearing 15",
        ),
        (
            Kind::DisputeLost,
            "with a fee",
            rules::dispute_lost(hundred, money(15)),
            "risk_loss ← disputes_held 100, fees ← channel_clearing 15",
        ),
        (Kind::PayoutReceived, "", rules::payout_received(hundred), "bank ← channel_clearing 100"),
        (Kind::PayoutReversed, "", rules::payout_reversed(hundred), "channel_clearing ← bank 100"),
    ];
    for (kind, case, sets, expected) in &table {
        assert_eq!(told(sets), *expected, "{kind:?} {case}");
    }
    let covered: BTreeSet<Kind> = table.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(covered, Kind::ALL.iter().copied().collect(), "every kind has a line");
}

#[test]
fn names_are_stable_and_read_back() {
    let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.text()).collect();
    let accounts: Vec<&str> = Account::ALL.iter().map(|account| account.text()).collect();
    insta::assert_snapshot!("ledger_names", format!("{}\n\n{}", accounts.join("\n"), kinds.join("\n")));
    assert!(Kind::ALL.iter().all(|kind| Kind::from_text(kind.text()) == Some(*kind)));
    assert!(Account::ALL.iter().all(|account| Account::from_text(account.text()) == Some(*account)));
    assert_eq!((Kind::from_text("stolen"), Account::from_text("pocket")), (None, None));
}

#[test]
fn the_edges_of_64_bits_are_refused_or_exact() {
    let posting = |minor| Posting { account: Account::Fees, money: money(minor) };
    for (minors, expected) in [
        (vec![i64::MAX, -i64::MAX], None),
        (vec![i64::MAX, i64::MAX], Some(Unbalanced::Overflow)),
        (vec![i64::MIN, i64::MIN], Some(Unbalanced::Overflow)),
        (vec![i64::MIN, i64::MAX], Some(Unbalanced::Overflow)),
        (vec![-i64::MAX, i64::MAX - 1], Some(Unbalanced::Sum(money(-1)))),
        // In no order do these fit on the way, and they sum to zero.
        (vec![i64::MAX, i64::MAX, -i64::MAX, -i64::MAX], None),
    ] {
        let made = PostingSet::new(minors.iter().copied().map(posting).collect());
        assert_eq!(made.err(), expected, "{minors:?}");
    }
    assert_eq!(rules::fee_corrected(money(i64::MIN)), Err(Unbalanced::Overflow));
    assert_eq!(rules::drawer_counted(money(i64::MIN)), Err(Unbalanced::Overflow));
    assert_eq!(
        told(&rules::drawer_counted(money(i64::MIN + 1)).unwrap()),
        format!("cash_over_short ← cash_in_drawer {}", i64::MAX)
    );
}
