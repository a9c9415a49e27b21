DROP TABLE offline_spends;
DROP TABLE offline_list;
