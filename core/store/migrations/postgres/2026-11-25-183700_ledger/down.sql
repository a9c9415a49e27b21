-- Under row-level security a migration is work of the platform.
SELECT set_config('saoma.tenant', '*', true);

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

ALTER TABLE posting_sets DISABLE TRIGGER posting_sets_no_change;
ALTER TABLE postings DISABLE TRIGGER postings_no_change;
DELETE FROM postings WHERE set_id IN (SELECT id FROM posting_sets WHERE payment_id IS NULL);
DELETE FROM posting_sets WHERE payment_id IS NULL;
UPDATE posting_sets SET refund_id = '' WHERE refund_id IS NULL;
ALTER TABLE posting_sets DROP COLUMN subject, DROP COLUMN booked_at;
ALTER TABLE posting_sets ALTER COLUMN payment_id SET NOT NULL;
ALTER TABLE posting_sets ALTER COLUMN refund_id SET NOT NULL;
ALTER TABLE posting_sets ADD UNIQUE (tenant_id, payment_id, refund_id, kind, part);
ALTER TABLE posting_sets DROP CONSTRAINT posting_sets_tenant_id_fkey;
DROP INDEX posting_sets_by_payment;
ALTER TABLE postings DROP CONSTRAINT postings_pkey;
ALTER TABLE postings ADD PRIMARY KEY (set_id, idx);
DROP INDEX postings_by_account;
CREATE INDEX postings_by_account ON postings (tenant_id, currency, account);
ALTER TABLE posting_sets ENABLE TRIGGER posting_sets_no_change;
ALTER TABLE postings ENABLE TRIGGER postings_no_change;
