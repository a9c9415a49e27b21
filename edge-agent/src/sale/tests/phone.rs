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
fn what_core_denies_is_asked_seldom_until_somebody_has_seen_it() {
    let none = || answered(Ask::Fetch, Outcome::NotFound);
    let paid = event(&event(&carried().sale, Event::Confirmed).sale, Event::Printed { done: true }).sale;
    assert!(!actions(&paid).contains(&Action::Acknowledge));
    assert!(decide(paid.clone(), Event::AcknowledgePressed, Millis(20_000)).is_err());
    let forgotten = plays(
        Sale::reopened(paid.kept.clone()),
        &[
            (20, TICK, "fetch"),
            (21, none(), ""),
            (27, TICK, "fetch"),
            (28, none(), "alarm core_forgot_sale"),
            (900, TICK, ""),
            (929, TICK, "fetch"),
            (930, none(), "alarm core_forgot_sale"),
        ],
        "succeeded",
    );
    let unpaid = plays(
        Sale::reopened(paid.kept.clone()),
        &[
            (20, TICK, "fetch"),
            (21, core_has(2, PaymentState::Expired), "alarm core_answered_oddly"),
            (900, TICK, ""),
            (922, TICK, "fetch"),
        ],
        "succeeded",
    );
    for denied in [forgotten, unpaid] {
        assert!(actions(&denied).contains(&Action::Acknowledge));
        assert_eq!(denied.left_to_do(), LeftToDo::Elsewhere);
        let seen = event(&denied, Event::AcknowledgePressed).sale;
        assert_eq!((seen.left_to_do(), seen.state()), (LeftToDo::Nothing, PAID));
        assert!(!actions(&seen).contains(&Action::Acknowledge));
        assert_eq!(event(&Sale::reopened(seen.kept.clone()), TICK).effects, Vec::new());
        // Core may be set right, and tells of it.
        let known = says(&seen, 3, PaymentState::Succeeded).sale;
        assert!(!known.awaits_cores_word(), "{known:?}");
    }
    // What goes back on it is not there either: also where that was once not heard.
    let ask = Ask::Refund(REFUND);
    let given = plays(
        paid,
        &[
            (20, give_back(400), "refund"),
            (21, answered(ask, Outcome::Silent), ""),
            (24, TICK, "refund"),
            (25, answered(ask, Outcome::NotFound), ""),
            (31, TICK, "refund"),
            (32, answered(ask, Outcome::NotFound), ""),
        ],
        "succeeded",
    );
    assert_eq!(given.refund(REFUND).map(|refund| refund.state), Some(RefundState::Failed));
    assert_eq!((given.left_to_do(), given.refundable_minor()), (LeftToDo::Elsewhere, 1000));
}

