//! Splits that people pay, one part after the other, in every order of things.

use proptest::prelude::*;
use saoma_protocol::{
    Currency, TenantId, TerminalId,
    api::{Failure, PaymentState, PaymentView},
    journal::{CoreTime, Method},
};

use super::*;
use crate::sale::{self, Decision, Keyed, Stage as SaleStage, Tender, decide, key, tests::view};

const TENANT: TenantId = TenantId::from_bytes([1; 16]);
const TERMINAL: TerminalId = TerminalId::from_bytes([2; 16]);

fn cny(minor: i64) -> Amount {
    Amount::new(minor, Currency::CNY).unwrap()
}

/// A split of which nothing is keyed yet.
fn begun(total: i64) -> Whole {
    let split = Split {
        number: Sequence(7),
        total: cny(total),
        reference: None,
        cashier: "Li".to_owned(),
        began_at: Millis(0),
        began_core: CoreTime::Unsaid,
        parts: Vec::new(),
        goods: Vec::new(),
        basket: None,
        stage: Stage::Open,
        was_paid: false,
        receipt: ReceiptState::None,
        too_much_minor: 0,
    };
    Whole { split, parts: Vec::new() }
}

fn part(whole: &Whole, minor: i64, tender: Tender) -> Sale {
    let counter = Sequence(7 + whole.parts.len() as u64);
    let keyed = Keyed {
        payment: PaymentId::for_sale(TENANT, TERMINAL, counter),
        counter,
        amount: cny(minor),
        tender,
        goods: Vec::new(),
        reference: None,
        split: Some(whole.next_part()),
        quote: None,
        cashier: "Li".to_owned(),
    };
    let Decision { sale, effects, .. } = key(keyed, Millis(0));
    assert!(!effects.iter().any(|effect| matches!(effect, sale::Effect::Print(_))), "a part has no slip");
    sale
}

fn cash(whole: &Whole, minor: i64) -> Sale {
    part(whole, minor, Tender::Cash { tendered_minor: minor })
}

/// By code, and how it stands.
fn code(whole: &Whole, minor: i64, state: Option<PaymentState>) -> Sale {
    let mut sale = part(whole, minor, Tender::Code);
    if let Some(state) = state {
        stands(&mut sale, state);
    }
    sale
}

/// Core says how it stands: paid, or not.
fn stands(sale: &mut Sale, state: PaymentState) {
    let failure = Failure { code: "declined".to_owned(), message: "no".to_owned() };
    if state.is_paid() {
        core_says(sale, state, 0);
    } else {
        sale.kept.stage = SaleStage::NotSent { method: Method::MerchantPresented, state, failure };
    }
}

/// Core's newest view of it.
fn core_says(sale: &mut Sale, state: PaymentState, refunded_minor: i64) {
    let version = sale.view().map_or(1, |view| view.version + 1);
    let view = PaymentView {
        id: sale.kept.payment,
        amount: sale.kept.amount,
        refunded_minor,
        method: "merchant_presented".to_owned(),
        ..view(version, state)
    };
    sale.kept.stage = SaleStage::Known { method: Method::MerchantPresented, view: Box::new(view), cancelling: false };
}

/// Core's word on the newest refund of it, and (`refunded`) its view of the payment afterwards.
fn refund_is(sale: &mut Sale, state: RefundState, refunded: Option<i64>) {
    let refund = sale.kept.refunds.last_mut().unwrap();
    (refund.state, refund.answered, refund.version) = (state, true, refund.version + 1);
    if let Some(refunded) = refunded {
        let state = if refunded == 0 { PaymentState::Succeeded } else { PaymentState::PartlyRefunded };
        core_says(sale, state, refunded);
    }
}

/// The pressed refund is through, and core's view has it.
fn is_through(sale: &mut Sale) {
    if sale.method().is_some() {
        let back = sale.kept.refunds.iter().map(|refund| refund.amount.minor()).sum();
        refund_is(sale, RefundState::Succeeded, Some(back));
        if back == sale.kept.amount.minor() {
            core_says(sale, PaymentState::Refunded, back);
        }
    }
}

