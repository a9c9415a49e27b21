//! Terms of channel accounts: a change is a new version, and every version stays.

use saoma_domain::fee::{BasisPoints, FeeOnRefund, FeePlan, Tariff, Tier};
use saoma_protocol::Currency;
use saoma_store::{StoreError, channel_accounts, fee_plans};

use crate::{
    base::on_both,
    house::{House, NOW, at},
};

fn rate(basis_points: u16) -> BasisPoints {
    BasisPoints::new(basis_points).expect("a rate")
}

#[test]
fn a_change_of_terms_is_a_new_version() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let milk = House::build(base, b'M');
        let load = || base.read(|tx| channel_accounts::load(tx, &tea.scope, tea.account));
        let first = load();
        assert_eq!((first.fee_version, first.fee.clone()), (1, FeePlan::flat(rate(60))));
        let tier = |from_minor, basis_points, fixed_minor| Tier { from_minor, rate: rate(basis_points), fixed_minor };
        let tariff = |currency, maximum_minor| Tariff {
            currency,
            tiers: vec![tier(0, 290, 30), tier(100_000, 250, 0)],
            minimum_minor: 5,
            maximum_minor,
        };
        let tariffs = vec![tariff(Currency::USD, Some(9_000)), tariff("KWD".parse().expect("dinars"), None)];
        let plan = FeePlan::new(rate(38), tariffs, FeeOnRefund::Proportional).expect("a plan");
        let changed = channel_accounts::ChannelAccount { fee: plan.clone(), updated_at: at(5), ..first.clone() };
        base.write(|tx| channel_accounts::update(tx, &tea.scope, &changed));
        let second = load();
        assert_eq!((second.fee_version, second.fee.clone(), second.version), (2, plan.clone(), 2));
        // Another name alone is no change of terms.
        let renamed = channel_accounts::ChannelAccount { name: "new name".to_owned(), ..second };
        base.write(|tx| channel_accounts::update(tx, &tea.scope, &renamed));
        assert_eq!((load().fee_version, load().version), (2, 3));
        let stale = base.try_write(|tx| channel_accounts::update(tx, &tea.scope, &first));
        assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");

        let history = base.read(|tx| fee_plans::history(tx, &tea.scope, tea.account));
        let told: Vec<_> = history.iter().map(|one| (one.version, one.plan.clone(), one.created_at)).collect();
        assert_eq!(told, [(2, plan.clone(), at(5)), (1, first.fee, NOW)]);
        assert_eq!(base.read(|tx| fee_plans::load(tx, &tea.scope, tea.account, 2)), plan);
        for version in [0, 3, u64::MAX] {
            let missing = base.try_read(|tx| fee_plans::load(tx, &tea.scope, tea.account, version));
            assert_eq!(missing, Err(StoreError::NotFound { what: "the fee plan" }));
        }
        let theirs = base.try_read(|tx| fee_plans::load(tx, &milk.scope, tea.account, 1));
        assert_eq!(theirs, Err(StoreError::NotFound { what: "the fee plan" }));
        assert_eq!(base.read(|tx| fee_plans::history(tx, &milk.scope, tea.account)), []);
    });
}
