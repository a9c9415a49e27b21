ALTER TABLE static_codes DROP COLUMN announce_at;
