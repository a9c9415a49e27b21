DROP TRIGGER journal_entries_no_update ON journal_entries;
ALTER TABLE journal_entries DROP COLUMN signature;
ALTER TABLE journal_entries DROP COLUMN signed_by;
CREATE TRIGGER journal_entries_no_update BEFORE UPDATE OF sequence, at, prev_hash, hash, payload ON journal_entries
FOR EACH ROW EXECUTE FUNCTION written_once();
