-- Closed-loop stored value: what holders have paid in at the tenant that issues it, and spent.

CREATE TABLE stored_value_accounts (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    holder TEXT NOT NULL,
    -- As the tenant numbers its holders.
    reference TEXT,
    currency TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'frozen', 'closed')),
    -- The sum of its movements, kept beside them.
    balance_minor BIGINT NOT NULL CHECK (balance_minor >= 0),
    charge_minor_max BIGINT CHECK (charge_minor_max > 0),
    day_minor_max BIGINT CHECK (day_minor_max > 0),
    balance_minor_max BIGINT CHECK (balance_minor_max > 0),
    -- How many movements it has.
    movements BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, reference),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);
CREATE INDEX stored_value_accounts_by_time ON stored_value_accounts (tenant_id, created_at, id);

CREATE TABLE stored_value_movements (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    -- From 1, without gaps in an account.
    sequence BIGINT NOT NULL,
    kind TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor <> 0),
    -- After it.
    balance_minor BIGINT NOT NULL CHECK (balance_minor >= 0),
    -- Of charges and what came back of them: who accepted it, the number that they gave it, and the charge's.
    acceptor TEXT,
    number TEXT,
    charge_number TEXT,
    -- The movement that this one takes back.
    reverses TEXT,
    reason TEXT,
    made_by TEXT NOT NULL,
    -- The tenant's day, and the moment.
    day TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, account_id, sequence),
    UNIQUE (tenant_id, reverses),
    UNIQUE (tenant_id, acceptor, kind, number),
    FOREIGN KEY (tenant_id, account_id) REFERENCES stored_value_accounts (tenant_id, id)
);
CREATE INDEX stored_value_movements_by_acceptor ON stored_value_movements (tenant_id, acceptor, at, id);

CREATE TABLE stored_value_charges (
    tenant_id TEXT NOT NULL,
    acceptor TEXT NOT NULL,
    number TEXT NOT NULL,
    -- None where the code named none, or the charge was cancelled before it came.
    account_id TEXT,
    state TEXT NOT NULL CHECK (state IN ('barred', 'refused', 'charged', 'cancelled')),
    currency TEXT,
    amount_minor BIGINT CHECK (amount_minor > 0),
    returned_minor BIGINT NOT NULL CHECK (returned_minor >= 0),
    refusal TEXT,
    -- The first movement, which is the issuer's own number of it.
    movement_id TEXT,
    day TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, acceptor, number),
    FOREIGN KEY (tenant_id, account_id) REFERENCES stored_value_accounts (tenant_id, id),
    CHECK (state = 'barred' OR (currency IS NOT NULL AND amount_minor IS NOT NULL)),
    CHECK (returned_minor = 0 OR returned_minor <= amount_minor)
);
CREATE INDEX stored_value_charges_by_day ON stored_value_charges (tenant_id, account_id, day);

-- The code that an account shows now. A new one takes its place; a charge uses it up.
CREATE TABLE stored_value_codes (
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    -- SHA-256 of it.
    code_hash BLOB NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, account_id),
    UNIQUE (tenant_id, code_hash),
    FOREIGN KEY (tenant_id, account_id) REFERENCES stored_value_accounts (tenant_id, id)
);

CREATE TRIGGER stored_value_movements_no_update BEFORE UPDATE ON stored_value_movements
BEGIN SELECT RAISE(ABORT, 'stored_value_movements is written once'); END;
CREATE TRIGGER stored_value_movements_no_delete BEFORE DELETE ON stored_value_movements
BEGIN SELECT RAISE(ABORT, 'stored_value_movements is written once'); END;
