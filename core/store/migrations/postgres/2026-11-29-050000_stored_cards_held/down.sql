-- Of what was said of a loss the last stays.
DROP TRIGGER stored_card_resolutions_no_change ON stored_card_resolutions;
DELETE FROM stored_card_resolutions older USING stored_card_resolutions later
WHERE later.tenant_id = older.tenant_id AND later.payment_id = older.payment_id AND later.at > older.at;
ALTER TABLE stored_card_resolutions DROP CONSTRAINT stored_card_resolutions_pkey;
ALTER TABLE stored_card_resolutions ADD PRIMARY KEY (tenant_id, payment_id);
CREATE TRIGGER stored_card_resolutions_no_change BEFORE UPDATE OR DELETE ON stored_card_resolutions
FOR EACH ROW EXECUTE FUNCTION written_once();

DROP INDEX payment_cards_by_reading;
DELETE FROM payment_cards WHERE read_before;
ALTER TABLE payment_cards DROP COLUMN read_before;
ALTER TABLE payment_cards ADD UNIQUE (tenant_id, ksn);
