//! Settling by hand what a channel leaves open: two persons, and the channel's last word.

use saoma_channels::PaymentStatus;
use saoma_domain::{payment::State, refund::State as Standing};
use saoma_protocol::{PaymentId, RefundId, api::RefundKind};
use saoma_server::payments::{self, PaymentError, Proposal, give_back, resume_refund};
use saoma_store::{StoreError, tenants::LatePolicy};

use crate::scheme_world::{Counter, Say, giving_back, no_answer};

const PAID: Say = Say::Status(PaymentStatus::Succeeded);
const CLOSED: Say = Say::Status(PaymentStatus::Closed);

/// What one person proposes of a payment; `number` tells proposals apart.
pub fn proposal(payment: PaymentId, paid: bool, number: u8) -> Proposal {
    Proposal {
        id: saoma_protocol::HandSettlementId::from_bytes([number; 16]),
        payment,
        refund: None,
        paid,
        reference: "W-1".to_owned(),
        reason: "seen in the wallet's merchant portal".to_owned(),
        actor: "usr_owner".to_owned(),
        fingerprint: [number; 32],
    }
}

/// Two persons settle what the channel keeps silent about; later it says otherwise, and that is booked.
#[tokio::test]
async fn two_persons_settle_a_stuck_payment_and_the_channel_has_the_last_word() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let (id, scope) = (counter.charges().await.payment.payment.id, counter.scope);
    let (proposed, is_new) = payments::propose(&counter.app, scope, proposal(id, true, 1)).await.unwrap();
    assert!(is_new);
    assert!(matches!(counter.state(id).await, State::Unknown { .. }), "one person settled it alone");
    let again = payments::propose(&counter.app, scope, proposal(id, true, 1)).await.unwrap();
    assert_eq!(again, (proposed.clone(), false), "the same request again");
    let other = Proposal { fingerprint: [9; 32], ..proposal(id, false, 1) };
    let other = payments::propose(&counter.app, scope, other).await;
    assert!(matches!(other, Err(PaymentError::SettlementExistsDifferently(_))), "{other:?}");
    let alone = payments::confirm(&counter.app, scope, proposed.id, "usr_owner").await;
    assert!(matches!(alone, Err(PaymentError::SamePerson)));
    let carried_out = payments::confirm(&counter.app, scope, proposed.id, "usr_accountant").await.unwrap();
    assert!(matches!(counter.state(id).await, State::Captured(capture) if capture.by_hand));
    let again = payments::confirm(&counter.app, scope, proposed.id, "usr_accountant").await.unwrap();
    assert_eq!(again, carried_out, "the same request again");
    let third = payments::confirm(&counter.app, scope, proposed.id, "usr_manager").await;
    assert!(matches!(third, Err(PaymentError::Store(StoreError::Stale { .. }))), "{third:?}");
    counter.books_hold().await;
    counter.scheme.next("query", Say::Status(PaymentStatus::NotFound));
    counter.scheme.always("query", CLOSED);
    let workers = counter.workers();
    counter
        .comes_to(id, "the channel's word is booked", |sale| matches!(sale.payment.payment.state, State::Voided { .. }))
        .await;
    workers.stop().await;
    counter.books_hold().await;
    let events = counter.events(id).await;
    for kind in ["settlement_proposed", "settlement_confirmed", "paid_by_hand", "undone_elsewhere"] {
        assert!(events.contains(&kind.to_owned()), "{kind}: {events:?}");
    }
}

/// What persons called unpaid while the channel waits for the customer could be paid for ever: it is undone there.
#[tokio::test]
async fn what_persons_called_unpaid_does_not_stay_payable() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let scope = counter.scope;
    counter.scheme.next("charge", no_answer());
    let id = counter.charges().await.payment.payment.id;
    let (proposed, _) = payments::propose(&counter.app, scope, proposal(id, false, 1)).await.unwrap();
    payments::confirm(&counter.app, scope, proposed.id, "usr_accountant").await.unwrap();
    assert_eq!(counter.state(id).await, State::Reversed);
    counter.scheme.always("query", Say::Status(PaymentStatus::Pending));
    counter.scheme.next("cancel", no_answer());
    counter.scheme.always("cancel", CLOSED);
    let workers = counter.workers();
    counter.comes_to(id, "nothing is in doubt", |sale| sale.payment.watch.doubted_at.is_none()).await;
    workers.stop().await;
    assert_eq!((counter.state(id).await, counter.scheme.calls("cancel")), (State::Reversed, 2));
    counter.books_hold().await;
}

/// The channel answers after all: nothing is settled against it.
#[tokio::test]
async fn a_settlement_by_hand_is_refused_when_the_channel_says_otherwise() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let scope = counter.scope;
    for (number, paid, says) in [
        (1, false, PAID),
        (2, true, CLOSED),
        (3, true, Say::Status(PaymentStatus::NotFound)),
        // Paid, and of a sum that it does not name: that is not believed, and is no silence either.
        (4, false, Say::Bare(PaymentStatus::Succeeded)),
        (5, true, Say::Bare(PaymentStatus::Succeeded)),
    ] {
        counter.scheme.next("charge", no_answer());
        let id = counter.charges().await.payment.payment.id;
        let (proposed, _) = payments::propose(&counter.app, scope, proposal(id, paid, number)).await.unwrap();
        counter.scheme.next("query", says);
        let confirmed = payments::confirm(&counter.app, scope, proposed.id, "usr_accountant").await;
        assert!(matches!(confirmed, Err(PaymentError::ChannelSays(_))), "{number}: {confirmed:?}");
        assert!(!matches!(counter.state(id).await, State::Captured(capture) if capture.by_hand), "{number}");
        let again = payments::confirm(&counter.app, scope, proposed.id, "usr_accountant").await;
        assert!(matches!(again, Err(PaymentError::ChannelSays(_))), "a refused settlement was carried out: {again:?}");
    }
    counter.books_hold().await;
}

/// A void failed while a settlement of it waited. It is asked about by asking for it again, and nobody wants it any more.
#[tokio::test]
async fn a_void_that_is_over_is_not_asked_for_again_by_who_confirms() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", PAID);
    let (id, scope) = (counter.charges().await.payment.payment.id, counter.scope);
    counter.scheme.next("cancel", no_answer());
    let void = RefundId::from_bytes([8; 16]);
    let wish = giving_back(8, id, RefundKind::Void, None);
    give_back(&counter.app, scope, wish).await.unwrap();
    let wish = Proposal { refund: Some(void), ..proposal(id, false, 1) };
    let (proposed, _) = payments::propose(&counter.app, scope, wish).await.unwrap();
    counter.scheme.next("cancel", PAID);
    resume_refund(&counter.app, scope, counter.refunds(id).await.remove(0)).await.unwrap();
    assert!(matches!(counter.refunds(id).await[0].refund.state, Standing::Failed { .. }));
    let asked = counter.scheme.calls("cancel");
    counter.scheme.always("cancel", CLOSED);
    let confirmed = payments::confirm(&counter.app, scope, proposed.id, "usr_accountant").await;
    assert!(matches!(confirmed, Err(PaymentError::ChannelSays(_))), "{confirmed:?}");
    assert_eq!(counter.scheme.calls("cancel"), asked, "the sale was undone");
    assert!(matches!(counter.state(id).await, State::Captured(_)));
    counter.books_hold().await;
}
