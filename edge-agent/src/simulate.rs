//! A day of a busy shop, for demos and load: people who press the till's buttons by its own door, faster than people do.
//!
//! What they want is drawn from a seed ([`plan`]); what they do goes over the till's HTTP API like a page's ([`door`], [`day`]).
//! They keep their own count of the drawer and hold it against the till's at the end. Deliberately not here: customers' phones.
//! Codes to scan are given, and a code on show is paid by whoever looks at the display, or by nobody.

pub mod day;
pub mod door;
pub mod figures;
pub mod plan;
