//! Disputes about what was paid, as a test has them. They are between the scheme and the merchant: no balance of a customer's moves.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use super::amount::{self, Currency};
use crate::stage::{DisputeNews, DisputeSeen, DisputeTold, OrderSeen, Unplayable};

/// What a case costs the merchant once it is decided, in minor units.
const FEE_MINOR: i64 = 1_500;
/// How long the merchant may answer.
const RESPOND_WITHIN_MS: i64 = 7 * 86_400_000;

/// By order.
#[derive(Default)]
pub struct Disputes(Mutex<BTreeMap<String, DisputeSeen>>);

impl Disputes {
    /// # Errors
    /// Nothing was paid, it was opened before, or it is decided.
    pub fn step(&self, number: &str, news: DisputeNews, order: Option<&OrderSeen>, now: i64) -> Result<(), Unplayable> {
        let order = order.filter(|order| order.times_taken > 0 && order.given_back_minor == 0);
        let order = order.ok_or_else(|| Unplayable(format!("nothing of the order {number} can be disputed")))?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let dispute = all.entry(number.to_owned()).or_insert_with(|| DisputeSeen {
            case_number: format!("D{}", number.trim_start_matches("pay_")),
            amount_minor: order.amount_minor,
            currency: order.currency.clone(),
            told: Vec::new(),
        });
        let last = dispute.told.last().copied();
        let is_over = last.is_some_and(|last| matches!(last.news, DisputeNews::Won | DisputeNews::Lost));
        if is_over || (last.is_some() && news == DisputeNews::Opened) {
            return Err(Unplayable(format!("the dispute about {number} is past {news:?}")));
        }
        // Each step is later than the one before, also within a millisecond.
        let at_ms = last.map_or(now, |last| now.max(last.at_ms + 1));
        let fee_minor = matches!(news, DisputeNews::Won | DisputeNews::Lost).then_some(FEE_MINOR);
        dispute.told.push(DisputeTold { news, at_ms, fee_minor });
        Ok(())
    }

    pub fn seen(&self, number: &str) -> Option<DisputeSeen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(number).cloned()
    }
}

/// What the merchant is told of the last step.
pub(super) fn body(number: &str, seen: &DisputeSeen) -> Value {
    let last = seen.told.last();
    let status = match last.map(|last| last.news) {
        None | Some(DisputeNews::Opened) => "OPENED",
        Some(DisputeNews::EvidenceWanted) => "EVIDENCE_WANTED",
        Some(DisputeNews::Won) => "WON",
        Some(DisputeNews::Lost) => "LOST",
    };
    let is_open = matches!(status, "OPENED" | "EVIDENCE_WANTED");
    let at = last.map_or(0, |last| last.at_ms);
    let written = |minor| amount::format(minor, Currency::read(&seen.currency).unwrap_or(Currency::Cny));
    json!({
        "dispute_number": seen.case_number, "order_number": number, "status": status,
        "amount": written(seen.amount_minor), "currency": seen.currency, "reason": "NOT_RECOGNISED",
        "respond_by": is_open.then_some(at + RESPOND_WITHIN_MS),
        "fee": written(last.and_then(|last| last.fee_minor).unwrap_or(0)), "at": at,
    })
}
