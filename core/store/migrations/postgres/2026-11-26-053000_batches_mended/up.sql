-- When core heard of the close, by its own clock: a terminal may have been offline for weeks.
ALTER TABLE batches ADD COLUMN close_received_at BIGINT;
-- The batch in which a refund went out, which need not be the one in which it was keyed.
ALTER TABLE terminal_refunds ADD COLUMN paid_batch_id TEXT;
-- The batch whose float was counted over cash that was moved with no shift open.
ALTER TABLE terminal_sales ADD COLUMN swept_batch_id TEXT;
ALTER TABLE terminal_refunds ADD COLUMN swept_batch_id TEXT;
-- The rows of all tenants: row security holds the tables' owner, too.
SELECT set_config('saoma.tenant', '*', true);
UPDATE batches SET close_received_at = closed_at;
UPDATE terminal_refunds SET paid_batch_id = batch_id WHERE cash OR state = 'succeeded';
CREATE INDEX batches_received ON batches (tenant_id, close_received_at) WHERE close_received_at IS NOT NULL;
CREATE INDEX terminal_refunds_by_paid_batch ON terminal_refunds (tenant_id, paid_batch_id, refund_id);
CREATE INDEX terminal_refunds_by_refund ON terminal_refunds (tenant_id, refund_id, terminal_id);
CREATE INDEX terminal_sales_uncounted ON terminal_sales (tenant_id, terminal_id)
    WHERE cash AND batch_id IS NULL AND swept_batch_id IS NULL;
CREATE INDEX terminal_refunds_uncounted ON terminal_refunds (tenant_id, terminal_id)
    WHERE cash AND batch_id IS NULL AND swept_batch_id IS NULL;
