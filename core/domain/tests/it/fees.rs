//! Fees: half up, in whole minor units, never more than the amount.

use saoma_domain::fee::{BasisPoints, FeeTooHigh};

use crate::people::cny;

#[test]
fn fees_round_half_up() {
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
        let fee = BasisPoints::new(basis_points).unwrap().of(cny(minor));
        assert_eq!(fee.minor(), fee_minor, "{basis_points} basis points of {minor}");
    }
    assert_eq!(BasisPoints::new(10_001), Err(FeeTooHigh(10_001)));
}
