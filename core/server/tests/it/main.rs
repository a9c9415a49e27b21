//! Stories of the whole core, told from outside.

mod fleet_broker;
mod fleet_client;
mod fleet_enrol;
mod fleet_journal;
mod fleet_world;
