//! The two schemas are one, `schema.rs` is that one, and every migration goes up, down and up again.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{
    QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{Bool, Text},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use saoma_store::{Dialect, Store, StoreError};

use crate::{
    base::{BOTH, Base, Raw, on_both, raw, sqlite_url},
    postgres,
};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Table and column, to type (in one family's words) and whether it may be empty.
pub type Columns = BTreeMap<(String, String), (String, bool)>;

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

pub fn columns(raw: &mut Raw) -> Columns {
    let query = match raw {
        Raw::Sqlite(_) => {
            "SELECT t.name AS table_name, c.name AS column_name, lower(c.type) AS kind, NOT c.\"notnull\" AS nullable \
             FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE '\\_\\_diesel%' ESCAPE '\\'"
        }
        Raw::Postgres(_) => {
            "SELECT table_name::text, column_name::text, data_type::text AS kind, is_nullable = 'YES' AS nullable \
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_diesel%'"
        }
    };
    let rows: Vec<Column> = sql_query(query).load(raw).expect("the columns");
    let kind = |kind: &str| match kind {
        "blob" => "bytea".to_owned(),
        other => other.to_owned(),
    };
    rows.into_iter().map(|row| ((row.table_name, row.column_name), (kind(&row.kind), row.nullable))).collect()
}

/// What there is beside columns: indexes (unique ones of constraints have names of the database's own) and triggers.
fn names(raw: &mut Raw, of: &str) -> BTreeSet<String> {
    let query = match (&raw, of) {
        (Raw::Sqlite(_), of) => {
            format!("SELECT name FROM sqlite_schema WHERE type = '{of}' AND name NOT LIKE 'sqlite_%'")
        }
        (Raw::Postgres(_), "index") => {
            "SELECT indexname::text AS name FROM pg_indexes WHERE schemaname = 'public' AND \
             indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key'"
                .to_owned()
        }
        (Raw::Postgres(_), _) => "SELECT tgname::text AS name FROM pg_trigger WHERE NOT tgisinternal".to_owned(),
    };
    sql_query(query).load::<Name>(raw).expect("names").into_iter().map(|row| row.name).collect()
}

#[test]
fn both_databases_have_the_same_columns() {
    let [sqlite, postgres] = BOTH.map(|dialect| columns(&mut Base::new(dialect).raw()));
    assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
    for (column, (kind, nullable)) in &sqlite {
        let (postgres_kind, postgres_nullable) = &postgres[column];
        assert_eq!(nullable, postgres_nullable, "{column:?} may be empty on one database alone");
        // SQLite numbers rows by itself only in a column that is called INTEGER, which holds 64 bits there.
        let numbered = kind == "integer" && postgres_kind == "bigint" && (column.1 == "id" || column.1 == "sequence");
        assert!(kind == postgres_kind || numbered, "{column:?} is {kind} here and {postgres_kind} there");
    }
    assert_eq!(sqlite.keys().map(|(table, _)| table).collect::<BTreeSet<_>>().len(), 75);
}

#[test]
fn both_databases_have_the_same_indexes() {
    let [sqlite, postgres] = BOTH.map(|dialect| names(&mut Base::new(dialect).raw(), "index"));
    assert_eq!(sqlite, postgres);
    assert!(sqlite.contains("outbox_due"), "{sqlite:?}");
}

/// The tables as the source says diesel sees them.
fn declared() -> Columns {
    let source = [
        include_str!("../../src/schema.rs"),
        include_str!("../../src/schema/reconciliation.rs"),
        include_str!("../../src/schema/cashier.rs"),
        include_str!("../../src/schema/dispute.rs"),
        include_str!("../../src/schema/package.rs"),
        include_str!("../../src/schema/phone.rs"),
        include_str!("../../src/schema/settlement.rs"),
        include_str!("../../src/schema/static_code.rs"),
        include_str!("../../src/batches/schema.rs"),
        include_str!("../../src/stored_value/schema.rs"),
        include_str!("../../src/goods/schema.rs"),
        include_str!("../../src/stored_value/offline/schema.rs"),
        include_str!("../../src/stored_cards/schema.rs"),
    ]
    .concat();
    let mut declared = Columns::new();
    let mut table = String::new();
    for line in source.lines().map(str::trim) {
        if let Some((column, kind)) = line.trim_end_matches(',').split_once(" -> ").filter(|_| line.ends_with(',')) {
            let nullable = kind.starts_with("Nullable<");
            let kind = match kind.trim_start_matches("Nullable<").trim_end_matches('>') {
                "Text" => "text",
                "BigInt" => "bigint",
                "Integer" => "integer",
                "Bool" => "boolean",
                "Binary" => "bytea",
                other => panic!("{table}.{column} is of the unknown type {other}"),
            };
            declared.insert((table.clone(), column.to_owned()), (kind.to_owned(), nullable));
        } else if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with('{')) {
            name.clone_into(&mut table);
        }
    }
    declared
}

#[test]
fn what_diesel_sees_is_what_the_database_has() {
    assert_eq!(declared(), columns(&mut Base::new(Dialect::Postgres).raw()));
}

