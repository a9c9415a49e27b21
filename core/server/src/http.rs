//! The API's rim: who calls, what they said, and what went wrong, in the words of HTTP.

pub mod auth;
pub mod problem;
pub mod router;
mod text;
pub mod v1;
