-- An entry says what time it was at core as far as the terminal knew, and so do the rows of sales, shifts and split payments: a program of
-- before would write these rows again without it. Entries of sales without core say which table they are of as well. No table changes.
SELECT 1;
