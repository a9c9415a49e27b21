//! The audit log: a chain in which every change shows.

use diesel::{RunQueryDsl as _, sql_query};
use saoma_protocol::Sequence;
use saoma_store::{
    Dialect,
    audit::{self, Flaw, Head, NewEntry, Walked},
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

/// How many entries hold, or which is the first that does not and the word for what is wrong with it.
fn walked(base: &Base, owner: &str) -> Result<u64, (u64, &'static str)> {
    let mut head = Head::genesis();
    loop {
        match base.read(|tx| audit::walk(tx, &PLATFORM, owner, &head)) {
            Walked::On(next) => head = next,
            Walked::End(end) => return Ok(end.sequence),
            Walked::Broken(broken) => {
                let word = match broken.flaw {
                    Flaw::BeforeFirst { .. } => "before the first",
                    Flaw::Missing { .. } => "missing",
                    Flaw::Fields { .. } => "fields",
                    Flaw::Hash { .. } => "hash",
                    Flaw::Unclear { .. } => "unclear",
                };
                return Err((broken.sequence.0, word));
            }
        }
    }
}

fn log_of(house: &House) -> String {
    house.scope.tenant().to_string()
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
    for statement in open.into_iter().chain(change.split("; ")).chain(close) {
        sql_query(statement).execute(&mut raw).expect(statement);
    }
}

#[test]
fn entries_are_numbered_and_listed_newest_first() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let milk = House::build(base, b'M');
        assert_eq!(walked(base, &log_of(&tea)), Ok(0));
        assert_eq!(base.read(|tx| audit::head(tx, &PLATFORM, &log_of(&tea))), None);
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
        let mut chains = [log_of(&tea), log_of(&milk), audit::PLATFORM.to_owned()];
        assert_eq!(chains.each_ref().map(|owner| walked(base, owner)), [Ok(4), Ok(1), Ok(1)]);
        chains.sort();
        assert_eq!(base.read(|tx| audit::chains(tx, &PLATFORM)), chains);
        let head = base.read(|tx| audit::head(tx, &PLATFORM, &log_of(&tea))).unwrap();
        let at = |number| base.read(|tx| audit::hash_at(tx, &PLATFORM, &log_of(&tea), number));
        assert_eq!((head.sequence, at(4), at(5)), (4, Some(head.hash.clone()), None));
    });
}

#[test]
fn the_first_changed_entry_is_found() {
    for (change, broken) in [
        ("UPDATE audit_log SET actor = 'nobody' WHERE sequence = 3", (3, "fields")),
        ("UPDATE audit_log SET action = 'terminal.renamed' WHERE sequence = 1", (1, "fields")),
        ("UPDATE audit_log SET subject = 'terminal 7' WHERE sequence = 4", (4, "fields")),
        ("UPDATE audit_log SET detail_json = '{}' WHERE sequence >= 2", (2, "unclear")),
        // There is none after it to tell by.
        ("UPDATE audit_log SET at = at + 1 WHERE sequence = 5", (5, "unclear")),
        ("UPDATE audit_log SET hash = 'x' WHERE sequence = 2", (2, "hash")),
        ("DELETE FROM audit_log WHERE sequence = 1", (1, "missing")),
        ("DELETE FROM audit_log WHERE sequence = 3", (3, "missing")),
        // The text goes from one column to its neighbour.
        ("UPDATE audit_log SET actor = 'coret', action = 'erminal.revoked' WHERE sequence = 2", (2, "fields")),
        // Somebody else's entry, whose hash was good where it was.
        (
            "UPDATE audit_log SET at = (SELECT at FROM audit_log WHERE sequence = 1), hash = (SELECT hash FROM audit_log \
             WHERE sequence = 1), subject = 'terminal 1' WHERE sequence = 2",
            (2, "unclear"),
        ),
        // Two entries change places.
        (
            "UPDATE audit_log SET sequence = CASE sequence WHEN 2 THEN 93 ELSE 92 END WHERE sequence IN (2, 3); \
             UPDATE audit_log SET sequence = sequence - 90 WHERE sequence > 90",
            (2, "unclear"),
        ),
        // One is taken out, and those after it move up.
        (
            "DELETE FROM audit_log WHERE sequence = 2; UPDATE audit_log SET sequence = 2 WHERE sequence = 3; \
             UPDATE audit_log SET sequence = 3 WHERE sequence = 4; UPDATE audit_log SET sequence = 4 WHERE sequence = 5",
            (2, "unclear"),
        ),
    ] {
        on_both(|base| {
            let tea = House::build(base, b'T');
            fill(base, &tea, 5);
            assert_eq!(walked(base, &log_of(&tea)), Ok(5));
            force(base, change);
            assert_eq!(walked(base, &log_of(&tea)), Err(broken), "{change}");
        });
    }
}

#[test]
fn a_log_that_is_longer_than_one_look_is_verified_to_its_end() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        fill(base, &tea, 2_050);
        assert_eq!(walked(base, &log_of(&tea)), Ok(2_050));
        // The last of one look; the first of the next tells what is wrong with it.
        force(base, "UPDATE audit_log SET actor = 'nobody' WHERE sequence = 2000");
        assert_eq!(walked(base, &log_of(&tea)), Err((2_000, "fields")));
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
        assert_eq!(walked(base, &log_of(&tea)), Ok(20));
    });
}
