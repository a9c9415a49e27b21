-- The journal proper: what happened, numbered without gaps, each entry chained to the one before. Never updated, never deleted.
CREATE TABLE entries (
    sequence INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    prev_hash TEXT NOT NULL,
    payload TEXT NOT NULL,
    hash TEXT NOT NULL,
    -- Money of a cash sale in this entry: at risk until core has it.
    cash_minor INTEGER,
    currency TEXT
) STRICT;

-- What became of each sale, for query and reprint. Could be made again from core and the journal.
CREATE TABLE sales (
    payment TEXT NOT NULL PRIMARY KEY,
    counter INTEGER NOT NULL UNIQUE,
    -- The journal entry that began it.
    entry INTEGER NOT NULL,
    state TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    -- 1: something about it is still to be found out.
    open INTEGER NOT NULL,
    -- 1: money came in on it at some time.
    captured INTEGER NOT NULL,
    -- The whole of it, JSON (sale::Kept).
    kept TEXT NOT NULL
) STRICT;
CREATE INDEX sales_open ON sales (counter) WHERE open = 1;

CREATE TABLE refunds (
    refund TEXT NOT NULL PRIMARY KEY,
    payment TEXT NOT NULL REFERENCES sales (payment),
    state TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL
) STRICT;

-- One row per intent of the page (its Idempotency-Key): a double tap or a reload finds what the first tap made.
CREATE TABLE intents (
    key TEXT NOT NULL PRIMARY KEY,
    -- SHA-256 of what was asked, without the customer's code.
    fingerprint TEXT NOT NULL,
    payment TEXT NOT NULL,
    refund TEXT,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX intents_at ON intents (at);

-- News from core that is on this disk already.
CREATE TABLE pushes_seen (
    id INTEGER NOT NULL PRIMARY KEY
) STRICT;

-- terminal, counter, synced_through.
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
