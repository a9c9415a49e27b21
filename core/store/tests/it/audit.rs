//! The audit log: a chain in which every change shows.

use diesel::{RunQueryDsl as _, sql_query};
use saoma_protocol::Sequence;
use saoma_store::{
    Dialect,
    audit::{self, NewEntry},
};

use crate::{
    base::{Base, on_both},
    house::{House, PLATFORM, at},
};

fn entry(number: i64) -> NewEntry {
    NewEntry {
        actor: "core".to_owned(),
        action: "terminal.revoked".to_owned(),
        subject: format!("terminal {number}"),
        detail_json: r#"{"why":"丢失"}"#.to_owned(),
        at: at(number),
    }
}

fn fill(base: &Base, house: &House, entries: i64) {
    base.write(|tx| (1..=entries).try_for_each(|number| audit::append(tx, &house.scope, &entry(number)).map(drop)));
}

fn first_broken(base: &Base, house: &House) -> Option<Sequence> {
    base.read(|tx| audit::first_broken(tx, &house.scope))
}

/// What only somebody who owns the database can do: the program's own way is closed by triggers.
fn force(base: &Base, change: &str) {
    let (open, close) = match base.store.dialect() {
        Dialect::Sqlite => (vec!["DROP TRIGGER audit_log_no_update", "DROP TRIGGER audit_log_no_delete"], vec![]),
        Dialect::Postgres => {
            (vec!["ALTER TABLE audit_log DISABLE TRIGGER USER"], vec!["ALTER TABLE audit_log ENABLE TRIGGER USER"])
        }
    };
    let mut raw = base.raw();
    for statement in open.into_iter().chain([change]).chain(close) {
        sql_query(statement).execute(&mut raw).expect(statement);
    }
}

#[test]
fn entries_are_numbered_and_listed_newest_first() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let milk = House::build(base, b'M');
        assert_eq!(first_broken(base, &tea), None);
        fill(base, &tea, 4);
        fill(base, &milk, 1);
        assert_eq!(base.write(|tx| audit::append_platform(tx, &PLATFORM, &entry(9))), Sequence(1));
        let platform = base.read(|tx| audit::list_platform(tx, &PLATFORM, None, 10));
        assert_eq!(platform.into_iter().map(|stored| stored.entry).collect::<Vec<_>>(), [entry(9)]);
        let listed = |before: Option<u64>, limit| -> Vec<(u64, NewEntry)> {
            let entries = base.read(|tx| audit::list(tx, &tea.scope, before.map(Sequence), limit));
            entries.into_iter().map(|stored| (stored.sequence.0, stored.entry)).collect()
        };
        assert_eq!(listed(None, 2), [(4, entry(4)), (3, entry(3))]);
        assert_eq!(listed(Some(3), 10), [(2, entry(2)), (1, entry(1))]);
        assert_eq!(listed(Some(1), 10), []);
        assert_eq!((first_broken(base, &tea), first_broken(base, &milk)), (None, None));
    });
}

#[test]
fn the_first_changed_entry_is_found() {
    for (change, broken) in [
        ("UPDATE audit_log SET actor = 'nobody' WHERE sequence = 3", 3),
        ("UPDATE audit_log SET action = 'terminal.renamed' WHERE sequence = 1", 1),
        ("UPDATE audit_log SET subject = 'terminal 7' WHERE sequence = 4", 4),
        ("UPDATE audit_log SET detail_json = '{}' WHERE sequence >= 2", 2),
        ("UPDATE audit_log SET at = at + 1 WHERE sequence = 5", 5),
        ("UPDATE audit_log SET hash = 'x' WHERE sequence = 2", 2),
        ("DELETE FROM audit_log WHERE sequence = 1", 1),
        ("DELETE FROM audit_log WHERE sequence = 3", 3),
        // The text goes from one column to its neighbour.
        ("UPDATE audit_log SET actor = 'coret', action = 'erminal.revoked' WHERE sequence = 2", 2),
        // Somebody else's entry, whose hash was good where it was.
        (
            "UPDATE audit_log SET at = (SELECT at FROM audit_log WHERE sequence = 1), hash = (SELECT hash FROM audit_log \
             WHERE sequence = 1), subject = 'terminal 1' WHERE sequence = 2",
            2,
        ),
    ] {
        on_both(|base| {
            let tea = House::build(base, b'T');
            fill(base, &tea, 5);
            assert_eq!(first_broken(base, &tea), None);
            force(base, change);
            assert_eq!(first_broken(base, &tea), Some(Sequence(broken)), "{change}");
        });
    }
}

#[test]
fn a_log_that_is_longer_than_one_look_is_verified_to_its_end() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        fill(base, &tea, 2_050);
        assert_eq!(first_broken(base, &tea), None);
        force(base, "UPDATE audit_log SET actor = 'nobody' WHERE sequence = 2001");
        assert_eq!(first_broken(base, &tea), Some(Sequence(2_001)));
    });
}

#[test]
fn many_that_write_at_once_make_one_chain() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..5 {
                        base.write(|tx| audit::append(tx, &tea.scope, &entry(number)));
                    }
                });
            }
        });
        let listed = base.read(|tx| audit::list(tx, &tea.scope, None, 100));
        assert_eq!(
            listed.iter().map(|stored| stored.sequence.0).collect::<Vec<_>>(),
            (1..=20).rev().collect::<Vec<_>>()
        );
        assert_eq!(first_broken(base, &tea), None);
    });
}
