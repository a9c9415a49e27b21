-- One schema for both databases, kept the same by tests/it/schema.rs. Moments are milliseconds since 1970 (BIGINT), ids are
-- their wire text, money is minor units (BIGINT) beside its currency, JSON is text. A row of a tenant carries the tenant;
-- keys of rows whose ids are made outside core begin with it.

CREATE TABLE tenants (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    currency TEXT NOT NULL,
    late_policy TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE stores (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE terminals (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    store_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    enrolled_at BIGINT,
    revoked_at BIGINT,
    online BOOLEAN NOT NULL,
    last_seen_at BIGINT,
    health_json TEXT,
    health_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, number),
    FOREIGN KEY (tenant_id, store_id) REFERENCES stores (tenant_id, id)
);

CREATE TABLE terminal_claims (
    code_hash BLOB NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    terminal_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    withdrawn_at BIGINT,
    FOREIGN KEY (tenant_id, terminal_id) REFERENCES terminals (tenant_id, id)
);
CREATE INDEX terminal_claims_by_terminal ON terminal_claims (tenant_id, terminal_id);

CREATE TABLE terminal_certificates (
    serial TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    terminal_id TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    revoked_at BIGINT,
    FOREIGN KEY (tenant_id, terminal_id) REFERENCES terminals (tenant_id, id)
);
CREATE INDEX terminal_certificates_by_terminal ON terminal_certificates (tenant_id, terminal_id);

-- tenant_id is empty for the platform's own people, here and in sessions.
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT REFERENCES tenants (id),
    login TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    must_change_password BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX users_by_tenant ON users (tenant_id, login);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT REFERENCES tenants (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    refresh_hash BLOB NOT NULL,
    previous_hash BLOB,
    label TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    refreshed_at BIGINT,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    scopes_json TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT
);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, created_at);

CREATE TABLE channel_accounts (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    id TEXT NOT NULL UNIQUE,
    plugin TEXT NOT NULL,
    name TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    settings_json TEXT NOT NULL,
    secrets BLOB,
    fee_basis_points INTEGER NOT NULL CHECK (fee_basis_points BETWEEN 0 AND 10000),
    priority INTEGER NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE tenant_keys (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    number INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    master TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, number)
);

CREATE TABLE server_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    public_part TEXT NOT NULL,
    ciphertext BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);
CREATE INDEX server_keys_by_kind ON server_keys (kind, created_at);

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE idempotency_keys (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    route TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    claimed_at BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    answered_at BIGINT,
    status INTEGER,
    body TEXT,
    PRIMARY KEY (tenant_id, route, idempotency_key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (claimed_at);

CREATE TABLE orders (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    store_id TEXT NOT NULL,
    terminal_id TEXT,
    counter BIGINT,
    cashier TEXT,
    reference TEXT,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    goods_json TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, store_id) REFERENCES stores (tenant_id, id),
    FOREIGN KEY (tenant_id, terminal_id) REFERENCES terminals (tenant_id, id)
);

CREATE TABLE payments (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    store_id TEXT NOT NULL,
    terminal_id TEXT,
    channel TEXT NOT NULL,
    channel_account_id TEXT,
    channel_reference TEXT,
    payer_hint TEXT,
    method TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    fee_basis_points INTEGER NOT NULL CHECK (fee_basis_points BETWEEN 0 AND 10000),
    -- The domain's state, its parts in the columns up to failure_message, and the state as the wire has it.
    state TEXT NOT NULL,
    public_state TEXT NOT NULL,
    since BIGINT,
    expires_at BIGINT,
    close TEXT,
    captured_at BIGINT,
    paid_late BOOLEAN NOT NULL,
    refunded_minor BIGINT NOT NULL CHECK (refunded_minor >= 0),
    reserved_minor BIGINT NOT NULL CHECK (reserved_minor >= 0),
    failure_code TEXT,
    failure_message TEXT,
    close_asked_at BIGINT,
    next_attempt_at BIGINT,
    attempts INTEGER NOT NULL,
    lease_until BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CHECK (refunded_minor + reserved_minor <= amount_minor),
    FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id),
    FOREIGN KEY (tenant_id, store_id) REFERENCES stores (tenant_id, id),
    FOREIGN KEY (tenant_id, terminal_id) REFERENCES terminals (tenant_id, id),
    FOREIGN KEY (tenant_id, channel_account_id) REFERENCES channel_accounts (tenant_id, id)
);
CREATE INDEX payments_by_age ON payments (tenant_id, created_at, id);
CREATE INDEX payments_by_terminal ON payments (tenant_id, terminal_id, created_at);
CREATE INDEX payments_by_order ON payments (tenant_id, order_id);
CREATE INDEX payments_on_show ON payments (expires_at) WHERE state = 'presenting';
CREATE INDEX payments_due ON payments (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

CREATE TABLE pay_codes (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    channel_code TEXT NOT NULL,
    scans INTEGER NOT NULL,
    scan_limit INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    UNIQUE (tenant_id, payment_id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id)
);

CREATE TABLE refunds (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    state TEXT NOT NULL,
    failure_code TEXT,
    failure_message TEXT,
    reason TEXT,
    requested_by TEXT NOT NULL,
    channel_reference TEXT,
    next_attempt_at BIGINT,
    attempts INTEGER NOT NULL,
    lease_until BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id)
);
CREATE INDEX refunds_by_payment ON refunds (tenant_id, payment_id, created_at);
CREATE INDEX refunds_due ON refunds (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

CREATE TABLE payment_events (
    sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    refund_id TEXT,
    version BIGINT NOT NULL,
    kind TEXT NOT NULL,
    data_json TEXT NOT NULL,
    actor TEXT NOT NULL,
    store_id TEXT NOT NULL,
    terminal_id TEXT,
    at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id)
);
CREATE INDEX payment_events_by_tenant ON payment_events (tenant_id, sequence);
CREATE INDEX payment_events_by_payment ON payment_events (tenant_id, payment_id, sequence);

