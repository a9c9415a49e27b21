-- Disputes among the movements of bills, and in the channel's own words.

ALTER TABLE bill_lines DROP CONSTRAINT bill_lines_movement_check;
ALTER TABLE bill_lines ADD CONSTRAINT bill_lines_movement_check
CHECK (movement IN ('payment', 'refund', 'reversal', 'chargeback', 'chargeback_reversal', 'unreadable'));

-- Under which number bills list the case, where that is another than the reference that was written down.
ALTER TABLE disputes ADD COLUMN bill_number TEXT;
-- The moment of the channel's newest word that was heard.
ALTER TABLE disputes ADD COLUMN heard_at BIGINT;
CREATE UNIQUE INDEX disputes_by_bill_number
ON disputes (tenant_id, channel_account_id, COALESCE(bill_number, case_reference));
