ALTER TABLE nodes DROP COLUMN masters;
ALTER TABLE server_keys DROP COLUMN master;
INSERT INTO meta (name, value)
SELECT 'master_key', name FROM master_keys WHERE retired_at IS NULL ORDER BY began_at DESC LIMIT 1;
DROP TABLE master_keys;
