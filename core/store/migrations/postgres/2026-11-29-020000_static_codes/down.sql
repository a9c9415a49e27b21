DROP TABLE static_code_payments;
DROP TABLE static_codes;
