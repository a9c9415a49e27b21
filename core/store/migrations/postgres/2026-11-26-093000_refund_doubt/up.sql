ALTER TABLE refunds ADD COLUMN doubted_at BIGINT;
