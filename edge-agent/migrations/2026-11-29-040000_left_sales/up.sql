-- `open` of a sale may be 2: core or a person sees to it (a card that core forwards or holds, or a loss that nobody here has seen). It is read at
-- the start as any that is open, and another program may be started meanwhile.
DROP INDEX sales_open;
CREATE INDEX sales_open ON sales (counter) WHERE open <> 0;