#[test]
fn migrations_go_up_down_and_up_again() {
    for dialect in BOTH {
        let dir = tempfile::tempdir().expect("a directory");
        let url = match dialect {
            Dialect::Sqlite => sqlite_url(&dir.path().join("core.db")),
            Dialect::Postgres => postgres::empty(),
        };
        drop(Store::open(&url, 2).expect("migrations on an empty database"));
        let mut conn = raw(&url);
        let (first, triggers) = (columns(&mut conn), names(&mut conn, "trigger"));
        assert!(!first.is_empty() && !triggers.is_empty());
        let reverted = match &mut conn {
            Raw::Sqlite(conn) => conn.revert_all_migrations(SQLITE).map(|versions| versions.len()),
            Raw::Postgres(conn) => conn.revert_all_migrations(POSTGRES).map(|versions| versions.len()),
        };
        assert!(reverted.expect("migrations down") >= 1, "on {dialect:?}");
        assert_eq!(columns(&mut conn), Columns::new(), "on {dialect:?}");
        assert_eq!(names(&mut conn, "index"), names(&mut conn, "trigger"), "on {dialect:?}: nothing is left");
        drop(conn);
        drop(Store::open(&url, 2).expect("migrations up again"));
        let mut conn = raw(&url);
        assert_eq!((columns(&mut conn), names(&mut conn, "trigger")), (first, triggers), "on {dialect:?}");
    }
}

#[test]
fn opening_again_changes_nothing() {
    on_both(|base| {
        let applied = || base.count("SELECT COUNT(*) AS n FROM __diesel_schema_migrations");
        let before = applied();
        drop(Store::open(&base.url, 2).expect("a second store"));
        assert_eq!(applied(), before);
    });
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    on_both(|base| {
        sql_query("INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000001')")
            .execute(&mut base.raw())
            .expect("a migration of the future");
        let refused = Store::open(&base.url, 2).err();
        assert_eq!(refused, Some(StoreError::Newer { migration: "20990101000001".to_owned() }));
    });
}

#[test]
fn several_that_start_at_once_migrate_once() {
    for dialect in BOTH {
        for _ in 0..3 {
            let dir = tempfile::tempdir().expect("a directory");
            let url = match dialect {
                Dialect::Sqlite => sqlite_url(&dir.path().join("core.db")),
                Dialect::Postgres => postgres::empty(),
            };
            let opened: Vec<Result<(), StoreError>> = std::thread::scope(|scope| {
                let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| Store::open(&url, 2).map(drop))).collect();
                starts.into_iter().map(|start| start.join().expect("a start")).collect()
            });
            assert_eq!(opened, vec![Ok(()); 4], "on {dialect:?}");
        }
    }
}

/// Rows that are written once stay so, whoever asks.
#[test]
fn what_is_written_once_cannot_be_changed_or_deleted() {
    use crate::house::{House, NOW, captured, cny};
    use saoma_domain::{
        ledger::{Kind, rules},
        payment::Method,
    };
    use saoma_protocol::{
        Sequence,
        journal::{Entry, GENESIS, Record},
    };
    use saoma_store::{audit, events, journal, ledger};

    on_both(|base| {
        let tea = House::build(base, b'T');
        let payment = tea.sell(base, 1, cny(500), &captured(0, 0));
        let keyed = Record::CashRefund {
            refund: tea.refund_id(1),
            payment: tea.payment_id(1),
            amount: cny(5),
            void: false,
            cashier: "Mei".to_owned(),
            approved_by: None,
        };
        let entry = Entry::new(Sequence(1), NOW, GENESIS, keyed).expect("an entry");
        let booking = ledger::Booking {
            subject: ledger::Subject::Payment(payment.payment.id),
            kind: Kind::Captured,
            channel_account: Some(tea.account),
            at: NOW,
            booked_at: NOW,
        };
        let did = audit::NewEntry {
            actor: "core".to_owned(),
            action: "tenant.created".to_owned(),
            subject: tea.scope.tenant().to_string(),
            detail_json: "{}".to_owned(),
            at: NOW,
        };
        base.write(|tx| {
            events::append(tx, &tea.scope, &tea.event(payment.payment.id, "payment.succeeded"))?;
            let sets = rules::captured(Method::CustomerPresented, cny(500), cny(3).money());
            ledger::post(tx, &tea.scope, &booking, &sets)?;
            journal::append(tx, &tea.scope, tea.terminal, &entry, None, NOW)?;
            audit::append(tx, &tea.scope, &did)
        });
        let mut conn = base.raw();
        for attempt in [
            "UPDATE payment_events SET kind = 'payment.failed'",
            "DELETE FROM payment_events",
            "UPDATE posting_sets SET kind = 'undone'",
            "DELETE FROM posting_sets",
            "UPDATE postings SET amount_minor = amount_minor + 1",
            "DELETE FROM postings",
            "UPDATE fee_plans SET plan_json = '{}'",
            "DELETE FROM fee_plans",
            "UPDATE journal_entries SET payload = '{}'",
            "UPDATE journal_entries SET hash = ''",
            "UPDATE journal_entries SET signature = ''",
            "DELETE FROM journal_entries",
            "UPDATE audit_log SET actor = 'nobody'",
            "DELETE FROM audit_log",
        ] {
            let refused = sql_query(attempt).execute(&mut conn).expect_err(attempt).to_string();
            assert!(refused.contains("is written once"), "{attempt}: {refused}");
        }
        sql_query("UPDATE journal_entries SET why = 'looked at'")
            .execute(&mut conn)
            .expect("a person's verdict may change");
    });
}
