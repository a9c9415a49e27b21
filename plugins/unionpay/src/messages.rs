//! The wire of UnionPay's Online Payment gateway (全渠道, version 5.1.0) for QR payments (二维码支付), pure: what is sent, what is
//! signed, what an answer means.
//!
//! No host in here: everything can be tested natively. [`build`] makes requests, [`form`] the texts they travel and are signed
//! in, [`read`] and [`notice`] turn verified answers into the contract's, [`bill`] the fixed-width file of a day.

mod archive;
mod bill;
mod build;
mod certificate;
mod code;
mod form;
mod moment;
mod notice;
mod number;
mod read;
mod refund;
mod settings;

pub use bill::{read_bill, settle_date};
pub use build::{
    BACK_TRANS, Call, QUERY_TRANS, VERSION, bill, charge, create, probe, query, query_refund, query_void, refund,
    reverse, url, void,
};
pub use certificate::serial_hex;
pub use form::{Message, digest_hex};
pub use notice::{ACKNOWLEDGEMENT, Notice, read_notice, why};
pub use number::void_id;
pub use read::{
    Heard, Unpaid, charged, heard, past_undoing, read_created, read_probe, read_queried, read_reversed,
    read_void_queried,
};
pub use refund::{read_refund_queried, refunded};
pub use settings::Settings;
