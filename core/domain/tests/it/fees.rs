//! Fees: half up, in whole minor units; what comes back with refunds sums to what it should.

use proptest::prelude::*;
use saoma_domain::fee::{BasisPoints, FeeOnRefund, FeePlan, FeePlanError, FeeTooHigh, TIERS_MAX, Tariff, Tier};
use saoma_protocol::{Amount, Currency, money::AMOUNT_MINOR_MAX};

use crate::people::cny;

fn rate(basis_points: u16) -> BasisPoints {
    BasisPoints::new(basis_points).unwrap()
}

fn tier(from_minor: i64, basis_points: u16, fixed_minor: i64) -> Tier {
    Tier { from_minor, rate: rate(basis_points), fixed_minor }
}

fn tariff(code: &str, tiers: &[Tier], minimum_minor: i64, maximum_minor: Option<i64>) -> Tariff {
    Tariff { currency: code.parse().unwrap(), tiers: tiers.to_vec(), minimum_minor, maximum_minor }
}

fn plan(tariff: Tariff) -> Result<FeePlan, FeePlanError> {
    FeePlan::new(rate(60), vec![tariff], FeeOnRefund::Keep)
}

#[test]
fn a_rate_rounds_half_up() {
    for (minor, basis_points, fee_minor) in [
        (10_000, 60, 60),
        (1_250, 60, 8), // 7.5
        (1_249, 60, 7), // 7.494
        (1, 60, 0),     // 0.006
        (1, 10_000, 1),
        (83, 60, 0), // 0.498
        (84, 60, 1), // 0.504
        (999_999_999_999, 10_000, 999_999_999_999),
        (1_250, 0, 0),
    ] {
        assert_eq!(rate(basis_points).of(cny(minor)).minor(), fee_minor, "{basis_points} basis points of {minor}");
    }
    assert_eq!(BasisPoints::new(10_001), Err(FeeTooHigh(10_001)));
}

/// A line per case: currency, amount, fee.
#[test]
fn a_tariff_has_tiers_a_fixed_part_a_minimum_and_a_maximum() {
    let tiers = [tier(0, 100, 0), tier(10_000, 60, 10), tier(1_000_000, 30, 0)];
    for (tariff, cases) in [
        (
            tariff("CNY", &tiers, 0, None),
            vec![(9_999, 100), (10_000, 70), (10_001, 70), (999_999, 6_010), (1_000_000, 3_000)],
        ),
        // 2.9 % and 30 on top, at least 50 and at most 2,000.
        (tariff("USD", &[tier(0, 290, 30)], 50, Some(2_000)), vec![(1, 50), (100, 50), (1_000, 59), (100_000, 2_000)]),
        // Yen have no decimals: a half of a whole yen rounds up.
        (tariff("JPY", &[tier(0, 325, 0)], 0, None), vec![(100, 3), (200, 7), (1, 0), (16, 1), (15, 0)]),
        // Dinars have three.
        (tariff("KWD", &[tier(0, 150, 100)], 0, None), vec![(1_000, 115), (33, 100), (34, 101)]),
        // Charged on a sale of less than it.
        (tariff("CNY", &[tier(0, 0, 30)], 0, None), vec![(1, 30), (29, 30)]),
        (tariff("CNY", &[tier(0, 10_000, AMOUNT_MINOR_MAX)], 0, None), vec![(AMOUNT_MINOR_MAX, 2 * AMOUNT_MINOR_MAX)]),
    ] {
        let plan = plan(tariff.clone()).unwrap();
        for (minor, fee_minor) in cases {
            let fee = plan.fee(Amount::new(minor, tariff.currency).unwrap());
            assert_eq!((fee.minor(), fee.currency()), (fee_minor, tariff.currency), "{minor} under {tariff:?}");
        }
    }
    // A currency without a tariff pays the plan's rate.
    let dollars = plan(tariff("CNY", &[tier(0, 0, 5)], 0, None)).unwrap();
    assert_eq!(dollars.fee(Amount::new(10_000, Currency::USD).unwrap()).minor(), 60);
    assert_eq!(dollars.with_rate(rate(10)).fee(Amount::new(10_000, Currency::USD).unwrap()).minor(), 10);
}

