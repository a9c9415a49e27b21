//! Several cores on one database: who lives, whose broker a terminal is connected to, and what follows for its pushes.

use saoma_protocol::TerminalId;
use saoma_store::{
    Dialect, nodes,
    outbox::{self, Kind},
    tenants,
    terminals::{self, Certificate, NewTerminal},
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, PLATFORM, at, bytes, tenant},
};

fn is_online(base: &Base, house: &House) -> bool {
    base.read(|tx| terminals::load(tx, &house.scope, house.terminal)).online
}

fn claims(base: &Base, node: &str, now: i64) -> usize {
    base.write(|tx| outbox::claim_due(tx, &PLATFORM, node, Kind::Push, at(now), at(now + 10), 10)).len()
}

#[test]
fn a_node_is_known_from_its_first_beat_until_it_is_buried() {
    on_both(|base| {
        let beat = |node: &str| base.write(|tx| nodes::beat(tx, &PLATFORM, node, &[]));
        assert!(!beat("a") && beat("a") && !beat("b"));
        let others = |node: &str| base.read(|tx| nodes::others(tx, &PLATFORM, node));
        assert_eq!(others("b"), [nodes::Node { id: "a".to_owned(), beats: 1, masters: vec![] }]);
        let two = ["1f".to_owned(), "2f".to_owned()];
        for masters in [&two[..1], &two] {
            base.write(|tx| nodes::beat(tx, &PLATFORM, "a", masters));
            assert_eq!(others("b")[0].masters, masters);
        }
        let seen = others("b").remove(0);
        // It was only slow: it has beaten since it was seen, and lives.
        assert!(beat("a"));
        base.write(|tx| nodes::bury(tx, &PLATFORM, &seen));
        assert_eq!(others("b").len(), 1);
        let seen = others("b").remove(0);
        base.write(|tx| nodes::bury(tx, &PLATFORM, &seen));
        assert_eq!(others("b"), []);
        assert!(!beat("a"), "and hears that it was buried");
    });
}

#[test]
fn a_terminal_is_where_it_connected_last() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let online = |node: &str| base.write(|tx| terminals::came_online(tx, &tea.scope, tea.terminal, node, NOW));
        let offline = |node: &str| base.write(|tx| terminals::went_offline(tx, &tea.scope, tea.terminal, node, at(1)));
        online("a");
        online("b");
        // The old connection is noticed to be dead only now.
        offline("a");
        assert!(is_online(base, &tea));
        offline("b");
        assert!(!is_online(base, &tea));
    });
}

#[test]
fn the_terminals_of_a_dead_node_are_offline() {
    on_both(|base| {
        let [tea, milk] = [House::build(base, b'T'), House::build(base, b'M')];
        for (house, node) in [(&tea, "a"), (&milk, "b")] {
            base.write(|tx| nodes::beat(tx, &PLATFORM, node, &[]));
            base.write(|tx| terminals::came_online(tx, &house.scope, house.terminal, node, NOW));
        }
        let dead = nodes::Node { id: "a".to_owned(), beats: 0, masters: vec![] };
        assert_eq!(base.write(|tx| nodes::bury(tx, &PLATFORM, &dead)), 1);
        assert!(!is_online(base, &tea) && is_online(base, &milk));
    });
}

#[test]
fn a_push_is_left_to_the_node_that_has_the_terminal() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        base.write(|tx| outbox::append(tx, &tea.scope, &tea.push("1")));
        base.write(|tx| terminals::came_online(tx, &tea.scope, tea.terminal, "a", NOW));
        assert_eq!((claims(base, "b", 0), claims(base, "a", 0)), (0, 1));
        // Nobody has it: whoever comes first looks after it.
        base.write(|tx| terminals::went_offline(tx, &tea.scope, tea.terminal, "a", at(1)));
        assert_eq!((claims(base, "b", 20), claims(base, "a", 20)), (1, 0));
    });
}

