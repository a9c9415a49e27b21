-- What was keyed and put aside. No sale: nothing of it is an entry, and a row goes when a sale is made of it or it is dropped.
-- The last number that was given is in `meta` (`held`).
CREATE TABLE held (
    number INTEGER NOT NULL PRIMARY KEY,
    -- Sealed: the whole of it, JSON (held::Held).
    kept BLOB NOT NULL
) STRICT;
