//! Credentials: what lets whom in, and what no longer does.

use saoma_protocol::{TenantId, TerminalId};
use saoma_store::{
    Opaque, PlatformScope, Principal, StoreError, Tx,
    access::{self, KeyStanding, Presented, Refresh},
    api_keys::{self, ApiKey},
    sessions,
    tenants::{self, Tenant},
    terminals::{self, Certificate, NewTerminal},
    users::{self, Role},
};

use crate::{
    base::{Base, on_both},
    house::{DAY_MS, House, NOW, PLATFORM, at, bytes, new_user, tenant},
};

const NO_SESSION: StoreError = StoreError::NotFound { what: "the session" };
const REVOKED: StoreError = StoreError::Revoked { what: "the session" };

/// Tokens from [`GUESS`] on bear no mark of ours.
const GUESS: u8 = 200;

fn shown(token: u8) -> Presented {
    Presented { hash: [token; 32], is_ours: token < GUESS }
}

fn refresh(base: &Base, house: &House, token: u8, next: u8, now: i64) -> Result<Refresh, StoreError> {
    let session = house.session_id(1);
    let end = at(now + DAY_MS);
    base.try_write(|tx| access::refresh_session(tx, session, &shown(token), &[next; 32], at(now), end))
}

fn by_session(base: &Base, house: &House, number: u8, now: i64) -> Result<Principal, StoreError> {
    base.try_read(|tx| access::by_session(tx, house.session_id(number), at(now)))
}

fn set_tenant_active(base: &Base, letter: u8, active: bool) {
    base.write(|tx| tenants::update(tx, &PLATFORM, &Tenant { active, ..tenant(letter) }));
}

#[test]
fn a_session_lets_its_person_in_until_its_end() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let mei = tea.hire(base, 1, "Mei@Tea.example", Role::Cashier);
        let principal = tea.sign_in(base, 1, "mei@TEA.example");
        let session = tea.session_id(1);
        let expected = Principal::User {
            scope: tea.scope,
            user: mei.id,
            role: Role::Cashier,
            session,
            must_change_password: false,
        };
        assert_eq!(principal, expected);
        assert_eq!(by_session(base, &tea, 1, DAY_MS - 1), Ok(expected));
        assert_eq!(by_session(base, &tea, 1, DAY_MS), Err(StoreError::Expired { what: "the session" }));
        assert_eq!(by_session(base, &tea, 2, 0), Err(NO_SESSION));
        let nobody = base.try_read(|tx| access::by_login(tx, "somebody").map(drop));
        assert_eq!(nobody, Err(StoreError::NotFound { what: "the person" }));
        let taken = base.try_write(|tx| {
            let verified = access::by_login(tx, "mei@tea.example")?;
            assert_eq!(verified.password_hash(), "$argon2id$hash-of-Mei@Tea.example");
            access::open_session(tx, &verified, &tea.session(1))
        });
        assert_eq!(taken, Err(StoreError::Conflict { what: "the session's id" }));
    });
}

#[test]
fn each_refresh_token_is_good_once() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        tea.hire(base, 1, "mei", Role::Owner);
        let principal = tea.sign_in(base, 1, "mei");
        assert_eq!(refresh(base, &tea, 1, 2, 10), Ok(Refresh::Rotated(principal.clone())));
        assert_eq!(by_session(base, &tea, 1, DAY_MS + 5), Ok(principal.clone()), "it lasts until its new end");
        assert_eq!(refresh(base, &tea, GUESS, 3, 20), Err(NO_SESSION), "a guess");
        assert_eq!(refresh(base, &tea, 2, 3, 30), Ok(Refresh::Rotated(principal.clone())), "a guess ends nothing");
        let open = base.read(|tx| sessions::own(tx, &principal, at(31)));
        assert_eq!(open[0].refreshed_at, Some(at(30)));
        // Somebody holds a copy of the very first, exchanged long before the last.
        assert_eq!(refresh(base, &tea, 1, 4, 40), Ok(Refresh::Reused(principal.clone())));
        assert_eq!(refresh(base, &tea, 3, 4, 50), Err(REVOKED), "the newest token is dead with it");
        assert_eq!(by_session(base, &tea, 1, 50), Err(REVOKED));
        assert_eq!(base.read(|tx| sessions::own(tx, &principal, at(50))), []);
    });
}