fn given_back(mut whole: Whole, key: &str) -> Whole {
    let paid = whole.parts.iter().filter(|part| collected_minor(part) > 0);
    let refunds =
        paid.map(|part| (part.kept.payment, RefundId::for_key(TENANT, part.kept.payment, key))).collect::<Vec<_>>();
    whole.split.stage = Stage::GivingBack { by: GiveBack { refunds, cashier: "Li".to_owned(), approved_by: None } };
    whole.go_on()
}

#[test]
fn a_part_may_be_keyed_while_the_rest_is_as_it_was_seen_and_nothing_is_in_doubt() {
    let first = begun(12_000);
    let after_cash = first.clone().with(&cash(&first, 5_000));
    let unsure = after_cash.clone().with(&code(&after_cash, 3_000, None));
    let failed = after_cash.clone().with(&code(&after_cash, 3_000, Some(PaymentState::Failed)));
    let paid = after_cash.clone().with(&cash(&after_cash, 7_000));
    for (why, whole, minor, rest_seen, told) in [
        ("nothing is paid", &first, 5_000, 12_000, "ok"),
        ("a part is paid", &after_cash, 7_000, 7_000, "ok"),
        ("a page from before", &after_cash, 7_000, 12_000, "split_changed"),
        ("more than the rest", &after_cash, 7_001, 7_000, "split_amount"),
        ("nobody knows", &unsure, 4_000, 4_000, "split_busy"),
        ("nobody knows, and it is not counted", &unsure, 7_000, 7_000, "split_busy"),
        ("a part failed", &failed, 7_000, 7_000, "ok"),
        ("all is paid", &paid, 1, 0, "split_changed"),
    ] {
        let code = whole.may_collect(cny(minor), rest_seen).map_or_else(|error| error.code(), |()| "ok");
        assert_eq!(code, told, "{why}");
    }
    assert_eq!((paid.split.stage.clone(), paid.split.receipt), (Stage::Paid, ReceiptState::Queued));
    assert!(paid.split.was_paid && failed.split.stage == Stage::Open);
    let mut many = begun(12_000);
    for _ in 0..PARTS_MAX {
        many = many.clone().with(&code(&many, 1, Some(PaymentState::Failed)));
    }
    assert_eq!(many.may_collect(cny(1), 12_000), Err(SplitRefusal::Full));
}

#[test]
fn what_goes_back_is_what_was_paid_each_part_once() {
    let mut whole = begun(10_000);
    whole = whole.clone().with(&cash(&whole, 4_000));
    whole = whole.clone().with(&code(&whole, 1_000, Some(PaymentState::Failed)));
    whole = whole.clone().with(&code(&whole, 2_500, Some(PaymentState::Succeeded)));
    assert_eq!((whole.paid_minor(), whole.may_give_back()), (6_500, Ok(())));
    let mut whole = given_back(whole, "press");
    let (mut back, mut presses) = (0, 0);
    // As after a restart at each step: what was pressed on the parts before is not pressed again.
    while let Some((payment, [first, _])) = whole.next_back(0) {
        let held = whole.parts.iter().find(|part| part.kept.payment == payment).unwrap().clone();
        let mut sale = decide(held, first, Millis(1)).unwrap().sale;
        is_through(&mut sale);
        back += sale.kept.refunds[0].amount.minor();
        presses += 1;
        whole = whole.with(&sale);
    }
    assert_eq!((back, presses, whole.paid_minor()), (6_500, 2, 0));
    assert_eq!(whole.split.stage, Stage::GivenBack { left_minor: 0 });
    assert_eq!(whole.may_give_back(), Err(SplitRefusal::Over));
    assert_eq!(given_back(begun(100), "press").split.stage, Stage::GivenBack { left_minor: 0 }, "nothing was paid");
}

#[test]
fn a_part_that_could_not_be_given_back_is_left_for_a_person_and_may_be_tried_again() {
    let whole = begun(10_000);
    let whole = whole.clone().with(&code(&whole, 4_000, Some(PaymentState::Succeeded)));
    let mut whole = given_back(whole, "press");
    let (_, [first, _]) = whole.next_back(0).unwrap();
    let mut sale = decide(whole.parts[0].clone(), first, Millis(1)).unwrap().sale;
    assert!(sale.kept.refunds[0].void);
    refund_is(&mut sale, RefundState::Failed, Some(0));
    whole = whole.with(&sale);
    assert_eq!((whole.split.too_much_minor, whole.split.is_open()), (4_000, true), "it is not forgotten");
    assert_eq!((whole.next_back(0), &whole.split.stage), (None, &Stage::GivenBack { left_minor: 4_000 }));
    let again = given_back(whole, "another");
    let (_, [first, _]) = again.next_back(0).unwrap();
    assert!(
        matches!(first, Event::RefundPressed { amount, .. } if amount == cny(4_000)),
        "not voided again: {first:?}"
    );
}

