ALTER TABLE outbox DROP COLUMN traceparent;
ALTER TABLE payment_events DROP COLUMN traceparent;
