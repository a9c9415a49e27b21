//! Double entry: every set of postings sums to zero per currency, is written once and never changed.

pub mod account;
pub mod posting;
pub mod rules;

pub use account::Account;
pub use posting::{Posting, PostingSet, Unbalanced};
