-- What a merchant sells, and the taxes on it. A version is drawn for each change, one number for both tables of a tenant, growing in
-- the order of the commits: a terminal asks for what is above the one that it has. No row goes; what is not sold any more is inactive.
CREATE TABLE tax_rates (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    -- In hundredths of a percent.
    basis_points INTEGER NOT NULL,
    -- Whether prices contain the tax; else it comes on top.
    included BOOLEAN NOT NULL,
    active BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, version)
);

CREATE TABLE goods (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    -- With spaces between.
    barcodes TEXT NOT NULL,
    price_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    tax_rate_id TEXT,
    -- Ids with spaces between; empty: sold in all of them.
    stores TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, version),
    FOREIGN KEY (tenant_id, tax_rate_id) REFERENCES tax_rates (tenant_id, id)
);

CREATE INDEX goods_by_age ON goods (tenant_id, created_at, id);

-- The barcodes of active goods: each means one thing.
CREATE TABLE goods_barcodes (
    tenant_id TEXT NOT NULL,
    barcode TEXT NOT NULL,
    goods_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, barcode),
    FOREIGN KEY (tenant_id, goods_id) REFERENCES goods (tenant_id, id)
);

CREATE INDEX goods_barcodes_of_goods ON goods_barcodes (tenant_id, goods_id);
