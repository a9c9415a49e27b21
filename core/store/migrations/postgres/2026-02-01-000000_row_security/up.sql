-- The second wall between tenants. A transaction names the tenant whose rows it is about in the setting `saoma.tenant`, or
-- `*` for work of the platform; whatever its queries say, it sees and writes no others, and none at all if it names nobody.
-- FORCE holds the owner of the tables too.
--
-- The migration of each later table with a tenant's column calls this.
CREATE FUNCTION saoma_isolate(of_table regclass, tenant_column name DEFAULT 'tenant_id') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', of_table);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', of_table);
    -- The inner SELECT makes it one look at the setting per query, not per row.
    EXECUTE format(
        'CREATE POLICY of_tenant ON %s USING ((SELECT current_setting(''saoma.tenant'', true)) IN (%I, ''*''))',
        of_table, tenant_column
    );
END $$;

SELECT saoma_isolate('tenants', 'id');
SELECT saoma_isolate('stores');
SELECT saoma_isolate('terminals');
SELECT saoma_isolate('terminal_claims');
SELECT saoma_isolate('terminal_certificates');
SELECT saoma_isolate('users');
SELECT saoma_isolate('sessions');
SELECT saoma_isolate('api_keys');
SELECT saoma_isolate('channel_accounts');
SELECT saoma_isolate('tenant_keys');
SELECT saoma_isolate('idempotency_keys');
SELECT saoma_isolate('orders');
SELECT saoma_isolate('payments');
SELECT saoma_isolate('pay_codes');
SELECT saoma_isolate('refunds');
SELECT saoma_isolate('payment_events');
SELECT saoma_isolate('posting_sets');
SELECT saoma_isolate('postings');
SELECT saoma_isolate('outbox');
SELECT saoma_isolate('journal_entries');
SELECT saoma_isolate('plugin_kv');
SELECT saoma_isolate('audit_log');
