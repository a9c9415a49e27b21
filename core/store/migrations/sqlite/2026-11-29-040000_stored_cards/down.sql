DROP TABLE stored_card_resolutions;
DROP TABLE stored_card_sales;
DROP TABLE card_policies;
