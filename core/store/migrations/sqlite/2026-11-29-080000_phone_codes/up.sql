-- A terminal with no network signs codes that the customer's phone carries here: the key of its certificate (an uncompressed point of P-256) is
-- kept. Null in what was issued before, until a journal brings the certificate.
ALTER TABLE terminal_certificates ADD COLUMN public_key BLOB;

-- Where a merchant lets its terminals show such codes, and how.
CREATE TABLE phone_policies (
    tenant_id TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    -- By which customers pay.
    channel_account_id TEXT NOT NULL,
    sale_minor_max BIGINT NOT NULL CHECK (sale_minor_max > 0),
    code_seconds BIGINT NOT NULL CHECK (code_seconds > 0),
    -- How old a terminal's copy of all this may be.
    list_hours_max BIGINT NOT NULL CHECK (list_hours_max > 0),
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id),
    FOREIGN KEY (tenant_id, channel_account_id) REFERENCES channel_accounts (tenant_id, id)
);
