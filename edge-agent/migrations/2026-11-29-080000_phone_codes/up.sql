-- A sale may wait for the customer's phone to carry it to core, or be paid by core's word that came back on that phone: a stage of its row that a
-- program of before does not know, and a code that it would send to core itself. No table changes.
SELECT 1;
