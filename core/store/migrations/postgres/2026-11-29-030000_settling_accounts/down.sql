DROP TABLE settling_accounts;
