-- Whose word each entry is: the terminal's signature, made in the entry's own transaction. Entries of before have none.
CREATE TABLE signatures (
    entry INTEGER NOT NULL PRIMARY KEY,
    -- Sealed: with the certificate, it would tell a right guess at the entry from a wrong one.
    kept BLOB NOT NULL
) STRICT;

-- The certificates by whose keys this journal was signed.
CREATE TABLE signers (
    -- Its serial number: lower-case hex without leading zeros.
    certificate TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    -- DER in base64.
    der TEXT NOT NULL
) STRICT;
