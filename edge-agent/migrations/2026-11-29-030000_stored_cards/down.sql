DROP TABLE stored_cards;
