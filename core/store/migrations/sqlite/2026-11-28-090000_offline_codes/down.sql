DROP TABLE offline_spends;
DROP TABLE offline_grants;
DROP TABLE offline_issuers;
DROP TABLE offline_policies;
