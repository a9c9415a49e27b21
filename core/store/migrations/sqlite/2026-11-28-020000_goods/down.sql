DROP TABLE goods_barcodes;
DROP TABLE goods;
DROP TABLE tax_rates;
