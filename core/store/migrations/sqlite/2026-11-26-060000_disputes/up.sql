-- Customers' disputes of payments. What happened to one stands in payment_events, which is written once.

CREATE TABLE disputes (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    channel_account_id TEXT NOT NULL,
    -- The channel's own number of the case.
    case_reference TEXT NOT NULL,
    reason_code TEXT,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    state TEXT NOT NULL CHECK (state IN ('needs_response', 'under_review', 'accepted', 'won', 'lost')),
    -- Until when the channel waits for evidence.
    respond_by BIGINT CHECK (respond_by IS NULL OR state = 'needs_response'),
    accepted BOOLEAN NOT NULL,
    fee_minor BIGINT CHECK (fee_minor IS NULL OR (fee_minor > 0 AND state IN ('won', 'lost'))),
    evidence TEXT,
    opened_by TEXT NOT NULL,
    attention_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, channel_account_id, case_reference),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id),
    FOREIGN KEY (tenant_id, channel_account_id) REFERENCES channel_accounts (tenant_id, id)
);
CREATE INDEX disputes_by_payment ON disputes (tenant_id, payment_id, created_at);
CREATE INDEX disputes_by_time ON disputes (tenant_id, created_at, id);
CREATE INDEX disputes_attention ON disputes (tenant_id, attention_at) WHERE attention_at IS NOT NULL;
CREATE INDEX disputes_due ON disputes (respond_by) WHERE state = 'needs_response' AND attention_at IS NULL;

ALTER TABLE payment_events ADD COLUMN dispute_id TEXT;
