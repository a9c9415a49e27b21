-- The trace (W3C Trace Context) in which an event happened and a message was written: what is done later because of it is
-- found from there. Empty where nobody traced, and for older rows.
ALTER TABLE payment_events ADD COLUMN traceparent TEXT;
ALTER TABLE outbox ADD COLUMN traceparent TEXT;
