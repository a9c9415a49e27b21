//! The one crate that sees both sides: it starts core, a scheme and a terminal as a shop would, and plays the people.
//!
//! Never shipped. Its shop talks to each program only through the door that its users have (HTTP, a page, a signal), so that
//! the inside of every program can change without a line there. Its simulated world ([`sim`]) holds the insides themselves.

pub mod api;
pub mod bench;
pub mod browser;
pub mod collector;
pub mod crash;
pub mod eyes;
pub mod nodes;
pub mod process;
pub mod report;
pub mod scenarios;
pub mod secrecy;
pub mod servers;
pub mod shop;
pub mod sim;
pub mod wait;
pub mod wire;