-- refund_id is the empty text where there is none: a unique key takes empty columns for different ones.
CREATE TABLE posting_sets (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    refund_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    part INTEGER NOT NULL,
    channel_account_id TEXT,
    at BIGINT NOT NULL,
    UNIQUE (tenant_id, payment_id, refund_id, kind, part),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id)
);

CREATE TABLE postings (
    tenant_id TEXT NOT NULL,
    set_id BIGINT NOT NULL REFERENCES posting_sets (id),
    idx INTEGER NOT NULL,
    account TEXT NOT NULL,
    channel_account_id TEXT,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor <> 0),
    PRIMARY KEY (set_id, idx)
);
CREATE INDEX postings_by_account ON postings (tenant_id, currency, account);

CREATE TABLE outbox (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    kind TEXT NOT NULL,
    terminal_id TEXT,
    payload TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    acked_at BIGINT,
    FOREIGN KEY (tenant_id, terminal_id) REFERENCES terminals (tenant_id, id)
);
CREATE INDEX outbox_due ON outbox (kind, next_at) WHERE acked_at IS NULL;
CREATE INDEX outbox_pending ON outbox (tenant_id, terminal_id, id) WHERE acked_at IS NULL;
CREATE INDEX outbox_acked ON outbox (acked_at) WHERE acked_at IS NOT NULL;

CREATE TABLE journal_entries (
    tenant_id TEXT NOT NULL,
    terminal_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    payload TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    verdict TEXT,
    why TEXT,
    PRIMARY KEY (tenant_id, terminal_id, sequence),
    FOREIGN KEY (tenant_id, terminal_id) REFERENCES terminals (tenant_id, id)
);
CREATE INDEX journal_entries_held ON journal_entries (tenant_id, received_at) WHERE verdict IS NOT NULL;

CREATE TABLE plugin_kv (
    tenant_id TEXT NOT NULL,
    channel_account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, channel_account_id, name),
    FOREIGN KEY (tenant_id, channel_account_id) REFERENCES channel_accounts (tenant_id, id)
);

-- tenant_id is `platform` for the platform's own log.
CREATE TABLE audit_log (
    tenant_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail_json TEXT NOT NULL,
    at BIGINT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (tenant_id, sequence)
);

-- What is written once. The program has no statement that changes these; the database holds it to that.
CREATE TRIGGER payment_events_no_update BEFORE UPDATE ON payment_events
BEGIN SELECT RAISE(ABORT, 'payment_events is written once'); END;
CREATE TRIGGER payment_events_no_delete BEFORE DELETE ON payment_events
BEGIN SELECT RAISE(ABORT, 'payment_events is written once'); END;
CREATE TRIGGER posting_sets_no_update BEFORE UPDATE ON posting_sets
BEGIN SELECT RAISE(ABORT, 'posting_sets is written once'); END;
CREATE TRIGGER posting_sets_no_delete BEFORE DELETE ON posting_sets
BEGIN SELECT RAISE(ABORT, 'posting_sets is written once'); END;
CREATE TRIGGER postings_no_update BEFORE UPDATE ON postings
BEGIN SELECT RAISE(ABORT, 'postings is written once'); END;
CREATE TRIGGER postings_no_delete BEFORE DELETE ON postings
BEGIN SELECT RAISE(ABORT, 'postings is written once'); END;
CREATE TRIGGER journal_entries_no_update BEFORE UPDATE OF sequence, at, prev_hash, hash, payload ON journal_entries
BEGIN SELECT RAISE(ABORT, 'journal_entries is written once'); END;
CREATE TRIGGER journal_entries_no_delete BEFORE DELETE ON journal_entries
BEGIN SELECT RAISE(ABORT, 'journal_entries is written once'); END;
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is written once'); END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is written once'); END;
