DELETE FROM meta WHERE name IN ('core_heard_at', 'core_locked');
