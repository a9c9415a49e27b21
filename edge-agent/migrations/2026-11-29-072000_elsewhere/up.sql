-- Sales of other tills of the shop on which money was given back here. Apart from `sales`: their numbers are those tills', and their money is
-- in no sum of this one.
CREATE TABLE elsewhere (
    payment TEXT NOT NULL PRIMARY KEY,
    -- The journal entry of the first refund here.
    entry INTEGER NOT NULL,
    -- 1: something about a refund is still to be found out.
    open INTEGER NOT NULL,
    -- Sealed: the whole of it, JSON (sale::Kept).
    kept BLOB NOT NULL
) STRICT;
