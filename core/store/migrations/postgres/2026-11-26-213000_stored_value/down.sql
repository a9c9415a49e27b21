DROP TABLE stored_value_codes;
DROP TABLE stored_value_charges;
DROP TABLE stored_value_movements;
DROP TABLE stored_value_accounts;
