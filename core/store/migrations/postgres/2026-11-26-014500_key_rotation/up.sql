-- The master keys that this database was ever sealed under, by name; the keys themselves are files. The newest is the one
-- that seals; one that is retired seals nothing any more.
CREATE TABLE master_keys (
    name TEXT NOT NULL PRIMARY KEY,
    began_at BIGINT NOT NULL,
    retired_at BIGINT
);
INSERT INTO master_keys (name, began_at)
SELECT value, COALESCE((SELECT MIN(created_at) FROM server_keys), 0) FROM meta WHERE name = 'master_key';
DELETE FROM meta WHERE name = 'master_key';

UPDATE tenant_keys SET master = COALESCE((SELECT name FROM master_keys), master);
ALTER TABLE server_keys ADD COLUMN master TEXT NOT NULL DEFAULT '';
UPDATE server_keys SET master = COALESCE((SELECT name FROM master_keys), '');

-- The names of the master keys that a node can read, separated by commas.
ALTER TABLE nodes ADD COLUMN masters TEXT NOT NULL DEFAULT '';
