-- Cards that were sold to without a network, each in the transaction of its sale, for the limits. A row goes a day later, once core has the
-- sale. The card is not here: encrypted for core, it stands in the sale's entry.
CREATE TABLE stored_cards (
    -- The entry of its sale.
    entry INTEGER NOT NULL PRIMARY KEY,
    -- From when on no limit looks at it, in milliseconds since 1970.
    until INTEGER NOT NULL,
    -- Sealed: JSON (stored::SoldCard).
    kept BLOB NOT NULL
) STRICT;
