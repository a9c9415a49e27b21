DROP TABLE offline_resolutions;
ALTER TABLE stored_value_charges DROP COLUMN borne_minor;

CREATE TABLE stored_value_movements_new (
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
INSERT INTO stored_value_movements_new
SELECT tenant_id, id, account_id, sequence, kind, amount_minor, balance_minor, acceptor, number, charge_number, reverses, reason,
       made_by, day, at
FROM stored_value_movements WHERE amount_minor <> 0;
DROP TABLE stored_value_movements;
ALTER TABLE stored_value_movements_new RENAME TO stored_value_movements;
CREATE INDEX stored_value_movements_by_acceptor ON stored_value_movements (tenant_id, acceptor, at, id);
CREATE TRIGGER stored_value_movements_no_update BEFORE UPDATE ON stored_value_movements
BEGIN SELECT RAISE(ABORT, 'stored_value_movements is written once'); END;
CREATE TRIGGER stored_value_movements_no_delete BEFORE DELETE ON stored_value_movements
BEGIN SELECT RAISE(ABORT, 'stored_value_movements is written once'); END;
