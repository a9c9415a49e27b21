ALTER TABLE channel_accounts DROP COLUMN working_keys;
