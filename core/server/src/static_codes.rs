//! Printed codes of small stalls (聚合码): what a customer who scanned one may do, whoever they are and whichever app they have.
//!
//! The page is core's (`http/static_page.rs`); here is what it asks. A visitor is what a sealed cookie says of them: nothing of them is
//! in the database before they pay. Each cookie has the number of one attempt, drawn before anything is asked of a scheme, and the
//! payment follows from it: a double tap, a reload and the back button find the same payment.

mod announcing;
mod attempt;
mod places;
mod visitor;
mod ways;

pub use announcing::Announcing;
pub use attempt::{Shown, begin, give_up, payment_of, shown};
pub use places::{Place, Places};
pub use visitor::{Visitor, Who};
pub use ways::{Ways, ways};
