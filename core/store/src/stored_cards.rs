//! Cards that terminals sell without a network: what they may, and what they sold until the acquirer has said what becomes of it.

mod policy;
mod sales;
pub(crate) mod schema;

pub use policy::{Policy, policy, set_policy};
pub use sales::{
    Cursor, Due, Filter, Found, NewSale, Next, Outcome, Resolution, StoredSale, Waiting, blocked, claim_due, end,
    goes_out, insert, list, load, of_card_since, of_payments, resolve, reversals_under_way, set_back, waiting,
};
