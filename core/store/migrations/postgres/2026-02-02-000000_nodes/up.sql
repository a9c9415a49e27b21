-- The running cores on this database. A row whose beats stand still belongs to one that died.
CREATE TABLE nodes (
    id TEXT NOT NULL PRIMARY KEY,
    beats BIGINT NOT NULL
);
-- The node whose broker the terminal is connected to.
ALTER TABLE terminals ADD COLUMN node_id TEXT;
UPDATE terminals SET online = false;
CREATE INDEX terminals_by_node ON terminals (node_id) WHERE node_id IS NOT NULL;
CREATE INDEX terminal_certificates_revoked ON terminal_certificates (revoked_at) WHERE revoked_at IS NOT NULL;
