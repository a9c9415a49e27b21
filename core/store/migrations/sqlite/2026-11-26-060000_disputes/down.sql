ALTER TABLE payment_events DROP COLUMN dispute_id;
DROP TABLE disputes;
