//! Keys of tenants and of the platform, facts, and contracts with channels.

use saoma_protocol::{Sequence, TenantId};
use saoma_store::{
    Opaque, StoreError, access, channel_accounts, events, master_keys, meta,
    sealed::{self, Place, Sealed},
    server_keys::{self, ServerKey},
    tenant_keys, tenants, webhooks,
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, PLATFORM, account, at, bytes, captured, cny, tenant},
};

/// What `work` gives to each of several that run at once.
fn at_once<T: Send>(base: &Base, work: impl Fn(&Base, u8) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let starts: Vec<_> = (1..=5)
            .map(|number| {
                scope.spawn({
                    let work = &work;
                    move || work(base, number)
                })
            })
            .collect();
        starts.into_iter().map(|start| start.join().expect("a thread of the test")).collect()
    })
}

fn server_key(kid: &str, made: i64) -> ServerKey {
    ServerKey {
        kid: kid.to_owned(),
        kind: "session".to_owned(),
        public: "PEM".to_owned(),
        ciphertext: Opaque(vec![0, 255]),
        master: "first".to_owned(),
        created_at: at(made),
        retired_at: None,
    }
}

#[test]
fn data_keys_are_numbered_and_the_newest_is_current() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        assert_eq!(base.read(|tx| tenant_keys::current(tx, &tea.scope)), None);
        let mut numbers = at_once(base, |base, number| {
            base.write(|tx| tenant_keys::add(tx, &tea.scope, &Opaque(vec![number]), "first", NOW)).number
        });
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        assert_eq!(base.read(|tx| tenant_keys::current(tx, &tea.scope)).map(|key| key.number), Some(5));
        let others = base.read(|tx| tenant_keys::load(tx, &tea.scope, 4));
        base.write(|tx| tenant_keys::rewrap(tx, &tea.scope, 3, &Opaque(vec![33]), "second"));
        let third = base.read(|tx| tenant_keys::load(tx, &tea.scope, 3));
        assert_eq!((third.wrapped, third.master.as_str()), (Opaque(vec![33]), "second"));
        assert_eq!(base.read(|tx| tenant_keys::load(tx, &tea.scope, 4)), others);
        let missing = Err(StoreError::NotFound { what: "the data key" });
        assert_eq!(base.try_read(|tx| tenant_keys::load(tx, &tea.scope, 6).map(drop)), missing);
        assert_eq!(base.try_write(|tx| tenant_keys::rewrap(tx, &tea.scope, 6, &Opaque(vec![]), "second")), missing);
    });
}

#[test]
fn nodes_that_start_at_once_agree_on_one_key_and_one_fact() {
    on_both(|base| {
        let kids = at_once(base, |base, number| {
            let key = server_key(&format!("kid {number}"), 0);
            base.write(|tx| server_keys::current_or_add(tx, &PLATFORM, &key)).kid
        });
        assert!(kids.iter().all(|kid| *kid == kids[0]), "{kids:?}");
        assert_eq!(base.read(|tx| server_keys::list(tx, &PLATFORM, "session")).len(), 1);
        let facts = at_once(base, |base, number| {
            base.write(|tx| meta::set_once(tx, &PLATFORM, "installation", &number.to_string()))
        });
        assert!(facts.iter().all(|fact| *fact == facts[0]), "{facts:?}");
        base.write(|tx| meta::set(tx, &PLATFORM, "installation", "changed"));
        assert_eq!(base.read(|tx| meta::get(tx, &PLATFORM, "installation")).as_deref(), Some("changed"));
    });
}

#[test]
fn a_key_that_is_retired_verifies_and_no_longer_signs() {
    on_both(|base| {
        let (old, new) = (server_key("old", 0), server_key("new", 1));
        base.write(|tx| {
            server_keys::add(tx, &PLATFORM, &old)?;
            server_keys::add(tx, &PLATFORM, &new)
        });
        let current = |kind| base.read(|tx| server_keys::current(tx, &PLATFORM, kind)).map(|key| key.kid);
        assert_eq!((current("session").as_deref(), current("pay_code")), (Some("new"), None));
        let taken = base.try_write(|tx| server_keys::add(tx, &PLATFORM, &server_key("old", 9)));
        assert_eq!(taken, Err(StoreError::Conflict { what: "the kid" }));
        let succeed = |made, retired, since| {
            let key = server_key("next", made);
            base.write(|tx| server_keys::succeed(tx, &PLATFORM, &key, at(retired), at(since)))
        };
        // Somebody has just done it.
        assert!(!succeed(2, 5, 1));
        assert!(succeed(2, 5, 2));
        assert_eq!(current("session").as_deref(), Some("next"));
        let retired = |key| ServerKey { retired_at: Some(at(5)), ..key };
        let all = [server_key("next", 2), retired(new), retired(old)];
        assert_eq!(base.read(|tx| server_keys::list(tx, &PLATFORM, "session")), all);
        assert_eq!(base.read(|tx| server_keys::list_all(tx, &PLATFORM)), all);
        assert_eq!(base.write(|tx| server_keys::prune(tx, &PLATFORM, "session", at(5))), 0);
        assert_eq!(base.write(|tx| server_keys::prune(tx, &PLATFORM, "session", at(6))), 2);
        assert_eq!(base.read(|tx| server_keys::list(tx, &PLATFORM, "session")), all[..1]);
    });
}

