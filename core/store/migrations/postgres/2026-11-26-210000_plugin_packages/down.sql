DROP INDEX channel_accounts_plugin;
DROP TABLE payment_packages;
DROP TABLE plugin_canaries;
DROP TABLE plugin_rollouts;
DROP TABLE plugin_packages;
DROP TABLE plugin_publishers;
