ALTER TABLE phone_policies DROP COLUMN no_link_at;
