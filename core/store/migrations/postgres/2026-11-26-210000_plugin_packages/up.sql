-- Plugins as signed packages: whose signatures are believed, what was published, and what new payments go through. Their owner
-- is a tenant, or 'platform': then everybody may use them.

-- public_key is PEM. One that is revoked stays so.
CREATE TABLE plugin_publishers (
    tenant_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    name TEXT NOT NULL,
    public_key TEXT NOT NULL,
    trusted_at BIGINT NOT NULL,
    trusted_by TEXT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (tenant_id, key_id)
);

-- successor: what calls about the payments of a retired package go through ('built_in' or a content hash). component comes last
-- and is read alone: it has megabytes.
CREATE TABLE plugin_packages (
    tenant_id TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    plugin TEXT NOT NULL,
    version TEXT NOT NULL,
    contract TEXT NOT NULL,
    publisher TEXT NOT NULL,
    component_bytes BIGINT NOT NULL,
    published_at BIGINT NOT NULL,
    published_by TEXT NOT NULL,
    retired_at BIGINT,
    successor TEXT,
    envelope TEXT NOT NULL,
    component BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, content_hash),
    UNIQUE (tenant_id, plugin, version)
);

-- stable and previous: 'built_in' or a content hash; canary: a content hash.
CREATE TABLE plugin_rollouts (
    tenant_id TEXT NOT NULL,
    plugin TEXT NOT NULL,
    stable TEXT NOT NULL,
    previous TEXT,
    canary TEXT,
    version BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (tenant_id, plugin)
);

-- The tenants of the platform's canary of a plugin.
CREATE TABLE plugin_canaries (
    plugin TEXT NOT NULL,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    PRIMARY KEY (plugin, tenant_id)
);

-- The package that a payment goes through, from its first call to its last refund; without a row, the built-in. Apart from the
-- payment, since diesel counts 32 columns.
CREATE TABLE payment_packages (
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    package TEXT NOT NULL,
    PRIMARY KEY (tenant_id, payment_id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id)
);
CREATE INDEX payment_packages_named ON payment_packages (package);

-- Whether a package fits is asked of every account of its plugin.
CREATE INDEX channel_accounts_plugin ON channel_accounts (plugin);

SELECT saoma_isolate('plugin_publishers');
SELECT saoma_isolate('plugin_packages');
SELECT saoma_isolate('plugin_rollouts');
SELECT saoma_isolate('plugin_canaries');
SELECT saoma_isolate('payment_packages');
