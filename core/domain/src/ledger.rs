//! Double entry: every set of postings sums to zero per currency, is written once and never changed.

pub mod account;
mod agree;
mod kind;
pub mod posting;
pub mod rules;

pub use account::Account;
pub use agree::{Booked, Disagreement, disagreements};
pub use kind::Kind;
pub use posting::{Posting, PostingSet, Unbalanced};
