-- Stored value that is spent without a network: what terminals may take, who signs it, what was granted and what became of it.

CREATE TABLE offline_policies (
    tenant_id TEXT NOT NULL,
    -- New codes are taken and new grants made.
    enabled BOOLEAN NOT NULL,
    -- Whose payments these sales are, and under which name the issuer counts them.
    channel_account_id TEXT NOT NULL,
    acceptor TEXT NOT NULL,
    sale_minor_max BIGINT NOT NULL CHECK (sale_minor_max > 0),
    grant_day_count_max BIGINT NOT NULL CHECK (grant_day_count_max > 0),
    unsent_minor_max BIGINT NOT NULL CHECK (unsent_minor_max > 0),
    unsent_count_max BIGINT NOT NULL CHECK (unsent_count_max > 0),
    unsent_hours_max BIGINT NOT NULL CHECK (unsent_hours_max > 0),
    -- How old a terminal's copy of all this may be.
    list_hours_max BIGINT NOT NULL CHECK (list_hours_max > 0),
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id),
    FOREIGN KEY (tenant_id, channel_account_id) REFERENCES channel_accounts (tenant_id, id)
);

CREATE TABLE offline_issuers (
    tenant_id TEXT NOT NULL,
    -- The first four bytes of SHA-256 of the public key, as hex.
    id TEXT NOT NULL,
    public_key TEXT NOT NULL,
    -- Sealed under the tenant's data key.
    secret BLOB NOT NULL,
    not_before BIGINT NOT NULL,
    -- Until when what it signed may be good, and until when it signs.
    not_after BIGINT NOT NULL,
    signs_until BIGINT NOT NULL,
    -- It signs no more, and terminals that have heard take nothing that it signed.
    revoked_at BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE TABLE offline_grants (
    tenant_id TEXT NOT NULL,
    -- The token in its codes, as hex.
    id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    issuer_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    cap_single_minor BIGINT NOT NULL CHECK (cap_single_minor > 0),
    cap_minor BIGINT NOT NULL CHECK (cap_minor >= cap_single_minor),
    -- Paid by the account so far.
    spent_minor BIGINT NOT NULL CHECK (spent_minor >= 0 AND spent_minor <= cap_minor),
    device_key TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    code_seconds BIGINT NOT NULL,
    -- Until then its cap is set aside.
    reserved_until BIGINT NOT NULL,
    revoked_at BIGINT,
    made_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES stored_value_accounts (tenant_id, id),
    FOREIGN KEY (tenant_id, issuer_id) REFERENCES offline_issuers (tenant_id, id)
);
CREATE INDEX offline_grants_by_account ON offline_grants (tenant_id, account_id, created_at, id);
CREATE INDEX offline_grants_by_end ON offline_grants (tenant_id, not_after);

CREATE TABLE offline_spends (
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    terminal_id TEXT NOT NULL,
    counter BIGINT NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    -- Paid by the account; the rest is the issuer's loss.
    covered_minor BIGINT NOT NULL CHECK (covered_minor >= 0 AND covered_minor <= amount_minor),
    -- What was wrong with it.
    excess TEXT CHECK (excess IN ('counter', 'cap', 'uncovered')),
    -- By the terminal's clock, and when core heard of it.
    sold_at BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, payment_id),
    FOREIGN KEY (tenant_id, grant_id) REFERENCES offline_grants (tenant_id, id)
);
CREATE INDEX offline_spends_by_counter ON offline_spends (tenant_id, grant_id, counter);
CREATE INDEX offline_spends_by_excess ON offline_spends (tenant_id, at, payment_id) WHERE excess IS NOT NULL;

CREATE TRIGGER offline_spends_no_update BEFORE UPDATE ON offline_spends
BEGIN SELECT RAISE(ABORT, 'offline_spends is written once'); END;
CREATE TRIGGER offline_spends_no_delete BEFORE DELETE ON offline_spends
BEGIN SELECT RAISE(ABORT, 'offline_spends is written once'); END;
