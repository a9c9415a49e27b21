//! The seeded world: core's nodes, their database, a scheme, a broker, terminals, an office and clocks in one thread, with no
//! sleeping.
//!
//! Core's use-cases and workers, its store on SQLite, and the terminal's rules and journal are the real ones; what is around
//! them ([`wires`], [`network`], [`scheme`]) is a model that loses, doubles, delays and reorders, ends processes before and
//! after commits, and sets clocks. The same seed gives the same run, byte for byte. When the mishaps are over and everything
//! has come to its end, the [`auditor`] compares what each side says. The [`canary`]s prove that it would notice.
//!
//! What it takes for granted: a number never charges or pays out twice at the scheme; a network is done with a call within
//! 30 s, on which core's own reasoning rests; who settles a refund by hand has looked at it (of a payment people may be wrong).
//! In half of the runs terminals sell without core as well, to offline codes and to cards: core's own clocks are right there.
//! What it leaves to others: the inside of plugins, HTTP and MQTT as such, PostgreSQL, and disks that tear a commit apart.

mod act;
mod alone;
mod auditor;
mod caller;
pub mod canary;
mod door;
mod facts;
mod issuer;
pub mod luck;
mod network;
mod node;
mod over;
mod plan;
mod rogue;
pub mod run;
mod scheme;
mod shrink;
mod template;
mod terminal;
mod wires;
mod world;

pub use auditor::Broken;
pub use template::Template;
pub use world::{Game, LeftOut, Outcome};
