DROP INDEX posting_sets_by_channel;
DROP TABLE payouts;
DROP TABLE discrepancies;
DROP TABLE reconciliations;
DROP TABLE bill_lines;
DROP TABLE bills;