#[test]
fn of_many_that_refresh_at_once_no_two_get_in() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        tea.hire(base, 1, "mei", Role::Owner);
        tea.sign_in(base, 1, "mei");
        let results: Vec<Result<Refresh, StoreError>> = std::thread::scope(|scope| {
            let starts: Vec<_> = (2..6).map(|next| scope.spawn(move || refresh(base, &tea, 1, next, 10))).collect();
            starts.into_iter().map(|start| start.join().expect("a refresh")).collect()
        });
        let rotated = results.iter().filter(|result| matches!(result, Ok(Refresh::Rotated(_)))).count();
        assert_eq!(rotated, 1, "{results:?}");
        assert!(results.iter().any(|result| matches!(result, Ok(Refresh::Reused(_)))), "{results:?}");
        assert_eq!(by_session(base, &tea, 1, 20), Err(REVOKED));
    });
}

#[test]
fn a_refresh_that_waited_for_another_one_is_a_second_use() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        tea.hire(base, 1, "mei", Role::Owner);
        let me = tea.sign_in(base, 1, "mei");
        let first =
            |tx: &mut Tx<'_>| access::refresh_session(tx, tea.session_id(1), &shown(1), &[2; 32], at(10), at(DAY_MS));
        let (first, second) = base.overlap(first, || refresh(base, &tea, 1, 3, 10));
        assert_eq!((first, second), (Ok(Refresh::Rotated(me.clone())), Ok(Refresh::Reused(me))));
        assert_eq!(by_session(base, &tea, 1, 20), Err(REVOKED));
    });
}

#[test]
fn a_session_that_is_over_is_not_refreshed() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        tea.hire(base, 1, "mei", Role::Owner);
        let me = tea.sign_in(base, 1, "mei");
        assert_eq!(refresh(base, &tea, 1, 2, DAY_MS), Err(StoreError::Expired { what: "the session" }));
        base.write(|tx| sessions::end(tx, &me, tea.session_id(1), at(5)));
        assert_eq!(refresh(base, &tea, 1, 2, 6), Err(REVOKED));
        base.write(|tx| sessions::end(tx, &me, tea.session_id(1), at(7)));
        assert_eq!(base.write(|tx| sessions::prune(tx, &PLATFORM, at(5))), 0);
        assert_eq!(base.write(|tx| sessions::prune(tx, &PLATFORM, at(6))), 1, "the first end counts");
        assert_eq!(refresh(base, &tea, 1, 2, 6), Err(NO_SESSION));
    });
}

#[test]
fn whoever_is_shut_out_is_out_at_once() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let mei = tea.hire(base, 1, "mei", Role::Owner);
        tea.sign_in(base, 1, "mei");
        set_tenant_active(base, b'T', false);
        assert_eq!(by_session(base, &tea, 1, 1), Err(NO_SESSION), "the tenant is inactive");
        assert_eq!(refresh(base, &tea, 1, 2, 1), Err(NO_SESSION));
        assert!(base.try_read(|tx| access::by_login(tx, "mei").map(drop)).is_err());
        set_tenant_active(base, b'T', true);
        assert!(by_session(base, &tea, 1, 1).is_ok());
        let set_active =
            |active| base.write(|tx| users::update(tx, &tea.scope, mei.id, "Mei", Role::Owner, active, at(2)));
        set_active(false);
        assert_eq!(by_session(base, &tea, 1, 3), Err(NO_SESSION));
        assert!(base.try_read(|tx| access::by_login(tx, "mei").map(drop)).is_err());
        set_active(true);
        assert_eq!(by_session(base, &tea, 1, 3), Err(REVOKED), "being let in again opens no old session");
    });
}

#[test]
fn a_new_password_ends_the_other_sessions() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let mei = tea.hire(base, 1, "mei", Role::Owner);
        tea.hire(base, 2, "li", Role::Cashier);
        let me = tea.sign_in(base, 1, "mei");
        tea.sign_in(base, 2, "mei");
        tea.sign_in(base, 3, "li");
        base.write(|tx| users::change_own_password(tx, &me, &Opaque("new".to_owned()), at(1)));
        let seen = |now| [1, 2, 3].map(|number| by_session(base, &tea, number, now).is_ok());
        assert_eq!(seen(2), [true, false, true]);
        assert_eq!(base.read(|tx| users::own_password_hash(tx, &me)), Opaque("new".to_owned()));
        base.write(|tx| users::reset_password(tx, &tea.scope, mei.id, &Opaque("given".to_owned()), at(3)));
        assert_eq!(seen(4), [false, false, true]);
        let again = tea.sign_in(base, 4, "mei");
        assert!(matches!(again, Principal::User { must_change_password: true, .. }), "{again:?}");
        assert_eq!(base.write(|tx| sessions::end_all_of(tx, &tea.scope, mei.id, at(5))), 1);
        assert!(by_session(base, &tea, 4, 6).is_err());
    });
}

