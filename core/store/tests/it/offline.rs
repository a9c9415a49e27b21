//! What is kept of offline codes, on both databases.

use saoma_domain::stored_value::offline::Over;
use saoma_protocol::{
    Millis, Sequence, StoredValueAccountId,
    api::OfflineLimits,
    code::offline::{Issuer, KeyId, Token},
    journal::{Entry, GENESIS, Record},
    message::{Health, Unsent},
};
use saoma_store::{
    Opaque, StoreError, Tx, journal,
    stored_value::offline::{
        self, Policy,
        grants::{self, StoredGrant},
        issuers::{self, StoredIssuer},
        spends::{self, Resolution, Spend},
    },
    terminals::{self, Certificate},
};

use crate::{
    base::on_both,
    house::{House, NOW, at, cny},
};

fn policy(house: &House) -> Policy {
    Policy {
        enabled: true,
        channel_account: house.account,
        acceptor: "hall".to_owned(),
        limits: OfflineLimits {
            sale_minor_max: 20_000,
            grant_day_count_max: 3,
            unsent_minor_max: 500_000,
            unsent_count_max: 200,
            unsent_hours_max: 24,
            list_hours_max: 48,
        },
        version: 0,
        updated_at: NOW,
    }
}

fn issuer(house: &House, number: u8) -> StoredIssuer {
    StoredIssuer {
        id: KeyId([house.letter, number, 0, 0]),
        issuer: Issuer {
            public_key: "ab".repeat(32),
            not_before: at(number.into()),
            not_after: at(1_000),
            revoked: false,
        },
        secret: Opaque(vec![0, 0, 0, 1, house.letter]),
        signs_until: at(500),
        revoked_at: None,
        created_at: at(number.into()),
    }
}

fn grant(house: &House, account: StoredValueAccountId, number: u8) -> StoredGrant {
    StoredGrant {
        token: Token([house.letter, number, 0, 0, 0, 0, 0, 0]),
        account,
        issuer: issuer(house, 1).id,
        cap: cny(300),
        cap_single_minor: 100,
        spent_minor: 0,
        device_key: "cd".repeat(32),
        not_before: NOW,
        not_after: at(100),
        code_seconds: 60,
        reserved_until: at(200),
        revoked_at: None,
        made_by: "usr_x".to_owned(),
        created_at: at(number.into()),
    }
}

fn spend(house: &House, account: StoredValueAccountId, number: u8, over: Option<Over>) -> Spend {
    Spend {
        payment: house.payment_id(number),
        grant: grant(house, account, 1).token,
        account,
        terminal: house.terminal,
        counter: number.into(),
        amount: cny(80),
        covered_minor: if over.is_some() { 0 } else { 80 },
        over,
        sold_at: NOW,
        at: at(number.into()),
    }
}

/// A row in each table.
pub fn furnish(tx: &mut Tx<'_>, house: &House, account: StoredValueAccountId) -> Result<(), StoreError> {
    offline::set_policy(tx, &house.scope, &mut policy(house))?;
    issuers::add(tx, &house.scope, &issuer(house, 1))?;
    grants::make(tx, &house.scope, &grant(house, account, 1))?;
    spends::insert(tx, &house.scope, &spend(house, account, 1, None))?;
    spends::resolve(tx, &house.scope, house.payment_id(1), &resolution())
}

fn resolution() -> Resolution {
    Resolution { recovered_minor: 30, reason: "he paid for it".to_owned(), made_by: "usr_x".to_owned(), at: at(9) }
}

