//! Publishers, packages and rollouts of plugins, and the package that each payment keeps.

use std::collections::HashSet;

use saoma_domain::package::{Choice, ContentHash, Rollout, Step};
use saoma_store::{
    Insertion, Owner, StoreError, Tx, channel_accounts,
    plugin_packages::{self, Package},
    plugin_publishers::{self, Publisher},
    plugin_rollouts::{self, StoredRollout, Versions},
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, PLATFORM, at, captured, cny},
};

const OF_PLATFORM: Owner = Owner::Platform(PLATFORM);

fn publisher(key_id: &str) -> Publisher {
    Publisher {
        key_id: key_id.to_owned(),
        name: "Tea Tools".to_owned(),
        public_key: "-----BEGIN PUBLIC KEY-----".to_owned(),
        trusted_at: NOW,
        trusted_by: "usr_mei".to_owned(),
        revoked_at: None,
    }
}

fn package(component: &[u8], plugin: &str, version: &str) -> Package {
    Package {
        hash: ContentHash::of(component),
        plugin: plugin.to_owned(),
        version: version.to_owned(),
        contract: "0.2.0".to_owned(),
        publisher: "k1".to_owned(),
        component_bytes: component.len() as u64,
        published_at: NOW,
        published_by: "usr_mei".to_owned(),
        retired_at: None,
        successor: None,
        envelope: "{}".to_owned(),
    }
}

fn publish(base: &Base, owner: &Owner, component: &[u8], version: &str) -> Result<ContentHash, StoreError> {
    let package = package(component, "wallet", version);
    base.try_write(|tx| plugin_packages::publish(tx, owner, &package, component))?;
    Ok(package.hash)
}

/// A row of the house in each table; the platform's own are beside them.
pub fn furnish(tx: &mut Tx<'_>, house: &House) -> Result<(), StoreError> {
    let (owner, component) = (Owner::Tenant(house.scope), [house.letter; 8]);
    let package = package(&component, "own", "1.0.0");
    plugin_publishers::trust(tx, &owner, &publisher("k1"))?;
    plugin_packages::publish(tx, &owner, &package, &component)?;
    plugin_packages::bind(tx, &house.scope, house.payment_id(1), package.hash)?;
    plugin_rollouts::save(tx, &owner, &rolled(&owner, "own", &Rollout::UNTOUCHED, Step::Install(package.hash)))?;
    // The canary of a plugin of the platform's, one for each house.
    let plugin = format!("wallet-{}", char::from(house.letter));
    let mut canary = rolled(&OF_PLATFORM, &plugin, &Rollout::UNTOUCHED, Step::Canary(package.hash));
    canary.canary_tenants = vec![house.scope.tenant()];
    plugin_rollouts::save(tx, &OF_PLATFORM, &canary)
}

fn rolled(owner: &Owner, plugin: &str, before: &Rollout, step: Step) -> StoredRollout {
    StoredRollout {
        tenant: owner.tenant(),
        plugin: plugin.to_owned(),
        rollout: before.decide(before.version, step).expect("a step"),
        canary_tenants: Vec::new(),
        changed_at: NOW,
        changed_by: "usr_mei".to_owned(),
    }
}

#[test]
fn a_publisher_that_is_revoked_stays_so() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let owner = Owner::Tenant(tea.scope);
        assert_eq!(base.write(|tx| plugin_publishers::trust(tx, &owner, &publisher("k1"))), Insertion::Inserted);
        // The platform trusts it or not, whatever a tenant does.
        assert_eq!(base.read(|tx| plugin_publishers::list(tx, &OF_PLATFORM)), Vec::new());
        base.write(|tx| plugin_publishers::revoke(tx, &owner, "k1", at(5)));
        base.write(|tx| plugin_publishers::revoke(tx, &owner, "k1", at(9)));
        assert_eq!(base.write(|tx| plugin_publishers::trust(tx, &owner, &publisher("k1"))), Insertion::Existing);
        let revoked = Publisher { revoked_at: Some(at(5)), ..publisher("k1") };
        assert_eq!(base.read(|tx| plugin_publishers::list(tx, &owner)), vec![revoked]);
        let unknown = base.try_write(|tx| plugin_publishers::revoke(tx, &OF_PLATFORM, "k1", NOW));
        assert_eq!(unknown, Err(StoreError::NotFound { what: "the publisher" }));
    });
}

