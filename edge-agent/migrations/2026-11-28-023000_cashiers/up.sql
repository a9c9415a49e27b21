-- Who may sign on here by a PIN, as core said last: one row, `list`.
CREATE TABLE cashiers (
    name TEXT NOT NULL PRIMARY KEY,
    -- Sealed: JSON (saoma_protocol::cashier::CashierList), with the verifiers of the PINs.
    kept BLOB NOT NULL
) STRICT;

-- Wrong PINs in a row, by core's id of whose they were. A row goes with the right PIN.
CREATE TABLE pin_tries (
    cashier TEXT NOT NULL PRIMARY KEY,
    -- Sealed: JSON (cashiers::Tries).
    kept BLOB NOT NULL
) STRICT;