#[test]
fn a_void_that_fails_after_its_reservation_was_seen_is_not_called_given_back() {
    let whole = begun(12_000);
    let whole = whole.clone().with(&code(&whole, 5_000, Some(PaymentState::Succeeded)));
    let mut whole = given_back(whole, "press");
    whole.split.basket = Some(Basket::default());
    let (_, [first, _]) = whole.next_back(0).unwrap();
    let mut sale = decide(whole.parts[0].clone(), first, Millis(1)).unwrap().sale;
    core_says(&mut sale, PaymentState::Refunded, 5_000);
    whole = whole.with(&sale);
    // The refund's answer comes before the view that takes the reservation back.
    refund_is(&mut sale, RefundState::Failed, None);
    whole = whole.with(&sale);
    assert!(matches!(whole.split.stage, Stage::GivingBack { .. }), "{:?}", whole.split.stage);
    assert!(sale.is_open(), "core is asked on");
    core_says(&mut sale, PaymentState::Succeeded, 0);
    whole = whole.with(&sale);
    assert_eq!(whole.split.stage, Stage::GivenBack { left_minor: 5_000 });
    assert!(whole.split.basket.is_some(), "sold twice else");
    whole = given_back(whole, "again");
    let (_, [first, _]) = whole.next_back(0).unwrap();
    let mut sale = decide(whole.parts[0].clone(), first, Millis(2)).unwrap().sale;
    // The failed void is not of the sum.
    refund_is(&mut sale, RefundState::Succeeded, None);
    core_says(&mut sale, PaymentState::Refunded, 5_000);
    whole = whole.with(&sale);
    assert_eq!((&whole.split.stage, &whole.split.basket), (&Stage::GivenBack { left_minor: 0 }, &None));
}

#[test]
fn what_was_paid_late_counts_unless_core_gives_it_back() {
    for (refunded, rest) in [(0, 7_000), (5_000, 12_000)] {
        let whole = begun(12_000);
        let mut sale = code(&whole, 5_000, Some(PaymentState::Succeeded));
        if let SaleStage::Known { view, .. } = &mut sale.kept.stage {
            (view.paid_late, view.refunded_minor) = (true, refunded);
        }
        let mut whole = whole.with(&sale);
        assert_eq!(whole.in_the_way().is_some(), refunded > 0, "core's own refund is not known here yet");
        if refunded > 0 {
            sale.kept.refunds.push(of_the_office(5_000));
            whole = whole.with(&sale);
            assert_eq!(whole.may_collect(cny(1), rest).map_err(|error| error.code()), Err("split_busy"));
            refund_is(&mut sale, RefundState::Succeeded, None);
            whole = whole.with(&sale);
        }
        assert_eq!((whole.rest_minor(), whole.may_collect(cny(1), rest)), (rest, Ok(())));
        if refunded > 0 {
            let mut failed = sale.clone();
            refund_is(&mut failed, RefundState::Failed, Some(0));
            let whole = whole.with(&failed);
            assert_eq!((whole.rest_minor(), whole.in_the_way()), (7_000, None));
        }
    }
}

fn of_the_office(minor: i64) -> sale::Refund {
    sale::Refund {
        refund: RefundId::from_bytes([8; 16]),
        amount: cny(minor),
        void: false,
        state: RefundState::Pending,
        answered: true,
        keyed_here: false,
        failure: None,
        approved_by: None,
        version: 1,
        keyed_at: Millis(1),
    }
}

