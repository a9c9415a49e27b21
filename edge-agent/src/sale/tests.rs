//! What may happen to a sale, one line an event: when, what, and what the till does about it.

use saoma_protocol::{
    Amount, Currency, Millis, Money, OrderId, PaymentId, RefundId, Sequence, StoreId,
    api::{PaymentState, PaymentView, Problem, RefundKind, RefundState, RefundView},
    journal::{CoreTime, Record, Stamp},
};

use super::*;

mod alone;
mod phone;

const REFUND: RefundId = RefundId::from_bytes([7; 16]);
const PAYMENT: PaymentId = PaymentId::from_bytes([5; 16]);

fn amount(minor: i64) -> Amount {
    Amount::new(minor, Currency::CNY).unwrap()
}

fn keyed(tender: Tender) -> Decision {
    let cashier = "Li".to_owned();
    let (goods, reference) = (Vec::new(), None);
    let keyed = Keyed {
        payment: PAYMENT,
        counter: Sequence(1),
        amount: amount(1000),
        tender,
        goods,
        reference,
        split: None,
        quote: None,
        cashier,
    };
    key(keyed, Millis(0))
}

fn scan() -> Tender {
    Tender::Scan { code: ScannedCode::new("281234567890".to_owned()) }
}

/// What core says of a scanned sale of 10.00.
pub(crate) fn view(version: u64, state: PaymentState) -> PaymentView {
    PaymentView {
        id: PAYMENT,
        order: OrderId::from_bytes([9; 16]),
        version,
        state,
        amount: amount(1000),
        refunded_minor: 0,
        disputed_minor: 0,
        method: "customer_presented".to_owned(),
        channel: "sandbox".to_owned(),
        channel_account: None,
        channel_reference: None,
        store: StoreId::from_bytes([3; 16]),
        terminal: None,
        counter: None,
        cashier: None,
        reference: None,
        goods: Vec::new(),
        code_url: None,
        static_code: None,
        expires_at: None,
        paid_late: false,
        paid_by_hand: false,
        needs_attention: None,
        failure: None,
        created_at: Millis(1),
        updated_at: Millis(1),
        paid_at: None,
        stored_at: None,
    }
}

fn refund_view(state: RefundState, minor: i64) -> RefundView {
    RefundView {
        id: REFUND,
        payment: PAYMENT,
        version: 1,
        kind: RefundKind::Refund,
        state,
        amount: amount(minor),
        reason: None,
        channel_reference: None,
        failure: None,
        needs_attention: None,
        created_at: Millis(1),
        updated_at: Millis(1),
    }
}

fn answered(ask: Ask, outcome: Outcome) -> Event {
    Event::Answered { ask, outcome }
}

fn is(state: PaymentState) -> Outcome {
    Outcome::View(Box::new(view(2, state)))
}

fn refused(code: &str) -> Outcome {
    Outcome::Refused(Box::new(Problem {
        kind: String::new(),
        title: code.to_owned(),
        status: 409,
        code: code.to_owned(),
        detail: "no".to_owned(),
        pointer: None,
        errors: Vec::new(),
        trace_id: None,
    }))
}

const TICK: Event = Event::Tick { mqtt: false, poll_ms: 2_000 };

fn give_back(minor: i64) -> Event {
    Event::RefundPressed { refund: REFUND, amount: amount(minor), cashier: "Li".to_owned() }
}

