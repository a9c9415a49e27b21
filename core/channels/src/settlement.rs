//! Settlement as it goes into a channel's call and comes out: what core hands in, and the scheme's word, checked.

use saoma_domain::settlement::{RowKind, Settled, Tally, Total};
use saoma_protocol::{Amount, Millis, PaymentId, RefundId, SettlementBatchId};

use crate::{
    bindings::{settlement as wit, types},
    card::KeptCard,
    convert::{WORDS_CHARS_MAX, bad, cut, money},
    failure::{Failure, InstallError},
};

/// Rows of one `upload`, and where cards are taken (`sdk/wit`, `settlement.upload`).
pub const ROWS_MAX: usize = 50;
/// Most rows that a channel's batch may have.
const BATCH_ROWS_MAX: u32 = 100_000;
/// Currencies of the scheme's own totals: as many as a manifest has.
const TOTALS_MAX: usize = 64;

/// What a scheme's settlement has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettlementTerms {
    /// 1 to 100,000.
    pub rows_max: u32,
}

/// A batch that core has closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// What a repeat is known by.
    pub number: SettlementBatchId,
    /// At least one, each currency once.
    pub totals: Vec<Total>,
    /// Of all currencies, 1 to [`SettlementTerms::rows_max`].
    pub rows: u32,
    pub closed_at: Millis,
}

/// One row of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// From 1.
    pub place: u32,
    pub kind: RowKind,
    pub payment: PaymentId,
    /// The scheme's number of the payment; empty if it never gave one.
    pub reference: String,
    /// Of a refund or void.
    pub refund: Option<RefundId>,
    pub refund_reference: String,
    pub amount: Amount,
    pub at: Millis,
    /// Of a payment by card, what was kept of it.
    pub card: Option<KeptCard>,
}

impl SettlementTerms {
    pub(crate) fn check(given: wit::SettlementTerms) -> Result<Self, InstallError> {
        let rows_max = given.rows_max;
        if (1..=BATCH_ROWS_MAX).contains(&rows_max) {
            Ok(Self { rows_max })
        } else {
            Err(InstallError::BatchRows(rows_max))
        }
    }
}

pub(crate) fn batch(batch: &Batch) -> wit::Batch {
    let tally = |tally: Tally| wit::Tally { count: tally.count, minor: tally.minor };
    let total = |total: &Total| wit::Total {
        currency: total.currency.code().to_owned(),
        debits: tally(total.debits),
        credits: tally(total.credits),
    };
    wit::Batch {
        number: batch.number.to_string(),
        totals: batch.totals.iter().map(total).collect(),
        rows: batch.rows,
        closed_at: batch.closed_at.0,
    }
}

pub(crate) fn row(row: &Row) -> wit::Row {
    wit::Row {
        place: row.place,
        kind: match row.kind {
            RowKind::Sale => wit::RowKind::Sale,
            RowKind::Refund => wit::RowKind::Refund,
            RowKind::Void => wit::RowKind::Void,
        },
        number: row.payment.to_string(),
        reference: row.reference.clone(),
        refund_number: row.refund.map(|refund| refund.to_string()).unwrap_or_default(),
        refund_reference: row.refund_reference.clone(),
        amount: money(row.amount),
        at: row.at.0,
    }
}

/// # Errors
/// `BadAnswer`.
pub(crate) fn settled(said: wit::Settled) -> Result<Settled, Failure> {
    Ok(match said {
        wit::Settled::Balanced => Settled::Balanced,
        wit::Settled::Differs(None) => Settled::Differs(None),
        wit::Settled::Differs(Some(theirs)) => Settled::Differs(Some(totals(theirs)?)),
        wit::Settled::Over(words) => Settled::Over(cut(&words, WORDS_CHARS_MAX)),
    })
}

fn totals(said: Vec<wit::Total>) -> Result<Vec<Total>, Failure> {
    if !(1..=TOTALS_MAX).contains(&said.len()) {
        return Err(bad(format!("it states {} totals; 1 to {TOTALS_MAX}", said.len())));
    }
    let mut totals: Vec<Total> = Vec::with_capacity(said.len());
    for total in said {
        let currency = total.currency.parse().map_err(|error| bad(format!("{error}")))?;
        if totals.iter().any(|other| other.currency == currency) {
            return Err(bad(format!("it states two totals of {currency}")));
        }
        totals.push(Total { currency, debits: tally(total.debits)?, credits: tally(total.credits)? });
    }
    Ok(totals)
}

fn tally(said: wit::Tally) -> Result<Tally, Failure> {
    let wit::Tally { count, minor } = said;
    if minor < 0 || (count == 0) != (minor == 0) {
        return Err(bad(format!("it states {count} rows of {minor} minor units")));
    }
    Ok(Tally { count, minor })
}

/// Of a component that does not export the interface.
pub(crate) const fn not_exported<T>() -> wasmtime::Result<Result<T, types::Error>> {
    Ok(Err(types::Error::Unsupported))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_scheme_can_count_is_refused() {
        let tally = |count, minor| wit::Tally { count, minor };
        let total = |currency: &str, debits| wit::Total {
            currency: currency.to_owned(),
            debits,
            credits: wit::Tally { count: 0, minor: 0 },
        };
        let differs = |totals| settled(wit::Settled::Differs(Some(totals)));
        assert!(differs(vec![total("CNY", tally(1, 500)), total("EUR", tally(0, 0))]).is_ok());
        for (totals, why) in [
            (vec![], "0 totals"),
            (vec![total("CNY", tally(1, -1))], "1 rows of -1"),
            (vec![total("CNY", tally(0, 1))], "0 rows of 1"),
            (vec![total("CNY", tally(1, 0))], "1 rows of 0"),
            (vec![total("XXZ", tally(1, 1))], "XXZ"),
            (vec![total("CNY", tally(1, 1)), total("CNY", tally(1, 1))], "two totals of CNY"),
        ] {
            let refused = differs(totals).expect_err("refused").to_string();
            assert!(refused.contains(why), "{refused}");
        }
        for rows_max in [0, 100_001] {
            assert!(SettlementTerms::check(wit::SettlementTerms { rows_max }).is_err());
        }
    }
}
