DROP INDEX refunds_by_requester;
DROP TABLE batch_differences;
DROP TABLE drawer_movements;
DROP TABLE terminal_refunds;
DROP TABLE terminal_sales;
DROP TABLE batches;
