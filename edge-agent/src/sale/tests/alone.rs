//! Cards that are sold to without a network: what core says later.

use saoma_protocol::api::Attention;

use super::*;

fn stored_card() -> Tender {
    let card =
        serde_json::from_value(serde_json::json!({"entry": "chip", "ksn": "FFFF9876543210E00001", "number": "00"}));
    let shown = CardShown {
        entry: saoma_protocol::api::CardEntry::Chip,
        masked: "401234***8909".to_owned(),
        label: String::new(),
        aid: String::new(),
        wants_signature: true,
    };
    let digits = saoma_protocol::api::CardDigits::new("401234", "8909").unwrap();
    let sold = crate::stored::SoldCard { digits, amount: amount(1_000), at: Millis(0) };
    let channel_account = saoma_protocol::ChannelAccountId::from_bytes([5; 16]);
    let card = Box::new(CardTender { presented: card.unwrap(), shown });
    Tender::Stored { card, sold: Box::new(sold), channel_account }
}

#[test]
fn a_card_without_a_network_is_the_acquirers_to_pay_and_is_printed_once() {
    let start = keyed(stored_card());
    assert!(matches!(start.records.as_slice(), [Record::StoredCardSale { .. }]));
    assert_eq!(start.effects, [Effect::Print(Slip::Sale)]);
    let event = |sale: Sale, event| decide(sale, event, Millis(20_000)).unwrap();
    let tick = Event::Tick { mqtt: false, poll_ms: 500 };
    let asked = event(Sale::reopened(start.sale.kept.clone()), tick.clone());
    assert_eq!(asked.effects, [Effect::Ask(Ask::Fetch)], "after a restart core is asked");
    let pushed = |sale: &Sale, version, state| {
        let view = PaymentView { stored_at: Some(Millis(0)), ..view(version, state) };
        event(sale.clone(), Event::Pushed { view: Box::new(view), refund: None })
    };
    // Something else of this number, that core has from before this disk was set back.
    let other =
        event(start.sale.clone(), Event::Pushed { view: Box::new(view(9, PaymentState::Succeeded)), refund: None });
    assert_eq!((other.sale.state(), other.sale.refundable_minor()), (Some(PaymentState::Pending), 0));
    assert!(matches!(other.effects.as_slice(), [Effect::Alarm { code: "core_answered_oddly", .. }]));
    let pending = pushed(&start.sale, 1, PaymentState::Unknown);
    assert_eq!((pending.records.len(), pending.effects.len(), pending.sale.is_forwarded()), (0, 0, true));
    // No release waits for the acquirer, who may never answer.
    assert_eq!((start.sale.left_to_do(), pending.sale.is_open()), (LeftToDo::Here, true), "its slip is at the printer");
    let printed = event(pending.sale.clone(), Event::Printed { done: true }).sale;
    assert_eq!(printed.left_to_do(), LeftToDo::Elsewhere);
    let query = event(pending.sale.clone(), Event::QueryPressed);
    assert_eq!(query.effects, [Effect::Ask(Ask::Fetch)], "nothing is undone for want of an answer");
    assert!(decide(pending.sale.clone(), Event::CancelPressed, Millis(0)).is_err());
    let again = event(pending.sale.clone(), Event::ReprintPressed);
    assert_eq!(again.effects, [Effect::Print(Slip::Copy)]);
    for (state, effects, captured) in [(PaymentState::Succeeded, 0, true), (PaymentState::Failed, 1, false)] {
        let ended = pushed(&pending.sale, 2, state);
        assert!(matches!(ended.records.as_slice(), [Record::SaleSettled { .. }]), "{:?}", ended.records);
        assert_eq!((ended.effects.len(), ended.sale.was_captured()), (effects, captured), "{:?}", ended.effects);
        assert!(!ended.sale.is_open() && !ended.sale.is_forwarded());
        let told = pushed(&ended.sale, 3, state);
        assert_eq!((told.effects, told.records), (Vec::new(), Vec::new()), "said once");
        // A loss is somebody's to see, once.
        let printed = event(told.sale.clone(), Event::Printed { done: true }).sale;
        let left = if captured { LeftToDo::Nothing } else { LeftToDo::Elsewhere };
        assert_eq!(printed.left_to_do(), left);
        let may = actions(&told.sale).contains(&Action::Acknowledge);
        let seen = decide(told.sale, Event::AcknowledgePressed, Millis(0));
        assert_eq!((may, seen.is_ok()), (!captured, !captured));
        if let Ok(seen) = seen {
            assert!(!seen.sale.kept.loss_unseen && seen.records.is_empty());
            assert!(decide(seen.sale, Event::AcknowledgePressed, Millis(0)).is_err());
        }
    }
}

