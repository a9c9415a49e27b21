-- Under row-level security a migration is work of the platform.
SELECT set_config('saoma.tenant', '*', true);

-- Movements that are of no payment (a payout, a drawer counted), the moment of booking, and a key by tenant: postings are
-- read by period and by account.
ALTER TABLE posting_sets DISABLE TRIGGER posting_sets_no_change;
-- What it is about: a refund's id, else a payment's, else the id of what moved the money.
ALTER TABLE posting_sets ADD COLUMN subject TEXT;
-- `at` is when it happened, this when it came into the books; within a tenant it never falls from one id to the next.
ALTER TABLE posting_sets ADD COLUMN booked_at BIGINT;
UPDATE posting_sets s SET subject = CASE s.refund_id WHEN '' THEN s.payment_id ELSE s.refund_id END, booked_at = m.booked_at
FROM (SELECT id, MAX(at) OVER (PARTITION BY tenant_id ORDER BY id) AS booked_at FROM posting_sets) m WHERE m.id = s.id;
ALTER TABLE posting_sets ALTER COLUMN subject SET NOT NULL;
ALTER TABLE posting_sets ALTER COLUMN booked_at SET NOT NULL;
ALTER TABLE posting_sets DROP CONSTRAINT posting_sets_tenant_id_payment_id_refund_id_kind_part_key;
ALTER TABLE posting_sets ALTER COLUMN payment_id DROP NOT NULL;
ALTER TABLE posting_sets ALTER COLUMN refund_id DROP NOT NULL;
UPDATE posting_sets SET refund_id = NULL WHERE refund_id = '';
ALTER TABLE posting_sets ADD UNIQUE (tenant_id, subject, kind, part);
ALTER TABLE posting_sets ADD FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE posting_sets ENABLE TRIGGER posting_sets_no_change;
ALTER TABLE postings DROP CONSTRAINT postings_pkey;
ALTER TABLE postings ADD PRIMARY KEY (tenant_id, set_id, idx);
DROP INDEX postings_by_account;
CREATE INDEX posting_sets_by_payment ON posting_sets (tenant_id, payment_id);
CREATE INDEX posting_sets_by_time ON posting_sets (tenant_id, booked_at, id);
CREATE INDEX postings_by_account ON postings (tenant_id, account, currency, set_id, idx, channel_account_id);

-- All debits and credits up to and with a set. Derived: what is lost is counted again from the postings.
CREATE TABLE ledger_checkpoints (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    through_set BIGINT NOT NULL,
    account TEXT NOT NULL,
    channel_account_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    debits_minor BIGINT NOT NULL,
    credits_minor BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, through_set, account, channel_account_id, currency)
);

-- How far a tenant's books were proven, and what did not hold.
CREATE TABLE ledger_checks (
    tenant_id TEXT NOT NULL PRIMARY KEY REFERENCES tenants (id),
    through_set BIGINT NOT NULL,
    through_event BIGINT NOT NULL,
    checked_at BIGINT NOT NULL,
    -- When all of it was, from the first movement on.
    whole_at BIGINT NOT NULL
);
CREATE TABLE ledger_findings (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    subject TEXT NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    found_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    cleared_at BIGINT,
    PRIMARY KEY (tenant_id, subject, code)
);

-- A channel account's terms, each version for good: what was booked under one stays explained by it.
CREATE TABLE fee_plans (
    tenant_id TEXT NOT NULL,
    channel_account_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    plan_json TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, channel_account_id, version),
    FOREIGN KEY (tenant_id, channel_account_id) REFERENCES channel_accounts (tenant_id, id)
);
INSERT INTO fee_plans (tenant_id, channel_account_id, version, plan_json, created_at)
SELECT tenant_id, id, 1, '{"rate":' || fee_basis_points || ',"on_refund":"keep","tariffs":[]}', created_at
FROM channel_accounts;
CREATE TRIGGER fee_plans_no_change BEFORE UPDATE OR DELETE ON fee_plans
FOR EACH ROW EXECUTE FUNCTION written_once();

ALTER TABLE channel_accounts ADD COLUMN fee_plan_version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE channel_accounts DROP COLUMN fee_basis_points;
-- Empty for cash.
ALTER TABLE payments ADD COLUMN fee_plan_version BIGINT;
UPDATE payments SET fee_plan_version = 1 WHERE channel_account_id IS NOT NULL;
ALTER TABLE payments DROP COLUMN fee_basis_points;

SELECT saoma_isolate('ledger_checkpoints');
SELECT saoma_isolate('ledger_checks');
SELECT saoma_isolate('ledger_findings');
SELECT saoma_isolate('fee_plans');
