-- SQLite has no policies: there the queries' own filters stand alone.
SELECT 1;
