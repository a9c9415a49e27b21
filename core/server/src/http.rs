//! The API's rim: who calls, what they said, and what went wrong, in the words of HTTP.

pub mod answers;
pub mod auth;
pub mod health;
pub mod idempotency;
pub mod metrics;
mod no_body;
pub mod once;
pub mod openapi;
mod origin;
pub mod pages;
mod paging;
pub mod pay_page;
pub mod phone_page;
mod picture;
pub mod problem;
pub mod request_span;
mod role;
pub mod router;
mod sheet;
pub mod static_page;
mod text;
pub mod v1;