#[test]
fn what_is_written_is_read_back_and_reserved_for_its_time() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let scope = &tea.scope;
        base.write(|tx| crate::stored_value::furnish(tx, &tea));
        let account = base.read(|tx| {
            let listed =
                saoma_store::stored_value::list(tx, scope, &saoma_store::stored_value::Filter::default(), None, 9)?;
            Ok(listed[0].id)
        });
        let expected = grant(&tea, account, 1);
        assert_eq!(base.read(|tx| grants::load(tx, scope, expected.token)), expected);
        assert_eq!(base.read(|tx| offline::policy(tx, scope)), Some(Policy { version: 1, ..policy(&tea) }));
        let stale = base.try_write(|tx| offline::set_policy(tx, scope, &mut policy(&tea)));
        assert_eq!(stale, Err(StoreError::Stale { what: "the policy" }));
        let mut off = Policy { enabled: false, version: 1, ..policy(&tea) };
        base.write(|tx| offline::set_policy(tx, scope, &mut off));
        assert_eq!(
            base.read(|tx| offline::policy(tx, scope)),
            Some(Policy { enabled: false, version: 2, ..policy(&tea) })
        );

        base.write(|tx| issuers::add(tx, scope, &issuer(&tea, 2)));
        assert_eq!(base.read(|tx| issuers::signing(tx, scope, at(499))), Some(issuer(&tea, 2)));
        assert_eq!(base.read(|tx| issuers::signing(tx, scope, at(500))), None);
        assert_eq!(base.read(|tx| issuers::list(tx, scope, at(999))).len(), 2);
        assert_eq!(base.read(|tx| issuers::list(tx, scope, at(1_000))), []);
        let revoked = base.write(|tx| issuers::revoke(tx, scope, issuer(&tea, 2).id, at(3)));
        assert_eq!((revoked.revoked_at, revoked.issuer.revoked), (Some(at(3)), true));
        assert_eq!(base.write(|tx| issuers::revoke(tx, scope, revoked.id, at(4))), revoked, "once, for good");
        assert_eq!(base.read(|tx| issuers::signing(tx, scope, at(499))), Some(issuer(&tea, 1)), "it signs no more");
        assert_eq!(base.read(|tx| issuers::list(tx, scope, at(999))), [issuer(&tea, 1), revoked], "and is listed so");
        let unknown = base.try_write(|tx| issuers::revoke(tx, scope, KeyId([0; 4]), at(4)));
        assert_eq!(unknown, Err(StoreError::NotFound { what: "the key" }));

        base.write(|tx| grants::make(tx, scope, &grant(&tea, account, 2)));
        let again = base.try_write(|tx| grants::make(tx, scope, &grant(&tea, account, 2)));
        assert_eq!(again, Err(StoreError::Conflict { what: "the grant's token" }));
        let reserved = |when: Millis| base.read(|tx| grants::reserved_minor(tx, scope, account, when));
        assert_eq!((reserved(NOW), reserved(at(199)), reserved(at(200))), (600, 600, 0));
        base.write(|tx| grants::spend(tx, scope, expected.token, 80));
        assert_eq!(reserved(NOW), 520);
        let more_than_granted = base.try_write(|tx| grants::spend(tx, scope, expected.token, 221));
        assert!(more_than_granted.is_err());
        let listed = |after| base.read(|tx| grants::list(tx, scope, account, after, 1)).remove(0);
        let newest = listed(None);
        let next = listed(Some(grants::Cursor { at: newest.created_at, id: newest.token }));
        assert_eq!((newest.token, next.spent_minor), (grant(&tea, account, 2).token, 80));

        let spent_at = |of, counter| base.read(|tx| spends::spent_at(tx, scope, of, counter));
        assert_eq!(spent_at(expected.token, 1), [tea.terminal]);
        assert_eq!((spent_at(expected.token, 2), spent_at(newest.token, 1)), (vec![], vec![]));
        let twice = spend(&tea, account, 3, Some(Over::Counter));
        base.write(|tx| spends::insert(tx, scope, &twice));
        let late = spend(&tea, account, 4, Some(Over::Uncovered));
        base.write(|tx| spends::insert(tx, scope, &late));
        let listed = |open, after| base.read(|tx| spends::list_over(tx, scope, open, after, 9));
        assert_eq!(listed(true, None), [(late.clone(), None), (twice.clone(), None)]);
        let after = Some(spends::Cursor { at: late.at, id: late.payment });
        assert_eq!(listed(false, after), [(twice.clone(), None)]);
        base.write(|tx| spends::resolve(tx, scope, late.payment, &resolution()));
        let again = base.try_write(|tx| spends::resolve(tx, scope, late.payment, &resolution()));
        assert_eq!(again, Err(StoreError::Conflict { what: "the double spend's resolution" }));
        assert_eq!(listed(true, None), [(twice, None)]);
        assert_eq!(listed(false, None).remove(0), (late.clone(), Some(resolution())));
        assert_eq!(base.read(|tx| spends::load_over(tx, scope, late.payment)), (late, Some(resolution())));
        let good = base.try_read(|tx| spends::load_over(tx, scope, tea.payment_id(1)));
        assert_eq!(good.map(drop), Err(StoreError::NotFound { what: "the double spend" }));

        assert_eq!(base.read(|tx| grants::denied(tx, scope, NOW)), []);
        base.write(|tx| grants::revoke_one(tx, scope, newest.token, at(4)));
        assert_eq!(base.read(|tx| grants::denied(tx, scope, NOW)), [newest.token]);
        assert!(base.write(|tx| grants::revoke(tx, scope, account, at(5))));
        assert!(!base.write(|tx| grants::revoke(tx, scope, account, at(6))), "all of them were");
        assert_eq!(base.read(|tx| grants::denied(tx, scope, at(99))), [expected.token, newest.token]);
        assert_eq!(base.read(|tx| grants::denied(tx, scope, at(100))), []);
        assert_eq!(reserved(NOW), 520, "what terminals took before they heard of it is still paid");
    });
}

