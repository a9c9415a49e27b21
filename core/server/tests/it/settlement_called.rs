//! A close and what persons are called for: it waits for no such payment, and for none that may be going out just now.

use std::sync::Arc;

use saoma_channels::PaymentStatus;
use saoma_domain::settlement::{Settled, State};
use saoma_protocol::{HandSettlementId, PaymentId, api::RefundKind};
use saoma_server::{
    payments::{Proposal, cancel, confirm, give_back, propose},
    settlement::SettlementError,
    workers::resolver::{self, Leases},
};
use saoma_store::{payments, refunds};
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    fleet_world::eventually,
    reconcile::{HOUR_MS, on_both},
    scheme_world::{AMOUNT_MINOR, Counter, Say, giving_back, no_answer},
    settlement::{TERMS, closes_due, closes_held, sums, tally},
};

const MINUTE_MS: i64 = 60_000;

/// The scheme is silent, once the bell rings.
fn hangs(bell: &Arc<Notify>) -> Say {
    Say::Held(bell.clone(), Box::new(no_answer()))
}

impl Counter {
    /// A payment that somebody cancelled here, that a person is called for, and that is due.
    async fn is_due_and_called(&self, payment: PaymentId) {
        let (scope, now) = (self.scope, self.app.now());
        let call = move |tx: &mut saoma_store::Tx<'_>| {
            let mut stored = payments::load(tx, &scope, payment)?;
            if stored.watch.attention_at.is_none() {
                stored.watch.attention_at = Some(now);
                payments::save(tx, &scope, &mut stored)?;
            }
            stored.next_attempt_at = Some(now);
            payments::reschedule(tx, &scope, &stored)
        };
        self.app.store().write(call).await.unwrap();
    }

    /// The resolver takes up what is due: it is out then, or refused.
    async fn begins(&self) -> JoinSet<()> {
        let (mut work, before) = (JoinSet::new(), self.scheme.calls("cancel"));
        resolver::take_up(&self.app, 8, &mut work, &mut Leases::default()).await.unwrap();
        let (begun, mut ended) = (work.len(), 0);
        eventually("each is out, or refused", async || {
            while work.try_join_next().is_some() {
                ended += 1;
            }
            ended + self.scheme.calls("cancel") - before >= begun
        })
        .await;
        work
    }
}

/// Sales and totals are answered, reversals are not: some reversal is always out.
#[actix_web::test]
async fn reversals_without_an_answer_hold_no_close_up() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.scheme.always("query", Say::Status(PaymentStatus::Pending));
        counter.sells(PaymentStatus::Succeeded).await;
        counter.scheme.next("charge", no_answer());
        let id = counter.charges().await.payment.payment.id;
        counter.scheme.next("cancel", no_answer());
        cancel(&counter.app, counter.scope, id, "usr_cashier").await.unwrap();
        counter.is_due_and_called(id).await;
        let bell = Arc::new(Notify::new());
        counter.scheme.always("cancel", hangs(&bell));
        // It is a day later, and core wants to close.
        counter.later(5 * HOUR_MS);
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        for _ in 0..3 {
            counter.is_due_and_called(id).await;
            let mut work = counter.begins().await;
            closes_due(&counter.app).await;
            closes_held(&counter.app).await;
            bell.notify_waiters();
            work.join_next().await;
            counter.later(MINUTE_MS);
        }
        let closed = counter.batches().await.remove(0);
        assert_eq!((sums(&closed).0, &closed.state), (tally(1, AMOUNT_MINOR), &State::Settled));
        assert!(counter.scheme.calls("cancel") >= 3, "and it is asked for again");
    })
    .await;
}

/// Before two persons settle a void by hand it is asked for once more: no worker has it in hand, and nothing is written down.
#[actix_web::test]
async fn no_batch_is_closed_while_what_a_person_looks_at_may_be_carried_out() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        let sold = counter.sells(PaymentStatus::Succeeded).await.payment.payment.id;
        let void = giving_back(1, sold, RefundKind::Void, None);
        let refund = void.id;
        counter.scheme.next("cancel", no_answer());
        give_back(&counter.app, counter.scope, void).await.unwrap();
        let (scope, now) = (counter.scope, counter.app.now());
        let call = move |tx: &mut saoma_store::Tx<'_>| {
            let mut stored = refunds::load(tx, &scope, refund)?;
            stored.watch.attention_at = Some(now);
            refunds::save(tx, &scope, &mut stored)
        };
        counter.app.store().write(call).await.unwrap();
        counter.later(HOUR_MS);
        let proposal = Proposal {
            id: HandSettlementId::from_bytes([7; 16]),
            payment: sold,
            refund: Some(refund),
            paid: true,
            reference: "0042".to_owned(),
            reason: "seen at the acquirer".to_owned(),
            actor: "usr_owner".to_owned(),
            fingerprint: [0; 32],
        };
        let (looked, _) = propose(&counter.app, counter.scope, proposal).await.unwrap();
        let bell = Arc::new(Notify::new());
        counter.scheme.next("cancel", hangs(&bell));
        let app = counter.app.clone();
        let confirmed = tokio::spawn(async move { confirm(&app, scope, looked.id, "usr_manager").await });
        eventually("it is out", async || counter.scheme.calls("cancel") == 2).await;
        let closes = counter.closes().await;
        assert!(matches!(closes, Err(SettlementError::UnderWay { count: 1, .. })), "{closes:?}");
        bell.notify_one();
        confirmed.await.unwrap().unwrap();
        counter.later(MINUTE_MS);
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        closes_held(&counter.app).await;
        assert_eq!(sums(&counter.batches().await[0]), (tally(1, AMOUNT_MINOR), tally(1, AMOUNT_MINOR)));
    })
    .await;
}
