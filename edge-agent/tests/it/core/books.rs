//! What it says of its books.

use actix_web::web::Json;
use saoma_protocol::{
    Currency, Money, Sequence,
    api::{PaymentState, RefundState, TerminalBooks},
    journal::Record,
};

use super::Shared;

/// Core's books as it makes them: cash from the journal, the rest from its own payments.
pub(super) async fn books(known: Shared) -> Json<TerminalBooks> {
    let known = known.lock().unwrap();
    let mut sales: Vec<i64> = Vec::new();
    let mut refunds: Vec<i64> = Vec::new();
    for record in &known.journal {
        match record {
            Record::CashSale { amount, .. } => sales.push(amount.minor()),
            Record::CashRefund { amount, .. } => refunds.push(amount.minor()),
            _ => {}
        }
    }
    for view in known.payments.values() {
        if !matches!(
            view.state,
            PaymentState::Presenting | PaymentState::Pending | PaymentState::Failed | PaymentState::Cancelled
        ) {
            sales.push(view.amount.minor());
        }
    }
    let given = known.refunds.values().filter(|refund| refund.state == RefundState::Succeeded);
    refunds.extend(given.map(|refund| refund.amount.minor()));
    let sum = |minors: &[i64]| match minors {
        [] => Vec::new(),
        minors => vec![Money::new(minors.iter().sum(), Currency::CNY)],
    };
    Json(TerminalBooks {
        journal_through: Sequence(known.entries.len() as u64),
        sales_count: sales.len() as u64,
        sales: sum(&sales),
        refunds_count: refunds.len() as u64,
        refunds: sum(&refunds),
    })
}
