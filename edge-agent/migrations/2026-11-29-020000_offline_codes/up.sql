-- What core said last of offline codes: one row, `list`.
CREATE TABLE offline_list (
    name TEXT NOT NULL PRIMARY KEY,
    -- Sealed: JSON (offline::Known), with core's clock at that moment.
    kept BLOB NOT NULL
) STRICT;

-- Offline codes that were taken here, each in the transaction of its sale. A row goes once its grant is over and core has the sale.
CREATE TABLE offline_spends (
    -- SHA-256 of the grant's token and the code's counter, in hex: no code is taken twice. The token is random.
    code TEXT NOT NULL PRIMARY KEY,
    -- The entry of its sale.
    entry INTEGER NOT NULL,
    -- When its grant is over, in milliseconds since 1970.
    until INTEGER NOT NULL,
    -- Sealed: JSON (offline::Spent).
    kept BLOB NOT NULL
) STRICT;