#[test]
fn a_node_hears_which_of_its_terminals_were_shut_out() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let elsewhere = TerminalId::from_bytes(bytes(b'T', 2));
        let till = NewTerminal { id: elsewhere, store: tea.store, name: "Till 2".to_owned(), created_at: NOW };
        base.write(|tx| terminals::create(tx, &tea.scope, &till));
        for (terminal, serial, node) in [(tea.terminal, "01", "a"), (elsewhere, "02", "b")] {
            let certificate =
                Certificate { serial: serial.to_owned(), not_after: at(100), issued_at: NOW, revoked_at: None };
            base.write(|tx| terminals::add_certificate(tx, &tea.scope, terminal, &certificate));
            base.write(|tx| terminals::came_online(tx, &tea.scope, terminal, node, NOW));
            base.write(|tx| terminals::revoke_certificate(tx, &tea.scope, terminal, serial, at(5)));
        }
        let shut_out = |since: i64| base.read(|tx| nodes::shut_out(tx, &PLATFORM, "a", at(since)));
        assert_eq!(shut_out(5), [(tea.terminal, Some("01".to_owned()))]);
        assert_eq!(shut_out(6), []);
        // A terminal that was shut out for good is still connected until its node has heard of it.
        let lost = TerminalId::from_bytes(bytes(b'T', 3));
        let till = NewTerminal { id: lost, store: tea.store, name: "Till 3".to_owned(), created_at: NOW };
        base.write(|tx| terminals::create(tx, &tea.scope, &till));
        let certificate = Certificate { serial: "03".to_owned(), not_after: at(100), issued_at: NOW, revoked_at: None };
        base.write(|tx| terminals::add_certificate(tx, &tea.scope, lost, &certificate));
        base.write(|tx| terminals::came_online(tx, &tea.scope, lost, "a", NOW));
        base.write(|tx| terminals::revoke(tx, &tea.scope, lost, at(7)));
        assert_eq!(shut_out(6), [(lost, Some("03".to_owned()))]);
        base.write(|tx| terminals::went_offline(tx, &tea.scope, lost, "a", at(8)));
        assert_eq!(shut_out(6), []);
        base.write(|tx| tenants::update(tx, &PLATFORM, &tenants::Tenant { active: false, ..tenant(b'T') }));
        assert_eq!(shut_out(6), [(tea.terminal, None)]);
    });
}

/// What one worker has claimed and not committed yet, another passes over, whichever kind of work it is.
#[test]
fn two_workers_never_hold_the_same_payment() {
    use crate::house::{account, cny};
    use saoma_domain::payment::State;
    use saoma_store::{channel_accounts, payments};

    let base = Base::new(Dialect::Postgres);
    let tea = House::build(&base, b'T');
    // So few are of one account that the limit of what one may have in hand does not matter.
    let accounts = [2, 3, 4, 5].map(|number| account(b'T', number));
    for account in &accounts {
        base.write(|tx| channel_accounts::create(tx, &tea.scope, account));
    }
    for number in 1..=20 {
        tea.sell_with(&base, number, cny(100), &State::Submitting { since: NOW }, |stored| {
            stored.channel_account = Some(accounts[usize::from(number) % 4].id);
            stored.next_attempt_at = Some(NOW);
        });
    }
    let claimed: Vec<_> = std::thread::scope(|scope| {
        let work = || {
            let mut mine = Vec::new();
            loop {
                let due = base.write(|tx| payments::claim_due_for_resolving(tx, &PLATFORM, at(1), at(1_000), 3));
                if due.is_empty() {
                    return mine;
                }
                mine.extend(due.into_iter().map(|due| due.payment.payment.id));
            }
        };
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
    });
    let mut once = claimed.clone();
    once.sort();
    once.dedup();
    assert_eq!(claimed.len(), once.len(), "one was claimed twice");
    assert_eq!(once.len(), 20);
}
