//! Sales that the customer's phone carries to core: what is known of them before core is there, and what core says then.

use super::*;

fn carried() -> Decision {
    keyed(Tender::Phone(Box::new(PhoneShown {
        link: "https://pay.example/m/AQ".to_owned(),
        made_at: Millis(100_000),
        expires_at: Millis(400_000),
        confirmation: "ABCD2345".parse().unwrap(),
    })))
}

fn event(sale: &Sale, event: Event) -> Decision {
    decide(sale.clone(), event, Millis(20_000)).unwrap()
}

fn of_code(version: u64, state: PaymentState) -> PaymentView {
    PaymentView { created_at: Millis(120_000), ..view(version, state) }
}

fn says(sale: &Sale, version: u64, state: PaymentState) -> Decision {
    event(sale, Event::Pushed { view: Box::new(of_code(version, state)), refund: None })
}

const PAID: Option<PaymentState> = Some(PaymentState::Succeeded);

#[test]
fn it_is_written_down_and_shown_and_sent_by_nobody_here() {
    let start = carried();
    assert!(matches!(
        start.records.as_slice(),
        [Record::SaleKeyed { method: saoma_protocol::journal::Method::MerchantPresented, .. }]
    ));
    assert_eq!((start.effects.as_slice(), start.sale.state(), start.sale.is_open()), (&[][..], None, true));
    assert!(
        matches!(display(&start.sale), crate::peripherals::Display::Code { code_url, .. } if code_url.ends_with("/m/AQ"))
    );
    assert_eq!(actions(&start.sale), [Action::Query, Action::Confirm, Action::Cancel]);
    // Whatever passes, and after a restart: core is asked what it has, and not to make it.
    let reopened = Sale::reopened(start.sale.kept.clone());
    for (sale, what) in [(&reopened, TICK), (&start.sale, Event::QueryPressed), (&reopened, Event::QueryPressed)] {
        assert_eq!(event(sale, what).effects, [Effect::Ask(Ask::Fetch)]);
    }
    let away = event(&event(&reopened, TICK).sale, answered(Ask::Fetch, Outcome::NotSent));
    assert_eq!((away.sale.state(), away.effects.len()), (None, 0), "that core is away says nothing");
}

#[test]
fn cores_word_by_the_customers_phone_pays_it_once_and_prints_it_once() {
    let waits = carried().sale;
    let paid = event(&waits, Event::Confirmed);
    assert_eq!((paid.sale.state(), paid.effects.as_slice()), (PAID, &[Effect::Print(Slip::Sale)][..]));
    let settled = Record::SaleSettled { payment: PAYMENT, state: PaymentState::Succeeded, amount_refunded_minor: 0 };
    assert_eq!(paid.records, [settled]);
    assert_eq!(to_announce(false, &paid.sale, Millis(20_000)), Some(amount(1000).money()));
    let again = event(&paid.sale, Event::Confirmed);
    assert_eq!((again.effects, again.records, &again.sale.kept), (Vec::new(), Vec::new(), &paid.sale.kept));
    assert!(!actions(&paid.sale).contains(&Action::Confirm) && actions(&paid.sale).contains(&Action::Refund));
    // What core said before comes late, and then its own word: nothing is printed or written twice.
    for state in [PaymentState::Created, PaymentState::Presenting, PaymentState::Unknown] {
        let late = says(&paid.sale, 1, state);
        assert_eq!((late.sale.state(), late.effects.len()), (PAID, 0), "{state:?}");
    }
    let odd = says(&paid.sale, 2, PaymentState::Cancelled);
    assert!(matches!(odd.effects.as_slice(), [Effect::Alarm { code: "core_answered_oddly", .. }]));
    assert_eq!(odd.sale.state(), PAID);
    let known = says(&paid.sale, 3, PaymentState::Succeeded);
    assert_eq!((known.sale.state(), known.effects.len(), known.records.len()), (PAID, 0, 0));
    let refunded = says(&known.sale, 4, PaymentState::Refunded);
    assert_eq!(refunded.sale.state(), Some(PaymentState::Refunded));
    assert_eq!(
        event(&refunded.sale, Event::Confirmed).sale.state(),
        Some(PaymentState::Refunded),
        "no old word undoes it"
    );
}

#[test]
fn it_is_paid_whatever_was_believed_before() {
    let waits = carried().sale;
    let presenting = says(&waits, 1, PaymentState::Presenting).sale;
    let cancelling = event(&waits, Event::CancelPressed).sale;
    let over = event(&waits, answered(Ask::Fetch, Outcome::NotFound)).sale;
    let over = event(&over, answered(Ask::Fetch, Outcome::NotFound)).sale;
    assert_eq!((over.state(), over.is_open()), (Some(PaymentState::Expired), false));
    for sale in [presenting, cancelling, over] {
        let paid = event(&sale, Event::Confirmed);
        assert_eq!((paid.sale.state(), paid.effects.as_slice()), (PAID, &[Effect::Print(Slip::Sale)][..]));
    }
    // Of a sale that is none of these the word is nobody's.
    let other = event(&keyed(Tender::Code).sale, Event::Confirmed);
    assert_eq!((other.sale.state(), other.effects.len()), (None, 0));
}

#[test]
fn core_tells_itself_once_it_is_there() {
    let waits = carried().sale;
    let presenting = says(&waits, 1, PaymentState::Presenting);
    assert_eq!(presenting.sale.state(), Some(PaymentState::Presenting));
    let paid = says(&presenting.sale, 2, PaymentState::Succeeded);
    assert_eq!(paid.effects, [Effect::Print(Slip::Sale)]);
    // A cashier who gave up is told that it is paid all the same.
    let cancelling = event(&waits, Event::CancelPressed);
    assert_eq!(cancelling.effects, [Effect::Ask(Ask::Cancel)]);
    let too_late = event(&cancelling.sale, answered(Ask::Cancel, refused("payment_not_cancellable")));
    assert_eq!(too_late.effects, [Effect::Ask(Ask::Fetch)]);
    let paid =
        event(&too_late.sale, answered(Ask::Fetch, Outcome::View(Box::new(of_code(2, PaymentState::Succeeded)))));
    assert_eq!((paid.sale.state(), paid.effects.as_slice()), (PAID, &[Effect::Print(Slip::Sale)][..]));
    // Nobody opened it, and it was given up.
    let none = answered(Ask::Cancel, Outcome::NotFound);
    let given_up = event(&event(&cancelling.sale, none.clone()).sale, none);
    assert_eq!(given_up.sale.state(), Some(PaymentState::Cancelled));
    // Under its number core has a sale from before this disk was set back.
    let older = event(&waits, Event::Pushed { view: Box::new(view(9, PaymentState::Succeeded)), refund: None });
    assert!(matches!(older.effects.as_slice(), [Effect::Alarm { code: "core_answered_oddly", .. }]));
    assert_eq!(older.sale.state(), None);
}
