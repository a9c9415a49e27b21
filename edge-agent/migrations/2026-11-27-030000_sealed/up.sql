-- What tells of money or people is encrypted from here on (src/journal/rows.rs says what, and why the rest is not). SQL has no
-- cipher: the tables of before are put aside, and the agent moves their rows over, batch by batch, when it opens the journal.
DROP INDEX sales_open;
DROP INDEX intents_at;
DROP INDEX shifts_open;
DROP INDEX shift_presses_at;
ALTER TABLE entries RENAME TO plain_entries;
ALTER TABLE refunds RENAME TO plain_refunds;
ALTER TABLE sales RENAME TO plain_sales;
ALTER TABLE intents RENAME TO plain_intents;
ALTER TABLE shifts RENAME TO plain_shifts;
ALTER TABLE shift_presses RENAME TO plain_shift_presses;

-- The journal proper: what happened, numbered without gaps, each entry chained to the one before. Never updated, never deleted.
CREATE TABLE entries (
    sequence INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    -- Sealed: the hash before, its own hash, its payload.
    body BLOB NOT NULL,
    -- Sealed: money of a cash sale in this entry, at risk until core has it.
    cash BLOB
) STRICT;

-- What became of each sale, for query and reprint. Could be made again from core and the journal.
CREATE TABLE sales (
    payment TEXT NOT NULL PRIMARY KEY,
    counter INTEGER NOT NULL UNIQUE,
    -- The journal entry that began it.
    entry INTEGER NOT NULL,
    state TEXT NOT NULL,
    -- 1: something about it is still to be found out.
    open INTEGER NOT NULL,
    -- 1: money came in on it at some time.
    captured INTEGER NOT NULL,
    -- Sealed.
    amount BLOB NOT NULL,
    -- Sealed: the whole of it, JSON (sale::Kept).
    kept BLOB NOT NULL
) STRICT;
CREATE INDEX sales_open ON sales (counter) WHERE open = 1;

CREATE TABLE refunds (
    refund TEXT NOT NULL PRIMARY KEY,
    payment TEXT NOT NULL REFERENCES sales (payment),
    state TEXT NOT NULL,
    -- Sealed.
    amount BLOB NOT NULL
) STRICT;

-- One row per intent of the page (its Idempotency-Key): a double tap or a reload finds what the first tap made.
CREATE TABLE intents (
    key TEXT NOT NULL PRIMARY KEY,
    -- Sealed: SHA-256 of what was asked, without the customer's code.
    fingerprint BLOB NOT NULL,
    payment TEXT NOT NULL,
    refund TEXT,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX intents_at ON intents (at);

-- Cashiers' shifts, each with the batch that its close makes. Could be made again from the journal.
CREATE TABLE shifts (
    batch INTEGER NOT NULL PRIMARY KEY,
    -- The journal entry that began it.
    entry INTEGER NOT NULL,
    open INTEGER NOT NULL,
    -- Sealed: the whole of it, JSON (shift::Shift).
    kept BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX shifts_open ON shifts (open) WHERE open = 1;

-- One row per intent of the page about a shift, as `intents` has those about sales.
CREATE TABLE shift_presses (
    key TEXT NOT NULL PRIMARY KEY,
    -- Sealed.
    fingerprint BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX shift_presses_at ON shift_presses (at);