#[test]
fn nothing_is_collected_or_called_given_back_while_a_refund_pends_whoever_gave_it() {
    let whole = begun(12_000);
    let mut sale = code(&whole, 5_000, Some(PaymentState::Succeeded));
    sale.kept.refunds.push(of_the_office(5_000));
    core_says(&mut sale, PaymentState::Refunded, 5_000);
    let whole = whole.with(&sale);
    assert_eq!(whole.may_collect(cny(12_000), 12_000).map_err(|error| error.code()), Err("split_busy"));
    assert!(sale.is_open(), "core is asked on");
    refund_is(&mut sale, RefundState::Failed, Some(0));
    let whole = whole.with(&sale);
    assert_eq!((whole.rest_minor(), whole.may_collect(cny(7_000), 7_000)), (7_000, Ok(())));

    let mut whole = given_back(whole, "press");
    let (_, [first, _]) = whole.next_back(0).unwrap();
    let mut sale = decide(whole.parts[0].clone(), first, Millis(1)).unwrap().sale;
    refund_is(&mut sale, RefundState::Pending, None);
    core_says(&mut sale, PaymentState::Refunded, 5_000);
    whole = whole.with(&sale);
    assert!(matches!(whole.split.stage, Stage::GivingBack { .. }) && whole.is_with_channel());
    refund_is(&mut sale, RefundState::Failed, Some(0));
    assert_eq!(whole.with(&sale).split.stage, Stage::GivenBack { left_minor: 5_000 });
}

#[test]
fn a_part_that_is_paid_after_all_is_seen_also_when_the_whole_is_over() {
    let whole = begun(10_000);
    let mut late = code(&whole, 4_000, Some(PaymentState::Failed));
    let whole = whole.with(&late);
    let mut whole = whole.clone().with(&cash(&whole, 10_000));
    whole.split.receipt = ReceiptState::Printed;
    assert!(!whole.split.is_open());
    core_says(&mut late, PaymentState::Succeeded, 0);
    let whole = whole.with(&late);
    assert_eq!((whole.split.too_much_minor, whole.split.is_open()), (4_000, true));
    late.kept.refunds.push(of_the_office(4_000));
    refund_is(&mut late, RefundState::Succeeded, None);
    core_says(&mut late, PaymentState::Refunded, 4_000);
    assert!(!whole.with(&late).split.is_open(), "all is well");
}

/// Core books a reversal that the channel tells of, and makes no refund of it.
#[test]
fn a_part_that_the_channel_undid_holds_nothing_up() {
    let whole = begun(12_000);
    let mut sale = code(&whole, 5_000, Some(PaymentState::Succeeded));
    let whole = whole.with(&sale);
    core_says(&mut sale, PaymentState::Voided, 5_000);
    let whole = whole.with(&sale);
    assert!(!sale.is_open());
    assert_eq!((whole.in_the_way(), whole.rest_minor()), (None, 12_000));
    assert_eq!((whole.may_collect(cny(7_000), 12_000), whole.may_give_back()), (Ok(()), Ok(())));
}

#[test]
fn what_goes_back_does_not_wait_for_a_refund_that_takes_days() {
    let whole = begun(12_000);
    let mut sale = code(&whole, 5_000, Some(PaymentState::Succeeded));
    let whole = whole.with(&sale);
    let money = cash(&whole, 2_000);
    let whole = whole.with(&money);
    sale.kept.refunds.push(of_the_office(3_000));
    core_says(&mut sale, PaymentState::PartlyRefunded, 3_000);
    let whole = whole.with(&sale);
    assert_eq!(whole.may_collect(cny(1), whole.rest_minor()).map_err(|error| error.code()), Err("split_busy"));
    let mut whole = given_back(whole, "press");
    let (payment, [first, _]) = whole.next_back(0).unwrap();
    assert_eq!(payment, money.kept.payment, "the cash, at once");
    whole = whole.with(&decide(money, first, Millis(1)).unwrap().sale);
    assert!(whole.is_with_channel() && whole.next_back(0).is_none(), "nothing twice");
    refund_is(&mut sale, RefundState::Failed, Some(0));
    whole = whole.with(&sale);
    let (_, [first, _]) = whole.next_back(0).unwrap();
    let mut sale = decide(sale, first, Millis(2)).unwrap().sale;
    assert_eq!(sale.kept.refunds.last().unwrap().amount, cny(5_000), "all of it, since the office's failed");
    is_through(&mut sale);
    // The office's failed one is none of the sum.
    core_says(&mut sale, PaymentState::Refunded, 5_000);
    assert_eq!(whole.with(&sale).split.stage, Stage::GivenBack { left_minor: 0 });
}

