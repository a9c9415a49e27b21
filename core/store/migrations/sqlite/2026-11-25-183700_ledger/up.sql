-- Movements that are of no payment (a payout, a drawer counted), the moment of booking, and a key by tenant: postings are
-- read by period and by account.
CREATE TABLE posting_sets_new (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    -- What it is about: a refund's id, else a payment's, else the id of what moved the money.
    subject TEXT NOT NULL,
    payment_id TEXT,
    refund_id TEXT,
    kind TEXT NOT NULL,
    part INTEGER NOT NULL,
    channel_account_id TEXT,
    -- When it happened, and when it came into the books; within a tenant the second never falls from one id to the next.
    at BIGINT NOT NULL,
    booked_at BIGINT NOT NULL,
    UNIQUE (tenant_id, subject, kind, part),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id)
);
INSERT INTO posting_sets_new (id, tenant_id, subject, payment_id, refund_id, kind, part, channel_account_id, at, booked_at)
SELECT id, tenant_id, CASE refund_id WHEN '' THEN payment_id ELSE refund_id END, payment_id, NULLIF(refund_id, ''), kind,
       part, channel_account_id, at, MAX(at) OVER (PARTITION BY tenant_id ORDER BY id)
FROM posting_sets;

CREATE TABLE postings_new (
    tenant_id TEXT NOT NULL,
    set_id BIGINT NOT NULL REFERENCES posting_sets_new (id),
    idx INTEGER NOT NULL,
    account TEXT NOT NULL,
    channel_account_id TEXT,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor <> 0),
    PRIMARY KEY (tenant_id, set_id, idx)
);
INSERT INTO postings_new SELECT tenant_id, set_id, idx, account, channel_account_id, currency, amount_minor FROM postings;

DROP TABLE postings;
DROP TABLE posting_sets;
ALTER TABLE posting_sets_new RENAME TO posting_sets;
ALTER TABLE postings_new RENAME TO postings;
CREATE INDEX posting_sets_by_payment ON posting_sets (tenant_id, payment_id);
CREATE INDEX posting_sets_by_time ON posting_sets (tenant_id, booked_at, id);
CREATE INDEX postings_by_account ON postings (tenant_id, account, currency, set_id, idx, channel_account_id);

CREATE TRIGGER posting_sets_no_update BEFORE UPDATE ON posting_sets
BEGIN SELECT RAISE(ABORT, 'posting_sets is written once'); END;
CREATE TRIGGER posting_sets_no_delete BEFORE DELETE ON posting_sets
BEGIN SELECT RAISE(ABORT, 'posting_sets is written once'); END;
CREATE TRIGGER postings_no_update BEFORE UPDATE ON postings
BEGIN SELECT RAISE(ABORT, 'postings is written once'); END;
CREATE TRIGGER postings_no_delete BEFORE DELETE ON postings
BEGIN SELECT RAISE(ABORT, 'postings is written once'); END;

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
CREATE TRIGGER fee_plans_no_update BEFORE UPDATE ON fee_plans
BEGIN SELECT RAISE(ABORT, 'fee_plans is written once'); END;
CREATE TRIGGER fee_plans_no_delete BEFORE DELETE ON fee_plans
BEGIN SELECT RAISE(ABORT, 'fee_plans is written once'); END;

ALTER TABLE channel_accounts ADD COLUMN fee_plan_version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE channel_accounts DROP COLUMN fee_basis_points;
-- Empty for cash.
ALTER TABLE payments ADD COLUMN fee_plan_version BIGINT;
UPDATE payments SET fee_plan_version = 1 WHERE channel_account_id IS NOT NULL;
ALTER TABLE payments DROP COLUMN fee_basis_points;
