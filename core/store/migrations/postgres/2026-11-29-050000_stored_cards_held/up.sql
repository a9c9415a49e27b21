-- Sales without a network that core may not forward by itself are kept for a person, with their card: also one whose card was read for another
-- payment. And a person may say more than once what is to become of a loss.

-- This reading paid before: it proves nothing, and only a person lets it go out.
ALTER TABLE payment_cards ADD COLUMN read_before BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE payment_cards DROP CONSTRAINT payment_cards_tenant_id_ksn_key;
CREATE UNIQUE INDEX payment_cards_by_reading ON payment_cards (tenant_id, ksn) WHERE NOT read_before;

ALTER TABLE stored_card_resolutions DROP CONSTRAINT stored_card_resolutions_pkey;
ALTER TABLE stored_card_resolutions ADD PRIMARY KEY (tenant_id, payment_id, at);
