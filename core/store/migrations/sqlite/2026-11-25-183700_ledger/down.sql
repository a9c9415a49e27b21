-- Rates are lost (0), since a plan can say more than a rate; movements of no payment have no place in the older schema.
ALTER TABLE payments ADD COLUMN fee_basis_points INTEGER NOT NULL DEFAULT 0 CHECK (fee_basis_points BETWEEN 0 AND 10000);
ALTER TABLE payments DROP COLUMN fee_plan_version;
ALTER TABLE channel_accounts
ADD COLUMN fee_basis_points INTEGER NOT NULL DEFAULT 0 CHECK (fee_basis_points BETWEEN 0 AND 10000);
ALTER TABLE channel_accounts DROP COLUMN fee_plan_version;
DROP TABLE fee_plans;
DROP TABLE ledger_findings;
DROP TABLE ledger_checks;
DROP TABLE ledger_checkpoints;

CREATE TABLE posting_sets_old (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    refund_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    part INTEGER NOT NULL,
    channel_account_id TEXT,
    at BIGINT NOT NULL,
    UNIQUE (tenant_id, payment_id, refund_id, kind, part),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id)
);
INSERT INTO posting_sets_old
SELECT id, tenant_id, payment_id, COALESCE(refund_id, ''), kind, part, channel_account_id, at
FROM posting_sets WHERE payment_id IS NOT NULL;
CREATE TABLE postings_old (
    tenant_id TEXT NOT NULL,
    set_id BIGINT NOT NULL REFERENCES posting_sets_old (id),
    idx INTEGER NOT NULL,
    account TEXT NOT NULL,
    channel_account_id TEXT,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor <> 0),
    PRIMARY KEY (set_id, idx)
);
INSERT INTO postings_old
SELECT tenant_id, set_id, idx, account, channel_account_id, currency, amount_minor FROM postings
WHERE set_id IN (SELECT id FROM posting_sets_old);
DROP TABLE postings;
DROP TABLE posting_sets;
ALTER TABLE posting_sets_old RENAME TO posting_sets;
ALTER TABLE postings_old RENAME TO postings;
CREATE INDEX postings_by_account ON postings (tenant_id, currency, account);
CREATE TRIGGER posting_sets_no_update BEFORE UPDATE ON posting_sets
BEGIN SELECT RAISE(ABORT, 'posting_sets is written once'); END;
CREATE TRIGGER posting_sets_no_delete BEFORE DELETE ON posting_sets
BEGIN SELECT RAISE(ABORT, 'posting_sets is written once'); END;
CREATE TRIGGER postings_no_update BEFORE UPDATE ON postings
BEGIN SELECT RAISE(ABORT, 'postings is written once'); END;
CREATE TRIGGER postings_no_delete BEFORE DELETE ON postings
BEGIN SELECT RAISE(ABORT, 'postings is written once'); END;
