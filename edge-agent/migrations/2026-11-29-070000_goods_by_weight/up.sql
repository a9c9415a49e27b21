-- Whether the price is of a kilogram, and what is sold is weighed.
ALTER TABLE goods ADD COLUMN by_weight INTEGER NOT NULL DEFAULT 0;
-- Goods by weight were passed over: the catalogue is asked for from its beginning, and what is here is sold meanwhile. From here on an
-- entry may have goods that were weighed (format 8).
DELETE FROM meta WHERE name = 'goods_through';
