DROP TABLE meta;
DROP TABLE pushes_seen;
DROP TABLE intents;
DROP TABLE refunds;
DROP TABLE sales;
DROP TABLE entries;
