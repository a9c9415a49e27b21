DROP TABLE held;
DELETE FROM meta WHERE name = 'held';
