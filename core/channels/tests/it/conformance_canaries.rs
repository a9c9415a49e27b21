//! Channels that break the contract on purpose, each found by the cases that are named beside it: what shows that the kit bites.
//!
//! A row of `sdk/conformance/cases.toml` that no lie is found by is a check that may be unable to fail: there is none.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

use saoma_channels::{
    DeclineCode::{Declined, InsufficientFunds, Other},
    conformance::{Command, Inspected, Kit, Only, Verdict, Wrap, rows},
};
use tokio::task::JoinSet;

use super::{
    conformance::{far_side, scratch, wallet},
    guests::component,
    liar::{
        Act::{Ask, Cancel, Create, Finish, Open, Query, QueryRefund, Refund, SelfTest, Settle, Upload},
        Change,
        Lie::{self, Bill, News, Says, Sends},
        Say, When, failed, liar,
    },
    liar_news::{BillLie, NewsLie},
};

/// A lie, how it is made, and the cases that have to find it.
type Canary = (&'static str, Wrap, &'static [&'static str]);

macro_rules! canaries {
    ($($lie:expr => [$($case:literal),+ $(,)?],)+) => {
        &[$((stringify!($lie), |host| liar(host, $lie), &[$($case),+])),+]
    };
}

/// Of codes of either side, against the Sandbox Wallet.
const CODES: &[Canary] = canaries! {
    Lie::ClaimsNoCodes => ["manifest-fits-script"],
    Lie::ListsNoSecrets => ["manifest-fits-script"],
    Says(SelfTest, When::Any, Say::Nothing) => ["self-test"],
    Says(SelfTest, When::Any, Say::NoAnswer) => ["self-test"],
    Says(SelfTest, When::Any, Say::Words("fine")) => ["settings-refused"],
    Lie::NamesNoFix => ["settings-refused"],
    Lie::NamesNoField => ["settings-refused"],
    Says(Ask, When::Unsigned, Say::Succeeded) => ["foreign-secrets", "charge-not-to-be-believed-forged"],
    Sends(Change::Chance) => ["determinism"],
    Lie::LogsCode => ["charge-succeeds"],
    Lie::LogsSecret => ["charge-succeeds"],
    Lie::NamesNoAmount => ["charge-succeeds"],
    Lie::LogsSecretInErrors => ["charge-unheard"],
    Sends(Change::OtherNumberOnRetry) => [
        "charge-repeated", "charge-pending-repeated", "charge-lost-answer-repeated-cut", "create-repeated",
        "create-lost-answer-html", "refund-part-repeated", "refund-part-lost-answer-cut",
    ],
    Says(Ask, When::Again, failed(Other)) => ["charge-repeated", "charge-unheard-repeated"],
    Says(Ask, When::Pending, failed(Declined)) => ["charge-pending-then-paid"],
    Says(Ask, When::Unasked, Say::Pending) => ["charge-pending-then-paid"],
    Says(Query, When::Refused, Say::Pending) => ["charge-pending-then-declined"],
    Says(Cancel, When::Unasked, Say::Closed) => [
        "charge-pending-then-cancelled", "charge-lost-answer-cancelled-cut", "cancel-paid", "cancel-lost-answer-html",
        "cancel-unheard", "cancel-after-part-refund", "create-paid-then-cancelled",
    ],
    Lie::ClosesOnPaper => [
        "charge-pending-then-cancelled", "create-then-cancelled", "create-cancel-lost-answer-cut",
    ],
    Says(Ask, When::Refused, failed(Other)) => ["charge-refused-insufficient-funds", "charge-refused-limit-exceeded"],
    Says(Ask, When::Refused, failed(InsufficientFunds)) => ["charge-refused-declined"],
    Says(Ask, When::Unclear, Say::Succeeded) => ["charge-unheard", "charge-lost-answer-cut"],
    Says(Ask, When::Unclear, failed(Other)) => ["charge-lost-answer-html", "charge-left-open-busy"],
    Says(Ask, When::Unclear, Say::NotSent) => ["charge-lost-answer-empty"],
    Says(Ask, When::Unclear, Say::Trapped) => ["charge-lost-answer-html"],
    Says(Ask, When::Wrong, Say::Succeeded) => [
        "charge-about-another-amount", "charge-about-another-order", "charge-left-open-strange-state",
        "clock-86400000", "clock--86400000",
    ],
    Says(Create, When::Any, Say::Succeeded) => ["create-then-paid"],
    Says(Create, When::Unasked, Say::Succeeded) => ["create-then-paid", "create-then-declined"],
    Says(Create, When::Wrong, Say::Succeeded) => [
        "create-lost-answer-cut", "create-unheard", "create-not-to-be-believed-unsigned", "create-left-open-strange-error",
        "create-clock-86400000",
    ],
    Says(Query, When::Any, Say::Succeeded) => ["create-then-paid", "create-then-declined"],
    Says(Query, When::NotFound, Say::Closed) => ["query-unknown"],
    Says(Query, When::Wrong, Say::NotFound) => [
        "query-lost-answer-cut", "query-not-to-be-believed-forged", "query-left-open-busy",
    ],
    Says(Query, When::Wrong, Say::Succeeded) => [
        "query-about-another-order", "query-not-to-be-believed-unsigned", "query-left-open-strange-state",
    ],
    Says(Query, When::Mistaken, Say::Succeeded) => ["query-about-another-amount"],
    Says(Cancel, When::Any, failed(Declined)) => ["cancel-unknown"],
    Says(Cancel, When::Unclear, Say::Closed) => ["cancel-not-to-be-believed-forged", "cancel-left-open-busy"],
    Says(QueryRefund, When::Any, Say::Pending) => ["refund-whole", "refund-query-unknown"],
    Says(Refund, When::Again, failed(Other)) => ["refund-repeated"],
    Sends(Change::LargerAmount) => ["refund-part-twice"],
    Says(Refund, When::Refused, Say::Succeeded) => ["refund-more-than-is-left", "refund-of-unknown"],
    Says(Refund, When::Wrong, Say::Succeeded) => [
        "refund-query-unknown", "refund-lost-answer-cut", "refund-not-to-be-believed-forged",
        "refund-about-another-amount", "refund-about-another-number", "refund-clock-86400000",
    ],
    Says(Refund, When::Wrong, failed(Other)) => ["refund-left-open-busy", "refund-clock--86400000"],
    Says(Refund, When::Unasked, Say::Pending) => ["refund-pending"],
    Says(QueryRefund, When::Pending, Say::Succeeded) => ["refund-pending"],
    Says(QueryRefund, When::Wrong, Say::NotFound) => ["query-refund-lost-answer-cut", "query-refund-left-open-busy"],
    News(NewsLie::TellsOnce) => ["notification-of-payment"],
    News(NewsLie::TellsOfNow) => ["notification-late", "notification-after-cancel"],
    News(NewsLie::BelievesAnything) => [
        "notification-forged", "notification-unsigned", "notification-truncated", "dispute-forged",
    ],
    News(NewsLie::AskedAmount) => ["notification-about-another-amount"],
    News(NewsLie::AskedOrder) => ["notification-about-another-order", "dispute-about-another-order"],
    News(NewsLie::Says(Say::Closed)) => ["notification-clock-86400000"],
    News(NewsLie::WinsEveryDispute) => ["dispute-opened-then-lost"],
    News(NewsLie::DatesDisputesItself) => ["dispute-repeated", "dispute-won-before-its-opening"],
    News(NewsLie::MisreadsDisputeFees) => ["dispute-opened-then-won"],
    News(NewsLie::TellsMoreThanTheDispute) => ["dispute-opened-then-lost"],
    Bill(BillLie::DropsRow) => ["bill-of-the-day"],
    Bill(BillLie::RepeatsRow) => ["bill-of-the-day"],
    Bill(BillLie::AddsRow) => ["bill-of-an-empty-day", "bill-with-reversal"],
    Bill(BillLie::RefundsByOrder) => ["bill-with-refunds"],
    Bill(BillLie::StopsAtFirstPage) => ["bill-of-many-pages"],
    Bill(BillLie::FillsIn) => ["bill-with-missing-row"],
    Bill(BillLie::OursAlone) => ["bill-with-extra-row"],
    Bill(BillLie::DropsUnreadable) => ["bill-with-garbled-row"],
    Bill(BillLie::EmptyIfWrong) => ["bill-lost-answer-cut", "bill-clock-86400000"],
    Sends(Change::RoundedAmount) => ["amount-100001", "amount-largest", "amount-shown-100001"],
    Sends(Change::TwoDigits) => ["currencies"],
    Says(Ask, When::Any, failed(Other)) => ["currencies"],
    Sends(Change::AsciiSubject) => ["subject-chinese", "subject-emoji"],
    Sends(Change::EscapedSubject) => ["subject-quotes"],
    Sends(Change::CutSubject) => ["subject-long"],
    Sends(Change::LetterOfSubject) => ["subject-chinese", "subject-long"],
    Says(Ask, When::Unasked, Say::NotSent) => ["subject-empty"],
};

/// Of cards, their batches, and what is forwarded.
const CARDS: &[Canary] = canaries! {
    Lie::LogsCardNumber => ["card-succeeds"],
    Lie::NamesNoAmount => ["card-succeeds"],
    Sends(Change::OtherNumberOnRetry) => [
        "card-repeated", "card-lost-answer-repeated-cut", "card-refund-part-twice", "forward-succeeds",
    ],
    Says(Ask, When::Again, failed(Other)) => ["card-repeated", "forward-succeeds"],
    Says(Ask, When::Refused, failed(Other)) => ["card-refused-insufficient-funds", "forward-refused-insufficient-funds"],
    Says(Ask, When::Refused, failed(InsufficientFunds)) => ["card-refused-declined"],
    Says(Ask, When::Unclear, Say::Succeeded) => ["card-unheard", "card-not-to-be-believed-forged", "forward-unheard"],
    Says(Ask, When::Wrong, failed(Other)) => [
        "card-lost-answer-html", "card-left-open-busy", "forward-lost-answer-cut", "forward-left-open-busy",
    ],
    Says(Ask, When::Unclear, Say::NotSent) => ["card-lost-answer-empty"],
    Says(Ask, When::Wrong, Say::Succeeded) => [
        "card-about-another-amount", "card-about-another-number", "forward-left-open-wrong-amount",
    ],
    Lie::AnswersWithTheLast => ["card-answered-twice"],
    Says(Ask, When::Any, Say::NotSent) => ["card-keys-are-fetched-again"],
    Says(Ask, When::Any, failed(Declined)) => [
        "card-keys-asked-for-by-nobody-known", "card-clock-86400000", "forward-clock-86400000",
    ],
    Says(Cancel, When::Unasked, Say::Closed) => [
        "card-voided", "card-reversal-lost-answer-cut", "forward-is-not-undone", "forward-then-voided",
    ],
    Says(Cancel, When::Unclear, Say::Closed) => ["card-void-lost-answer-cut"],
    Says(Refund, When::Again, failed(Other)) => ["card-refund-repeated"],
    Sends(Change::LargerAmount) => ["card-refund-part-twice"],
    Says(Refund, When::Refused, Say::Succeeded) => ["card-refund-more-than-is-left"],
    Says(Refund, When::Unclear, Say::Succeeded) => ["card-refund-lost-answer-cut", "card-refund-unheard"],
    Sends(Change::RoundedAmount) => ["card-amount-100001", "card-amount-largest"],
    Says(Settle, When::Unasked, Say::Balanced) => ["forward-settled", "settle-balanced", "settle-amount-1"],
    Says(Settle, When::Any, Say::Balanced) => ["settle-differs", "settle-told-to-differ"],
    Says(Settle, When::Any, Say::Differs) => ["settle-clock-86400000"],
    Says(Settle, When::Wrong, Say::Balanced) => ["settle-forged", "settle-unheard", "settle-declined"],
    Says(Settle, When::Wrong, Say::Over) => ["settle-wrong-number", "settle-unheard"],
    Lie::SettlesTwice => ["settle-balanced", "settle-twice"],
    Lie::ForgetsCredits => ["settle-counts-refunds", "settle-counts-voids"],
    Lie::CutsTotals => ["settle-largest"],
    Says(Upload, When::Unasked, Say::Nothing) => ["settle-differs", "upload-declined"],
    Says(Finish, When::Wrong, Say::Differs) => ["finish-declined"],
};

/// Of pages in an app, and of a scheme that tells of refunds.
const APPS: &[Canary] = canaries! {
    Lie::TakesWhatItCannotUse => ["settings-refused"],
    Lie::KnowsEverybody => ["in-app-strangers"],
    Says(Open, When::Unasked, Say::Succeeded) => ["in-app-then-paid"],
    Sends(Change::OtherNumberOnRetry) => ["in-app-repeated"],
    Lie::ClosesOnPaper => ["in-app-then-cancelled"],
    Says(Open, When::Wrong, Say::NotSent) => ["in-app-lost-answer-html"],
    Says(Open, When::Wrong, Say::Succeeded) => ["in-app-not-to-be-believed-forged"],
    Sends(Change::RoundedAmount) => ["in-app-amount-100001"],
    News(NewsLie::Says(Say::Pending)) => ["in-app-notified"],
    Lie::ClosesWhatItOpened => ["in-app-notified", "in-app-refunded"],
    Says(QueryRefund, When::Any, Say::NotFound) => ["in-app-refunded"],
    News(NewsLie::RefundsFail) => ["notification-of-refund"],
};

/// What is found by what a far side shows beside an order's state: by the code of it, and by how often money was taken in all.
const SHOWN: &[Canary] = canaries! {
    Says(Create, When::Any, Say::Succeeded) => ["create-then-paid"],
};
const SHOWN_AND_COUNTED: &[Canary] = canaries! {
    Says(Create, When::Any, Say::Succeeded) => ["create-then-paid"],
    Sends(Change::OtherNumberOnRetry) => ["charge-repeated"],
};

/// Rows that no lie is found by, by their first case, and why. May only shrink.
const WITHOUT_A_LIE: &[(&str, &str)] = &[];

/// Lies that are told at once: they wait for far sides to start.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lie_about_codes_is_found() {
    are_found(CODES, "sandbox", &wallet()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lie_about_a_card_is_found() {
    are_found(CARDS, "card", &far_side("acquirer --tls")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lie_about_an_app_is_found() {
    are_found(APPS, "wechatpay", &far_side("wechatpay")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_far_side_shows_what_finds_a_lie() {
    are_found(SHOWN_AND_COUNTED, "alipay", &far_side("alipay")).await;
    are_found(SHOWN_AND_COUNTED, "unionpay", &far_side("unionpay")).await;
    for scheme in ["wechatpay", "pix", "lightning"] {
        are_found(SHOWN, scheme, &far_side(scheme)).await;
    }
}

/// A case that trips over a lie on the way to its own lines has not found it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_that_fails_before_its_own_lines_says_so() {
    let (_dir, cache) = scratch();
    let kit = Kit::new(component("sandbox"), wallet(), cache);
    let cases = ["charge-succeeds", "refund-whole"];
    let only = Only::Named(cases.map(str::to_owned).to_vec());
    let report = Kit { only, wrap: |host| liar(host, Says(Ask, When::Any, failed(Other))), jobs: 1, ..kit };
    let report = report.run().await.expect("it runs");
    let aside = |case: &str| {
        let played = report.cases.iter().find(|played| played.case == case);
        played.and_then(|played| Some(played.finding.as_ref()?.aside))
    };
    assert_eq!(cases.map(aside), [Some(false), Some(true)]);
}

#[test]
fn each_row_has_a_lie_that_it_finds() {
    let tables = [CODES, CARDS, APPS].into_iter().flatten();
    let found: BTreeSet<&str> = tables.flat_map(|(_, _, cases)| cases.iter().copied()).collect();
    let rows = rows();
    let without: Vec<&str> = rows
        .iter()
        .filter(|cases| !cases.iter().any(|case| found.contains(case.as_str())))
        .filter_map(|cases| cases.first().map(String::as_str))
        .collect();
    let allowed: Vec<&str> = WITHOUT_A_LIE.iter().map(|(case, _)| *case).collect();
    assert_eq!(without, allowed, "a row needs a lie that it finds, in a table above");
}

async fn are_found(canaries: &'static [Canary], channel: &'static str, far_side: &Command) {
    let (_dir, cache) = scratch();
    let component = component(channel);
    // Compiled once, and found so by all.
    Inspected::of(&component, &cache).await.expect("a component");
    let queue = Arc::new(Mutex::new(canaries.iter().collect::<VecDeque<_>>()));
    let mut liars = JoinSet::new();
    for _ in 0..AT_ONCE {
        let kit = Kit::new(component.clone(), far_side.clone(), cache.clone());
        let queue = Arc::clone(&queue);
        liars.spawn(async move {
            let mut unfound = Vec::new();
            while let Some((lie, wrap, cases)) = { queue.lock().expect("no panic").pop_front() } {
                let only = Only::Named(cases.iter().map(|case| (*case).to_owned()).collect());
                let kit = Kit { only, wrap: *wrap, jobs: 1, ..kit.clone() };
                let report = kit.run().await.expect("it runs");
                let is_found = |case: &str| {
                    let found = report.cases.iter().find(|played| played.case == case);
                    let finding = found.filter(|played| played.verdict == Verdict::Failed)?.finding.as_ref()?;
                    // Of a subject the order itself is what the case is about.
                    (!finding.aside || case.starts_with("subject-")).then_some(())
                };
                let passed = cases.iter().filter(|case| is_found(case).is_none());
                unfound.extend(passed.map(|case| {
                    let played = report.cases.iter().find(|played| played.case == **case);
                    format!("{lie} by {case}: {played:#?}")
                }));
            }
            unfound
        });
    }
    let unfound: Vec<String> = liars.join_all().await.into_iter().flatten().collect();
    assert!(unfound.is_empty(), "{} lies are not found:\n{}", unfound.len(), unfound.join("\n"));
}
