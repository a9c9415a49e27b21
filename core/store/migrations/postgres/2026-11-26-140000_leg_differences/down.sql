CREATE TABLE batch_differences (
    tenant_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    class TEXT NOT NULL,
    fields TEXT NOT NULL,
    fix TEXT NOT NULL,
    terminal_json TEXT,
    core_json TEXT,
    found_at BIGINT NOT NULL,
    closed_at BIGINT,
    PRIMARY KEY (tenant_id, batch_id, subject),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES batches (tenant_id, id)
);
INSERT INTO batch_differences SELECT tenant_id, place, subject, class, fields, fix, terminal_json, core_json, found_at, closed_at
    FROM leg_differences WHERE place NOT LIKE '%/%';
DROP TABLE leg_differences;
SELECT saoma_isolate('batch_differences');
