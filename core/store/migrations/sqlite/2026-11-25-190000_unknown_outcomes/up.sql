-- What is known of a payment or refund that the channel leaves open, orders with several payments, and settling by hand.

-- attention_at: since when a person is called. (close_asked_at means, of a payment that is over, since when what is known of
-- it is in doubt: the two never go together, and diesel counts 32 columns.)
ALTER TABLE payments ADD COLUMN attention_at BIGINT;
CREATE INDEX payments_attention ON payments (tenant_id, attention_at) WHERE attention_at IS NOT NULL;
CREATE INDEX payments_leased ON payments (lease_until) WHERE lease_until IS NOT NULL;

-- How often the channel was asked about a payment, and what it said last. Written apart from the payment: it is no news.
CREATE TABLE payment_words (
    tenant_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    asked INTEGER NOT NULL,
    last_said TEXT NOT NULL,
    last_said_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, payment_id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id)
);

ALTER TABLE refunds ADD COLUMN attention_at BIGINT;
ALTER TABLE refunds ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE refunds ADD COLUMN last_said TEXT;
ALTER TABLE refunds ADD COLUMN last_said_at BIGINT;
CREATE INDEX refunds_attention ON refunds (tenant_id, attention_at) WHERE attention_at IS NOT NULL;
CREATE INDEX refunds_leased ON refunds (lease_until) WHERE lease_until IS NOT NULL;

-- The payment that paid the order: the first whose success was booked to be kept.
ALTER TABLE orders ADD COLUMN paid_by TEXT;
UPDATE orders SET paid_by = (
    SELECT MIN(payments.id) FROM payments
    WHERE payments.tenant_id = orders.tenant_id AND payments.order_id = orders.id AND payments.state IN ('captured', 'voided')
);

-- How two persons say a stuck payment or refund ended. refund_id is the empty text for the payment itself.
CREATE TABLE hand_settlements (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    refund_id TEXT NOT NULL,
    paid BOOLEAN NOT NULL,
    reference TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('proposed', 'carried_out', 'refused', 'withdrawn')),
    proposed_by TEXT NOT NULL,
    proposed_at BIGINT NOT NULL,
    decided_by TEXT,
    decided_at BIGINT,
    outcome TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id)
);
CREATE INDEX hand_settlements_by_payment ON hand_settlements (tenant_id, payment_id, proposed_at);
CREATE UNIQUE INDEX hand_settlements_open ON hand_settlements (tenant_id, payment_id, refund_id) WHERE state = 'proposed';
