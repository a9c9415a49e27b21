//! With the scope of one tenant, nothing of another's is seen or changed, whatever ids are known.

use std::collections::BTreeMap;

use diesel::{QueryableByName, RunQueryDsl as _, sql_query, sql_types::Text};
use saoma_domain::{
    ledger::{Kind, rules},
    pay_code::PayCodeId,
    payment::Method,
    recon::{self, Movement},
};
use saoma_protocol::{Millis, Sequence, message::Verdict};
use saoma_store::{
    Dialect, Insertion, Opaque, StoreError, Tx, api_keys, audit, batches, bills, books, cards, channel_accounts,
    discrepancies, events, hand_settlements,
    idempotency::{self, Kind as Keyed},
    journal, ledger, orders, outbox, pay_codes, payments, payouts, plugin_kv, reconciliations, refunds, sessions,
    settlement_batches, stores, tenant_keys, tenants, terminals, users, webhooks,
};

use crate::{
    base::{Base, on_both},
    furniture::{
        DAY, api_key, booking, by_hand, card, certificate, code, did, discrepancy, entry, health, payout, tell,
    },
    house::{House, NOW, PLATFORM, at, captured, cny, new_user},
    reconciliation::{fetch, row, started},
    schema::columns,
    webhooks::endpoint,
};

/// Puts at least one row of the house into every table that has tenants' rows.
pub fn furnish(base: &Base, house: &House) {
    let login = format!("mei of {}", char::from(house.letter));
    house.hire(base, 1, &login, users::Role::Owner);
    house.sign_in(base, 1, &login);
    house.sell(base, 1, cny(500), &captured(0, 100));
    house.give_back(base, 1, house.payment_id(1), cny(100));
    base.write(|tx| {
        let scope = &house.scope;
        api_keys::create(tx, scope, &api_key(house), &[1; 32])?;
        terminals::offer_claim(tx, scope, house.terminal, &[house.letter; 32], NOW, at(100))?;
        terminals::add_certificate(tx, scope, house.terminal, &certificate(house))?;
        terminals::set_health(tx, scope, house.terminal, &health(), NOW)?;
        tenant_keys::add(tx, scope, &Opaque(vec![house.letter]), "master", NOW)?;
        channel_accounts::set_secrets(tx, scope, house.account, &Opaque(vec![house.letter]), NOW)?;
        idempotency::keep(tx, scope, Keyed::Payment, "key", &[house.letter; 32], NOW)?;
        pay_codes::insert_new(tx, scope, &code(house))?;
        cards::keep(tx, scope, house.payment_id(1), &card(house), NOW)?;
        events::append(tx, scope, &house.event(house.payment_id(1), "payment.succeeded"))?;
        ledger::post(
            tx,
            scope,
            &booking(house),
            &rules::captured(Method::CustomerPresented, cny(500), cny(3).money()),
        )?;
        let finding = ledger::Finding { subject: "CNY".to_owned(), code: "sum", detail: "off".to_owned() };
        let state = ledger::CheckState::newest(tx, scope, NOW)?;
        ledger::record(tx, scope, &state, &[finding], None)?;
        assert!(ledger::checkpoint(tx, scope, 1)?);
        outbox::append(tx, scope, &house.push("{}"))?;
        payments::note_said(tx, scope, house.payment_id(1), "query: pending", NOW)?;
        hand_settlements::propose(tx, scope, &by_hand(house))?;
        journal::append(tx, scope, house.terminal, &entry(house), Some((Verdict::Held, "why")), NOW)?;
        plugin_kv::set(tx, scope, house.account, "token", &[house.letter], NOW)?;
        crate::batches::furnish(tx, house).and_then(|()| crate::stored_value::furnish(tx, house))?;
        crate::disputes::furnish(tx, house)?;
        crate::plugin_packages::furnish(tx, house)?;
        crate::cashiers::furnish(tx, house)?;
        crate::merchant_rules::furnish(tx, house)?;
        crate::goods::furnish(tx, house)?;
        crate::static_codes::furnish(tx, house)?;
        crate::settlement_batches::furnish(tx, house)?;
        crate::stored_cards::furnish(tx, house)?;
        crate::phone_policies::furnish(tx, house)?;
        tell(tx, house)?;
        audit::append(tx, scope, &did()).map(drop)
    });
    let (bill, run) = reconciled(base, house);
    base.write(|tx| payouts::enter(tx, &house.scope, &payout(house)));
    base.write(|tx| {
        let result = reconciliations::Counted::default();
        reconciliations::end(tx, &house.scope, run, &reconciliations::Ended::Done { bill, result }, NOW)
    });
}

