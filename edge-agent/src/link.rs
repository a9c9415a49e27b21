//! The ways to core: HTTPS for what the till asks, MQTT for what core tells, and enrolment before either.
//!
//! The rim: nothing is decided here. Every call ends within its deadline, in one of the few ways that
//! [`crate::sale::Outcome`] names; who is not sure whether core got something says so.

pub mod certificate;
pub mod clock;
pub mod enrol;
pub mod https;
pub mod identity;
pub mod mqtt;
pub mod renew;
pub mod tls;
