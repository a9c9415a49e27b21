//! What the scheme's answer codes (`respCode`, `origRespCode`) mean for money.
//!
//! Source: 平台接入接口规范, part 5 (appendix), list of answer codes; what to do about `00`, `03`-`05`, `34` and `A6` from the
//! comments of UnionPay's own QR demonstration programs. A code that is not listed here has no meaning here.

/// The meaning of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Done. As an answer to a request that moves money: taken in, and only a query tells what came of it.
    Done,
    /// Being worked on.
    Working,
    /// It says of itself that the outcome is not known, or is none that the documents name.
    Open,
    /// A transaction of this number and time was there before.
    Duplicate,
    /// There is no such transaction.
    Absent,
    /// The request could not be read, or lacked something; nothing was done about it.
    Unreadable,
    /// The request's signature was not accepted.
    Unsigned,
    /// Of a sale: given back in part or in whole, or voided.
    GivenBack,
    /// Refused for good, in the contract's words.
    Refused(&'static str),
}

/// The meaning of a code.
#[must_use]
pub fn meaning(code: &str) -> Meaning {
    match code {
        "00" | "A6" => Meaning::Done,
        // 70: the customer has to enter something. 83: the bank is still at it.
        "05" | "70" | "83" => Meaning::Working,
        "12" => Meaning::Duplicate,
        "34" => Meaning::Absent,
        "10" | "13" | "14" => Meaning::Unreadable,
        "11" => Meaning::Unsigned,
        "64" | "90" => Meaning::Refused("insufficient-funds"),
        // 80: the token behind the code is too old.
        "80" => Meaning::Refused("code-expired"),
        "44" | "61" => Meaning::Refused("code-invalid"),
        "33" | "81" => Meaning::Refused("limit-exceeded"),
        "36" => Meaning::Refused("amount-invalid"),
        "31" | "32" | "35" | "38" | "39" | "40" | "43" | "45" | "62" | "68" | "72" | "77" | "78" => {
            Meaning::Refused("not-permitted")
        }
        "01" | "30" | "60" | "63" | "65" | "66" | "67" | "69" | "71" | "73" | "76" | "82" | "84" => {
            Meaning::Refused("declined")
        }
        // Among them 03 and 04 (outcome not known), 42, 74 and 75 (money was taken, but), A1.
        _ => Meaning::Open,
    }
}

/// As [`meaning`], of the transaction that a query asked about: what is not known yet is waited for, and 45 is
/// how it stands, not a refusal.
#[must_use]
pub fn standing(code: &str) -> Meaning {
    match code {
        "03" | "04" => Meaning::Working,
        "45" => Meaning::GivenBack,
        other => meaning(other),
    }
}
