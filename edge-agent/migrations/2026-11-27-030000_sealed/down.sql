-- The tables keep their names; what was sealed is not laid open again.
SELECT 1;
