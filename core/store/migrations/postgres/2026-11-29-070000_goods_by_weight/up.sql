-- Whether the price is of a kilogram, and what is sold is weighed.
ALTER TABLE goods ADD COLUMN by_weight BOOLEAN NOT NULL DEFAULT FALSE;
