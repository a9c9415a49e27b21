DROP TRIGGER journal_entries_no_update;
ALTER TABLE journal_entries DROP COLUMN signature;
ALTER TABLE journal_entries DROP COLUMN signed_by;
CREATE TRIGGER journal_entries_no_update BEFORE UPDATE OF sequence, at, prev_hash, hash, payload ON journal_entries
BEGIN SELECT RAISE(ABORT, 'journal_entries is written once'); END;
