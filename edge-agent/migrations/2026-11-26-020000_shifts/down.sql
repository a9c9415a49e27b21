DROP TABLE shift_presses;
DROP TABLE shifts;
