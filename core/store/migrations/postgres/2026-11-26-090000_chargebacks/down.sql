DROP INDEX disputes_by_bill_number;
ALTER TABLE disputes DROP COLUMN heard_at;
ALTER TABLE disputes DROP COLUMN bill_number;
DELETE FROM bill_lines WHERE movement IN ('chargeback', 'chargeback_reversal');
ALTER TABLE bill_lines DROP CONSTRAINT bill_lines_movement_check;
ALTER TABLE bill_lines ADD CONSTRAINT bill_lines_movement_check
CHECK (movement IN ('payment', 'refund', 'reversal', 'unreadable'));