#[test]
fn administrators_of_the_platform_belong_to_no_tenant() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let platform: PlatformScope = PLATFORM;
        let root = new_user(b'P', 1, "root", Role::Cashier);
        let admin = base.write(|tx| users::create_platform_admin(tx, &platform, &root));
        assert_eq!((admin.tenant, admin.role), (None, Role::PlatformAdmin));
        assert_eq!(base.read(|tx| users::platform_admins(tx, &platform)), std::slice::from_ref(&admin));
        assert_eq!(base.read(|tx| users::list(tx, &tea.scope)), []);
        let principal = tea.sign_in(base, 1, "root");
        assert!(principal.tenant_scope().is_none() && matches!(principal, Principal::Platform { .. }));
        assert_eq!(base.read(|tx| users::me(tx, &principal)), admin);
        // No tenant makes one, and none touches one.
        let forged = new_user(b'T', 2, "evil", Role::PlatformAdmin);
        let refused = base.try_write(|tx| users::create(tx, &tea.scope, &forged).map(drop));
        assert!(matches!(refused, Err(StoreError::Limit { .. })), "{refused:?}");
        let li = tea.hire(base, 3, "li", Role::Cashier);
        let raised = base.try_write(|tx| users::update(tx, &tea.scope, li.id, "Li", Role::PlatformAdmin, true, NOW));
        assert!(matches!(raised, Err(StoreError::Limit { .. })), "{raised:?}");
        let reset = base.try_write(|tx| users::reset_password(tx, &tea.scope, admin.id, &Opaque("x".to_owned()), NOW));
        assert_eq!(reset, Err(StoreError::NotFound { what: "the person" }));
        let reset =
            base.try_write(|tx| users::reset_platform_password(tx, &platform, li.id, &Opaque("x".to_owned()), NOW));
        assert_eq!(reset, Err(StoreError::NotFound { what: "the person" }), "nor the platform's way one of a tenant");
        assert!(by_session(base, &tea, 1, 1).is_ok());
    });
}

#[test]
fn a_login_is_one_persons() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let milk = House::build(base, b'M');
        tea.hire(base, 1, "Mei", Role::Owner);
        let taken =
            base.try_write(|tx| users::create(tx, &milk.scope, &new_user(b'M', 1, "mEI", Role::Owner)).map(drop));
        assert_eq!(taken, Err(StoreError::Conflict { what: "the login" }));
    });
}

fn api_key(house: &House, number: u8) -> ApiKey {
    ApiKey {
        id: house.key_id(number),
        name: "the till's shop system".to_owned(),
        scopes: vec!["payments:write".to_owned(), "refunds:read".to_owned()],
        created_at: at(number.into()),
        expires_at: (number == 2).then(|| at(100)),
        revoked_at: None,
        last_used_at: None,
    }
}

