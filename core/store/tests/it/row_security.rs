//! The second wall: PostgreSQL itself holds a query to one tenant, also one whose author forgot to.

use std::collections::BTreeSet;

use diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl as _,
    connection::SimpleConnection as _,
    sql_query,
    sql_types::{BigInt, Text},
};
use saoma_store::{Dialect, StoreError, users::Role};

use crate::{
    base::{Base, Raw},
    house::House,
    isolation::furnish,
    schema::columns,
};

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Tables with rows of tenants, and the column that names the tenant.
fn tables_of_tenants(raw: &mut Raw) -> BTreeSet<(String, &'static str)> {
    let with_tenant = columns(raw).into_keys().filter(|(_, column)| column == "tenant_id");
    with_tenant.map(|(table, _)| (table, "tenant_id")).chain([("tenants".to_owned(), "id")]).collect()
}

/// Those of them that nothing but the queries' own filters protects.
fn unprotected(raw: &mut Raw) -> Vec<String> {
    let mut open = Vec::new();
    for (table, column) in tables_of_tenants(raw) {
        let held: Vec<Name> = sql_query(
            "SELECT pg_get_expr(p.polqual, p.polrelid) AS name FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid \
             WHERE c.oid = $1::regclass AND c.relrowsecurity AND c.relforcerowsecurity AND p.polcmd = '*'",
        )
        .bind::<Text, _>(&table)
        .load(raw)
        .expect("the policies");
        let right = |policy: &Name| policy.name.contains("'saoma.tenant'") && policy.name.contains(column);
        // A second policy would let in what either lets in.
        if !matches!(held.as_slice(), [policy] if right(policy)) {
            open.push(table);
        }
    }
    open
}

#[test]
fn every_table_with_a_tenant_has_the_policy() {
    let base = Base::new(Dialect::Postgres);
    let mut raw = base.raw();
    let open = unprotected(&mut raw);
    assert!(open.is_empty(), "end the migration of each in SELECT saoma_isolate('<table>'): {open:?}");
    // What this test is for: a table that somebody adds, or half protects.
    raw.batch_execute(
        "CREATE TABLE forgotten (tenant_id TEXT NOT NULL); ALTER TABLE orders NO FORCE ROW LEVEL SECURITY;
         CREATE POLICY generous ON refunds USING (true)",
    )
    .expect("three mistakes");
    assert_eq!(unprotected(&mut raw), ["forgotten", "orders", "refunds"]);
}

/// A connection of core's own role, and what it finds when it names `tenant` (nothing: no one).
struct Core(PgConnection);

impl Core {
    fn as_tenant<T>(&mut self, tenant: Option<&str>, work: impl FnOnce(&mut PgConnection) -> T) -> T {
        self.0.batch_execute("BEGIN").expect("a transaction");
        if let Some(tenant) = tenant {
            self.0.batch_execute(&format!("SET LOCAL saoma.tenant = '{tenant}'")).expect("the setting");
        }
        let found = work(&mut self.0);
        self.0.batch_execute("ROLLBACK").expect("the end");
        found
    }

    fn count(&mut self, tenant: Option<&str>, query: &str) -> i64 {
        self.as_tenant(tenant, |conn| sql_query(query).get_result::<Count>(conn).expect(query).n)
    }
}

#[test]
fn a_query_that_forgot_its_filter_finds_one_tenants_rows_or_none() {
    let base = Base::new(Dialect::Postgres);
    let houses = [House::build(&base, b'R'), House::build(&base, b'T')];
    houses.iter().for_each(|house| furnish(&base, house));
    let [rice, tea] = houses.map(|house| house.scope.tenant().to_string());
    let mut core = Core(PgConnection::establish(&base.url).expect("core's role"));
    for (table, column) in tables_of_tenants(&mut base.raw()) {
        let all = format!("SELECT COUNT(*) AS n FROM {table}");
        let of = |tenant: &str| format!("{all} WHERE {column} = '{tenant}'");
        let (everybodys, teas) = (core.count(Some("*"), &all), core.count(Some("*"), &of(&tea)));
        assert!(teas > 0 && everybodys > teas, "{table}: {teas} of {everybodys}");
        assert_eq!(core.count(Some(&tea), &all), teas, "{table}");
        assert_eq!(core.count(Some(&tea), &of(&rice)), 0, "{table}");
        assert_eq!(core.count(Some("ten_unknown"), &all), 0, "{table}");
        // What a transaction named is forgotten at its end.
        assert_eq!(core.count(None, &all), 0, "{table}");
    }
}

#[test]
fn a_statement_that_forgot_its_filter_changes_one_tenants_rows_alone() {
    let base = Base::new(Dialect::Postgres);
    let houses = [House::build(&base, b'R'), House::build(&base, b'T')];
    houses.iter().for_each(|house| furnish(&base, house));
    let [rice, tea] = houses.map(|house| house.scope.tenant().to_string());
    let mut core = Core(PgConnection::establish(&base.url).expect("core's role"));
    let run = |core: &mut Core, statement: &str| {
        core.as_tenant(Some(&tea), |conn| sql_query(statement).execute(conn).map_err(|error| error.to_string()))
    };
    assert_eq!(run(&mut core, "UPDATE payments SET attempts = attempts + 1"), Ok(1));
    // A push and a webhook.
    assert_eq!(run(&mut core, "DELETE FROM outbox"), Ok(2));
    assert_eq!(run(&mut core, &format!("DELETE FROM outbox WHERE tenant_id = '{rice}'")), Ok(0));
    for smuggled in [
        format!("INSERT INTO stores VALUES ('{rice}', 'str_x', 'Back door', true, 0)"),
        format!("UPDATE idempotency_keys SET tenant_id = '{rice}'"),
        "INSERT INTO tenants VALUES ('ten_x', 'New', 'CNY', 'refund', true, 0)".to_owned(),
        "INSERT INTO users VALUES ('usr_x', NULL, 'x', 'x', 'platform_admin', 'x', true, false, 0, 0)".to_owned(),
    ] {
        let refused = run(&mut core, &smuggled).expect_err(&smuggled);
        assert!(refused.contains("violates row-level security policy"), "{smuggled}: {refused}");
    }
}

/// A login is unique over all tenants, and whoever takes one that is taken by a row out of their sight hears so.
#[test]
fn what_is_unique_over_all_tenants_is_so_through_the_wall() {
    let base = Base::new(Dialect::Postgres);
    let [rice, tea] = [House::build(&base, b'R'), House::build(&base, b'T')];
    rice.hire(&base, 1, "mei", Role::Owner);
    let taken = base.try_write(|tx| {
        let mei = crate::house::new_user(b'T', 1, "mei", Role::Owner);
        saoma_store::users::create(tx, &tea.scope, &mei)
    });
    assert_eq!(taken.map(|user| user.id), Err(StoreError::Conflict { what: "the login" }));
}
