-- Cards that are sold with a network away, and forwarded later (store-and-forward): what terminals may sell so, what they sold, and what the
-- acquirer refused of it.

CREATE TABLE card_policies (
    tenant_id TEXT NOT NULL,
    -- Terminals sell so.
    enabled BOOLEAN NOT NULL,
    -- Through which these sales are forwarded.
    channel_account_id TEXT NOT NULL,
    sale_minor_max BIGINT NOT NULL CHECK (sale_minor_max > 0),
    card_day_count_max BIGINT NOT NULL CHECK (card_day_count_max > 0),
    card_day_minor_max BIGINT NOT NULL CHECK (card_day_minor_max > 0),
    unsent_minor_max BIGINT NOT NULL CHECK (unsent_minor_max > 0),
    unsent_count_max BIGINT NOT NULL CHECK (unsent_count_max > 0),
    unsent_hours_max BIGINT NOT NULL CHECK (unsent_hours_max > 0),
    -- How old a terminal's copy of all this may be.
    list_hours_max BIGINT NOT NULL CHECK (list_hours_max > 0),
    stripe BOOLEAN NOT NULL,
    -- Leading digits of the numbers that are taken.
    prefixes_json TEXT NOT NULL,
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id),
    FOREIGN KEY (tenant_id, channel_account_id) REFERENCES channel_accounts (tenant_id, id)
);

CREATE TABLE stored_card_sales (
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    channel_account_id TEXT NOT NULL,
    -- From 1, for each account: the order in which they came in, and are forwarded.
    place BIGINT NOT NULL,
    terminal_id TEXT NOT NULL,
    -- All that may be shown of the number.
    first_6 TEXT NOT NULL,
    last_4 TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    -- By the terminal's clock, and when core heard of it.
    sold_at BIGINT NOT NULL,
    taken_at BIGINT NOT NULL,
    -- What was wrong with it; it is forwarded all the same.
    doubt TEXT,
    -- As the terminal encrypted it, and what the chip signed. Gone once the acquirer has answered: neither may be kept then.
    track_2 BYTEA,
    emv BYTEA,
    -- When it was first sent: from then on the acquirer may have it.
    first_sent_at BIGINT,
    next_attempt_at BIGINT,
    lease_until BIGINT,
    attempts INTEGER NOT NULL,
    -- It cannot be sent as things are, and holds up no other.
    aside BOOLEAN NOT NULL,
    outcome TEXT CHECK (outcome IN ('paid', 'lost')),
    ended_at BIGINT,
    PRIMARY KEY (tenant_id, payment_id),
    UNIQUE (tenant_id, channel_account_id, place),
    CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    CHECK (ended_at IS NULL OR (track_2 IS NULL AND emv IS NULL AND next_attempt_at IS NULL)),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id),
    FOREIGN KEY (tenant_id, channel_account_id) REFERENCES channel_accounts (tenant_id, id)
);
CREATE INDEX stored_card_sales_waiting ON stored_card_sales (tenant_id, channel_account_id, place) WHERE ended_at IS NULL;
CREATE INDEX stored_card_sales_lost ON stored_card_sales (tenant_id, ended_at) WHERE outcome = 'lost';
CREATE INDEX stored_card_sales_by_age ON stored_card_sales (tenant_id, taken_at, payment_id);
CREATE INDEX stored_card_sales_by_card ON stored_card_sales (tenant_id, first_6, last_4, sold_at);

-- What a person said of one that was lost: once.
CREATE TABLE stored_card_resolutions (
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    -- The card may be sold to without a network again.
    unblocks BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    made_by TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, payment_id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES stored_card_sales (tenant_id, payment_id)
);
CREATE TRIGGER stored_card_resolutions_no_change BEFORE UPDATE OR DELETE ON stored_card_resolutions
FOR EACH ROW EXECUTE FUNCTION written_once();

SELECT saoma_isolate('card_policies');
SELECT saoma_isolate('stored_card_sales');
SELECT saoma_isolate('stored_card_resolutions');