#[test]
fn a_package_is_stored_once_and_a_version_is_one_component() {
    on_both(|base| {
        let (tea, rice) = (House::build(base, b'T'), House::build(base, b'R'));
        let hash = publish(base, &OF_PLATFORM, b"one", "1.0.0").expect("published");
        let again = package(b"one", "wallet", "1.0.0");
        let again = base.write(|tx| plugin_packages::publish(tx, &OF_PLATFORM, &again, b"one"));
        assert_eq!(again, Insertion::Existing);
        let other = publish(base, &OF_PLATFORM, b"two", "1.0.0");
        assert_eq!(other, Err(StoreError::Conflict { what: "this version of the plugin" }));
        assert_eq!(base.read(|tx| plugin_packages::list(tx, &OF_PLATFORM)), vec![package(b"one", "wallet", "1.0.0")]);
        let component = base.read(|tx| plugin_packages::component(tx, &PLATFORM, hash));
        assert_eq!((component.bytes.as_slice(), component.is_of_platform), (b"one".as_slice(), true));
        // A tenant may use what is the platform's, and cannot touch it; what is a tenant's own nobody else finds.
        let [of_tea, of_rice] = [tea, rice].map(|house| Owner::Tenant(house.scope));
        assert_eq!(base.read(|tx| plugin_packages::usable(tx, &of_tea, hash)).hash, hash);
        let missing = StoreError::NotFound { what: "the package" };
        assert_eq!(base.try_read(|tx| plugin_packages::load(tx, &of_tea, hash)), Err(missing.clone()));
        let retired = base.try_write(|tx| plugin_packages::retire(tx, &of_tea, hash, Choice::BuiltIn, NOW));
        assert_eq!(retired, Err(missing.clone()));
        let own = publish(base, &of_tea, b"own", "1.0.0").expect("published");
        assert_eq!(base.read(|tx| plugin_packages::usable(tx, &of_tea, own)).hash, own);
        for stranger in [of_rice, OF_PLATFORM] {
            assert_eq!(base.try_read(|tx| plugin_packages::usable(tx, &stranger, own)), Err(missing.clone()));
        }
        assert_eq!(base.read(|tx| plugin_packages::count(tx, &of_tea)), 1);
        assert!(base.read(|tx| plugin_packages::is_of_platform(tx, "wallet")));
        assert!(!base.read(|tx| plugin_packages::is_of_platform(tx, "own")));
    });
}

/// One that is retired is called no more: it takes up a row, and no room. Whoever else has published it goes on with it.
#[test]
fn a_retired_package_gives_its_place_up() {
    on_both(|base| {
        let (tea, rice) = (House::build(base, b'T'), House::build(base, b'R'));
        let [of_tea, of_rice] = [tea, rice].map(|house| Owner::Tenant(house.scope));
        let [hash, other] = [b"one", b"two"]
            .map(|component| publish(base, &of_tea, component, &format!("1.0.{}", component[1])).expect("published"));
        publish(base, &of_rice, b"one", "1.0.0").expect("published");
        let component = || base.try_read(|tx| plugin_packages::component(tx, &PLATFORM, hash));
        let callable = || base.read(|tx| plugin_packages::callable(tx, &PLATFORM));
        for (owner, left) in [(&of_tea, Some(b"one".to_vec())), (&of_rice, None)] {
            base.write(|tx| plugin_packages::retire(tx, owner, hash, Choice::BuiltIn, NOW));
            assert_eq!(callable().contains(&hash), left.is_some());
            let missing = StoreError::NotFound { what: "the package" };
            let left = left.map(|bytes| plugin_packages::Component { bytes, is_of_platform: false });
            assert_eq!(component(), left.ok_or(missing));
        }
        assert_eq!(callable(), HashSet::from([other]));
        assert_eq!(base.read(|tx| plugin_packages::count(tx, &of_tea)), 1);
        assert_eq!(base.read(|tx| plugin_packages::count_ever(tx, &of_tea)), 2);
        assert_eq!(base.read(|tx| plugin_packages::list(tx, &of_tea)).len(), 2, "its row stays");
        // Its version is taken, and the same bytes are what they were.
        let taken = publish(base, &of_tea, b"three", &format!("1.0.{}", b"one"[1]));
        assert_eq!(taken, Err(StoreError::Conflict { what: "this version of the plugin" }));
        let again = package(b"one", "wallet", "1.0.0");
        assert_eq!(base.write(|tx| plugin_packages::publish(tx, &of_tea, &again, b"one")), Insertion::Existing);
        assert_eq!(callable(), HashSet::from([other]));
    });
}

