//! The API, one file a resource.

pub mod stores;
