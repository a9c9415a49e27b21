DROP TABLE phone_policies;
ALTER TABLE terminal_certificates DROP COLUMN public_key;