/// What is left of a grant that is over is free as soon as no terminal can have a sale of it to tell.
#[test]
fn a_grant_that_is_over_is_free_once_every_terminal_has_told() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let scope = &tea.scope;
        base.write(|tx| crate::stored_value::furnish(tx, &tea));
        let account = base.read(|tx| {
            let filter = saoma_store::stored_value::Filter::default();
            Ok(saoma_store::stored_value::list(tx, scope, &filter, None, 9)?[0].id)
        });
        let minutes = |n: i64| at(n * 60_000);
        let lasting = StoredGrant { not_after: minutes(10), reserved_until: minutes(1_000), ..grant(&tea, account, 2) };
        base.write(|tx| grants::make(tx, scope, &lasting));
        let reserved = |when: Millis| {
            let (all, its) = base.read(|tx| {
                Ok((grants::reserved_minor(tx, scope, account, when)?, grants::reserved_of(tx, scope, &lasting, when)?))
            });
            assert_eq!(all, its);
            its
        };
        let says = |unsent: u64, when: Millis, received: Millis| {
            let unsent = Unsent { count: unsent, oldest_at: None, at_risk: Vec::new() };
            let health =
                Health { version: "0".to_owned(), at: when, peripherals: Vec::new(), unsent, announces: false };
            base.write(|tx| terminals::set_health(tx, scope, tea.terminal, &health, received));
        };
        assert_eq!(reserved(minutes(14)), 300);
        assert_eq!(reserved(minutes(15)), 0, "there is no terminal that could have taken something");
        let certificate =
            Certificate { serial: "0f".to_owned(), not_after: minutes(9_999), issued_at: NOW, revoked_at: None };
        base.write(|tx| terminals::add_certificate(tx, scope, tea.terminal, &certificate));
        assert_eq!(reserved(minutes(999)), 300, "it is silent");
        assert_eq!(reserved(minutes(1_000)), 0, "for so long it is waited for");
        // One that has not heard core for so long takes no codes: it holds back nothing of what was granted later.
        let hours = |n: i64| minutes(n * 60);
        let later =
            StoredGrant { not_before: hours(29), not_after: hours(30), reserved_until: hours(100), ..lasting.clone() };
        let of_later = |when: Millis| base.read(|tx| grants::reserved_of(tx, scope, &later, when));
        assert_eq!((of_later(hours(30)), of_later(hours(31))), (300, 0));
        let sooner = StoredGrant { not_before: hours(27), ..later.clone() };
        assert_eq!(base.read(|tx| grants::reserved_of(tx, scope, &sooner, hours(31))), 300);
        says(1, minutes(20), minutes(20));
        assert_eq!(reserved(minutes(30)), 300, "it has something to tell");
        says(0, minutes(14), minutes(20));
        assert_eq!(reserved(minutes(30)), 300, "it may have sold since then");
        says(0, minutes(20), minutes(14));
        assert_eq!(reserved(minutes(30)), 300, "its clock is ahead");
        says(0, minutes(15), minutes(15));
        assert_eq!((reserved(minutes(14)), reserved(minutes(15))), (300, 0));
        // A terminal without a report is heard by its journal.
        says(1, minutes(20), minutes(20));
        let record =
            Record::PaidIn { batch: Sequence(1), amount: cny(1), reason: "float".to_owned(), cashier: "Li".to_owned() };
        let entry = Entry::new(Sequence(1), minutes(15), GENESIS, record).unwrap();
        base.write(|tx| journal::append(tx, scope, tea.terminal, &entry, None, minutes(16)));
        assert_eq!(reserved(minutes(30)), 0);
    });
}
