-- Cashiers' shifts, what each terminal's journal says of its sales and refunds, and where that differs from what is here.

-- What a terminal keyed from signing on to the close. Times are the terminal's, as far as they are believed.
CREATE TABLE batches (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    store_id TEXT NOT NULL,
    terminal_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    cashier TEXT NOT NULL,
    cashier_number TEXT NOT NULL,
    currency TEXT NOT NULL,
    float_minor BIGINT NOT NULL CHECK (float_minor >= 0),
    opened_at BIGINT NOT NULL,
    -- The journal's entries that began and ended it.
    opened_sequence BIGINT NOT NULL,
    closed_at BIGINT,
    closed_sequence BIGINT,
    closed_by TEXT,
    -- What the books, the person who counted, and the terminal had in the drawer at the close.
    expected_minor BIGINT,
    counted_minor BIGINT CHECK (counted_minor >= 0),
    told_minor BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, terminal_id, number),
    FOREIGN KEY (tenant_id, terminal_id) REFERENCES terminals (tenant_id, id),
    FOREIGN KEY (tenant_id, store_id) REFERENCES stores (tenant_id, id)
);
CREATE UNIQUE INDEX batches_open ON batches (tenant_id, terminal_id) WHERE closed_at IS NULL;
CREATE INDEX batches_by_time ON batches (tenant_id, opened_at, id);
CREATE INDEX batches_closed ON batches (tenant_id, closed_at) WHERE closed_at IS NOT NULL;

-- The last word of a terminal's journal on each sale. Of cash, those that are booked. No payment need be here.
CREATE TABLE terminal_sales (
    tenant_id TEXT NOT NULL,
    terminal_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    -- Empty: keyed while no shift was open.
    batch_id TEXT,
    cash BOOLEAN NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    keyed_at BIGINT NOT NULL,
    -- Empty until the journal says how it ended.
    state TEXT,
    refunded_minor BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, terminal_id, payment_id),
    FOREIGN KEY (tenant_id, terminal_id) REFERENCES terminals (tenant_id, id),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES batches (tenant_id, id)
);
CREATE INDEX terminal_sales_by_batch ON terminal_sales (tenant_id, batch_id, payment_id);
CREATE INDEX terminal_sales_by_time ON terminal_sales (tenant_id, terminal_id, keyed_at);

CREATE TABLE terminal_refunds (
    tenant_id TEXT NOT NULL,
    terminal_id TEXT NOT NULL,
    refund_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    batch_id TEXT,
    cash BOOLEAN NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    keyed_at BIGINT NOT NULL,
    state TEXT,
    PRIMARY KEY (tenant_id, terminal_id, refund_id),
    FOREIGN KEY (tenant_id, terminal_id) REFERENCES terminals (tenant_id, id),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES batches (tenant_id, id)
);
CREATE INDEX terminal_refunds_by_batch ON terminal_refunds (tenant_id, batch_id, refund_id);
CREATE INDEX terminal_refunds_by_time ON terminal_refunds (tenant_id, terminal_id, keyed_at);

-- Cash that neither a sale brought nor a refund took.
CREATE TABLE drawer_movements (
    tenant_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    -- The journal's entry.
    sequence BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('paid_in', 'paid_out')),
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    reason TEXT NOT NULL,
    cashier TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, batch_id, sequence),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES batches (tenant_id, id)
);

-- What the journal of a closed batch and core do not agree about.
CREATE TABLE batch_differences (
    tenant_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    -- A payment's, a refund's or the batch's own id.
    subject TEXT NOT NULL,
    class TEXT NOT NULL,
    fields TEXT NOT NULL,
    fix TEXT NOT NULL,
    terminal_json TEXT,
    core_json TEXT,
    found_at BIGINT NOT NULL,
    -- When a later comparison found that both agree.
    closed_at BIGINT,
    PRIMARY KEY (tenant_id, batch_id, subject),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES batches (tenant_id, id)
);

-- What a terminal gave back on a day.
CREATE INDEX refunds_by_requester ON refunds (tenant_id, requested_by, created_at);
