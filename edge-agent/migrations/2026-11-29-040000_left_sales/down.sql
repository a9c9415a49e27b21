DROP INDEX sales_open;
UPDATE sales SET open = 1 WHERE open = 2;
CREATE INDEX sales_open ON sales (counter) WHERE open = 1;
