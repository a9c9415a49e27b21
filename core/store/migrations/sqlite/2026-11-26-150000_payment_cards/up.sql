-- What may be kept of the card that paid, so that the payment can be undone and given back: number and expiry as the terminal
-- encrypted them. Never track, PIN or code. Deleted after some months.
CREATE TABLE payment_cards (
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    entry TEXT NOT NULL,
    sequence_number INTEGER CHECK (sequence_number BETWEEN 0 AND 99),
    ksn BLOB NOT NULL,
    number BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, payment_id),
    -- A serial number is of one reading: whoever sends it again sends the same reading, not the card.
    UNIQUE (tenant_id, ksn),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id)
);

CREATE INDEX payment_cards_by_age ON payment_cards (created_at);