#[test]
fn a_payment_keeps_its_package_until_that_hands_it_on() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let [one, two, three] = [b"one".as_slice(), b"two", b"three"].map(|component| {
            publish(base, &OF_PLATFORM, component, &format!("1.0.{}", component.len() + usize::from(component[1])))
                .expect("published")
        });
        let payment = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        let of_payment = || base.read(|tx| plugin_packages::of_payment(tx, &tea.scope, payment));
        assert_eq!(of_payment(), Choice::BuiltIn, "one that was made with none");
        base.write(|tx| plugin_packages::bind(tx, &tea.scope, payment, one));
        assert_eq!(of_payment(), Choice::Package(one));
        assert_eq!(base.read(|tx| plugin_packages::payments_of(tx, &OF_PLATFORM, one)), 1);
        base.write(|tx| plugin_packages::retire(tx, &OF_PLATFORM, one, Choice::Package(two), NOW));
        assert_eq!(of_payment(), Choice::Package(two));
        let again = base.try_write(|tx| plugin_packages::retire(tx, &OF_PLATFORM, one, Choice::BuiltIn, NOW));
        assert_eq!(again, Err(StoreError::Stale { what: "the package" }));
        base.write(|tx| plugin_packages::retire(tx, &OF_PLATFORM, two, Choice::Package(three), NOW));
        assert_eq!(of_payment(), Choice::Package(three));
        base.write(|tx| plugin_packages::retire(tx, &OF_PLATFORM, three, Choice::BuiltIn, NOW));
        assert_eq!(of_payment(), Choice::BuiltIn);
    });
}

/// Each release retires the one before: the first one's payments are found through all of them, whatever their number.
#[test]
fn a_payment_outlives_any_number_of_packages() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let hashes: Vec<_> =
            (0..20).map(|n: u8| publish(base, &OF_PLATFORM, &[n], &format!("1.0.{n}")).expect("published")).collect();
        let payment = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        base.write(|tx| plugin_packages::bind(tx, &tea.scope, payment, hashes[0]));
        for next in hashes.windows(2) {
            base.write(|tx| plugin_packages::retire(tx, &OF_PLATFORM, next[0], Choice::Package(next[1]), NOW));
            let through = base.read(|tx| plugin_packages::of_payment(tx, &tea.scope, payment));
            assert_eq!(through, Choice::Package(next[1]));
        }
        // Nobody has to follow them: the first names the last.
        let first = base.read(|tx| plugin_packages::load(tx, &OF_PLATFORM, hashes[0]));
        assert_eq!(first.successor, Some(Choice::Package(hashes[19])));
    });
}