/// A bill of one line, and a comparison under way that found it strange.
fn reconciled(base: &Base, house: &House) -> (u64, saoma_protocol::ReconciliationId) {
    let bill = fetch(base, house, DAY, "digest", &[vec![row(1, "WX1", Movement::Payment, 500)]]);
    let run = started(base, house, 1, NOW);
    let found = [(discrepancy(house), recon::unreadable(1, "?".to_owned()))];
    let of_run = discrepancies::Run { id: run, account: house.account, day: DAY.to_owned() };
    base.write(|tx| discrepancies::keep(tx, &house.scope, &of_run, &found, NOW));
    (bill, run)
}

/// All rows of a tenant, as text, by table.
fn rows_of(base: &Base, house: &House) -> BTreeMap<String, String> {
    #[derive(QueryableByName)]
    struct Dump {
        #[diesel(sql_type = Text)]
        dump: String,
    }
    let mut raw = base.raw();
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, column) in columns(&mut raw).into_keys() {
        tables.entry(table).or_default().push(column);
    }
    let owner = |table: &str| if table == "tenants" { "id" } else { "tenant_id" };
    tables.retain(|table, columns| columns.iter().any(|column| column == owner(table)));
    let tenant = house.scope.tenant();
    tables
        .into_iter()
        .map(|(table, columns)| {
            let owner = owner(&table);
            let query = match base.store.dialect() {
                Dialect::Sqlite => {
                    let row =
                        columns.iter().map(|column| format!("quote({column})")).collect::<Vec<_>>().join("||','||");
                    format!(
                        "SELECT COALESCE(group_concat(r, '|'), '') AS dump FROM \
                         (SELECT {row} AS r FROM {table} WHERE {owner} = '{tenant}' ORDER BY r)"
                    )
                }
                Dialect::Postgres => format!(
                    "SELECT COALESCE(string_agg(t::text, '|' ORDER BY t::text), '') AS dump FROM {table} t \
                     WHERE {owner} = '{tenant}'"
                ),
            };
            let dump = sql_query(query).get_result::<Dump>(&mut raw).expect("the rows").dump;
            (table, dump)
        })
        .collect()
}

fn delivery(base: &Base, house: &House) -> saoma_protocol::WebhookDeliveryId {
    let of = endpoint(house, 1).id;
    base.read(|tx| webhooks::list_deliveries(tx, &house.scope, of, webhooks::Filter::default(), 1))[0].id
}

/// Tea and milk, each with a row in every table.
fn two_houses(base: &Base) -> (House, House) {
    let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
    furnish(base, &tea);
    furnish(base, &milk);
    for house in [&tea, &milk] {
        let rows = rows_of(base, house);
        let empty: Vec<_> = rows.iter().filter(|(_, dump)| dump.is_empty()).map(|(table, _)| table).collect();
        assert_eq!(empty, Vec::<&String>::new(), "tables that this test says nothing about");
        assert_eq!(rows.len(), 71);
    }
    (tea, milk)
}

