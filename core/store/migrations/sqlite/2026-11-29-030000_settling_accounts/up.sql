-- How an account stands that settles batches, beside its batches. Written before the first payment through it is.
CREATE TABLE settling_accounts (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    channel_account_id TEXT NOT NULL,
    -- The first batch begins behind this set: what is older, the scheme has closed by itself, before core settled with it.
    from_set BIGINT NOT NULL,
    -- Since when a close is wanted among payments under way, by whom, when new ones were held back for it last, and how often.
    wanted_at BIGINT,
    wanted_by TEXT,
    held_at BIGINT,
    holds INTEGER NOT NULL,
    -- Since when a person is called about that.
    attention_at BIGINT,
    PRIMARY KEY (tenant_id, channel_account_id),
    FOREIGN KEY (tenant_id, channel_account_id) REFERENCES channel_accounts (tenant_id, id)
);

CREATE INDEX settling_accounts_held ON settling_accounts (held_at) WHERE held_at IS NOT NULL;
