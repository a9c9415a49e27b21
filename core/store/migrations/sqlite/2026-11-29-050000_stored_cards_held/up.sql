-- Sales without a network that core may not forward by itself are kept for a person, with their card: also one whose card was read for another
-- payment. And a person may say more than once what is to become of a loss.

-- SQLite cannot drop a UNIQUE, or change a primary key.
CREATE TABLE payment_cards_new (
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    entry TEXT NOT NULL,
    sequence_number INTEGER CHECK (sequence_number BETWEEN 0 AND 99),
    ksn BLOB NOT NULL,
    number BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    -- This reading paid before: it proves nothing, and only a person lets it go out.
    read_before BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (tenant_id, payment_id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id)
);
INSERT INTO payment_cards_new SELECT *, FALSE FROM payment_cards;
DROP TABLE payment_cards;
ALTER TABLE payment_cards_new RENAME TO payment_cards;
CREATE INDEX payment_cards_by_age ON payment_cards (created_at);
-- A serial number is of one reading: whoever sends it again sends the same reading, not the card.
CREATE UNIQUE INDEX payment_cards_by_reading ON payment_cards (tenant_id, ksn) WHERE NOT read_before;

CREATE TABLE stored_card_resolutions_new (
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    -- The card may be sold to without a network again.
    unblocks BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    made_by TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, payment_id, at),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES stored_card_sales (tenant_id, payment_id)
);
INSERT INTO stored_card_resolutions_new SELECT * FROM stored_card_resolutions;
DROP TABLE stored_card_resolutions;
ALTER TABLE stored_card_resolutions_new RENAME TO stored_card_resolutions;
CREATE TRIGGER stored_card_resolutions_no_update BEFORE UPDATE ON stored_card_resolutions
BEGIN SELECT RAISE(ABORT, 'stored_card_resolutions is written once'); END;
CREATE TRIGGER stored_card_resolutions_no_delete BEFORE DELETE ON stored_card_resolutions
BEGIN SELECT RAISE(ABORT, 'stored_card_resolutions is written once'); END;