#[test]
fn one_master_key_seals_and_those_before_it_stay_until_they_are_retired() {
    on_both(|base| {
        let current = || base.read(|tx| master_keys::current(tx, &PLATFORM));
        assert_eq!(current(), None);
        let nothing = base.try_write(|tx| master_keys::hold(tx, &PLATFORM));
        assert_eq!(nothing, Err(StoreError::NotFound { what: "the name of the master key" }));
        let begun = at_once(base, |base, number| {
            base.write(|tx| master_keys::begin(tx, &PLATFORM, &format!("master {number}"), NOW))
        });
        assert!(begun.iter().all(|name| *name == begun[0]), "{begun:?}");
        let first = begun[0].clone();
        // By a clock that runs behind.
        base.write(|tx| master_keys::change(tx, &PLATFORM, &first, "next", at(-9)));
        assert_eq!(current().as_deref(), Some("next"));
        let late = base.try_write(|tx| master_keys::change(tx, &PLATFORM, &first, "another", at(9)));
        assert_eq!(late, Err(StoreError::Stale { what: "the master key" }));
        assert_eq!(base.read(|tx| master_keys::list(tx, &PLATFORM)).len(), 2);
        assert_eq!(base.write(|tx| master_keys::retire_others(tx, &PLATFORM, "next", at(9))), 1);
        assert_eq!(base.write(|tx| master_keys::retire_others(tx, &PLATFORM, "next", at(10))), 0);
        let listed = base.read(|tx| master_keys::list(tx, &PLATFORM));
        let told: Vec<_> = listed.iter().map(|master| (master.name.as_str(), master.retired_at)).collect();
        assert_eq!(told, [("next", None), (first.as_str(), Some(at(9)))]);
    });
}

#[test]
fn what_other_master_keys_wrap_is_found_until_it_is_wrapped_anew() {
    on_both(|base| {
        let [tea, milk] = [House::build(base, b'T'), House::build(base, b'M')];
        for house in [&tea, &milk] {
            base.write(|tx| tenant_keys::add(tx, &house.scope, &Opaque(vec![1]), "first", NOW));
        }
        base.write(|tx| server_keys::add(tx, &PLATFORM, &server_key("kid", 0)));
        let under = |master| base.read(|tx| tenant_keys::under_others(tx, &PLATFORM, master, 10));
        assert_eq!((under("first").len(), under("second").len()), (0, 2));
        assert_eq!(base.read(|tx| tenant_keys::under_others(tx, &PLATFORM, "second", 1)).len(), 1);
        let (scope, key) = under("second").remove(0);
        base.write(|tx| tenant_keys::rewrap(tx, &scope, key.number, &Opaque(vec![2]), "second"));
        assert_eq!(under("second").len(), 1);
        assert_eq!(base.read(|tx| tenant_keys::count_under(tx, &PLATFORM, "first")), 1);
        let own = |master| base.read(|tx| server_keys::under_others(tx, &PLATFORM, master, 10)).len();
        assert_eq!((own("first"), own("second")), (0, 1));
        base.write(|tx| server_keys::rewrap(tx, &PLATFORM, "kid", &Opaque(vec![2]), "second"));
        assert_eq!((own("first"), own("second")), (1, 0));
        let missing = Err(StoreError::NotFound { what: "the server's key" });
        let nobody = base.try_write(|tx| server_keys::rewrap(tx, &PLATFORM, "x", &Opaque(vec![]), "second"));
        assert_eq!(nobody, missing);
    });
}

fn under(number: u32, rest: u8) -> Opaque<Vec<u8>> {
    Opaque([number.to_be_bytes().as_slice(), &[rest]].concat())
}

