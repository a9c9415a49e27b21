-- The row of a sale that the customer's phone carries says whether it was given up here, and whether core denies what its letters paid and somebody
-- has seen that: a program of before would write the row again without it. No table changes.
SELECT 1;
