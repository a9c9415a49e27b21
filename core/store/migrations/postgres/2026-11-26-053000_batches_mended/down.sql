DROP INDEX terminal_refunds_uncounted;
DROP INDEX terminal_sales_uncounted;
DROP INDEX terminal_refunds_by_refund;
DROP INDEX terminal_refunds_by_paid_batch;
DROP INDEX batches_received;
ALTER TABLE terminal_refunds DROP COLUMN swept_batch_id;
ALTER TABLE terminal_sales DROP COLUMN swept_batch_id;
ALTER TABLE terminal_refunds DROP COLUMN paid_batch_id;
ALTER TABLE batches DROP COLUMN close_received_at;
