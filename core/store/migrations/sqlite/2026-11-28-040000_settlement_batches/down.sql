DROP INDEX posting_sets_of_channel;
DROP TABLE settlement_batches;