#[test]
fn it_is_paid_whatever_was_believed_before() {
    let waits = carried().sale;
    let presenting = says(&waits, 1, PaymentState::Presenting).sale;
    let cancelling = event(&waits, Event::CancelPressed).sale;
    let over = event(&waits, answered(Ask::Fetch, Outcome::NotFound)).sale;
    let over = event(&over, answered(Ask::Fetch, Outcome::NotFound)).sale;
    assert_eq!((over.state(), over.is_open()), (Some(PaymentState::Expired), false));
    for (sale, effects) in [
        (presenting, "print sale"),
        // Whoever gave it up may have taken cash since.
        (cancelling, "print sale, alarm paid_after_all"),
        (over, "print sale, alarm paid_after_all"),
    ] {
        let paid = event(&sale, Event::Confirmed);
        assert_eq!((paid.sale.state(), words(&paid.effects).as_str()), (PAID, effects));
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
}

fn core_has(version: u64, state: PaymentState) -> Event {
    answered(Ask::Fetch, Outcome::View(Box::new(of_code(version, state))))
}

#[test]
fn what_is_given_up_is_looked_for_at_core_first_and_let_in_no_more() {
    let none = || answered(Ask::Fetch, Outcome::NotFound);
    let waits = carried().sale;
    let called_off = plays(
        waits.clone(),
        &[
            (20, Event::CancelPressed, "fetch"),
            (21, none(), "cancel"),
            (22, answered(Ask::Cancel, refused("sale_called_off")), ""),
        ],
        "cancelled",
    );
    let why = called_off.failure().map(|failure| failure.code.as_str());
    assert_eq!((why, called_off.left_to_do()), (Some("phone_called_off"), LeftToDo::Nothing));
    // A core of before lets a code begin it as long as that is good: whoever tells that it has none has looked at the clock.
    plays(
        waits.clone(),
        &[
            (20, Event::CancelPressed, "fetch"),
            (21, none(), "cancel"),
            (22, answered(Ask::Cancel, Outcome::NotFound), ""),
            (28, TICK, "fetch"),
            (29, none(), "cancel"),
            (30, answered(Ask::Cancel, Outcome::NotFound), ""),
        ],
        "cancelled",
    );
    // The customer was faster: what core has is cancelled there, or is paid, and a person hears of that.
    let cancelled = Outcome::View(Box::new(of_code(2, PaymentState::Cancelled)));
    plays(
        waits.clone(),
        &[
            (20, Event::CancelPressed, "fetch"),
            (21, core_has(1, PaymentState::Presenting), "cancel"),
            (22, answered(Ask::Cancel, cancelled), ""),
        ],
        "cancelled",
    );
    plays(
        waits.clone(),
        &[
            (20, Event::CancelPressed, "fetch"),
            (21, core_has(2, PaymentState::Succeeded), "print sale, alarm paid_after_all"),
        ],
        "succeeded",
    );
    // Silence decides nothing, and after a restart it goes on where it was.
    let cancelling = event(&waits, Event::CancelPressed).sale;
    plays(
        Sale::reopened(cancelling.kept),
        &[
            (20, TICK, "fetch"),
            (21, answered(Ask::Fetch, Outcome::Silent), ""),
            (40, TICK, "fetch"),
            (41, none(), "cancel"),
        ],
        "sending",
    );
    // What was called off here, and is paid at core all the same, is told to a person as well.
    let late = says(&called_off, 3, PaymentState::Succeeded);
    assert_eq!(words(&late.effects), "print sale, alarm paid_after_all");
}

#[test]
fn what_core_would_not_cancel_any_more_is_told_to_a_person_as_well() {
    let none = || answered(Ask::Fetch, Outcome::NotFound);
    let waits = carried().sale;
    // Core refuses since it is paid by now: other money may have been taken while nothing was known.
    let too_late = plays(
        waits.clone(),
        &[
            (20, Event::CancelPressed, "fetch"),
            (21, core_has(1, PaymentState::Presenting), "cancel"),
            (22, answered(Ask::Cancel, Outcome::Silent), ""),
            (24, TICK, "cancel"),
            (25, answered(Ask::Cancel, refused("payment_not_cancellable")), "fetch"),
        ],
        "presenting",
    );
    plays(
        Sale::reopened(too_late.kept),
        &[(26, core_has(2, PaymentState::Succeeded), "print sale, alarm paid_after_all")],
        "succeeded",
    );
    // The same where the code was over, nobody had opened it as far as was known, and core then told that somebody had.
    plays(
        waits,
        &[
            (20, none(), ""),
            (26, none(), ""),
            (27, Event::Pushed { view: Box::new(of_code(1, PaymentState::Presenting)), refund: None }, "cancel"),
            (28, answered(Ask::Cancel, refused("payment_not_cancellable")), "fetch"),
            (29, core_has(2, PaymentState::Succeeded), "print sale, alarm paid_after_all"),
        ],
        "succeeded",
    );
}

#[test]
fn what_is_being_cancelled_shows_no_code_and_says_until_when_it_is_good() {
    let waits = carried().sale;
    let seen = |sale: &Sale| {
        let view = crate::till::view::SaleView::of(sale, false);
        (view.code_url.is_some(), view.expires_at)
    };
    assert_eq!(seen(&waits), (true, Some(Millis(400_000))));
    assert_eq!(seen(&event(&waits, Event::CancelPressed).sale), (false, Some(Millis(400_000))));
    assert_eq!(seen(&event(&waits, Event::Confirmed).sale), (false, None));
}

#[test]
fn what_was_paid_after_it_was_given_up_rings_until_somebody_has_seen_it() {
    let cancelling = event(&carried().sale, Event::CancelPressed).sale;
    let confirmed = event(&cancelling, Event::Confirmed).sale;
    let told = says(&cancelling, 2, PaymentState::Succeeded).sale;
    for (paid, seen_as) in [(confirmed, LeftToDo::Elsewhere), (told, LeftToDo::Nothing)] {
        let printed = event(&paid, Event::Printed { done: true }).sale;
        // Over a restart, and whatever core says of it later.
        let reopened = says(&Sale::reopened(printed.kept.clone()), 3, PaymentState::Succeeded).sale;
        for held in [&printed, &reopened] {
            assert_eq!(held.alarm().map(|(code, _)| code), Some("paid_after_all"));
            assert_eq!(held.left_to_do(), LeftToDo::Elsewhere);
            assert!(actions(held).contains(&Action::Acknowledge));
        }
        let seen = event(&printed, Event::AcknowledgePressed).sale;
        assert_eq!((seen.alarm(), seen.left_to_do()), (None, seen_as));
        assert!(!actions(&seen).contains(&Action::Acknowledge));
    }
}

#[test]
fn what_core_has_sold_before_under_the_number_ends_it_and_is_never_cancelled() {
    let waits = carried().sale;
    let older = Outcome::View(Box::new(view(9, PaymentState::Presenting)));
    let larger = PaymentView { amount: amount(1001), ..of_code(9, PaymentState::Presenting) };
    for other in [older, Outcome::View(Box::new(larger))] {
        let sale = plays(
            waits.clone(),
            &[
                (20, Event::CancelPressed, "fetch"),
                (21, answered(Ask::Fetch, other.clone()), "alarm core_answered_oddly"),
            ],
            "cancelled",
        );
        assert_eq!(sale.failure().map(|failure| failure.code.as_str()), Some("phone_number_taken"));
        let sale = plays(
            waits.clone(),
            &[(20, Event::QueryPressed, "fetch"), (21, answered(Ask::Fetch, other), "alarm core_answered_oddly")],
            "expired",
        );
        assert_eq!((sale.left_to_do(), actions(&sale)), (LeftToDo::Nothing, Vec::new()));
    }
    let pushed = event(&waits, Event::Pushed { view: Box::new(view(9, PaymentState::Succeeded)), refund: None });
    assert_eq!((words(&pushed.effects).as_str(), pushed.sale.was_captured()), ("alarm core_answered_oddly", false));
}

#[test]
fn letters_pay_it_and_core_is_asked_until_it_says_the_same() {
    let paid = event(&carried().sale, Event::Confirmed).sale;
    let printed = event(&paid, Event::Printed { done: true }).sale;
    assert_eq!((printed.is_open(), printed.left_to_do()), (false, LeftToDo::Elsewhere));
    let known = plays(
        Sale::reopened(printed.kept.clone()),
        &[(20, TICK, "fetch"), (21, core_has(1, PaymentState::Presenting), ""), (22, TICK, ""), (25, TICK, "fetch")],
        "succeeded",
    );
    let known = plays(known, &[(26, core_has(2, PaymentState::Succeeded), "")], "succeeded");
    assert_eq!(known.left_to_do(), LeftToDo::Nothing);
    // Core has none of it. What is said once may have been said before it came there.
    let none = || answered(Ask::Fetch, Outcome::NotFound);
    plays(
        Sale::reopened(printed.kept.clone()),
        &[(20, TICK, "fetch"), (21, none(), ""), (27, TICK, "fetch"), (28, none(), "alarm core_forgot_sale")],
        "succeeded",
    );
    // Or it ended unpaid there.
    let step = (21, core_has(2, PaymentState::Expired), "alarm core_answered_oddly");
    let unpaid = plays(Sale::reopened(printed.kept), &[(20, TICK, "fetch"), step], "succeeded");
    assert_eq!(unpaid.left_to_do(), LeftToDo::Elsewhere, "a person sees to it");
    let told = event(&unpaid, core_has(2, PaymentState::Expired)).effects;
    assert!(matches!(told.as_slice(), [Effect::Alarm { message, .. }] if message.contains("sale 1 ")), "{told:?}");
}
