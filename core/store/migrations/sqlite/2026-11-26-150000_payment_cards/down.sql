DROP TABLE payment_cards;
