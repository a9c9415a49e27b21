-- What is keyed while no shift is open belongs to no batch, and is compared by the day: differences stand under a batch's id, or
-- under `<terminal>/<day>`.
CREATE TABLE leg_differences (
    tenant_id TEXT NOT NULL,
    place TEXT NOT NULL,
    -- A payment's, a refund's or the batch's own id.
    subject TEXT NOT NULL,
    class TEXT NOT NULL,
    fields TEXT NOT NULL,
    fix TEXT NOT NULL,
    terminal_json TEXT,
    core_json TEXT,
    found_at BIGINT NOT NULL,
    -- When a later comparison found that both agree.
    closed_at BIGINT,
    PRIMARY KEY (tenant_id, place, subject),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);
INSERT INTO leg_differences SELECT tenant_id, batch_id, subject, class, fields, fix, terminal_json, core_json, found_at, closed_at FROM batch_differences;
DROP TABLE batch_differences;
CREATE INDEX leg_differences_open ON leg_differences (tenant_id, place) WHERE closed_at IS NULL;
SELECT saoma_isolate('leg_differences');
