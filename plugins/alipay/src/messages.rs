//! Alipay's wire, pure: what is sent, what is signed, what an answer means.
//!
//! OpenAPI 2.0 (`gateway.do`), RSA2 both ways. [`request`] builds calls and the text that is signed, [`answer`] takes an answer
//! apart and says what its signature is over, [`payment`], [`refund`], [`notice`] and [`bill`] turn verified messages into the
//! contract's words. Nothing in here calls the host.

pub mod answer;
pub mod beijing;
pub mod bill;
pub mod notice;
pub mod payment;
pub mod refund;
pub mod request;
pub mod settings;
