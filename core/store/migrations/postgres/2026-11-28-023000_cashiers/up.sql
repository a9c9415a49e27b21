-- People who sign on at tills by a staff code and a PIN. stores: ids with spaces between; none means all of them.
CREATE TABLE cashiers (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    id TEXT NOT NULL,
    staff_code TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    stores TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    -- The argon2id verifier of the PIN, sealed under the tenant's data key.
    pin BYTEA NOT NULL,
    pin_set_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, staff_code)
);

-- What holds for all of a tenant's cashiers, and the version that grows with each change of any of them.
CREATE TABLE cashier_lists (
    tenant_id TEXT NOT NULL PRIMARY KEY REFERENCES tenants (id),
    version BIGINT NOT NULL,
    supervisor_for TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

SELECT saoma_isolate('cashiers');
SELECT saoma_isolate('cashier_lists');
