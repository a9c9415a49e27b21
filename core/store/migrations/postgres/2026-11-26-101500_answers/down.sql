DROP INDEX idempotency_answers;
ALTER TABLE idempotency_keys DROP COLUMN answer_until;
ALTER TABLE idempotency_keys DROP COLUMN answer;