fn words(effects: &[Effect]) -> String {
    let word = |effect: &Effect| match effect {
        Effect::Ask(Ask::Create) => "create".to_owned(),
        Effect::Ask(Ask::Fetch) => "fetch".to_owned(),
        Effect::Ask(Ask::Query) => "query".to_owned(),
        Effect::Ask(Ask::Cancel) => "cancel".to_owned(),
        Effect::Ask(Ask::ListRefunds) => "list".to_owned(),
        Effect::Ask(Ask::Refund(_)) => "refund".to_owned(),
        Effect::OpenDrawer => "drawer".to_owned(),
        Effect::Print(slip) => format!("print {slip:?}").split('(').next().unwrap_or_default().to_lowercase(),
        Effect::Alarm { code, .. } => format!("alarm {code}"),
    };
    effects.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// Plays `events` (second, event, effects) and holds the state after them, and the outcomes in the journal.
#[track_caller]
fn plays(mut sale: Sale, events: &[(i64, Event, &str)], state: &str) -> Sale {
    for (second, event, effects) in events {
        let shown = format!("{second} s {event:?}");
        let decision = decide(sale, event.clone(), Millis(second * 1_000)).expect(&shown);
        assert_eq!(words(&decision.effects), *effects, "{shown}");
        sale = decision.sale;
    }
    assert_eq!(sale.state_text(), state);
    sale
}

fn paid() -> Sale {
    plays(keyed(scan()).sale, &[(1, answered(Ask::Create, is(PaymentState::Succeeded)), "print sale")], "succeeded")
}

#[test]
fn a_sale_ends_as_core_says() {
    let start = keyed(scan());
    assert_eq!(words(&start.effects), "create");
    plays(
        start.sale.clone(),
        &[
            (1, answered(Ask::Create, is(PaymentState::Pending)), ""),
            (2, TICK, ""),
            (5, TICK, "fetch"),
            (6, Event::Pushed { view: Box::new(view(3, PaymentState::Succeeded)), refund: None }, "print sale"),
            // What was asked before is answered late: it is older.
            (7, answered(Ask::Fetch, is(PaymentState::Pending)), ""),
        ],
        "succeeded",
    );
    plays(start.sale, &[(1, answered(Ask::Create, refused("code_not_recognised")), "")], "failed");
}

/// Silence, then a no: core took the first request, and does not take it a second time.
#[test]
fn a_no_to_the_repetition_says_nothing_about_the_first() {
    let silence = [
        (15, answered(Ask::Create, Outcome::Silent), ""),
        (17, TICK, "create"),
        (18, answered(Ask::Create, refused("payment_exists_differently")), "fetch"),
    ];
    let doubt = plays(keyed(scan()).sale, &silence, "sending");
    plays(doubt.clone(), &[(19, answered(Ask::Fetch, is(PaymentState::Succeeded)), "print sale")], "succeeded");
    plays(
        doubt,
        &[
            (19, answered(Ask::Fetch, Outcome::NotFound), ""),
            (25, TICK, "create"),
            (26, answered(Ask::Create, refused("channel_unavailable")), "fetch"),
            (27, answered(Ask::Fetch, Outcome::NotFound), ""),
        ],
        "failed",
    );
}

#[test]
fn what_core_did_not_have_before_a_request_it_may_have_after() {
    plays(
        keyed(scan()).sale,
        &[
            (15, answered(Ask::Create, Outcome::Silent), ""),
            (17, TICK, "create"),
            (18, answered(Ask::Create, refused("channel_unavailable")), "fetch"),
            (19, answered(Ask::Fetch, Outcome::NotFound), ""),
            (25, TICK, "create"),
            (26, answered(Ask::Create, Outcome::Silent), ""),
            (30, TICK, "create"),
            (31, answered(Ask::Create, refused("channel_unavailable")), "fetch"),
            (32, answered(Ask::Fetch, Outcome::NotFound), ""),
        ],
        "sending",
    );
}

/// "Core does not have it" was said before core got the sale, and comes after core's word about it. (Seed 303596.)
#[test]
fn what_an_overtaken_answer_says_is_asked_again_before_anybody_is_alarmed() {
    let pushed = Event::Pushed { view: Box::new(view(1, PaymentState::Pending)), refund: None };
    let overtaken = [
        (15, answered(Ask::Create, Outcome::Silent), ""),
        (17, TICK, "create"),
        (18, answered(Ask::Create, refused("channel_unavailable")), "fetch"),
        (19, pushed, ""),
        (20, answered(Ask::Fetch, Outcome::NotFound), ""),
        (25, TICK, "fetch"),
    ];
    let sale = plays(keyed(scan()).sale, &overtaken, "pending");
    plays(sale.clone(), &[(26, answered(Ask::Fetch, is(PaymentState::Succeeded)), "print sale")], "succeeded");
    plays(sale, &[(26, answered(Ask::Fetch, Outcome::NotFound), "alarm core_forgot_sale")], "pending");
}

/// The customer was told that nothing is sold.
#[test]
fn after_a_cancel_nothing_is_sent_again() {
    plays(
        keyed(scan()).sale,
        &[
            (15, answered(Ask::Create, Outcome::Silent), ""),
            (16, Event::CancelPressed, "cancel"),
            (17, Event::QueryPressed, ""),
            (18, answered(Ask::Cancel, Outcome::Silent), ""),
            (19, Event::QueryPressed, "cancel"),
            (20, answered(Ask::Cancel, Outcome::NotFound), ""),
            (26, TICK, "cancel"),
            (27, answered(Ask::Cancel, Outcome::NotFound), ""),
        ],
        "cancelled",
    );
}

#[test]
fn an_answer_about_something_else_is_no_answer() {
    let mut other = view(2, PaymentState::Succeeded);
    other.amount = amount(999);
    let sale = plays(
        keyed(scan()).sale,
        &[
            (1, answered(Ask::Create, Outcome::View(Box::new(other))), "alarm core_answered_oddly"),
            (3, TICK, "create"),
            // Without a connection it is not said that nobody was charged: core has something under this number.
            (4, answered(Ask::Create, Outcome::NotSent), ""),
        ],
        "sending",
    );
    assert!(sale.is_open());
}

#[test]
fn what_was_given_up_and_is_paid_after_all_is_said_so() {
    plays(
        keyed(Tender::Code).sale,
        &[
            (1, answered(Ask::Create, Outcome::NotSent), ""),
            (2, Event::Pushed { view: Box::new(view(1, PaymentState::Presenting)), refund: None }, "cancel"),
            (3, answered(Ask::Cancel, is(PaymentState::Succeeded)), "print sale"),
        ],
        "succeeded",
    );
}

#[test]
fn a_wait_is_as_long_as_configured() {
    let slow = Event::Tick { mqtt: false, poll_ms: 60_000 };
    plays(
        keyed(scan()).sale,
        &[
            (1, answered(Ask::Create, is(PaymentState::Pending)), ""),
            (2, slow.clone(), ""),
            (3, slow.clone(), ""),
            (61, slow.clone(), ""),
            (62, slow.clone(), "fetch"),
            (63, answered(Ask::Fetch, Outcome::Silent), ""),
            // The clock is set back by an hour.
            (-3_600, slow, "fetch"),
        ],
        "pending",
    );
}

#[test]
fn a_refund_in_doubt_is_open_until_core_says_what_became_of_it() {
    let ask = Ask::Refund(REFUND);
    let pressed = plays(paid(), &[(10, give_back(400), "refund")], "succeeded");
    // Never sent: surely nothing was given back.
    let never = plays(pressed.clone(), &[(11, answered(ask, refused("channel_unavailable")), "")], "succeeded");
    assert_eq!(never.refund(REFUND).map(|held| held.state), Some(RefundState::Failed));
    assert_eq!(never.refundable_minor(), 1_000);

    let doubt = plays(pressed, &[(25, answered(ask, Outcome::Silent), "")], "succeeded");
    for outcome in [refused("channel_unavailable"), refused("channel_cannot")] {
        let open = plays(doubt.clone(), &[(30, TICK, "refund"), (31, answered(ask, outcome), "")], "succeeded");
        assert_eq!((open.refundable_minor(), open.is_open()), (600, true));
    }
    let forgot = [(30, TICK, "refund"), (31, answered(ask, Outcome::NotFound), "alarm core_forgot_sale")];
    assert!(plays(doubt.clone(), &forgot, "succeeded").is_open());
    let over = plays(doubt, &[(30, TICK, "refund"), (31, answered(ask, refused("refund_exceeds")), "")], "succeeded");
    assert_eq!((over.refundable_minor(), over.is_open()), (1_000, false));
}

fn refund_is(state: RefundState, version: u64) -> RefundView {
    RefundView { version, ..refund_view(state, 400) }
}

fn listed(state: RefundState, version: u64) -> Event {
    answered(Ask::ListRefunds, Outcome::Refunds(vec![refund_is(state, version)]))
}

/// The channel has it: whatever goes wrong with requests from here on, only its own end ends it.
#[test]
fn a_refund_that_core_has_taken_never_fails_by_a_lost_line() {
    let ask = Ask::Refund(REFUND);
    let taken = answered(ask, Outcome::Refund(Box::new(refund_is(RefundState::Pending, 1))));
    let pushed = Event::Pushed {
        view: Box::new(view(3, PaymentState::Succeeded)),
        refund: Some(Box::new(refund_is(RefundState::Pending, 1))),
    };
    let keyed = plays(paid(), &[(10, give_back(400), "refund")], "succeeded");
    let answered_first = plays(
        keyed.clone(),
        &[(11, taken, "fetch"), (12, answered(Ask::Fetch, is(PaymentState::Succeeded)), ""), (13, TICK, "")],
        "succeeded",
    );
    let pushed_first = plays(keyed, &[(11, pushed, "")], "succeeded");
    let locked = |problem| if let Outcome::Refused(problem) = problem { Outcome::Locked(problem) } else { problem };
    for outcome in [Outcome::NotSent, Outcome::NotFound, refused("refund_exceeds"), locked(refused("unauthenticated"))]
    {
        let alarm = if outcome == Outcome::NotFound { "alarm core_forgot_sale" } else { "" };
        let list = [(16, TICK, "list"), (17, answered(Ask::ListRefunds, outcome.clone()), alarm)];
        let sale = plays(answered_first.clone(), &list, "succeeded");
        assert_eq!(sale.refund(REFUND).map(|held| held.state), Some(RefundState::Pending), "{outcome:?}");
        // The push was faster than the answer to the request itself.
        let sale = plays(pushed_first.clone(), &[(12, answered(ask, outcome.clone()), alarm)], "succeeded");
        assert_eq!(sale.refund(REFUND).map(|held| held.state), Some(RefundState::Pending), "{outcome:?}");
        assert!(sale.is_open());
    }
    let ended = [(16, TICK, "list"), (17, listed(RefundState::Succeeded, 2), "print refund, fetch")];
    assert!(!plays(answered_first, &ended, "succeeded").kept.refunds[0].is_open());
}

#[test]
fn what_somebody_else_gives_back_is_neither_sent_nor_judged_here() {
    let foreign = |state, version| Event::Pushed {
        view: Box::new(view(2 + version, PaymentState::Succeeded)),
        refund: Some(Box::new(refund_is(state, version))),
    };
    let mut sale =
        plays(paid(), &[(10, foreign(RefundState::Pending, 1), ""), (30, TICK, ""), (60, TICK, "")], "succeeded");
    assert!(!sale.is_open());
    for (version, state) in [(2, RefundState::Unknown), (3, RefundState::Succeeded)] {
        let decision = decide(sale, foreign(state, version), Millis(70_000)).unwrap();
        assert_eq!((decision.records.as_slice(), words(&decision.effects).as_str()), ([].as_slice(), ""));
        sale = decision.sale;
        assert_eq!(sale.refund(REFUND).map(|held| held.state), Some(state));
    }
}

#[test]
fn a_refund_that_core_may_not_have_is_sent_although_another_is_pending() {
    let second = RefundId::from_bytes([8; 16]);
    let more = Event::RefundPressed { refund: second, amount: amount(100), cashier: "Li".to_owned() };
    let pending = Outcome::Refund(Box::new(refund_is(RefundState::Pending, 1)));
    let sale = plays(
        paid(),
        &[
            (10, give_back(400), "refund"),
            (11, answered(Ask::Refund(REFUND), pending), "fetch"),
            (12, answered(Ask::Fetch, is(PaymentState::Succeeded)), ""),
            (13, more, "refund"),
            (28, answered(Ask::Refund(second), Outcome::Silent), ""),
        ],
        "succeeded",
    );
    let decision = decide(sale, TICK, Millis(60_000)).unwrap();
    assert_eq!(decision.effects, [Effect::Ask(Ask::Refund(second))]);
}

/// The disk was full when core's answer came: the next failure must not say that nothing was charged.
#[test]
fn an_answer_that_could_not_be_kept_leaves_a_doubt() {
    let mut sale = keyed(scan()).sale;
    sale.waits.end_unheard(Ask::Create, Millis(5_000));
    let again = [(4, TICK, ""), (5, TICK, "create"), (6, answered(Ask::Create, Outcome::NotSent), "")];
    plays(sale, &again, "sending");
    let mut sale = plays(paid(), &[(10, give_back(400), "refund")], "succeeded");
    sale.waits.end_unheard(Ask::Refund(REFUND), Millis(15_000));
    let again = [(15, TICK, "refund"), (16, answered(Ask::Refund(REFUND), Outcome::NotSent), "")];
    assert!(plays(sale, &again, "succeeded").is_open());
}

#[test]
fn a_refund_of_another_amount_is_not_believed() {
    let ask = Ask::Refund(REFUND);
    let answer = |minor| answered(ask, Outcome::Refund(Box::new(refund_view(RefundState::Succeeded, minor))));
    let odd = [(10, give_back(400), "refund"), (11, answer(40), "alarm core_answered_oddly")];
    let doubt = plays(paid(), &odd, "succeeded");
    assert_eq!((doubt.refundable_minor(), doubt.is_open()), (600, true));
    plays(doubt, &[(12, TICK, "refund"), (13, answer(400), "print refund, fetch")], "succeeded");
    // Neither is one that gives back more than was paid.
    let push = Event::Pushed {
        view: Box::new(view(3, PaymentState::Succeeded)),
        refund: Some(Box::new(refund_view(RefundState::Succeeded, 1_001))),
    };
    assert!(plays(paid(), &[(10, push, "alarm core_answered_oddly")], "succeeded").kept.refunds.is_empty());
}

#[test]
fn cash_is_done_when_it_is_keyed() {
    let start = keyed(Tender::Cash { tendered_minor: 2_000 });
    assert_eq!(words(&start.effects), "drawer, print sale");
    assert!(matches!(start.records.as_slice(), [Record::CashSale { tendered_minor: 2_000, .. }]));
    let cash = plays(start.sale, &[(1, give_back(400), "drawer, print refund")], "partly_refunded");
    assert_eq!(cash.refundable_minor(), 600);
    let more =
        Event::RefundPressed { refund: RefundId::from_bytes([8; 16]), amount: amount(601), cashier: "Li".to_owned() };
    let refusal = decide(cash.clone(), more, Millis(2_000)).unwrap_err();
    assert_eq!(refusal.code(), "refund_exceeds");
    // The dashboard tried to give back the rest, and failed: it is still here.
    let mut failed = refund_view(RefundState::Failed, 600);
    failed.id = RefundId::from_bytes([9; 16]);
    let push = Event::Pushed { view: Box::new(view(3, PaymentState::PartlyRefunded)), refund: Some(Box::new(failed)) };
    assert_eq!(plays(cash, &[(3, push, "")], "partly_refunded").refundable_minor(), 600);
}

/// Shanghai, 2026-03-08: the day ends at 16:00 UTC.
#[test]
fn cash_is_voided_on_its_day_and_refunded_later() {
    let midnight = Millis(1_772_985_600_000);
    let mut sale = keyed(Tender::Cash { tendered_minor: 1_000 }).sale;
    sale.kept.keyed_at = midnight.plus(-3_600_000);
    let void = |utc_offset_minutes| Event::VoidPressed { refund: REFUND, cashier: "Li".to_owned(), utc_offset_minutes };
    let on_its_day = decide(sale.clone(), void(480), midnight.plus(-1)).unwrap();
    assert_eq!((on_its_day.sale.state_text(), words(&on_its_day.effects).as_str()), ("voided", "drawer, print refund"));
    assert_eq!(decide(sale.clone(), void(480), midnight).unwrap_err(), Refusal::VoidTooLate);
    // In London the day goes on.
    assert!(decide(sale.clone(), void(0), midnight).is_ok());
    // The machine's clock is wrong at one end or both, and core's time was known there: the slips bear the days that are compared.
    let stamp = |machine: Millis, core: i64| Stamp { machine, core: CoreTime::At(midnight.plus(core)) };
    let nine_hours = 9 * 3_600_000;
    for (what, sold, back, is_same_day) in [
        ("set right meanwhile", stamp(Millis(5_000), -600_000), stamp(midnight.plus(-300_000), -300_000), true),
        ("in 1970 all the time", stamp(Millis(5_000), -600_000), stamp(Millis(305_000), -300_000), true),
        (
            "nine hours behind",
            stamp(midnight.plus(-600_000 - nine_hours), -600_000),
            stamp(midnight.plus(60_000 - nine_hours), 60_000),
            false,
        ),
    ] {
        (sale.kept.keyed_at, sale.kept.keyed_core) = (sold.machine, sold.core);
        assert_eq!(decide(sale.clone(), void(480), back).is_ok(), is_same_day, "{what}");
    }
    let all = Event::RefundPressed { refund: REFUND, amount: amount(1000), cashier: "Li".to_owned() };
    assert_eq!(decide(sale, all, midnight).unwrap().sale.state_text(), "refunded");
}

#[test]
fn what_the_dashboard_gave_back_is_not_left_here() {
    let mut partly = view(3, PaymentState::PartlyRefunded);
    partly.refunded_minor = 400;
    let push =
        Event::Pushed { view: Box::new(partly), refund: Some(Box::new(refund_view(RefundState::Succeeded, 400))) };
    let sale = plays(paid(), &[(10, push, "")], "partly_refunded");
    assert_eq!(Money::new(sale.refundable_minor(), Currency::CNY).decimal(), "6.00");
}

#[test]
fn an_amount_is_announced_once_when_it_is_received_and_at_no_other_time() {
    let announced = |was_captured, sale: &Sale, now| to_announce(was_captured, sale, Millis(now)).map(Money::minor);
    let cash = keyed(Tender::Cash { tendered_minor: 2000 }).sale;
    assert_eq!(announced(false, &cash, 0), Some(1000));
    assert_eq!(announced(true, &cash, 0), None, "said before");
    let sent = keyed(scan()).sale;
    assert_eq!(announced(false, &sent, 0), None, "core has not answered");
    for (state, said) in [
        (PaymentState::Created, None),
        (PaymentState::Presenting, None),
        (PaymentState::Submitting, None),
        (PaymentState::Pending, None),
        (PaymentState::Unknown, None),
        (PaymentState::Succeeded, Some(1000)),
        (PaymentState::PartlyRefunded, None),
        (PaymentState::Refunded, None),
        (PaymentState::Voided, None),
        (PaymentState::Failed, None),
        (PaymentState::Reversed, None),
        (PaymentState::Expired, None),
        (PaymentState::Cancelled, None),
    ] {
        let pushed = Event::Pushed { view: Box::new(view(2, state)), refund: None };
        let known = decide(sent.clone(), pushed, Millis(1)).unwrap().sale;
        assert_eq!(announced(false, &known, 1), said, "{state:?}");
        assert_eq!(announced(false, &known, 11 * 60_000), None, "nobody stands there any more");
    }
    let late = PaymentView { paid_late: true, ..view(2, PaymentState::Succeeded) };
    let late = decide(sent, Event::Pushed { view: Box::new(late), refund: None }, Millis(1)).unwrap().sale;
    assert_eq!(announced(false, &late, 1), None, "it goes back");
}

#[test]
fn what_an_offline_code_paid_waits_for_nobody_and_goes_back_through_core() {
    let spent = serde_json::json!({
        "token": [1, 1, 1, 1, 1, 1, 1, 1], "counter": 7, "amount": {"minor": 1000, "currency": "CNY"}, "at": 0, "until": 9,
    });
    let code = ScannedCode::new("OPC1:ABC".to_owned());
    let start = keyed(Tender::Offline { code, spent: serde_json::from_value(spent).unwrap() });
    assert!(matches!(start.records.as_slice(), [Record::OfflineSale { code, .. }] if code == "OPC1:ABC"));
    assert_eq!(start.effects, [Effect::Print(Slip::Sale)]);
    let event = |sale: Sale, event| decide(sale, event, Millis(20_000)).unwrap();
    let tick = Event::Tick { mqtt: false, poll_ms: 500 };
    let sale = event(start.sale, tick.clone()).sale;
    assert_eq!((sale.state(), sale.is_open()), (Some(PaymentState::Succeeded), false));
    let pressed = Event::RefundPressed { refund: REFUND, amount: amount(400), cashier: "Li".to_owned() };
    let asked = event(sale, pressed);
    assert_eq!(asked.effects, [Effect::Ask(Ask::Refund(REFUND))]);
    assert_eq!(asked.sale.refundable_minor(), 600);
    // The plug is pulled: it is asked for again, under its number.
    let again = event(Sale::reopened(asked.sale.kept), tick);
    assert_eq!(again.effects, [Effect::Ask(Ask::Refund(REFUND))]);
    // Core holds its entry and has booked nothing: believed when it is said twice, for the first may be on its way yet.
    let none = Event::Answered { ask: Ask::Refund(REFUND), outcome: Outcome::NotFound };
    let once = event(again.sale.clone(), none.clone()).sale;
    assert!(once.is_open(), "{:?}", once.kept.refunds);
    let twice = event(once, none);
    let failed = &twice.sale.kept.refunds[0];
    assert_eq!(failed.failure.as_ref().map(|failure| failure.code.as_str()), Some("offline_not_booked"));
    assert_eq!((twice.sale.is_open(), twice.sale.refundable_minor()), (false, 1_000));
    // What core says of it must be something that was paid.
    let answered = |outcome| Event::Answered { ask: Ask::Fetch, outcome };
    let odd = event(again.sale.clone(), answered(Outcome::View(Box::new(view(1, PaymentState::Failed)))));
    assert!(matches!(odd.effects.as_slice(), [Effect::Alarm { code: "core_answered_oddly", .. }]));
    assert_eq!(odd.sale.state(), Some(PaymentState::Succeeded));
    let refunded = refund_view(RefundState::Succeeded, 400);
    let given =
        event(again.sale, Event::Answered { ask: Ask::Refund(REFUND), outcome: Outcome::Refund(Box::new(refunded)) });
    assert!(given.effects.contains(&Effect::Ask(Ask::Fetch)), "{:?}", given.effects);
    assert_eq!((given.sale.refunded_minor(), given.sale.refundable_minor()), (400, 600));
    let newest = PaymentView { refunded_minor: 400, ..view(2, PaymentState::PartlyRefunded) };
    let known = event(given.sale, answered(Outcome::View(Box::new(newest)))).sale;
    assert_eq!((known.state(), known.kept.offline), (Some(PaymentState::PartlyRefunded), true));
}
