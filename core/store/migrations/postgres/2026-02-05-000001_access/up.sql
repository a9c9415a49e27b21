-- A key keeps the fingerprint of the request it named; what was answered is what the key's payment or refund has become.
DROP TABLE idempotency_keys;
CREATE TABLE idempotency_keys (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    kind TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, kind, idempotency_key)
);

-- An IANA name: where the merchant's days begin and end.
ALTER TABLE tenants ADD COLUMN time_zone TEXT NOT NULL DEFAULT 'Etc/UTC';

-- A refresh token says by itself that core made it, so that every earlier one is known for what it is.
ALTER TABLE sessions DROP COLUMN previous_hash;

SELECT saoma_isolate('idempotency_keys');