/// Core has its entry, and no sale by it: believed when it is said twice, and a later word of core counts all the same.
#[test]
fn a_card_sale_that_core_holds_is_left_to_a_person_there() {
    let event = |sale: Sale, event| decide(sale, event, Millis(20_000)).unwrap();
    let none = Event::Answered { ask: Ask::Fetch, outcome: Outcome::NotFound };
    let once = event(keyed(stored_card()).sale, none.clone());
    assert!(once.sale.is_open() && once.effects.is_empty());
    let twice = event(once.sale, none);
    assert!(matches!(twice.effects.as_slice(), [Effect::Alarm { code: "stored_not_booked", .. }]));
    assert!(twice.sale.is_forwarded() && twice.sale.is_held());
    // Core is asked on, more seldom, and somebody told on, also after a restart.
    let tick = Event::Tick { mqtt: false, poll_ms: 500 };
    assert_eq!(event(Sale::reopened(twice.sale.kept.clone()), tick).effects, [Effect::Ask(Ask::Fetch)]);
    let none = || Event::Answered { ask: Ask::Fetch, outcome: Outcome::NotFound };
    let thrice = event(Sale::reopened(twice.sale.kept.clone()), none());
    assert!(matches!(thrice.effects.as_slice(), [Effect::Alarm { code: "stored_not_booked", .. }]), "told on");
    assert_eq!(thrice.sale.waits.next_at, Some(Millis(20_000 + 15 * 60_000)));
    let view = PaymentView { stored_at: Some(Millis(0)), ..view(1, PaymentState::Succeeded) };
    let push = Event::Pushed { view: Box::new(view), refund: None };
    let booked = event(twice.sale.clone(), push.clone());
    assert!(booked.sale.was_captured() && !booked.sale.is_held());
    // Somebody here has seen it: nobody is told on, and core is asked no more. Its word counts all the same.
    let printed = event(twice.sale, Event::Printed { done: true }).sale;
    assert_eq!(
        (actions(&printed), printed.left_to_do()),
        (vec![Action::Reprint, Action::Acknowledge], LeftToDo::Elsewhere)
    );
    let left = event(printed, Event::AcknowledgePressed).sale;
    assert_eq!((actions(&left), left.left_to_do()), (vec![Action::Reprint], LeftToDo::Nothing));
    assert!(left.is_held() && left.awaits_office() && left.alarm().is_none());
    assert!(decide(left.clone(), Event::AcknowledgePressed, Millis(0)).is_err());
    let kept = serde_json::from_str(&serde_json::to_string(&left.kept).unwrap()).unwrap();
    let asked = event(Sale::reopened(kept), tick_again());
    assert_eq!((asked.effects, asked.sale.kept.stage.clone()), (Vec::new(), left.kept.stage.clone()));
    assert!(event(left.clone(), none()).effects.is_empty());
    assert!(event(left, push).sale.was_captured());
}

const fn tick_again() -> Event {
    Event::Tick { mqtt: false, poll_ms: 500 }
}

/// Core has it and wants a person to look at it: that may take days.
#[test]
fn a_card_sale_that_waits_for_a_person_at_core_is_asked_about_seldom() {
    let attention =
        Attention { since: Millis(0), asked: 0, last_said: None, last_said_at: None, next_attempt_at: None };
    for (needs_attention, pause) in [(None, 60_000), (Some(attention), 15 * 60_000)] {
        let is_held = needs_attention.is_some();
        let view = PaymentView { stored_at: Some(Millis(0)), needs_attention, ..view(1, PaymentState::Pending) };
        let push = Event::Pushed { view: Box::new(view), refund: None };
        let told = decide(keyed(stored_card()).sale, push, Millis(0)).unwrap().sale;
        assert_eq!((told.awaits_office(), told.is_forwarded(), told.alarm()), (is_held, true, None));
        let asked = decide(Sale::reopened(told.kept), tick_again(), Millis(0)).unwrap();
        assert_eq!((asked.effects, asked.sale.waits.next_at), (vec![Effect::Ask(Ask::Fetch)], Some(Millis(pause))));
    }
}

/// Another sale stands under its number at core: that does not change by itself, and what goes back on that one is none of this one's.
#[test]
fn a_card_sale_whose_number_is_taken_at_core_can_be_ended_here() {
    let other = view(9, PaymentState::PartlyRefunded);
    let refund = Some(Box::new(refund_view(RefundState::Succeeded, 100)));
    let pushed = Event::Pushed { view: Box::new(other.clone()), refund };
    let told = decide(keyed(stored_card()).sale, pushed, Millis(0)).unwrap();
    assert!(
        matches!(told.effects.as_slice(), [Effect::Alarm { code: "core_answered_oddly", .. }]),
        "{:?}",
        told.effects
    );
    assert_eq!((told.sale.kept.refunds.len(), told.sale.refunded_minor()), (0, 0));
    let answered = Event::Answered { ask: Ask::Fetch, outcome: Outcome::View(Box::new(other)) };
    let asked = decide(told.sale, answered, Millis(0)).unwrap().sale;
    assert_eq!(asked.waits.next_at, Some(Millis(15 * 60_000)));
    assert!(decide(asked, Event::AcknowledgePressed, Millis(0)).unwrap().sale.is_left());
}

/// The acquirer pays after all: nothing is lost, and what goes back on it is at risk like any other's.
#[test]
fn a_card_sale_that_was_declined_and_is_paid_after_all_is_no_loss() {
    let mut sale = keyed(stored_card()).sale;
    for (version, state) in [(1, PaymentState::Failed), (2, PaymentState::Succeeded)] {
        let view = PaymentView { stored_at: Some(Millis(0)), ..view(version, state) };
        sale = decide(sale, Event::Pushed { view: Box::new(view), refund: None }, Millis(0)).unwrap().sale;
        assert_eq!(sale.kept.loss_unseen, state == PaymentState::Failed);
    }
    sale = decide(sale, Event::Printed { done: true }, Millis(0)).unwrap().sale;
    assert_eq!((sale.left_to_do(), actions(&sale).contains(&Action::Acknowledge)), (LeftToDo::Nothing, false));
    let back = Event::RefundPressed { refund: REFUND, amount: amount(100), cashier: "Li".to_owned() };
    assert_eq!(decide(sale, back, Millis(0)).unwrap().sale.left_to_do(), LeftToDo::Here);
}
