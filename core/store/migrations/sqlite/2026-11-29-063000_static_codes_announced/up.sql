-- The terminal at which payments through a printed code are announced; none where nobody hears of them. Core of before reads and writes
-- codes without it.
ALTER TABLE static_codes ADD COLUMN announce_at TEXT;
