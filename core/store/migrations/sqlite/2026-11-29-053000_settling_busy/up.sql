-- Until when something may be going out through the account that a batch is not counted among.
ALTER TABLE settling_accounts ADD COLUMN busy_until BIGINT;
-- Of a batch that is uploaded: behind which set its next row is looked for. What was on its way is uploaded from its first row on.
ALTER TABLE settlement_batches ADD COLUMN sent_set BIGINT NOT NULL DEFAULT 0;
UPDATE settlement_batches SET sent_set = after_set;
UPDATE settlement_batches SET sent = 0 WHERE state = 'uploading';