#[test]
fn nothing_of_another_tenant_is_read() {
    on_both(|base| {
        let (tea, milk) = two_houses(base);
        let theirs = tea.payment_id(1);
        let scope = milk.scope;
        let nobody = |result: Result<(), StoreError>, what: &str| {
            assert!(matches!(result, Err(StoreError::NotFound { .. })), "{what}: {result:?}");
        };
        let read = |work: &dyn Fn(&mut Tx<'_>) -> Result<(), StoreError>| base.try_read(work);
        nobody(read(&|tx| stores::load(tx, &scope, tea.store).map(drop)), "stores");
        nobody(read(&|tx| terminals::load(tx, &scope, tea.terminal).map(drop)), "terminals");
        let person = saoma_protocol::UserId::from_bytes(crate::house::bytes(b'T', 1));
        nobody(read(&|tx| users::load(tx, &scope, person).map(drop)), "users");
        nobody(read(&|tx| channel_accounts::load(tx, &scope, tea.account).map(drop)), "channel accounts");
        nobody(read(&|tx| channel_accounts::secrets(tx, &scope, tea.account).map(drop)), "secrets");
        nobody(read(&|tx| orders::load(tx, &scope, tea.order_id(1)).map(drop)), "orders");
        nobody(read(&|tx| payments::load(tx, &scope, theirs).map(drop)), "payments");
        nobody(read(&|tx| payments::load_sale(tx, &scope, theirs).map(drop)), "sales");
        nobody(read(&|tx| refunds::load(tx, &scope, tea.refund_id(1)).map(drop)), "refunds");
        nobody(read(&|tx| books::of_terminal(tx, &scope, tea.terminal).map(drop)), "books");
        let (listens, delivery) = (endpoint(&tea, 1).id, delivery(base, &tea));
        nobody(read(&|tx| webhooks::load(tx, &scope, listens).map(drop)), "webhook endpoints");
        nobody(read(&|tx| webhooks::secrets(tx, &scope, listens).map(drop)), "webhook secrets");
        nobody(read(&|tx| webhooks::load_delivery(tx, &scope, delivery).map(drop)), "webhook deliveries");

        let batch = crate::batches::batch(&tea, 1);
        nobody(read(&|tx| batches::load(tx, &scope, batch.id).map(drop)), "batches");
        nobody(read(&|tx| discrepancies::load(tx, &scope, discrepancy(&tea)).map(drop)), "discrepancies");
        let run = base.read(|tx| reconciliations::list(tx, &tea.scope, None, None, None, 1)).remove(0);
        nobody(read(&|tx| reconciliations::load(tx, &scope, run.id).map(drop)), "reconciliations");
        nobody(read(&|tx| payouts::load(tx, &scope, payout(&tea).id).map(drop)), "payouts");
        let settled = crate::settlement_batches::id(&tea, 1);
        nobody(read(&|tx| settlement_batches::load(tx, &scope, settled).map(drop)), "settlement batches");
        let bill = base.read(|tx| bills::newest(tx, &tea.scope, tea.account, DAY)).expect("a bill").id;

        base.read(|tx| {
            crate::batches::of_others_is_nothing(tx, &scope, &tea)?;
            crate::settlement_batches::of_others_is_nothing(tx, &scope, &tea)?;
            assert_eq!(payouts::list(tx, &scope, None, None, 10)?.len(), 1);
            assert_eq!(payouts::of_days(tx, &scope, tea.account, cny(1).currency(), DAY, DAY)?, []);
            assert_eq!(bills::newest(tx, &scope, tea.account, DAY)?, None);
            assert_eq!(bills::page(tx, &scope, bill, None, 10)?, []);
            assert_eq!(bills::newest_of_days(tx, &scope, tea.account)?.len(), 0);
            let key = recon::Key { number: "WX1".to_owned(), movement: Movement::Payment };
            assert_eq!(bills::find(tx, &scope, &[bill], &[&key])?, []);
            assert_eq!(reconciliations::tries(tx, &scope, tea.account, DAY, NOW)?, None);
            assert_eq!(discrepancies::decided(tx, &scope, tea.account, None, 10)?, []);
            assert_eq!(reconciliations::list(tx, &scope, None, None, None, 10)?.len(), 1);
            assert_eq!(discrepancies::list(tx, &scope, &discrepancies::Filter::default(), None, 10)?.len(), 1);
            assert_eq!(refunds::of_payment(tx, &scope, theirs)?, []);
            assert_eq!(pay_codes::of_payment(tx, &scope, theirs)?, None);
            assert_eq!(events::timeline(tx, &scope, theirs)?, []);
            assert_eq!(ledger::of_payment(tx, &scope, theirs)?, []);
            assert_eq!(terminals::certificates(tx, &scope, tea.terminal)?, []);
            assert_eq!(terminals::list(tx, &scope, Some(tea.store))?, []);
            assert_eq!(outbox::pending(tx, &scope, tea.terminal, Sequence(0), 10)?, []);
            assert_eq!(journal::entries(tx, &scope, tea.terminal, Sequence(0), 10)?, []);
            assert_eq!(journal::through(tx, &scope, tea.terminal)?.sequence, Sequence(0));
            assert_eq!(plugin_kv::get(tx, &scope, tea.account, "token")?, None);
            assert_eq!(cards::of_payment(tx, &scope, tea.payment_id(1))?, None);
            crate::cashiers::of_others_is_nothing(tx, &milk, &tea)?;
            crate::merchant_rules::of_others_is_nothing(tx, &milk, &tea)?;
            crate::goods::of_others_is_nothing(tx, &milk, &tea)?;
            crate::static_codes::of_others_is_nothing(tx, &milk, &tea)?;
            assert_eq!(webhooks::attempts(tx, &scope, delivery)?, []);
            assert_eq!(webhooks::list_deliveries(tx, &scope, listens, webhooks::Filter::default(), 10)?, []);
            assert_eq!(webhooks::list(tx, &scope)?, [endpoint(&milk, 1)]);
            // Lists hold what is milk's own, and that alone.
            assert_eq!(tenants::load(tx, &scope)?.id, scope.tenant());
            assert_eq!(stores::list(tx, &scope)?.iter().map(|shop| shop.id).collect::<Vec<_>>(), [milk.store]);
            let tills = terminals::list(tx, &scope, None)?;
            assert_eq!(tills.iter().map(|till| till.id).collect::<Vec<_>>(), [milk.terminal]);
            let people = users::list(tx, &scope)?;
            assert_eq!(people.iter().map(|user| user.login.as_str()).collect::<Vec<_>>(), ["mei of m"]);
            let keys = api_keys::list(tx, &scope)?;
            assert_eq!(keys.iter().map(|key| key.id).collect::<Vec<_>>(), [milk.key_id(1)]);
            let accounts = channel_accounts::list(tx, &scope)?;
            assert_eq!(accounts.iter().map(|account| account.id).collect::<Vec<_>>(), [milk.account]);
            assert_eq!(channel_accounts::list_enabled(tx, &scope)?, accounts);
            let listed = payments::list(tx, &scope, &payments::Filter::default(), None, 10)?;
            assert_eq!(
                listed.sales.iter().map(|sale| sale.payment.payment.id).collect::<Vec<_>>(),
                [milk.payment_id(1)]
            );
            let of_theirs = payments::Filter { terminal: Some(tea.terminal), ..payments::Filter::default() };
            assert_eq!(payments::list(tx, &scope, &of_theirs, None, 10)?.sales, []);
            let stream = events::after(tx, &scope, Sequence(0), 10)?;
            assert_eq!(stream.iter().map(|event| event.event.payment).collect::<Vec<_>>(), [milk.payment_id(1)]);
            assert_eq!(events::newest(tx, &scope)?, stream[0].sequence);
            assert_eq!(journal::held(tx, &scope, milk.terminal, Sequence(0), 10)?.len(), 1);
            assert_eq!(journal::held(tx, &scope, tea.terminal, Sequence(0), 10)?, []);
            assert_eq!(audit::list(tx, &scope, None, 10)?.len(), 1);
            assert_eq!(tenant_keys::current(tx, &scope)?.map(|key| key.wrapped), Some(Opaque(vec![b'M'])));
            assert_eq!(tenant_keys::load(tx, &scope, 1)?.wrapped, Opaque(vec![b'M']));
            for balance in ledger::balances(tx, &scope, None)? {
                assert!(balance.channel_account.is_none_or(|account| account == milk.account), "{balance:?}");
                assert!(balance.money.minor().abs() <= 500, "{balance:?}");
            }
            assert_eq!(ledger::trial_balance(&ledger::balances(tx, &scope, None)?)?[0].debits_minor, 1_000);
            Ok(())
        });
    });
}

#[test]
fn nothing_of_another_tenant_is_changed() {
    on_both(|base| {
        let (tea, milk) = two_houses(base);
        // Sent and not acknowledged: there is something to hurry.
        base.write(|tx| outbox::claim_due(tx, &PLATFORM, "here", outbox::Kind::Push, NOW, at(50), 10));
        let before = rows_of(base, &tea);
        let scope = milk.scope;
        let person = saoma_protocol::UserId::from_bytes(crate::house::bytes(b'T', 1));
        let message = base.read(|tx| outbox::pending(tx, &tea.scope, tea.terminal, Sequence(0), 1))[0].id;
        let me = milk.sign_in(base, 2, "mei of m");
        let payment = base.read(|tx| payments::load(tx, &tea.scope, tea.payment_id(1)));
        let refund = base.read(|tx| refunds::load(tx, &tea.scope, tea.refund_id(1)));
        let account = base.read(|tx| channel_accounts::load(tx, &tea.scope, tea.account));
        let bill = base.read(|tx| bills::newest(tx, &tea.scope, tea.account, DAY)).expect("a bill").id;
        let run = base.read(|tx| reconciliations::list(tx, &tea.scope, None, None, None, 1)).remove(0);
        let strange = base.read(|tx| discrepancies::load(tx, &tea.scope, discrepancy(&tea)));
        let settled = crate::settlement_batches::id(&tea, 1);
        let closed = base.read(|tx| settlement_batches::load(tx, &tea.scope, settled));
        let taken_back = payouts::Reversed { by: "usr_a".to_owned(), at: NOW, reason: "mistyped".to_owned() };
        let secret = Opaque(vec![0]);
        let (listens, delivery) = (endpoint(&tea, 1).id, delivery(base, &tea));
        let shop = stores::Shop { id: tea.store, name: "Ours".to_owned(), active: false, created_at: NOW };
        let new_till = |id, store| terminals::NewTerminal { id, store, name: "Ours".to_owned(), created_at: NOW };
        let stolen_store = milk.payment(9, cny(1), captured(0, 0));
        let hook = outbox::NewMessage { terminal: Some(tea.terminal), ..milk.push("{}") };
        let at_theirs = orders::Order { store: tea.store, ..milk.order(8, cny(1)) };
        let of_their_till = orders::Order { terminal: Some(tea.terminal), ..milk.order(8, cny(1)) };

        type Work<'a> = Box<dyn Fn(&mut Tx<'_>) -> Result<(), StoreError> + 'a>;
        // What names something of tea's is refused.
        let refused: Vec<(&str, Work<'_>)> = vec![
            ("stores::update", Box::new(|tx| stores::update(tx, &scope, &shop))),
            (
                "terminals::create",
                Box::new(|tx| {
                    terminals::create(tx, &scope, &new_till(saoma_protocol::TerminalId::from_bytes([9; 16]), tea.store))
                        .map(drop)
                }),
            ),
            ("terminals::rename", Box::new(|tx| terminals::rename(tx, &scope, tea.terminal, "Ours"))),
            ("terminals::revoke", Box::new(|tx| terminals::revoke(tx, &scope, tea.terminal, NOW))),
            (
                "terminals::offer_claim",
                Box::new(|tx| terminals::offer_claim(tx, &scope, tea.terminal, &[7; 32], NOW, at(9))),
            ),
            (
                "terminals::add_certificate",
                Box::new(|tx| {
                    let certificate = terminals::Certificate { serial: "ff".to_owned(), ..certificate(&tea) };
                    terminals::add_certificate(tx, &scope, tea.terminal, &certificate)
                }),
            ),
            (
                "terminals::revoke_certificate",
                Box::new(|tx| terminals::revoke_certificate(tx, &scope, tea.terminal, &certificate(&tea).serial, NOW)),
            ),
            (
                "the same by our own terminal",
                Box::new(|tx| terminals::revoke_certificate(tx, &scope, milk.terminal, &certificate(&tea).serial, NOW)),
            ),
            ("terminals::came_online", Box::new(|tx| terminals::came_online(tx, &scope, tea.terminal, "here", NOW))),
            ("terminals::set_health", Box::new(|tx| terminals::set_health(tx, &scope, tea.terminal, &health(), at(9)))),
            ("users::update", Box::new(|tx| users::update(tx, &scope, person, "X", users::Role::Owner, false, NOW))),
            (
                "users::reset_password",
                Box::new(|tx| users::reset_password(tx, &scope, person, &Opaque("x".to_owned()), NOW)),
            ),
            ("sessions::end", Box::new(|tx| sessions::end(tx, &me, tea.session_id(1), NOW))),
            ("api_keys::revoke", Box::new(|tx| api_keys::revoke(tx, &scope, tea.key_id(1), NOW))),
            ("channel_accounts::update", Box::new(|tx| channel_accounts::update(tx, &scope, &account).map(drop))),
            (
                "channel_accounts::set_secrets",
                Box::new(|tx| channel_accounts::set_secrets(tx, &scope, tea.account, &secret, NOW)),
            ),
            ("cashiers::update", Box::new(|tx| crate::cashiers::update(tx, &scope, &tea))),
            ("cashiers::set_pin", Box::new(|tx| crate::cashiers::set_pin(tx, &scope, &tea))),
            ("static_codes::announce_at", Box::new(|tx| crate::static_codes::announce_at(tx, &scope, &tea))),
            ("static_codes::revoke", Box::new(|tx| crate::static_codes::revoke(tx, &scope, &tea))),
            ("batches::open", Box::new(|tx| batches::open(tx, &scope, &crate::batches::batch(&tea, 7)))),
            (
                "batches::close",
                Box::new(|tx| batches::close(tx, &scope, crate::batches::batch(&tea, 1).id, &crate::batches::closed())),
            ),
            ("batches::move_cash", Box::new(|tx| crate::batches::move_cash(tx, &scope, &tea))),
            ("batches::note_sale", Box::new(|tx| crate::batches::note_sale(tx, &scope, &tea))),
            ("webhooks::update", Box::new(|tx| webhooks::update(tx, &scope, &endpoint(&tea, 1)))),
            ("webhooks::add_secret", Box::new(|tx| webhooks::add_secret(tx, &scope, listens, &secret, NOW, NOW))),
            ("webhooks::enable", Box::new(|tx| webhooks::enable(tx, &scope, listens, NOW))),
            (
                "webhooks::disable",
                Box::new(|tx| webhooks::disable(tx, &scope, listens, webhooks::Disabled::ByPerson, NOW)),
            ),
            ("webhooks::delete", Box::new(|tx| webhooks::delete(tx, &scope, listens))),
            ("webhooks::replay", Box::new(|tx| webhooks::replay(tx, &scope, delivery, NOW).map(drop))),
            (
                "webhooks::replay_range",
                Box::new(|tx| webhooks::replay_range(tx, &scope, listens, (Millis(0), at(9)), false, 9, NOW).map(drop)),
            ),
            ("tenant_keys::rewrap", Box::new(|tx| tenant_keys::rewrap(tx, &scope, 2, &secret, "master"))),
            ("payments::save", Box::new(|tx| payments::save(tx, &scope, &mut payment.clone()))),
            ("payments::reschedule", Box::new(|tx| payments::reschedule(tx, &scope, &payment))),
            ("refunds::save", Box::new(|tx| refunds::save(tx, &scope, &mut refund.clone()))),
            ("refunds::reschedule", Box::new(|tx| refunds::reschedule(tx, &scope, &refund))),
            (
                "refunds::insert_new",
                Box::new(|tx| refunds::insert_new(tx, &scope, &milk.refund(9, tea.payment_id(1), cny(1))).map(drop)),
            ),
            ("an order at their shop", Box::new(|tx| orders::insert_new(tx, &scope, &at_theirs).map(drop))),
            ("an order of their till", Box::new(|tx| orders::insert_new(tx, &scope, &of_their_till).map(drop))),
            (
                "a payment of their order",
                Box::new(|tx| {
                    let payment = payments::StoredPayment { order: tea.order_id(1), ..stolen_store.clone() };
                    payments::insert_new(tx, &scope, &payment).map(drop)
                }),
            ),
            (
                "a payment into their account",
                Box::new(|tx| {
                    let ours = milk.order_id(1);
                    let payment = payments::StoredPayment {
                        order: ours,
                        channel_account: Some(tea.account),
                        ..stolen_store.clone()
                    };
                    payments::insert_new(tx, &scope, &payment).map(drop)
                }),
            ),
            (
                "pay_codes::insert_new",
                Box::new(|tx| {
                    pay_codes::insert_new(tx, &scope, &pay_codes::PayCode { id: PayCodeId([9; 16]), ..code(&tea) })
                }),
            ),
            ("pay_codes::count_scan", Box::new(|tx| pay_codes::count_scan(tx, &scope, code(&tea).id).map(drop))),
            (
                "events::append",
                Box::new(|tx| events::append(tx, &scope, &milk.event(tea.payment_id(1), "payment.failed")).map(drop)),
            ),
            (
                "ledger::post",
                Box::new(|tx| {
                    let booking = ledger::Booking { kind: Kind::Undone, ..booking(&tea) };
                    ledger::post(
                        tx,
                        &scope,
                        &booking,
                        &rules::undone(Method::CustomerPresented, cny(500), cny(3).money()),
                    )
                }),
            ),
            ("outbox::append", Box::new(|tx| outbox::append(tx, &scope, &hook).map(drop))),
            ("journal::append", Box::new(|tx| journal::append(tx, &scope, tea.terminal, &entry(&tea), None, NOW))),
            ("plugin_kv::set", Box::new(|tx| plugin_kv::set(tx, &scope, tea.account, "token", b"ours", NOW))),
            ("payouts::enter", Box::new(|tx| payouts::enter(tx, &scope, &payout(&tea)))),
            ("goods::create", Box::new(|tx| crate::goods::sell_under_their_tax(tx, &milk, &tea))),
            ("goods::save", Box::new(|tx| crate::goods::change_theirs(tx, &milk, &tea))),
            ("goods::save_rate", Box::new(|tx| crate::goods::change_their_tax(tx, &milk, &tea))),
            ("payouts::reverse", Box::new(|tx| payouts::reverse(tx, &scope, payout(&tea).id, &taken_back).map(drop))),
            ("bills::begin", Box::new(|tx| bills::begin(tx, &scope, tea.account, DAY).map(drop))),
            ("bills::finish", Box::new(|tx| bills::finish(tx, &scope, bill, 1, 0, "ours", NOW))),
            ("settlement_batches::save", Box::new(|tx| settlement_batches::save(tx, &scope, &mut closed.clone()))),
            ("settlement_batches::hold", Box::new(|tx| crate::settlement_batches::hold_theirs(tx, &milk, &tea))),
            ("settlement_batches::close", Box::new(|tx| crate::settlement_batches::close_theirs(tx, &milk, &tea))),
            ("reconciliations::start", Box::new(|tx| reconciliations::start(tx, &scope, &run).map(drop))),
            ("discrepancies::save", Box::new(|tx| discrepancies::save(tx, &scope, &mut strange.clone()))),
        ];
        for (what, work) in refused {
            let result = base.try_write(work);
            assert!(matches!(result, Err(StoreError::NotFound { .. })), "{what}: {result:?}");
            assert_eq!(rows_of(base, &tea), before, "{what}");
        }
        // Ids that are unique over all tenants are taken.
        let taken: Vec<(&str, Work<'_>)> = vec![
            ("terminals", Box::new(|tx| terminals::create(tx, &scope, &new_till(tea.terminal, milk.store)).map(drop))),
            (
                "people",
                Box::new(|tx| users::create(tx, &scope, &new_user(b'T', 1, "other", users::Role::Owner)).map(drop)),
            ),
            ("keys", Box::new(|tx| api_keys::create(tx, &scope, &api_key(&tea), &[2; 32]))),
            ("accounts", Box::new(|tx| channel_accounts::create(tx, &scope, &account))),
            ("claim codes", Box::new(|tx| terminals::offer_claim(tx, &scope, milk.terminal, &[b'T'; 32], NOW, at(9)))),
            ("certificates", Box::new(|tx| terminals::add_certificate(tx, &scope, milk.terminal, &certificate(&tea)))),
        ];
        for (what, work) in taken {
            let result = base.try_write(work);
            assert!(matches!(result, Err(StoreError::Conflict { .. })), "{what}: {result:?}");
            assert_eq!(rows_of(base, &tea), before, "{what}");
        }
        // What refuses nothing changes nothing.
        base.write(|tx| {
            assert_eq!(sessions::end_all_of(tx, &scope, person, NOW)?, 0);
            api_keys::used(tx, &scope, tea.key_id(1), at(9), 0)?;
            terminals::saw(tx, &scope, tea.terminal, at(9), 0)?;
            assert_eq!(outbox::ack(tx, &scope, tea.terminal, &[message], NOW)?, 0);
            assert_eq!(outbox::ack(tx, &scope, milk.terminal, &[message], NOW)?, 0);
            assert_eq!(outbox::hurry(tx, &scope, tea.terminal, NOW)?, 0);
            outbox::resend_at(tx, &scope, message, at(99))?;
            outbox::settle(tx, &scope, message, NOW)?;
            outbox::withdraw(tx, &scope, "", NOW)?;
            plugin_kv::delete(tx, &scope, tea.account, "token")?;
            tenant_keys::add(tx, &scope, &secret, "master", NOW)?;
            tenant_keys::rewrap(tx, &scope, 1, &secret, "master")?;
            audit::append(tx, &scope, &did())?;
            Ok(())
        });
        assert_eq!(rows_of(base, &tea), before);
    });
}

