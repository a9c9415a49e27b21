//! The end of a call for a person: somebody has seen to it.
//!
//! What is still open or in doubt goes on waiting for a person: that ends with the channel's word, or with a settlement by
//! hand.

use saoma_protocol::{Millis, PaymentId};
use saoma_store::{
    TenantScope, Tx, audit,
    payments::{self, Sale},
    refunds,
};

use super::{PaymentError, kind, refund::is_over, settle::decided, settle::record};
use crate::app::App;

/// A person has seen to what the payment and its refunds called for. `reason`: what they did about it.
///
/// # Errors
/// `Store`.
pub async fn attend(
    app: &App,
    scope: TenantScope,
    payment: PaymentId,
    reason: String,
    actor: &str,
) -> Result<Sale, PaymentError> {
    let (now, actor) = (app.now(), actor.to_owned());
    let sale = decided(app, move |tx| attend_in(tx, &scope, payment, &reason, &actor, now)).await?;
    app.news_of(scope.tenant());
    Ok(sale)
}

fn attend_in(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    reason: &str,
    actor: &str,
    now: Millis,
) -> Result<Sale, PaymentError> {
    let mut stored = payments::load(tx, scope, payment)?;
    let is_stuck = stored.payment.is_open() || stored.watch.doubted_at.is_some();
    let mut ended = stored.watch.attention_at.is_some() && !is_stuck;
    if ended {
        stored.watch.attention_at = None;
        stored.updated_at = now;
        payments::save(tx, scope, &mut stored)?;
    }
    for mut refund in refunds::of_payment(tx, scope, payment)? {
        let is_stuck = !is_over(&refund.refund.state) || refund.watch.doubted_at.is_some();
        if refund.watch.attention_at.is_some() && !is_stuck {
            refund.watch.attention_at = None;
            refund.updated_at = now;
            refunds::save(tx, scope, &mut refund)?;
            ended = true;
        }
    }
    if ended {
        record(tx, scope, &stored, None, kind::ATTENDED, reason, actor, now)?;
        let entry = audit::NewEntry::new(
            actor,
            format!("payment.{}", kind::ATTENDED),
            &payment,
            &serde_json::json!({ "reason": reason }),
            now,
        );
        audit::append(tx, scope, &entry)?;
    }
    Ok(payments::load_sale(tx, scope, payment)?)
}
