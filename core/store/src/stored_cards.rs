//! Cards that terminals sell without a network: what they may, and what they sold until the acquirer has said what becomes of it.

mod losses;
mod policy;
mod queue;
mod sales;
pub(crate) mod schema;

pub use losses::{Resolution, resolve, what_was_said};
pub use policy::{Policy, policy, set_policy};
pub use queue::{
    Claimed, Due, Held, Next, Waiting, behind, claim_due, forget, goes_out, is_unsent, let_go, never_sent,
    reversals_under_way, set_back, take_unsent,
};
pub use sales::{
    Cursor, Filter, Found, NewSale, Outcome, StoredSale, blocked, end, ended_as, insert, list, load, of_card_since,
    of_payments, waiting,
};
