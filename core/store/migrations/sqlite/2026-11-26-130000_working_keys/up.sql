-- Keys that a scheme sent for this account, sealed: made anew by a sign-on, so that losing them costs one.
ALTER TABLE channel_accounts ADD COLUMN working_keys BLOB;
