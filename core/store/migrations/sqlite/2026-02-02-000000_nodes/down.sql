DROP INDEX terminal_certificates_revoked;
DROP INDEX terminals_by_node;
ALTER TABLE terminals DROP COLUMN node_id;
DROP TABLE nodes;
