ALTER TABLE hand_settlements DROP COLUMN denied_behind;
ALTER TABLE settling_accounts DROP COLUMN put_off_at;
ALTER TABLE settlement_batches DROP COLUMN unsent;