#[test]
fn a_void_that_core_refuses_by_rule_is_a_refund_at_the_next_press_and_one_unheard_is_none() {
    for (code_of, is_void) in [("void_too_late", false), ("core_unreachable", true)] {
        let whole = begun(12_000);
        let whole = whole.clone().with(&code(&whole, 5_000, Some(PaymentState::Succeeded)));
        let mut whole = given_back(whole, "press");
        let (_, [first, _]) = whole.next_back(0).unwrap();
        let mut sale = decide(whole.parts[0].clone(), first, Millis(1)).unwrap().sale;
        let refund = sale.kept.refunds.last_mut().unwrap();
        let failure = Failure { code: code_of.to_owned(), message: String::new() };
        (refund.state, refund.answered, refund.failure) = (RefundState::Failed, true, Some(failure));
        whole = given_back(whole.with(&sale), "again");
        let (_, [first, _]) = whole.next_back(0).unwrap();
        assert_eq!(matches!(first, Event::VoidPressed { .. }), is_void, "{code_of}: {first:?}");
    }
}

/// What happens to a split, at random.
#[derive(Clone, Debug)]
enum Happens {
    Collect { minor: i64, seen: i64, cash: bool },
    Settles { paid: bool },
    PartGoesBack { at: usize, minor: i64 },
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        (1..150_i64, -20..20_i64, any::<bool>()).prop_map(|(minor, seen, cash)| Happens::Collect { minor, seen, cash }),
        any::<bool>().prop_map(|paid| Happens::Settles { paid }),
        (0..8_usize, 1..150_i64).prop_map(|(at, minor)| Happens::PartGoesBack { at, minor }),
    ]
}

proptest! {
    /// However parts are keyed, settle and go back: never more is collected than it costs, it is paid exactly when the parts come
    /// to the total, and what goes back at the end is what was there.
    #[test]
    fn never_more_than_the_total(steps in proptest::collection::vec(happens(), 1..40)) {
        let mut whole = begun(200);
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Happens::Collect { minor, seen, cash: is_cash } => {
                    // Now and then the page shows another rest.
                    let seen = whole.rest_minor() + if seen > 15 { seen } else { 0 };
                    if whole.may_collect(cny(minor), seen).is_ok() {
                        let sale = if is_cash { cash(&whole, minor) } else { code(&whole, minor, None) };
                        whole = whole.with(&sale);
                    }
                }
                Happens::Settles { paid } => {
                    let open = whole.parts.iter().find(|part| part.state().is_none()).cloned();
                    if let Some(mut sale) = open {
                        stands(&mut sale, if paid { PaymentState::Succeeded } else { PaymentState::Failed });
                        whole = whole.with(&sale);
                    }
                }
                Happens::PartGoesBack { at, minor } => {
                    let refund = RefundId::for_key(TENANT, PaymentId::from_bytes([0; 16]), &number.to_string());
                    let pressed = Event::RefundPressed { refund, amount: cny(minor), cashier: "Li".to_owned() };
                    let done = whole.parts.get(at).and_then(|part| decide(part.clone(), pressed, Millis(1)).ok());
                    if let Some(mut done) = done {
                        whole = whole.with(&done.sale);
                        is_through(&mut done.sale);
                        whole = whole.with(&done.sale);
                    }
                }
            }
            let open = whole.parts.iter().filter(|part| part.state().is_none());
            let at_stake: i64 = open.map(|part| part.kept.amount.minor()).sum();
            prop_assert!(whole.paid_minor() + at_stake <= 200);
            prop_assert_eq!(whole.paid_minor(), whole.parts.iter().map(collected_minor).sum::<i64>());
            if whole.split.stage == Stage::Open {
                prop_assert!(whole.paid_minor() < 200);
            } else {
                prop_assert!(whole.split.was_paid);
            }
        }
        if whole.may_give_back().is_ok() {
            let (paid, mut back) = (whole.paid_minor(), 0);
            let mut whole = given_back(whole, "all");
            while let Some((payment, [first, _])) = whole.next_back(0) {
                let held = whole.parts.iter().find(|part| part.kept.payment == payment).unwrap().clone();
                let mut sale = decide(held, first, Millis(1)).unwrap().sale;
                is_through(&mut sale);
                back += sale.kept.refunds.last().unwrap().amount.minor();
                whole = whole.with(&sale);
            }
            prop_assert_eq!((back, whole.paid_minor(), whole.split.stage), (paid, 0, Stage::GivenBack { left_minor: 0 }));
        }
    }
}
