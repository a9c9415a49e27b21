//! The conformance kit: plays a channel component against a far side (`plugins/schemes/STAGE.md`) and holds what it says to the
//! contract and to the far side's own books.
//!
//! It knows a component by its manifest and a far side by its stage door, and nothing of any wire: so it runs whatever a channel
//! is written in and whichever scheme it speaks. What is played stands in `sdk/conformance/cases.toml`, a row for each case;
//! what holds after every single answer, whatever the case, stands in [`laws`].
//!
//! Each case has an account of its own: its own id, its own small store, its own numbers. Clock and randomness are the kit's.
//! It survives components that trap, hang or lie: that fails the case, and the next one is played. A merchant's rules have cases of
//! their own, which need no far side: [`RulesKit`].

mod bill;
mod checks;
pub(crate) mod coverage;
mod disputing;
mod far_side;
mod foreign;
mod inspect;
mod inspect_rules;
mod kit;
mod laws;
mod notifying;
mod play;
mod report;
mod rules;
pub(crate) mod rules_coverage;
mod secrecy;
mod settling;
mod table;
mod told;
mod visit;
mod world;
mod wrong_settings;

pub use coverage::{CoverageError, Unplayed};
pub use far_side::{Command, FarSideError, Heard};
pub use inspect::Inspection;
pub use inspect_rules::{Inspected, RulesInspection};
pub use kit::{Kit, KitError, Only, Wrap};
pub(crate) use report::FORMAT as REPORT_FORMAT;
pub use report::{CaseReport, Finding, KIT_VERSION, Report, Verdict};
pub(crate) use rules::rule_names_of;
pub use rules::{RulesKit, rule_names};
pub use table::{names, rows};
