ALTER TABLE settlement_batches DROP COLUMN sent_set;
ALTER TABLE settling_accounts DROP COLUMN busy_until;
