DROP INDEX disputes_by_bill_number;
ALTER TABLE disputes DROP COLUMN heard_at;
ALTER TABLE disputes DROP COLUMN bill_number;
CREATE TABLE bill_lines_new (
    tenant_id TEXT NOT NULL,
    bill BIGINT NOT NULL,
    number TEXT NOT NULL,
    movement TEXT NOT NULL CHECK (movement IN ('payment', 'refund', 'reversal', 'unreadable')),
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
INSERT INTO bill_lines_new SELECT * FROM bill_lines WHERE movement NOT IN ('chargeback', 'chargeback_reversal');
DROP TABLE bill_lines;
ALTER TABLE bill_lines_new RENAME TO bill_lines;
