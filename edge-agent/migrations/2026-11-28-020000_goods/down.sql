DROP TABLE tax_rates;
DROP TABLE goods_barcodes;
DROP TABLE goods;
DELETE FROM meta WHERE name = 'goods_through';
