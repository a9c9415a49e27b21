//! The API's rim: who calls, what they said, and what went wrong, in the words of HTTP.

pub mod auth;
pub mod idempotency;
mod origin;
pub mod problem;
mod role;
pub mod router;
mod text;
pub mod v1;
