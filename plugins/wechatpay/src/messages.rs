//! WeChat Pay's API v3, pure: what is sent, what is signed, what an answer means.
//!
//! No host in here: everything can be tested natively. [`build`] makes requests, [`signature`] the texts that are signed on both
//! sides, [`read`] and [`refund`] turn verified answers into the contract's, [`refusal`] says what error codes stand for.
//! Sources: the product pages at pay.weixin.qq.com (`docs/merchant/apis/code-payment-v3`, `doc/v3/merchant/4012791877` and the
//! pages beside them), as cited at each function.

mod bill;
mod build;
mod certificate;
mod funds;
mod in_app;
mod moment;
mod notice;
mod read;
mod refund;
mod refusal;
mod sealed;
mod settings;
mod signature;

pub use bill::{BillFile, check_file, read_bill, read_bill_file, read_fees};
pub use build::{
    Call, bill, certificates, charge, close, create, download, fund_bill, query, query_refund, refund, reverse,
    self_test, undoable_from,
};
pub use certificate::{SealedCertificate, read_certificates};
pub use funds::{FundAccount, overdue, read_funds, read_refused, untold};
pub use in_app::{authorize_url, bridge, open, pay_text, read_opened, read_payer, token_url};
pub use notice::{Notice, Subject, read_notice, read_payment_notice, read_refund_notice};
pub use read::{
    Undone, as_paid, is_answered_by_query, is_code_refused, read_charged, read_closed, read_created, read_queried,
    read_reversed, read_self_test, read_undone, read_unheard,
};
pub use refund::{is_refund_in_doubt, read_refund_queried, read_refunded, without_refund};
pub use sealed::{SealedPiece, read_pieces};
pub use settings::{Mode, Settings};
pub use signature::{Signature, answer_text, authorization, request_text};
