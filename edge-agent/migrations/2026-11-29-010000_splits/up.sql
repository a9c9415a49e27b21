-- Totals that are paid in parts; each part is a row of `sales`. Which belong together could be told again from the entries.
CREATE TABLE splits (
    -- The counter of its first part.
    number INTEGER NOT NULL PRIMARY KEY,
    -- 1: something of it is still to be collected, given back or printed. 2: only more is with the shop than should be.
    open INTEGER NOT NULL,
    -- Sealed: the whole of it, JSON (split::Split).
    kept BLOB NOT NULL
) STRICT;
CREATE INDEX splits_open ON splits (number) WHERE open = 1;
