-- What customers paid through the shop's printed codes, as core told it: each is said once and listed for its day. A row goes after two days,
-- when core has long stopped telling it.
CREATE TABLE received (
    payment TEXT NOT NULL PRIMARY KEY,
    -- From when on nobody looks at it, in milliseconds since 1970.
    until INTEGER NOT NULL,
    -- Sealed: JSON (received::Received).
    kept BLOB NOT NULL
) STRICT;