#[test]
fn of_two_who_change_a_rollout_at_once_one_does() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let package = ContentHash::of(b"one");
        let first = rolled(&OF_PLATFORM, "wallet", &Rollout::UNTOUCHED, Step::Install(package));
        let stale = Err(StoreError::Stale { what: "the rollout" });
        let save = |rollout: &StoredRollout| base.try_write(|tx| plugin_rollouts::save(tx, &OF_PLATFORM, rollout));
        assert_eq!(save(&first), Ok(()));
        assert_eq!(save(&first), stale);
        let mut canary = rolled(&OF_PLATFORM, "wallet", &first.rollout, Step::Canary(ContentHash::of(b"two")));
        canary.canary_tenants = vec![tea.scope.tenant()];
        assert_eq!(save(&canary), Ok(()));
        let back = rolled(&OF_PLATFORM, "wallet", &first.rollout, Step::RollBack);
        assert_eq!(save(&back), stale, "decided on what was there before the canary");
        let load = |owner: Owner| base.read(|tx| plugin_rollouts::load(tx, &owner, "wallet"));
        assert_eq!(load(OF_PLATFORM), Some(canary.clone()));
        assert_eq!(load(Owner::Tenant(tea.scope)), None);
        let own = rolled(&Owner::Tenant(tea.scope), "own", &Rollout::UNTOUCHED, Step::Install(package));
        base.write(|tx| plugin_rollouts::save(tx, &Owner::Tenant(tea.scope), &own));
        let all = base.read(|tx| plugin_rollouts::all(tx, &PLATFORM));
        assert_eq!(all.len(), 2);
        assert!(all.contains(&canary) && all.contains(&own));
        assert_eq!(base.read(|tx| plugin_rollouts::list(tx, &OF_PLATFORM)), vec![canary.clone()]);
        let over = rolled(&OF_PLATFORM, "wallet", &canary.rollout, Step::Promote);
        assert_eq!(save(&over), Ok(()));
        assert_eq!(load(OF_PLATFORM), Some(over));
    });
}

#[test]
fn what_was_decided_by_a_version_is_written_while_it_is_rolled_out() {
    on_both(|base| {
        let [tea, rice] = [b'T', b'R'].map(|letter| House::build(base, letter));
        let hash = publish(base, &OF_PLATFORM, b"one", "1.0.0").expect("published");
        let held = |house: &House, seen| base.try_write(|tx| plugin_rollouts::hold(tx, &house.scope, "wallet", seen));
        let stale = Err(StoreError::Stale { what: "the rollout" });
        let none = Versions::default();
        assert_eq!(held(&tea, none), Ok(()));
        let first = rolled(&OF_PLATFORM, "wallet", &Rollout::UNTOUCHED, Step::Install(hash));
        base.write(|tx| plugin_rollouts::save(tx, &OF_PLATFORM, &first));
        let by_first = Versions { platform: Some(1), ..none };
        assert_eq!((held(&tea, none), held(&tea, by_first), held(&rice, by_first)), (stale.clone(), Ok(()), Ok(())));
        let of_tea = Owner::Tenant(tea.scope);
        let own = rolled(&of_tea, "wallet", &Rollout::UNTOUCHED, Step::Install(hash));
        base.write(|tx| plugin_rollouts::save(tx, &of_tea, &own));
        let by_own = Versions { own: Some(1), ..by_first };
        assert_eq!((held(&tea, by_first), held(&tea, by_own), held(&rice, by_first)), (stale, Ok(()), Ok(())));
    });
}

#[test]
fn the_accounts_that_a_package_must_fit_are_the_plugin_s_enabled_ones() {
    on_both(|base| {
        let (tea, rice) = (House::build(base, b'T'), House::build(base, b'R'));
        let plugin = base.read(|tx| channel_accounts::load(tx, &tea.scope, tea.account)).plugin;
        let found = |owner: Owner, tenants: Option<&[_]>| {
            let found = base.read(|tx| channel_accounts::of_plugin(tx, &owner, &plugin, tenants));
            found.into_iter().map(|(_, account, _)| account).collect::<Vec<_>>()
        };
        assert_eq!(found(OF_PLATFORM, None), vec![rice.account, tea.account]);
        assert_eq!(found(OF_PLATFORM, Some(&[tea.scope.tenant()])), vec![tea.account]);
        assert_eq!(found(Owner::Tenant(rice.scope), None), vec![rice.account]);
        assert_eq!(found(Owner::Tenant(rice.scope), Some(&[tea.scope.tenant()])), vec![]);
        let mut shut = base.read(|tx| channel_accounts::load(tx, &tea.scope, tea.account));
        shut.enabled = false;
        base.write(|tx| channel_accounts::update(tx, &tea.scope, &shut));
        assert_eq!(found(OF_PLATFORM, None), vec![rice.account]);
    });
}
