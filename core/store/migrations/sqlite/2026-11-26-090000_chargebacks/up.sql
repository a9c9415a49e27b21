-- Disputes among the movements of bills, and in the channel's own words.

-- SQLite cannot change a CHECK.
CREATE TABLE bill_lines_new (
    tenant_id TEXT NOT NULL,
    bill BIGINT NOT NULL,
    number TEXT NOT NULL,
    movement TEXT NOT NULL CHECK (movement IN ('payment', 'refund', 'reversal', 'chargeback', 'chargeback_reversal', 'unreadable')),
    line BIGINT NOT NULL,
    order_number TEXT NOT NULL,
    reference TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    fee_minor BIGINT NOT NULL,
    at BIGINT NOT NULL,
    words TEXT NOT NULL,
    PRIMARY KEY (tenant_id, bill, number, movement, line),
    FOREIGN KEY (tenant_id, bill) REFERENCES bills (tenant_id, id)
) WITHOUT ROWID;
INSERT INTO bill_lines_new SELECT * FROM bill_lines;
DROP TABLE bill_lines;
ALTER TABLE bill_lines_new RENAME TO bill_lines;

-- Under which number bills list the case, where that is another than the reference that was written down.
ALTER TABLE disputes ADD COLUMN bill_number TEXT;
-- The moment of the channel's newest word that was heard.
ALTER TABLE disputes ADD COLUMN heard_at BIGINT;
CREATE UNIQUE INDEX disputes_by_bill_number
ON disputes (tenant_id, channel_account_id, COALESCE(bill_number, case_reference));
