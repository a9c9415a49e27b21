DO $$
DECLARE
    held regclass;
BEGIN
    FOR held IN SELECT polrelid::regclass FROM pg_policy WHERE polname = 'of_tenant' LOOP
        EXECUTE format('DROP POLICY of_tenant ON %s', held);
        EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', held);
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', held);
    END LOOP;
END $$;
DROP FUNCTION saoma_isolate;
