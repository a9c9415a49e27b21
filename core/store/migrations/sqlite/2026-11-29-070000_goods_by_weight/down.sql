ALTER TABLE goods DROP COLUMN by_weight;
