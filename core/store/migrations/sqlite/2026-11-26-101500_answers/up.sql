-- What a request was answered, sealed, for those who did not hear it: kept beside its key until the moment named.
ALTER TABLE idempotency_keys ADD COLUMN answer BLOB;
ALTER TABLE idempotency_keys ADD COLUMN answer_until BIGINT;
CREATE INDEX idempotency_answers ON idempotency_keys (answer_until) WHERE answer_until IS NOT NULL;