#[test]
fn values_under_earlier_data_keys_are_found_and_replaced_unless_they_changed() {
    on_both(|base| {
        let [tea, milk] = [House::build(base, b'T'), House::build(base, b'M')];
        let endpoint = crate::webhooks::endpoint(&tea, 1);
        base.write(|tx| {
            channel_accounts::set_secrets(tx, &tea.scope, tea.account, &under(1, 1), NOW)?;
            channel_accounts::set_secrets(tx, &milk.scope, milk.account, &under(1, 9), NOW)?;
            webhooks::create(tx, &tea.scope, &endpoint, &under(1, 2), 9)?;
            webhooks::add_secret(tx, &tea.scope, endpoint.id, &under(255, 3), at(9), NOW)?;
            channel_accounts::set_working_keys(tx, &tea.scope, tea.account, &under(255, 4))
        });
        let below = |number, limit| base.read(|tx| sealed::below(tx, &tea.scope, number, limit));
        let places = |found: &[Sealed]| found.iter().map(|sealed| sealed.place).collect::<Vec<_>>();
        let (secrets, previous) = (Place::ChannelSecrets(tea.account), Place::WebhookPreviousSecret(endpoint.id));
        assert_eq!(below(1, 10), []);
        assert_eq!(places(&below(2, 10)), [secrets, previous]);
        let keys = Place::WorkingKeys(tea.account);
        assert_eq!(places(&below(256, 10)), [secrets, keys, Place::WebhookSecret(endpoint.id), previous]);
        let counted = [1, 2, 255].map(|number| base.read(|tx| sealed::count_under(tx, &tea.scope, number)));
        assert_eq!(counted, [2, 0, 2]);
        let before = base.read(|tx| channel_accounts::load(tx, &tea.scope, tea.account));
        let found = below(256, 10);
        for sealed in &found {
            assert!(base.write(|tx| sealed::replace(tx, &tea.scope, sealed, &under(256, 7))));
            // What was read is there no more.
            assert!(!base.write(|tx| sealed::replace(tx, &tea.scope, sealed, &under(256, 8))));
        }
        assert_eq!(below(256, 10), []);
        assert_eq!(base.read(|tx| channel_accounts::load(tx, &tea.scope, tea.account)), before);
        assert_eq!(base.read(|tx| sealed::below(tx, &milk.scope, 2, 10)).len(), 1, "nobody else's");
        let read = |scope| base.try_read(|tx| channel_accounts::working_keys(tx, scope, tea.account));
        assert_eq!(read(&tea.scope), Ok(Some(under(256, 7))));
        assert_eq!(read(&milk.scope), Err(StoreError::NotFound { what: "the channel account" }));
        let kept = base.read(|tx| webhooks::secrets(tx, &tea.scope, endpoint.id));
        assert_eq!((kept.current, kept.previous), (under(256, 7), Some((under(256, 7), at(9)))));
        base.write(|tx| {
            tenant_keys::add(tx, &tea.scope, &Opaque(vec![1]), "first", NOW)?;
            tenant_keys::add(tx, &tea.scope, &Opaque(vec![2]), "first", NOW)?;
            tenant_keys::take_turn(tx, &tea.scope)?;
            tenant_keys::remove_below(tx, &tea.scope, 2)
        });
        let kept = base.read(|tx| tenant_keys::list(tx, &tea.scope));
        assert_eq!(kept.iter().map(|key| key.number).collect::<Vec<_>>(), [2]);
    });
}

/// A rotation takes earlier data keys away: a column of sealed values that it does not know would be lost with them.
#[test]
fn every_column_of_bytes_is_known_for_what_it_is() {
    let base = Base::new(saoma_store::Dialect::Sqlite);
    let columns = crate::schema::columns(&mut base.raw());
    let bytes: Vec<String> = columns
        .into_iter()
        .filter(|(_, (kind, _))| kind == "bytea")
        .map(|((table, column), _)| format!("{table}.{column}"))
        .collect();
    let sealed_for_tenants = [
        "cashiers.pin",
        "channel_accounts.secrets",
        "channel_accounts.working_keys",
        "offline_issuers.secret",
        "webhook_endpoints.previous_secret",
        "webhook_endpoints.secret",
    ];
    let others = [
        "api_keys.secret_hash",
        // Under a key made of the request that it answers, and gone within the hour.
        "idempotency_keys.answer",
        "idempotency_keys.fingerprint",
        "pay_codes.id",
        // Under keys of the terminals', whose base key is among the account's secrets.
        "payment_cards.ksn",
        "payment_cards.number",
        "plugin_kv.value",
        // Published to whoever may use it.
        "plugin_packages.component",
        "server_keys.ciphertext",
        "sessions.refresh_hash",
        // As in `payment_cards`; what the chip signed names no number. Gone with the acquirer's answer.
        "stored_card_sales.emv",
        "stored_card_sales.track_2",
        // A hash of a random code that lives for a minute.
        "stored_value_codes.code_hash",
        "tenant_keys.wrapped",
        "terminal_certificates.public_key",
        "terminal_claims.code_hash",
    ];
    let mut known = [&sealed_for_tenants[..], &others].concat();
    known.sort_unstable();
    assert_eq!(bytes, known, "a new column of sealed values belongs into `sealed.rs`");
}

