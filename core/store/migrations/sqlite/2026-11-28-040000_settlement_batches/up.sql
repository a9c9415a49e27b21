-- What moved through a channel account between two settlements at its scheme. Which rows those are follows from the books: the
-- account's sets after `after_set`, through `through_set`, which never change. A row is written before the first message leaves.
CREATE TABLE settlement_batches (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    id TEXT NOT NULL,
    channel_account_id TEXT NOT NULL,
    -- From 1, for each account.
    sequence BIGINT NOT NULL,
    after_set BIGINT NOT NULL,
    through_set BIGINT NOT NULL,
    row_count INTEGER NOT NULL,
    totals_json TEXT NOT NULL,
    -- closing, uploading, settled, differs
    state TEXT NOT NULL,
    -- Rows that the scheme took.
    sent INTEGER NOT NULL,
    -- The scheme's own totals, if it said them.
    theirs_json TEXT,
    -- What keeps it from its end, or what the scheme said of it.
    words TEXT,
    closed_by TEXT NOT NULL,
    closed_at BIGINT NOT NULL,
    -- Until when new payments of the account wait for it.
    holds_until BIGINT NOT NULL,
    next_attempt_at BIGINT,
    lease_until BIGINT,
    attempts INTEGER NOT NULL,
    attention_at BIGINT,
    ended_at BIGINT,
    resolved_by TEXT,
    resolved_at BIGINT,
    resolution TEXT,
    version BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, channel_account_id, sequence),
    FOREIGN KEY (tenant_id, channel_account_id) REFERENCES channel_accounts (tenant_id, id)
);

-- One of an account at a time.
CREATE UNIQUE INDEX settlement_batches_on_their_way ON settlement_batches (tenant_id, channel_account_id)
    WHERE state IN ('closing', 'uploading');
CREATE INDEX settlement_batches_due ON settlement_batches (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX settlement_batches_by_age ON settlement_batches (tenant_id, closed_at, id);

-- In the order in which they came into the books.
CREATE INDEX posting_sets_of_channel ON posting_sets (tenant_id, channel_account_id, id) WHERE part = 0;
