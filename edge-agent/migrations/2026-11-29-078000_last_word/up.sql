-- `meta` tells when core was heard last, and since when it lets this terminal do nothing: a program of before would sell on. No table changes.
SELECT 1;
