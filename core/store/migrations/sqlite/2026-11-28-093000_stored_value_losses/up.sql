-- What the issuer of stored value bears of a charge itself: an offline code that was spent twice moves nothing on its account, and the
-- acceptor is owed all of it.

-- SQLite cannot change a CHECK.
CREATE TABLE stored_value_movements_new (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    -- From 1, without gaps in an account.
    sequence BIGINT NOT NULL,
    kind TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
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
    -- The issuer's own part, beside what the account moved by.
    borne_minor BIGINT NOT NULL CHECK (borne_minor >= 0),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, account_id, sequence),
    UNIQUE (tenant_id, reverses),
    UNIQUE (tenant_id, acceptor, kind, number),
    FOREIGN KEY (tenant_id, account_id) REFERENCES stored_value_accounts (tenant_id, id),
    CHECK (amount_minor <> 0 OR borne_minor > 0)
);
INSERT INTO stored_value_movements_new SELECT *, 0 FROM stored_value_movements;
DROP TABLE stored_value_movements;
ALTER TABLE stored_value_movements_new RENAME TO stored_value_movements;
CREATE INDEX stored_value_movements_by_acceptor ON stored_value_movements (tenant_id, acceptor, at, id);
CREATE TRIGGER stored_value_movements_no_update BEFORE UPDATE ON stored_value_movements
BEGIN SELECT RAISE(ABORT, 'stored_value_movements is written once'); END;
CREATE TRIGGER stored_value_movements_no_delete BEFORE DELETE ON stored_value_movements
BEGIN SELECT RAISE(ABORT, 'stored_value_movements is written once'); END;

-- Of the charge's amount, what the account did not cover.
ALTER TABLE stored_value_charges ADD COLUMN borne_minor BIGINT NOT NULL DEFAULT 0 CHECK (borne_minor >= 0);

-- What a person decided about an offline code that was too much: once.
CREATE TABLE offline_resolutions (
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    -- Taken from the account for it; the rest stays the issuer's loss.
    recovered_minor BIGINT NOT NULL CHECK (recovered_minor >= 0),
    reason TEXT NOT NULL,
    made_by TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, payment_id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES offline_spends (tenant_id, payment_id)
);
CREATE TRIGGER offline_resolutions_no_update BEFORE UPDATE ON offline_resolutions
BEGIN SELECT RAISE(ABORT, 'offline_resolutions is written once'); END;
CREATE TRIGGER offline_resolutions_no_delete BEFORE DELETE ON offline_resolutions
BEGIN SELECT RAISE(ABORT, 'offline_resolutions is written once'); END;