#[test]
fn ids_that_terminals_make_may_be_the_same_in_two_tenants() {
    on_both(|base| {
        let (tea, milk) = two_houses(base);
        let before = rows_of(base, &tea);
        // Milk's till sends, by chance or on purpose, the very ids of tea's sale.
        let order = orders::Order { id: tea.order_id(1), ..milk.order(7, cny(900)) };
        let mut payment = milk.payment(7, cny(900), captured(0, 0));
        (payment.payment.id, payment.order) = (tea.payment_id(1), tea.order_id(1));
        let mut refund = milk.refund(7, tea.payment_id(1), cny(900));
        refund.refund.id = tea.refund_id(1);
        let insertions = base.write(|tx| {
            Ok([
                orders::insert_new(tx, &milk.scope, &order)?,
                payments::insert_new(tx, &milk.scope, &payment)?,
                refunds::insert_new(tx, &milk.scope, &refund)?,
            ])
        });
        assert_eq!(insertions, [Insertion::Inserted; 3]);
        base.write(|tx| {
            payments::save(tx, &milk.scope, &mut payment.clone())?;
            refunds::save(tx, &milk.scope, &mut refund.clone())?;
            events::append(tx, &milk.scope, &milk.event(tea.payment_id(1), "payment.succeeded"))?;
            ledger::post(tx, &milk.scope, &ledger::Booking { channel_account: None, ..booking(&tea) }, &[])
        });
        assert_eq!(rows_of(base, &tea), before);
        assert_eq!(base.read(|tx| payments::load(tx, &tea.scope, tea.payment_id(1))).payment.amount, cny(500));
        assert_eq!(base.read(|tx| payments::load(tx, &milk.scope, tea.payment_id(1))).payment.amount, cny(900));
        assert_eq!(base.read(|tx| events::timeline(tx, &tea.scope, tea.payment_id(1))).len(), 1);
        // The same key of an idempotent request, too, is each tenant's own.
        for house in [&tea, &milk] {
            let kept = base.read(|tx| idempotency::kept(tx, &house.scope, Keyed::Payment, "key"));
            assert_eq!(kept, Some([house.letter; 32]));
        }
    });
}
