-- What customers paid through the shop's printed codes, as core told it: each is said once and listed for its day. A row goes with the first
-- that was paid two days after it.
CREATE TABLE received (
    payment TEXT NOT NULL PRIMARY KEY,
    -- From when on nobody looks at it, by the clock that `paid_at` is of, in milliseconds since 1970.
    until INTEGER NOT NULL,
    -- Sealed: JSON (received::Received).
    kept BLOB NOT NULL
) STRICT;
