-- Printed codes of small stalls: one for all customers, amounts within min_minor and max_minor of the tenant's currency.
CREATE TABLE static_codes (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    id TEXT NOT NULL UNIQUE,
    store_id TEXT NOT NULL,
    terminal_id TEXT,
    label TEXT NOT NULL,
    min_minor BIGINT NOT NULL,
    max_minor BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, store_id) REFERENCES stores (tenant_id, id)
);

-- Which payment came through which code, and the app whose page it was opened in; none where any browser pays.
CREATE TABLE static_code_payments (
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    static_code_id TEXT NOT NULL,
    app TEXT,
    PRIMARY KEY (tenant_id, payment_id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id),
    FOREIGN KEY (tenant_id, static_code_id) REFERENCES static_codes (tenant_id, id)
);

SELECT saoma_isolate('static_codes');
SELECT saoma_isolate('static_code_payments');