#[test]
fn an_api_key_lets_in_who_knows_its_secret() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let (forever, short) = (api_key(&tea, 1), api_key(&tea, 2));
        base.write(|tx| {
            api_keys::create(tx, &tea.scope, &forever, &[1; 32])?;
            api_keys::create(tx, &tea.scope, &short, &[2; 32])
        });
        let by_key = |key, secret: u8, now| base.try_read(|tx| access::by_api_key(tx, key, &[secret; 32], at(now)));
        let principal = |key: &ApiKey| Principal::ApiKey { scope: tea.scope, key: key.id, scopes: key.scopes.clone() };
        let unknown = Err(StoreError::NotFound { what: "the key" });
        assert_eq!(by_key(forever.id, 1, 1_000), Ok(principal(&forever)));
        assert_eq!(by_key(forever.id, 2, 0), unknown, "another key's secret");
        assert_eq!(by_key(tea.key_id(9), 1, 0), unknown);
        assert_eq!(by_key(short.id, 2, 99), Ok(principal(&short)));
        assert_eq!(by_key(short.id, 2, 100), Err(StoreError::Expired { what: "the key" }));
        assert_eq!(base.read(|tx| api_keys::list(tx, &tea.scope)), [short.clone(), forever.clone()]);
        let taken = base.try_write(|tx| api_keys::create(tx, &tea.scope, &forever, &[3; 32]));
        assert_eq!(taken, Err(StoreError::Conflict { what: "the key's id" }));

        base.write(|tx| api_keys::used(tx, &tea.scope, forever.id, at(10), 60));
        base.write(|tx| api_keys::used(tx, &tea.scope, forever.id, at(69), 60));
        assert_eq!(base.read(|tx| api_keys::list(tx, &tea.scope))[1].last_used_at, Some(at(10)));
        base.write(|tx| api_keys::used(tx, &tea.scope, forever.id, at(70), 60));
        assert_eq!(base.read(|tx| api_keys::list(tx, &tea.scope))[1].last_used_at, Some(at(70)));

        set_tenant_active(base, b'T', false);
        assert_eq!(by_key(forever.id, 1, 0), unknown);
        set_tenant_active(base, b'T', true);
        base.write(|tx| api_keys::revoke(tx, &tea.scope, forever.id, at(80)));
        base.write(|tx| api_keys::revoke(tx, &tea.scope, forever.id, at(90)));
        assert_eq!(base.read(|tx| api_keys::list(tx, &tea.scope))[1].revoked_at, Some(at(80)));
        assert_eq!(by_key(forever.id, 1, 81), Err(StoreError::Revoked { what: "the key" }));
        assert_eq!(by_key(forever.id, 2, 81), unknown, "who has no secret does not learn that it was revoked");
    });
}

/// A connection that stays open is looked at again without its secret.
#[test]
fn who_is_still_connected_is_shut_out_as_well() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let mei = tea.hire(base, 1, "mei", Role::Owner);
        let person = tea.sign_in(base, 1, "mei");
        let key = api_key(&tea, 2);
        base.write(|tx| api_keys::create(tx, &tea.scope, &key, &[2; 32]));
        let machine = base.read(|tx| access::by_api_key(tx, key.id, &[2; 32], at(1)));
        let till = Principal::Terminal { scope: tea.scope, terminal: tea.terminal, store: tea.store };
        let again = |caller: &Principal, now| base.try_read(|tx| access::again(tx, caller, at(now)));
        for caller in [&person, &machine, &till] {
            assert_eq!(again(caller, 2).as_ref(), Ok(caller));
        }
        base.write(|tx| users::update(tx, &tea.scope, mei.id, "Mei", Role::Cashier, true, at(3)));
        assert!(
            matches!(again(&person, 3), Ok(Principal::User { role: Role::Cashier, .. }) | Err(_)),
            "a role that was taken away is not kept by an open line"
        );
        assert_eq!(again(&machine, 100), Err(StoreError::Expired { what: "the key" }));
        base.write(|tx| {
            users::update(tx, &tea.scope, mei.id, "Mei", Role::Cashier, false, at(4))?;
            api_keys::revoke(tx, &tea.scope, key.id, at(4))?;
            terminals::revoke(tx, &tea.scope, tea.terminal, at(4))
        });
        for caller in [&person, &machine, &till] {
            assert!(again(caller, 5).is_err(), "{caller:?}");
        }
    });
}

#[test]
fn a_sign_of_life_is_written_only_when_it_is_due() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let key = api_key(&tea, 1);
        base.write(|tx| api_keys::create(tx, &tea.scope, &key, &[1; 32]));
        let due = |now| {
            base.read(|tx| {
                Ok((
                    api_keys::is_use_due(tx, &tea.scope, key.id, at(now), 60)?,
                    terminals::is_sign_due(tx, &tea.scope, tea.terminal, at(now), 60)?,
                ))
            })
        };
        assert_eq!(due(0), (true, true), "never seen");
        base.write(|tx| {
            api_keys::used(tx, &tea.scope, key.id, at(10), 60)?;
            terminals::saw(tx, &tea.scope, tea.terminal, at(10), 60)
        });
        assert_eq!(due(69), (false, false));
        assert_eq!(due(70), (true, true));
    });
}

