DROP TABLE offline_resolutions;
ALTER TABLE stored_value_charges DROP COLUMN borne_minor;
ALTER TABLE stored_value_movements DROP COLUMN borne_minor;
ALTER TABLE stored_value_movements ADD CHECK (amount_minor <> 0) NOT VALID;
