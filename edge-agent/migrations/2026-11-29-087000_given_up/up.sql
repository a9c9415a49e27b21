-- The row of a sale that the customer's phone carries says whether it was given up here, whether core denies what its letters paid, and whether
-- somebody has seen that, or that it was paid all the same: a program of before would write the row again without it. No table changes.
SELECT 1;
