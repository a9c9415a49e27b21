-- The row of a sale that the customer's phone carries says whether it was given up here: a program of before would write the row again without
-- it, and not tell that it is paid all the same. No table changes.
SELECT 1;
