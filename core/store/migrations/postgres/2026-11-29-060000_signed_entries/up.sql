-- Whose word an entry is: the serial number of the terminal's certificate, and the signature by its key. Null in what came before.
ALTER TABLE journal_entries ADD COLUMN signed_by TEXT;
ALTER TABLE journal_entries ADD COLUMN signature TEXT;
DROP TRIGGER journal_entries_no_update ON journal_entries;
CREATE TRIGGER journal_entries_no_update BEFORE UPDATE OF sequence, at, prev_hash, hash, payload, signed_by, signature ON journal_entries
FOR EACH ROW EXECUTE FUNCTION written_once();