#[test]
fn a_claim_code_enrols_one_terminal_once() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let offer = |code: u8, now, end| {
            base.try_write(|tx| terminals::offer_claim(tx, &tea.scope, tea.terminal, &[code; 32], at(now), at(end)))
        };
        let redeem = |code: u8, now| base.try_write(|tx| access::redeem_claim(tx, &[code; 32], at(now)));
        let used = StoreError::Revoked { what: "the claim code" };
        assert_eq!(redeem(1, 0), Err(StoreError::NotFound { what: "the claim code" }));
        assert_eq!(offer(1, 0, 100), Ok(()));
        assert_eq!(redeem(1, 100), Err(StoreError::Expired { what: "the claim code" }));
        // The enrolment failed after the code was used: it is not used up.
        let failed = base.try_write(|tx| {
            access::redeem_claim(tx, &[1; 32], at(10))?;
            Err::<(), _>(StoreError::NotFound { what: "a reason" })
        });
        assert!(failed.is_err());
        let (scope, terminal) = redeem(1, 20).expect("a claim");
        assert_eq!((scope, terminal.id, terminal.number), (tea.scope, tea.terminal, 1));
        assert_eq!(redeem(1, 30), Err(used.clone()));
        assert_eq!(
            offer(1, 30, 100),
            Err(StoreError::Conflict { what: "the claim code" }),
            "a code is never used again"
        );
        // A new code withdraws the one before.
        assert_eq!(offer(2, 40, 100), Ok(()));
        assert_eq!(offer(3, 41, 100), Ok(()));
        assert_eq!(redeem(2, 50), Err(used.clone()));
        set_tenant_active(base, b'T', false);
        assert_eq!(redeem(3, 50), Err(StoreError::NotFound { what: "the claim code" }));
        set_tenant_active(base, b'T', true);
        base.write(|tx| terminals::revoke(tx, &tea.scope, tea.terminal, at(60)));
        assert_eq!(redeem(3, 70), Err(used));
        assert_eq!(offer(4, 80, 100), Err(StoreError::Revoked { what: "the terminal" }));
    });
}

#[test]
fn of_many_that_claim_at_once_one_does() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        base.write(|tx| terminals::offer_claim(tx, &tea.scope, tea.terminal, &[1; 32], NOW, at(100)));
        let results: Vec<_> = std::thread::scope(|scope| {
            let claim = || base.try_write(|tx| access::redeem_claim(tx, &[1; 32], at(1)).map(drop));
            let starts: Vec<_> = (0..5).map(|_| scope.spawn(claim)).collect();
            starts.into_iter().map(|start| start.join().expect("a claim")).collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        let used = Err(StoreError::Revoked { what: "the claim code" });
        assert_eq!(results.iter().filter(|result| **result == used).count(), 4, "{results:?}");
    });
}

#[test]
fn a_claim_that_waited_for_another_one_finds_the_code_used() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        base.write(|tx| terminals::offer_claim(tx, &tea.scope, tea.terminal, &[1; 32], NOW, at(100)));
        let redeem = |tx: &mut Tx<'_>| access::redeem_claim(tx, &[1; 32], at(1)).map(drop);
        let (first, second) = base.overlap(redeem, || base.try_write(redeem));
        assert_eq!((first, second), (Ok(()), Err(StoreError::Revoked { what: "the claim code" })));
    });
}

