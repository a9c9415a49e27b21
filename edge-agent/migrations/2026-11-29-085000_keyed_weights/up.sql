-- A line's weight may be marked as keyed by hand, and its entry (format 9) and what is put aside say so: a program of before would take it for
-- what a scale said. No table changes.
SELECT 1;