#[test]
fn terms_that_make_no_sense_are_refused() {
    let out_of = |minor| Err(FeePlanError::OutOfRange(minor));
    let many: Vec<Tier> = (0..=20).map(|n| tier(n, 1, 0)).collect();
    assert_eq!(many.len(), TIERS_MAX + 1);
    for (tariff, refusal) in [
        (tariff("CNY", &[], 0, None), Err(FeePlanError::TierCount(0))),
        (tariff("CNY", &many, 0, None), Err(FeePlanError::TierCount(21))),
        (tariff("CNY", &[tier(1, 1, 0)], 0, None), Err(FeePlanError::TierOrder)),
        (tariff("CNY", &[tier(0, 1, 0), tier(5, 1, 0), tier(5, 2, 0)], 0, None), Err(FeePlanError::TierOrder)),
        (tariff("CNY", &[tier(0, 1, -1)], 0, None), out_of(-1)),
        (tariff("CNY", &[tier(0, 1, i64::MAX)], 0, None), out_of(i64::MAX)),
        (tariff("CNY", &[tier(0, 1, 0), tier(i64::MAX, 1, 0)], 0, None), out_of(i64::MAX)),
        (tariff("CNY", &[tier(0, 1, 0)], i64::MIN, None), out_of(i64::MIN)),
        (tariff("CNY", &[tier(0, 1, 0)], 0, Some(AMOUNT_MINOR_MAX + 1)), out_of(AMOUNT_MINOR_MAX + 1)),
        (
            tariff("CNY", &[tier(0, 1, 0)], 6, Some(5)),
            Err(FeePlanError::MinimumAboveMaximum { minimum_minor: 6, maximum_minor: 5 }),
        ),
    ] {
        assert_eq!(plan(tariff.clone()).map(drop), refusal, "{tariff:?}");
    }
    let twice = vec![tariff("CNY", &[tier(0, 1, 0)], 0, None), tariff("CNY", &[tier(0, 2, 0)], 0, None)];
    assert_eq!(FeePlan::new(rate(0), twice, FeeOnRefund::Keep), Err(FeePlanError::CurrencyTwice(Currency::CNY)));
}

/// Of a fee of 7 on 1,000: how much is back once so much was given back.
#[test]
fn a_fee_comes_back_as_the_plan_says() {
    for (on_refund, cases) in [
        (FeeOnRefund::Keep, [(0, 0), (500, 0), (999, 0), (1_000, 0)]),
        (FeeOnRefund::Whole, [(0, 0), (500, 0), (999, 0), (1_000, 7)]),
        // 3.5 and 6.993
        (FeeOnRefund::Proportional, [(0, 0), (500, 4), (999, 7), (1_000, 7)]),
    ] {
        for (refunded_minor, returned_minor) in cases {
            let returned = on_refund.returned(cny(7).money(), cny(1_000), refunded_minor);
            assert_eq!(returned, saoma_protocol::Money::new(returned_minor, Currency::CNY), "{on_refund:?}");
        }
    }
}

proptest! {
    #[test]
    fn partial_refunds_bring_what_the_whole_would(
        amount in 1_i64..=AMOUNT_MINOR_MAX,
        fee in 0_i64..=2 * AMOUNT_MINOR_MAX,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let whole = cny(amount);
        let fee = saoma_protocol::Money::new(fee, Currency::CNY);
        let mut stops: Vec<i64> = cuts.iter().map(|cut| i64::try_from(cut.index(usize::try_from(amount).unwrap())).unwrap()).collect();
        stops.extend([0, amount]);
        stops.sort_unstable();
        for on_refund in [FeeOnRefund::Keep, FeeOnRefund::Proportional, FeeOnRefund::Whole] {
            let at = |refunded| on_refund.returned(fee, whole, refunded).minor();
            let parts: Vec<i64> = stops.windows(2).map(|pair| at(pair[1]) - at(pair[0])).collect();
            prop_assert!(parts.iter().all(|part| *part >= 0), "a refund never takes a fee: {parts:?}");
            prop_assert_eq!(parts.iter().sum::<i64>(), at(amount));
            let expected = if on_refund == FeeOnRefund::Keep { 0 } else { fee.minor() };
            prop_assert_eq!(at(amount), expected);
            prop_assert_eq!((at(i64::MIN), at(i64::MAX)), (0, expected), "whatever is asked, 0 to the fee");
        }
    }

    #[test]
    fn a_fee_of_a_tariff_is_within_its_bounds(
        amount in 1_i64..=AMOUNT_MINOR_MAX,
        basis_points in 0_u16..=10_000,
        fixed in 0_i64..=AMOUNT_MINOR_MAX,
        minimum in 0_i64..=1_000,
        spread in 0_i64..=1_000_000,
    ) {
        let bounded = plan(tariff("CNY", &[tier(0, basis_points, fixed)], minimum, Some(minimum + spread))).unwrap();
        let fee = bounded.fee(cny(amount)).minor();
        prop_assert!((minimum..=minimum + spread).contains(&fee));
    }
}
