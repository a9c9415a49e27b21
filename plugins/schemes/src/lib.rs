//! Simulated far sides of the wires that Saoma's channels speak, for tests and the demo: a file (and folder) per scheme.
//!
//! Nothing of Saoma is imported here. A fake that shares code with what it checks hides the bug it should find: the
//! published protocol (`PROTOCOL.md`) is all that the two sides have in common.

pub mod acquirer;
pub mod alipay;
pub mod lightning;
pub mod pix;
pub mod stage;
pub mod stored_value;
pub mod unionpay;
pub mod wallet;
pub mod wechatpay;
