DROP TABLE cashier_lists;
DROP TABLE cashiers;
