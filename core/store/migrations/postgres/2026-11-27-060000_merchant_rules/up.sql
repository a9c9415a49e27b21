-- A merchant's own rules: the extension that has them, and the merchant's settings of it. refuse_on_failure names rules, with
-- spaces between.
CREATE TABLE merchant_rules (
    tenant_id TEXT NOT NULL PRIMARY KEY REFERENCES tenants (id),
    extension TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    settings_json TEXT NOT NULL,
    refuse_on_failure TEXT NOT NULL,
    version BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL
);

SELECT saoma_isolate('merchant_rules');
