ALTER TABLE refunds DROP COLUMN doubted_at;
