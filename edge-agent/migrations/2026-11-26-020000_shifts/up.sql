-- Cashiers' shifts, each with the batch that its close makes. Could be made again from the journal.
CREATE TABLE shifts (
    batch INTEGER NOT NULL PRIMARY KEY,
    -- The journal entry that began it.
    entry INTEGER NOT NULL,
    open INTEGER NOT NULL,
    -- The whole of it, JSON (shift::Shift).
    kept TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX shifts_open ON shifts (open) WHERE open = 1;

-- One row per intent of the page about a shift, as `intents` has those about sales.
CREATE TABLE shift_presses (
    key TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX shift_presses_at ON shift_presses (at);
