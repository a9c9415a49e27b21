-- Whether it is known that nothing of a batch ever left; such a one can be taken back. Of what was closed before, nobody knows.
ALTER TABLE settlement_batches ADD COLUMN unsent BOOLEAN NOT NULL DEFAULT FALSE;
-- When a person put a close off: on that day of the merchant's core closes nothing of the account by itself.
ALTER TABLE settling_accounts ADD COLUMN put_off_at BIGINT;
-- What two persons called paid, and never was: of its sets, those behind this one are in no batch.
ALTER TABLE hand_settlements ADD COLUMN denied_behind BIGINT;
