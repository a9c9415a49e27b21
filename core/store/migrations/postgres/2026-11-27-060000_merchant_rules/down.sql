DROP TABLE merchant_rules;
