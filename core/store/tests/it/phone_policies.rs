//! Where terminals may show codes that a customer's phone carries, and the keys by which those are checked.

use saoma_store::{
    StoreError, Tx,
    phone_policies::{self, Policy},
    terminals,
};

use crate::{
    base::on_both,
    furniture::certificate,
    house::{House, NOW, at},
};

fn policy(house: &House) -> Policy {
    Policy {
        enabled: true,
        channel_account: house.account,
        sale_minor_max: 20_000,
        code_seconds: 300,
        list_hours_max: 24,
        version: 0,
        updated_at: NOW,
        no_link_at: None,
    }
}

pub fn furnish(tx: &mut Tx<'_>, house: &House) -> Result<(), StoreError> {
    phone_policies::set(tx, &house.scope, &mut policy(house))
}

#[test]
fn a_policy_is_its_merchants_and_is_changed_by_whoever_saw_it() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        assert_eq!(base.read(|tx| phone_policies::load(tx, &tea.scope)), None);
        base.write(|tx| furnish(tx, &tea));
        let set = Policy { version: 1, ..policy(&tea) };
        assert_eq!(base.read(|tx| phone_policies::load(tx, &tea.scope)), Some(set.clone()));
        assert_eq!(base.read(|tx| phone_policies::load(tx, &milk.scope)), None, "nothing of another's");
        let again = base.try_write(|tx| furnish(tx, &tea));
        assert!(matches!(again, Err(StoreError::Stale { .. })), "{again:?}");
        let mut changed = Policy { enabled: false, code_seconds: 60, updated_at: at(5), ..set };
        base.write(|tx| phone_policies::set(tx, &tea.scope, &mut changed));
        assert_eq!((changed.version, base.read(|tx| phone_policies::load(tx, &tea.scope))), (2, Some(changed)));
    });
}

#[test]
fn an_account_without_links_is_noted_until_the_policy_is_set_again() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        for house in [&tea, &milk] {
            base.write(|tx| furnish(tx, house));
        }
        let known = |house: &House| base.read(|tx| phone_policies::load(tx, &house.scope)).unwrap();
        let notes = |account, at| base.write(|tx| phone_policies::note_no_link(tx, &tea.scope, account, at));
        assert!(!notes(milk.account, at(1)), "it is no account of the policy");
        assert!(known(&tea).is_in_force());
        assert!(notes(tea.account, at(2)));
        assert!(!notes(tea.account, at(3)), "once");
        assert_eq!((known(&tea).no_link_at, known(&tea).is_in_force()), (Some(at(2)), false));
        assert!(known(&milk).is_in_force(), "nothing of another's");
        let mut again = Policy { no_link_at: None, ..known(&tea) };
        base.write(|tx| phone_policies::set(tx, &tea.scope, &mut again));
        assert!(known(&tea).is_in_force());
    });
}

#[test]
fn a_certificates_key_is_written_once_and_is_of_its_terminal() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        base.write(|tx| terminals::add_certificate(tx, &tea.scope, tea.terminal, &certificate(&tea)));
        let serial = certificate(&tea).serial;
        let key = |house: &House| base.read(|tx| terminals::public_key(tx, &house.scope, tea.terminal, &serial));
        let missing = || base.read(|tx| terminals::without_public_key(tx, &tea.scope, tea.terminal));
        assert_eq!((key(&tea), missing()), (None, vec![serial.clone()]));
        // Of another merchant nothing is changed, and nothing read.
        base.write(|tx| terminals::keep_public_key(tx, &milk.scope, tea.terminal, &serial, &[9; 65]));
        assert_eq!(key(&tea), None);
        for byte in [4, 5] {
            base.write(|tx| terminals::keep_public_key(tx, &tea.scope, tea.terminal, &serial, &[byte; 65]));
        }
        assert_eq!((key(&tea), key(&milk), missing()), (Some(vec![4; 65]), None, Vec::new()));
    });
}