#[test]
fn secrets_do_not_show_in_a_log() {
    let key = ServerKey { ciphertext: Opaque(b"hunter2".to_vec()), ..server_key("kid", 0) };
    let shown = format!("{key:?} {:?}", Opaque("hunter2".to_owned()));
    assert!(shown.contains("Opaque(7 bytes)") && !shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
}

#[test]
fn a_contract_is_changed_by_who_has_seen_it_last() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let first = base.read(|tx| channel_accounts::load(tx, &tea.scope, tea.account));
        assert_eq!(first, account(b'T', 1));
        let mut other = account(b'T', 2);
        (other.priority, other.enabled) = (5, false);
        base.write(|tx| channel_accounts::create(tx, &tea.scope, &other));
        assert_eq!(base.read(|tx| channel_accounts::list(tx, &tea.scope)), [other, first.clone()]);
        assert_eq!(base.read(|tx| channel_accounts::list_enabled(tx, &tea.scope)), std::slice::from_ref(&first));
        let mut changed = first.clone();
        (changed.name, changed.enabled, changed.updated_at) = ("微信".to_owned(), false, at(9));
        assert_eq!(base.write(|tx| channel_accounts::update(tx, &tea.scope, &changed)), 2);
        changed.version = 2;
        let stale = base.try_write(|tx| channel_accounts::update(tx, &tea.scope, &first));
        assert_eq!(stale, Err(StoreError::Stale { what: "the channel account" }));
        // One that takes no new payments still gets its notifications.
        assert_eq!(base.read(|tx| access::by_channel_account(tx, tea.account)), (tea.scope, changed));
        assert_eq!(base.read(|tx| channel_accounts::secrets(tx, &tea.scope, tea.account)), None);
        base.write(|tx| channel_accounts::set_secrets(tx, &tea.scope, tea.account, &Opaque(vec![1, 0]), NOW));
        assert_eq!(base.read(|tx| channel_accounts::secrets(tx, &tea.scope, tea.account)), Some(Opaque(vec![1, 0])));
    });
}

#[test]
fn tenants_are_listed_page_by_page() {
    on_both(|base| {
        for letter in [b'B', b'C', b'A'] {
            base.write(|tx| tenants::create(tx, &PLATFORM, &tenant(letter)));
        }
        let names = |after: Option<u8>, limit| -> Vec<String> {
            let after = after.map(|letter| TenantId::from_bytes(bytes(letter, 1)));
            base.read(|tx| tenants::list(tx, &PLATFORM, after, limit)).into_iter().map(|tenant| tenant.name).collect()
        };
        assert_eq!(names(None, 2), ["Tea of A", "Tea of B"]);
        assert_eq!(names(Some(b'B'), 2), ["Tea of C"]);
        let scope = base.read(|tx| access::enter_tenant(tx, &PLATFORM, tenant(b'A').id));
        let renamed = tenants::Tenant { name: "茶".to_owned(), active: false, ..tenant(b'A') };
        base.write(|tx| tenants::update(tx, &PLATFORM, &renamed));
        assert_eq!(base.read(|tx| tenants::load(tx, &scope)), renamed);
        let nobody = base.try_read(|tx| access::enter_tenant(tx, &PLATFORM, tenant(b'Z').id));
        assert_eq!(nobody, Err(StoreError::NotFound { what: "the tenant" }));
        let nobody = base.try_write(|tx| tenants::update(tx, &PLATFORM, &tenant(b'Z')));
        assert_eq!(nobody, Err(StoreError::NotFound { what: "the tenant" }));
    });
}

/// A reader that goes by numbers must not pass by an event that is committed later under a lower number.
#[test]
fn who_follows_the_events_misses_none() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let payment = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        let done = std::sync::atomic::AtomicU8::new(0);
        let seen: Vec<Sequence> = std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..15 {
                        base.write(|tx| {
                            events::append(tx, &tea.scope, &tea.event(payment, "payment.pending"))?;
                            std::thread::sleep(std::time::Duration::from_micros(300));
                            events::append(tx, &tea.scope, &tea.event(payment, "payment.succeeded"))
                        });
                    }
                    done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                });
            }
            let mut seen = Vec::new();
            loop {
                let last_look = done.load(std::sync::atomic::Ordering::SeqCst) == 4;
                let after = seen.last().copied().unwrap_or(Sequence(0));
                let more = base.read(|tx| events::after(tx, &tea.scope, after, 7));
                if more.is_empty() && last_look {
                    return seen;
                }
                seen.extend(more.into_iter().map(|event| event.sequence));
            }
        });
        assert_eq!(seen.len(), 120);
        assert!(seen.is_sorted());
        assert_eq!(base.read(|tx| events::timeline(tx, &tea.scope, payment)).len(), 120);
        assert_eq!(base.read(|tx| events::newest(tx, &tea.scope)), seen[119]);
    });
}
