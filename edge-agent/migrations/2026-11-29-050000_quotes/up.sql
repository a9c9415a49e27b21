-- A sale may be of an amount that core has quoted, and its entry (format 7) and its row say so: a program of before would count its lines
-- again and take the discount for a mistake. No table changes.
SELECT 1;
