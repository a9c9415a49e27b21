-- The catalogue as core has told of it. No secret: prices stand on the shelves. How far it goes is in `meta` (`goods_through`).
CREATE TABLE goods (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    price_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    tax_rate TEXT
) STRICT;

CREATE TABLE goods_barcodes (
    barcode TEXT NOT NULL PRIMARY KEY,
    goods TEXT NOT NULL
) STRICT;

CREATE INDEX goods_barcodes_of_goods ON goods_barcodes (goods);

CREATE TABLE tax_rates (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    -- In hundredths of a percent.
    basis_points INTEGER NOT NULL,
    included INTEGER NOT NULL
) STRICT;
