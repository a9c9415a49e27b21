-- What channels say moved on a day, how it was compared with the books, and what did not agree.

-- A bill of one day as it was fetched. Another content is another revision; what was there before stays.
CREATE TABLE bills (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant_id TEXT NOT NULL,
    channel_account_id TEXT NOT NULL,
    -- As the scheme counts days, 2026-01-31.
    day TEXT NOT NULL,
    revision INTEGER NOT NULL,
    lines BIGINT NOT NULL,
    unreadable BIGINT NOT NULL,
    -- SHA-256 over all lines.
    digest TEXT NOT NULL,
    -- Empty while pages are still coming.
    fetched_at BIGINT,
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, channel_account_id, day, revision),
    FOREIGN KEY (tenant_id, channel_account_id) REFERENCES channel_accounts (tenant_id, id)
);

-- In the order of their numbers, byte by byte, which is how they are read. A line that cannot be read has no number.
CREATE TABLE bill_lines (
    tenant_id TEXT NOT NULL,
    bill BIGINT NOT NULL,
    number TEXT NOT NULL,
    movement TEXT NOT NULL CHECK (movement IN ('payment', 'refund', 'reversal', 'unreadable')),
    line BIGINT NOT NULL,
    order_number TEXT NOT NULL,
    reference TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    fee_minor BIGINT NOT NULL,
    at BIGINT NOT NULL,
    words TEXT NOT NULL,
    PRIMARY KEY (tenant_id, bill, number, movement, line),
    FOREIGN KEY (tenant_id, bill) REFERENCES bills (tenant_id, id)
) WITHOUT ROWID;

CREATE TABLE reconciliations (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    channel_account_id TEXT NOT NULL,
    day TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    bill BIGINT,
    -- Counts and sums, once it is done.
    result_json TEXT,
    -- Why it failed.
    words TEXT,
    started_by TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    -- Whoever runs it says in time that it still does.
    lease_until BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, bill) REFERENCES bills (tenant_id, id),
    FOREIGN KEY (tenant_id, channel_account_id) REFERENCES channel_accounts (tenant_id, id)
);
-- One of an account at a time: days that are neighbours look into each other's bills.
CREATE UNIQUE INDEX reconciliations_running ON reconciliations (tenant_id, channel_account_id) WHERE state = 'running';
-- For the foreign key, when a bill is taken away.
CREATE INDEX reconciliations_by_bill ON reconciliations (tenant_id, bill);
CREATE INDEX reconciliations_by_day ON reconciliations (tenant_id, channel_account_id, day, started_at);
CREATE INDEX reconciliations_by_time ON reconciliations (tenant_id, started_at, id);

CREATE TABLE discrepancies (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    channel_account_id TEXT NOT NULL,
    day TEXT NOT NULL,
    -- The last comparison that found it.
    reconciliation_id TEXT NOT NULL,
    class TEXT NOT NULL,
    movement TEXT NOT NULL,
    -- In the order of its bytes, as the bills' own.
    number TEXT NOT NULL,
    -- 0: about the movement itself; else the nth line of its number on the day's bill, which is one too many.
    nth BIGINT NOT NULL,
    -- 0: about no line of the bill.
    line BIGINT NOT NULL,
    ours_json TEXT,
    theirs_json TEXT,
    words TEXT,
    fields TEXT NOT NULL,
    fix TEXT NOT NULL,
    -- What deciding it moves, and once it is decided, what it moved; of that, what is nobody's. No currency: nothing can be posted.
    currency TEXT,
    amount_minor BIGINT NOT NULL,
    fee_minor BIGINT NOT NULL,
    lost_amount_minor BIGINT NOT NULL,
    lost_fee_minor BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'assigned', 'write_off_proposed', 'resolved', 'written_off', 'closed')),
    assigned_to TEXT,
    reason TEXT,
    proposed_by TEXT,
    decided_by TEXT,
    found_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, reconciliation_id) REFERENCES reconciliations (tenant_id, id)
);
-- Of one movement one waits, whichever day it is told on; of a line too many, and of one that cannot be read, one a day.
CREATE UNIQUE INDEX discrepancies_waiting ON discrepancies (tenant_id, channel_account_id, number, movement)
WHERE nth = 0 AND movement <> '' AND state IN ('open', 'assigned', 'write_off_proposed');
CREATE UNIQUE INDEX discrepancies_waiting_lines ON discrepancies (tenant_id, channel_account_id, day, number, movement, nth)
WHERE nth > 0 AND state IN ('open', 'assigned', 'write_off_proposed');
CREATE UNIQUE INDEX discrepancies_waiting_unreadable ON discrepancies (tenant_id, channel_account_id, day, line)
WHERE class = 'unreadable' AND state IN ('open', 'assigned', 'write_off_proposed');
CREATE INDEX discrepancies_by_number ON discrepancies (tenant_id, channel_account_id, number, day);
CREATE INDEX discrepancies_by_run ON discrepancies (tenant_id, channel_account_id, day, reconciliation_id);
CREATE INDEX discrepancies_by_time ON discrepancies (tenant_id, found_at, id);
CREATE INDEX discrepancies_waiting_by_time ON discrepancies (tenant_id, found_at, id)
WHERE state IN ('open', 'assigned', 'write_off_proposed');
-- What persons have booked, in the order in which books and bill are walked through.
CREATE INDEX discrepancies_booked ON discrepancies (tenant_id, channel_account_id, number, id)
WHERE state IN ('resolved', 'written_off') AND currency IS NOT NULL;

-- What arrived at the bank, and what the bills of its days came to by then.
CREATE TABLE payouts (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    channel_account_id TEXT NOT NULL,
    from_day TEXT NOT NULL,
    to_day TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    expected_minor BIGINT NOT NULL,
    reference TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    entered_by TEXT NOT NULL,
    entered_at BIGINT NOT NULL,
    -- By whom, when and why it was taken back.
    reversed_by TEXT,
    reversed_at BIGINT,
    reversal_reason TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, channel_account_id) REFERENCES channel_accounts (tenant_id, id)
);
CREATE UNIQUE INDEX payouts_by_reference ON payouts (tenant_id, channel_account_id, reference) WHERE reversed_at IS NULL;
CREATE INDEX payouts_by_day ON payouts (tenant_id, channel_account_id, to_day);
CREATE INDEX payouts_by_time ON payouts (tenant_id, entered_at, id);

-- What the books say moved through a channel account on a day.
CREATE INDEX posting_sets_by_channel ON posting_sets (tenant_id, channel_account_id, at, subject) WHERE part = 0;