#[test]
fn a_certificate_lets_its_own_terminal_in() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let second = TerminalId::from_bytes(bytes(b'T', 2));
        let certificate = |serial: &str, issued| Certificate {
            serial: serial.to_owned(),
            not_after: at(issued + 100),
            issued_at: at(issued),
            revoked_at: None,
        };
        base.write(|tx| {
            let till = NewTerminal { id: second, store: tea.store, name: "Window".to_owned(), created_at: NOW };
            assert_eq!(terminals::create(tx, &tea.scope, &till)?.number, 2);
            terminals::add_certificate(tx, &tea.scope, tea.terminal, &certificate("aa", 1))?;
            terminals::add_certificate(tx, &tea.scope, tea.terminal, &certificate("bb", 50))?;
            terminals::add_certificate(tx, &tea.scope, second, &certificate("cc", 1))
        });
        let by = |terminal, serial: &str, now| base.try_read(|tx| access::by_terminal(tx, terminal, serial, at(now)));
        let principal = Principal::Terminal { scope: tea.scope, terminal: tea.terminal, store: tea.store };
        let unknown = Err(StoreError::NotFound { what: "the terminal" });
        // However it stands, what it signed is known to be its own.
        let stands = |serial: &str, now| {
            let of = (tea.scope.tenant(), tea.terminal);
            base.try_read(|tx| access::by_terminals_key(tx, of, serial, at(now))).map(|holder| holder.standing)
        };
        assert_eq!((stands("aa", 100), stands("aa", 101)), (Ok(KeyStanding::InForce), Ok(KeyStanding::Over)));
        assert_eq!(by(tea.terminal, "aa", 100), Ok(principal.clone()));
        assert_eq!(by(tea.terminal, "aa", 101), Err(StoreError::Expired { what: "the certificate" }));
        assert_eq!(by(tea.terminal, "bb", 101), Ok(principal.clone()), "the renewed one");
        assert_eq!(by(tea.terminal, "cc", 2), unknown, "another terminal's");
        assert_eq!(by(TerminalId::from_bytes([9; 16]), "aa", 2), unknown);
        assert_eq!(base.read(|tx| terminals::load(tx, &tea.scope, tea.terminal)).enrolled_at, Some(at(1)));
        let taken = base.try_write(|tx| terminals::add_certificate(tx, &tea.scope, second, &certificate("aa", 9)));
        assert_eq!(taken, Err(StoreError::Conflict { what: "the certificate's serial" }));
        base.write(|tx| terminals::revoke_certificate(tx, &tea.scope, tea.terminal, "aa", at(60)));
        base.write(|tx| terminals::revoke_certificate(tx, &tea.scope, tea.terminal, "aa", at(70)));
        let stored = base.read(|tx| terminals::certificates(tx, &tea.scope, tea.terminal));
        assert_eq!(stored.iter().map(|certificate| certificate.revoked_at).collect::<Vec<_>>(), [None, Some(at(60))]);
        assert_eq!(by(tea.terminal, "aa", 61), Err(StoreError::Revoked { what: "the certificate" }));
        assert_eq!((stands("aa", 61), stands("aa", 101)), (Ok(KeyStanding::ShutOut), Ok(KeyStanding::ShutOut)));
        assert_eq!(
            (stands("bb", 61), stands("cc", 61)),
            (Ok(KeyStanding::InForce), Err(StoreError::NotFound { what: "the terminal" }))
        );
        let others = (TenantId::from_bytes([9; 16]), tea.terminal);
        let of_others = base.try_read(|tx| access::by_terminals_key(tx, others, "bb", at(61)));
        assert_eq!(of_others.map(|holder| holder.standing), Err(StoreError::NotFound { what: "the terminal" }));
        base.write(|tx| terminals::revoke(tx, &tea.scope, tea.terminal, at(80)));
        assert_eq!(by(tea.terminal, "bb", 81), Err(StoreError::Revoked { what: "the terminal" }));
        assert_eq!(stands("bb", 81), Ok(KeyStanding::ShutOut));
        assert!(by(second, "cc", 81).is_ok());
        let late =
            base.try_write(|tx| terminals::add_certificate(tx, &tea.scope, tea.terminal, &certificate("dd", 90)));
        assert_eq!(late, Err(StoreError::Revoked { what: "the terminal" }));
        set_tenant_active(base, b'T', false);
        assert_eq!(by(second, "cc", 81), Err(StoreError::Revoked { what: "the merchant" }));
        assert_eq!(stands("bb", 81), Err(StoreError::NotFound { what: "the terminal" }));
    });
}

#[test]
fn terminals_that_are_made_at_once_get_different_numbers() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let mut numbers: Vec<u32> = std::thread::scope(|scope| {
            let make = |number: u8| {
                let id = TerminalId::from_bytes(bytes(b'T', number));
                let till = NewTerminal { id, store: tea.store, name: "Till".to_owned(), created_at: NOW };
                base.write(|tx| terminals::create(tx, &tea.scope, &till)).number
            };
            let starts: Vec<_> = (2..8).map(|number| scope.spawn(move || make(number))).collect();
            starts.into_iter().map(|start| start.join().expect("a terminal")).collect()
        });
        numbers.sort_unstable();
        assert_eq!(numbers, [2, 3, 4, 5, 6, 7]);
    });
}
