-- What the issuer of stored value bears of a charge itself: an offline code that was spent twice moves nothing on its account, and the
-- acceptor is owed all of it.

-- The issuer's own part, beside what the account moved by.
ALTER TABLE stored_value_movements ADD COLUMN borne_minor BIGINT NOT NULL DEFAULT 0 CHECK (borne_minor >= 0);
ALTER TABLE stored_value_movements ALTER COLUMN borne_minor DROP DEFAULT;
ALTER TABLE stored_value_movements DROP CONSTRAINT stored_value_movements_amount_minor_check;
ALTER TABLE stored_value_movements ADD CHECK (amount_minor <> 0 OR borne_minor > 0);

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
CREATE TRIGGER offline_resolutions_no_change BEFORE UPDATE OR DELETE ON offline_resolutions
FOR EACH ROW EXECUTE FUNCTION written_once();
SELECT saoma_isolate('offline_resolutions');
