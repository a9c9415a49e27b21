DROP TABLE pin_tries;
DROP TABLE cashiers;
