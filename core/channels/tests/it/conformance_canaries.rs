//! Channels that break the contract on purpose, each found by the case that is named beside it: what shows that the kit bites.
//!
//! Each is the honest channel with a liar in front of it, so that what differs is the lie alone.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use saoma_channels::{
    Account, BillLine, BillPage, Card, ChannelCaller, Created, Decline, DeclineCode, Failure, Host, HttpMessage,
    HttpReply, KnownOrder, Manifest, NotificationEvent, NotificationFailure, NotificationOutcome, Order, PaymentAnswer,
    PaymentStatus, RefundAnswer, RefundOrder, RefundStatus,
    conformance::{Command, Kit, Verdict, Wrap},
    in_app::Step,
    settlement::{Batch, Row},
};
use saoma_domain::{
    dispute::{News, Outcome},
    settlement::{Settled, Tally},
};
use saoma_protocol::{Amount, Millis, Money, PaymentId, RefundId, SettlementBatchId};

use super::{
    conformance::{far_side, scratch, wallet},
    guests::component,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    SuccessOnTimeout,
    FailureOnTimeout,
    NotSentOnTimeout,
    BelievesForgedAnswers,
    BelievesForgedNotifications,
    WinsEveryDispute,
    DatesDisputesItself,
    MisreadsDisputeFees,
    TellsMoreThanTheDispute,
    BelievesOtherAmounts,
    OtherNumberOnRetry,
    BalancesAlways,
    SettlesTwice,
    UploadsNothing,
    LogsCode,
    LogsCardNumber,
    LogsSecret,
    LogsSecretInErrors,
    RefundsTwice,
    RefundsMoreThanAsked,
    RefundSuccessOnTimeout,
    NotFoundOnTimeout,
    PendingIsFailed,
    ClosesNothing,
    RoundsAmounts,
    NamesNoAmount,
    SendsChance,
    DropsUnreadableRows,
    StopsAtFirstPage,
    EmptyBillOnTimeout,
    Traps,
    PassesEverySelfTest,
    WrongDeclineCode,
    KnowsEverybody,
}

/// The lie, how it is made, and the case that has to find it.
const CANARIES: &[(Wrap, &str)] = &[
    (|host| liar(host, Lie::SuccessOnTimeout), "charge-unheard"),
    (|host| liar(host, Lie::SuccessOnTimeout), "charge-lost-answer-cut"),
    (|host| liar(host, Lie::FailureOnTimeout), "charge-lost-answer-html"),
    (|host| liar(host, Lie::NotSentOnTimeout), "charge-lost-answer-empty"),
    (|host| liar(host, Lie::BelievesForgedAnswers), "charge-not-to-be-believed-forged"),
    (|host| liar(host, Lie::BelievesForgedAnswers), "foreign-secrets"),
    (|host| liar(host, Lie::BelievesForgedNotifications), "notification-forged"),
    (|host| liar(host, Lie::BelievesForgedNotifications), "notification-unsigned"),
    (|host| liar(host, Lie::BelievesForgedNotifications), "dispute-forged"),
    (|host| liar(host, Lie::WinsEveryDispute), "dispute-opened-then-lost"),
    (|host| liar(host, Lie::DatesDisputesItself), "dispute-repeated"),
    (|host| liar(host, Lie::MisreadsDisputeFees), "dispute-opened-then-won"),
    (|host| liar(host, Lie::TellsMoreThanTheDispute), "dispute-opened-then-lost"),
    (|host| liar(host, Lie::DatesDisputesItself), "dispute-won-before-its-opening"),
    (|host| liar(host, Lie::BelievesOtherAmounts), "charge-about-another-amount"),
    (|host| liar(host, Lie::OtherNumberOnRetry), "charge-repeated"),
    (|host| liar(host, Lie::LogsCode), "charge-succeeds"),
    (|host| liar(host, Lie::LogsSecret), "charge-succeeds"),
    (|host| liar(host, Lie::LogsSecretInErrors), "charge-unheard"),
    (|host| liar(host, Lie::RefundsTwice), "refund-part-repeated"),
    (|host| liar(host, Lie::RefundsMoreThanAsked), "refund-part-twice"),
    (|host| liar(host, Lie::RefundSuccessOnTimeout), "refund-query-unknown"),
    (|host| liar(host, Lie::NotFoundOnTimeout), "query-lost-answer-cut"),
    (|host| liar(host, Lie::PendingIsFailed), "charge-pending-then-paid"),
    (|host| liar(host, Lie::ClosesNothing), "cancel-paid"),
    (|host| liar(host, Lie::RoundsAmounts), "amount-100001"),
    (|host| liar(host, Lie::NamesNoAmount), "charge-succeeds"),
    (|host| liar(host, Lie::SendsChance), "determinism"),
    (|host| liar(host, Lie::DropsUnreadableRows), "bill-with-garbled-row"),
    (|host| liar(host, Lie::StopsAtFirstPage), "bill-of-many-pages"),
    (|host| liar(host, Lie::EmptyBillOnTimeout), "bill-lost-answer-cut"),
    (|host| liar(host, Lie::Traps), "charge-lost-answer-html"),
    (|host| liar(host, Lie::PassesEverySelfTest), "settings-refused"),
    (|host| liar(host, Lie::WrongDeclineCode), "charge-refused-insufficient-funds"),
];

/// The same of cards.
const CARD_CANARIES: &[(Wrap, &str)] = &[
    (|host| liar(host, Lie::SuccessOnTimeout), "card-unheard"),
    (|host| liar(host, Lie::SuccessOnTimeout), "card-not-to-be-believed-forged"),
    (|host| liar(host, Lie::FailureOnTimeout), "card-lost-answer-html"),
    (|host| liar(host, Lie::NotSentOnTimeout), "card-lost-answer-empty"),
    (|host| liar(host, Lie::LogsCardNumber), "card-succeeds"),
    (|host| liar(host, Lie::NamesNoAmount), "card-succeeds"),
    (|host| liar(host, Lie::ClosesNothing), "card-voided"),
    (|host| liar(host, Lie::ClosesNothing), "card-reversal-lost-answer-cut"),
    (|host| liar(host, Lie::RefundsTwice), "card-refund-part-twice"),
    (|host| liar(host, Lie::RefundsMoreThanAsked), "card-refund-part-twice"),
    (|host| liar(host, Lie::RefundSuccessOnTimeout), "card-refund-unheard"),
    (|host| liar(host, Lie::RoundsAmounts), "card-amount-100001"),
    (|host| liar(host, Lie::WrongDeclineCode), "card-refused-insufficient-funds"),
    (|host| liar(host, Lie::SuccessOnTimeout), "forward-unheard"),
    (|host| liar(host, Lie::FailureOnTimeout), "forward-lost-answer-cut"),
    (|host| liar(host, Lie::ClosesNothing), "forward-is-not-undone"),
    (|host| liar(host, Lie::WrongDeclineCode), "forward-refused-insufficient-funds"),
    (|host| liar(host, Lie::SuccessOnTimeout), "settle-unheard"),
    (|host| liar(host, Lie::BalancesAlways), "settle-differs"),
    (|host| liar(host, Lie::SettlesTwice), "settle-balanced"),
    (|host| liar(host, Lie::UploadsNothing), "settle-differs"),
];

/// The same of pages in an app.
const IN_APP_CANARIES: &[(Wrap, &str)] = &[
    (|host| liar(host, Lie::KnowsEverybody), "in-app-strangers"),
    (|host| liar(host, Lie::RoundsAmounts), "in-app-amount-100001"),
    (|host| liar(host, Lie::OtherNumberOnRetry), "in-app-repeated"),
    (|host| liar(host, Lie::NotSentOnTimeout), "in-app-lost-answer-html"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lie_about_an_app_is_found_by_its_case() {
    are_found(IN_APP_CANARIES, "wechatpay", &far_side("wechatpay")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lie_is_found_by_its_case() {
    are_found(CANARIES, "sandbox", &wallet()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lie_about_a_card_is_found_by_its_case() {
    are_found(CARD_CANARIES, "card", &far_side("acquirer --tls")).await;
}

async fn are_found(canaries: &[(Wrap, &str)], channel: &str, far_side: &Command) {
    let (_dir, cache) = scratch();
    let mut unfound = Vec::new();
    for (idx, (wrap, case)) in canaries.iter().enumerate() {
        let only = Some((*case).to_owned());
        let kit = Kit { only, wrap: *wrap, ..Kit::new(component(channel), far_side.clone(), cache.clone()) };
        let report = kit.run().await.expect("it runs");
        let found = report.cases.iter().find(|played| played.case == *case);
        match found {
            Some(played) if played.verdict == Verdict::Failed && played.finding.is_some() => {}
            other => unfound.push(format!("row {idx}, {case}: {other:?}")),
        }
    }
    assert!(unfound.is_empty(), "{unfound:#?}");
}

/// What `saoma-schemes wallet --stage` has for a merchant that nobody named.
const SECRET: &str = "stage key, known to everybody";
/// Of the card that `saoma-schemes acquirer` has in its script.
const CARD_NUMBER: &str = "6212345678900000003";

struct Liar {
    host: Arc<Host>,
    lie: Lie,
    seen: Mutex<BTreeSet<PaymentId>>,
    refunded: Mutex<BTreeSet<RefundId>>,
    n_calls: std::sync::atomic::AtomicU32,
}

fn liar(host: Arc<Host>, lie: Lie) -> Arc<dyn ChannelCaller> {
    Arc::new(Liar { host, lie, seen: Mutex::default(), refunded: Mutex::default(), n_calls: Default::default() })
}

fn said(number: String, status: PaymentStatus, amount: Option<Money>) -> PaymentAnswer {
    PaymentAnswer { status, number, amount, reference: String::new(), paid_at: None, payer_hint: String::new() }
}

fn rounded(asked: Amount) -> Amount {
    Amount::new(asked.minor() / 10 * 10, asked.currency()).expect("an amount")
}

fn declined(code: DeclineCode) -> PaymentStatus {
    PaymentStatus::Failed(Decline { code, message: "no".to_owned() })
}

impl Liar {
    /// What the lie makes of an answer to a charge.
    fn bent(
        &self,
        asked: Amount,
        number: PaymentId,
        outcome: Result<PaymentAnswer, Failure>,
    ) -> Result<PaymentAnswer, Failure> {
        let unsigned = |why: &str| why.contains("signature");
        let success = || said(number.to_string(), PaymentStatus::Succeeded, Some(asked.money()));
        match (self.lie, outcome) {
            (Lie::SuccessOnTimeout, Err(Failure::NoAnswer { .. })) => Ok(success()),
            (Lie::FailureOnTimeout, Err(Failure::NoAnswer { .. })) => {
                Ok(said(number.to_string(), declined(DeclineCode::Other), None))
            }
            (Lie::NotSentOnTimeout, Err(Failure::NoAnswer { why })) => Err(Failure::NotSent { why }),
            (Lie::LogsSecretInErrors, Err(Failure::NoAnswer { why })) => {
                Err(Failure::NoAnswer { why: format!("{why}, signed with {SECRET}") })
            }
            (Lie::Traps, Err(Failure::NoAnswer { .. })) => Err(Failure::Trapped { why: "unreachable".to_owned() }),
            (Lie::BelievesForgedAnswers, Err(Failure::NoAnswer { why })) if unsigned(&why) => Ok(success()),
            (Lie::BelievesOtherAmounts, Err(Failure::BadAnswer { .. })) => Ok(success()),
            (Lie::OtherNumberOnRetry | Lie::RoundsAmounts, Ok(answer)) => {
                Ok(PaymentAnswer { number: number.to_string(), amount: Some(asked.money()), ..answer })
            }
            (Lie::NamesNoAmount, Ok(answer)) => Ok(PaymentAnswer { amount: None, ..answer }),
            (Lie::PendingIsFailed, Ok(answer)) if answer.status == PaymentStatus::Pending => {
                Ok(PaymentAnswer { status: declined(DeclineCode::Declined), ..answer })
            }
            (Lie::WrongDeclineCode, Ok(answer)) if matches!(answer.status, PaymentStatus::Failed(_)) => {
                Ok(PaymentAnswer { status: declined(DeclineCode::Other), ..answer })
            }
            (_, outcome) => outcome,
        }
    }
}

#[async_trait]
impl ChannelCaller for Liar {
    fn manifest(&self, channel: &str) -> Option<Arc<Manifest>> {
        self.host.manifest(channel)
    }

    fn manifests(&self) -> Vec<Arc<Manifest>> {
        self.host.manifests()
    }

    async fn create(&self, account: &Account, order: &Order) -> Result<Created, Failure> {
        self.host.create(account, order).await
    }

    async fn identify(
        &self,
        account: &Account,
        app: &str,
        return_url: &str,
        state: &str,
    ) -> Result<Option<String>, Failure> {
        self.host.identify(account, app, return_url, state).await
    }

    async fn payer(&self, account: &Account, app: &str, parameters: &[(String, String)]) -> Result<String, Failure> {
        match (self.lie, self.host.payer(account, app, parameters).await) {
            (Lie::KnowsEverybody, Err(_)) => Ok("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned()),
            (_, outcome) => outcome,
        }
    }

    async fn open_in_app(&self, account: &Account, app: &str, order: &Order, payer: &str) -> Result<Step, Failure> {
        let mut order = order.clone();
        let is_first = self.seen.lock().expect("no panic").insert(order.number);
        match self.lie {
            Lie::OtherNumberOnRetry if !is_first => order.number = PaymentId::from_bytes([9; 16]),
            Lie::RoundsAmounts => order.amount = rounded(order.amount),
            _ => {}
        }
        match (self.lie, self.host.open_in_app(account, app, &order, payer).await) {
            (Lie::NotSentOnTimeout, Err(Failure::NoAnswer { why })) => Err(Failure::NotSent { why }),
            (_, outcome) => outcome,
        }
    }

    async fn charge(&self, account: &Account, order: &Order, code: &str) -> Result<PaymentAnswer, Failure> {
        let mut order = order.clone();
        let (asked, number) = (order.amount, order.number);
        let is_first = self.seen.lock().expect("no panic").insert(number);
        match self.lie {
            Lie::LogsCode => tracing::info!(target: "saoma_channels::plugin", "charging {code}"),
            Lie::LogsSecret => tracing::info!(target: "saoma_channels::plugin", "signing with {SECRET}"),
            Lie::OtherNumberOnRetry if !is_first => order.number = PaymentId::from_bytes([9; 16]),
            Lie::RoundsAmounts => order.amount = rounded(asked),
            Lie::SendsChance => {
                let n = self.n_calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                order.subject = format!("{} {n}", order.subject);
            }
            _ => {}
        }
        let outcome = self.host.charge(account, &order, code).await;
        self.bent(asked, number, outcome)
    }

    async fn charge_card(&self, account: &Account, order: &Order, card: &Card) -> Result<PaymentAnswer, Failure> {
        let mut order = order.clone();
        let (asked, number) = (order.amount, order.number);
        match self.lie {
            Lie::LogsCardNumber => tracing::info!(target: "saoma_channels::plugin", "charging {CARD_NUMBER}"),
            Lie::RoundsAmounts => order.amount = rounded(asked),
            _ => {}
        }
        let outcome = self.host.charge_card(account, &order, card).await;
        self.bent(asked, number, outcome)
    }

    async fn forward(
        &self,
        account: &Account,
        order: &Order,
        card: &Card,
        at: Millis,
    ) -> Result<PaymentAnswer, Failure> {
        let outcome = self.host.forward(account, order, card, at).await;
        self.bent(order.amount, order.number, outcome)
    }

    async fn query(&self, account: &Account, order: &KnownOrder) -> Result<PaymentAnswer, Failure> {
        let outcome = self.host.query(account, order).await;
        match (self.lie, outcome) {
            (Lie::NotFoundOnTimeout, Err(_)) => Ok(said(order.number.to_string(), PaymentStatus::NotFound, None)),
            (_, outcome) => outcome,
        }
    }

    async fn cancel(&self, account: &Account, order: &KnownOrder) -> Result<PaymentAnswer, Failure> {
        match self.lie {
            Lie::ClosesNothing => Ok(said(order.number.to_string(), PaymentStatus::Closed, None)),
            _ => self.host.cancel(account, order).await,
        }
    }

    async fn refund(&self, account: &Account, refund: &RefundOrder) -> Result<RefundAnswer, Failure> {
        let mut sent = refund.clone();
        let is_first = self.refunded.lock().expect("no panic").insert(refund.refund_number);
        match self.lie {
            Lie::RefundsTwice if !is_first => sent.refund_number = RefundId::from_bytes([9; 16]),
            Lie::RefundsMoreThanAsked => {
                sent.amount = Amount::new(refund.amount.minor() + 10, refund.amount.currency()).expect("an amount");
            }
            _ => {}
        }
        let success = || RefundAnswer {
            status: RefundStatus::Succeeded,
            refund_number: refund.refund_number.to_string(),
            amount: Some(refund.amount.money()),
            reference: String::new(),
        };
        match (self.lie, self.host.refund(account, &sent).await) {
            (Lie::RefundsTwice | Lie::RefundsMoreThanAsked, Ok(_)) => Ok(success()),
            (Lie::RefundSuccessOnTimeout, Err(Failure::NoAnswer { .. })) => Ok(success()),
            (_, outcome) => outcome,
        }
    }

    async fn query_refund(&self, account: &Account, refund: &RefundOrder) -> Result<RefundAnswer, Failure> {
        self.host.query_refund(account, refund).await
    }

    async fn parse_notification(
        &self,
        account: &Account,
        notification: &HttpMessage,
    ) -> Result<NotificationOutcome, NotificationFailure> {
        let outcome = self.host.parse_notification(account, notification).await;
        match (self.lie, outcome) {
            (Lie::BelievesForgedNotifications, Err(NotificationFailure::Forged(_))) => {
                let order: serde_json::Value = serde_json::from_slice(&notification.body).expect("an order");
                let number = order["order_number"].as_str().unwrap_or_default().to_owned();
                let amount: Money = Money::new(1_250, saoma_protocol::Currency::CNY);
                let answer = said(number, PaymentStatus::Succeeded, Some(amount));
                let acknowledgement =
                    HttpReply { status: 200, content_type: "text/plain".to_owned(), body: b"OK".to_vec() };
                Ok(NotificationOutcome { events: vec![NotificationEvent::Payment(answer)], acknowledgement })
            }
            (Lie::TellsMoreThanTheDispute, Ok(mut outcome)) => {
                let notice = outcome.events.iter().find_map(|event| match event {
                    NotificationEvent::Dispute(notice) => Some((notice.number.clone(), notice.amount.money())),
                    _ => None,
                });
                let more = notice.map(|(number, amount)| said(number, PaymentStatus::Refunded, Some(amount)));
                outcome.events.extend(more.map(NotificationEvent::Payment));
                Ok(outcome)
            }
            (Lie::WinsEveryDispute | Lie::DatesDisputesItself | Lie::MisreadsDisputeFees, Ok(mut outcome)) => {
                for event in &mut outcome.events {
                    let NotificationEvent::Dispute(notice) = event else { continue };
                    match (self.lie, &mut notice.news) {
                        (Lie::WinsEveryDispute, News::Closed { outcome, .. }) => *outcome = Outcome::Won,
                        (Lie::MisreadsDisputeFees, News::Closed { fee: Some(fee), .. }) => {
                            *fee = Amount::new(fee.minor() * 100, fee.currency()).expect("a fee");
                        }
                        (Lie::DatesDisputesItself, _) => notice.at = Millis(notice.at.0 + 60_000),
                        _ => {}
                    }
                }
                Ok(outcome)
            }
            (_, outcome) => outcome,
        }
    }

    async fn fetch_bill(&self, account: &Account, day: &str, cursor: Option<&str>) -> Result<BillPage, Failure> {
        let outcome = self.host.fetch_bill(account, day, cursor).await;
        match (self.lie, outcome) {
            (Lie::DropsUnreadableRows, Ok(mut page)) => {
                page.lines.retain(|line| matches!(line, BillLine::Row(_)));
                Ok(page)
            }
            (Lie::StopsAtFirstPage, Ok(page)) => Ok(BillPage { next_cursor: None, ..page }),
            (Lie::EmptyBillOnTimeout, Err(Failure::NoAnswer { .. })) => {
                Ok(BillPage { lines: Vec::new(), next_cursor: None })
            }
            (_, outcome) => outcome,
        }
    }

    async fn settle(&self, account: &Account, batch: &Batch) -> Result<Settled, Failure> {
        let first = self.host.settle(account, batch).await;
        match (self.lie, first) {
            (Lie::SuccessOnTimeout, Err(Failure::NoAnswer { .. })) | (Lie::BalancesAlways, Ok(_)) => {
                Ok(Settled::Balanced)
            }
            // Under another number, with nothing in it: the acquirer's next batch balances too.
            (Lie::SettlesTwice, Ok(Settled::Balanced)) => {
                let mut next = batch.clone();
                next.number = SettlementBatchId::from_bytes([9; 16]);
                let nothing = Tally::default();
                next.totals.iter_mut().for_each(|total| (total.debits, total.credits) = (nothing, nothing));
                self.host.settle(account, &next).await
            }
            (_, outcome) => outcome,
        }
    }

    async fn upload(&self, account: &Account, batch: &Batch, rows: &[Row]) -> Result<(), Failure> {
        if self.lie == Lie::UploadsNothing { Ok(()) } else { self.host.upload(account, batch, rows).await }
    }

    async fn finish(&self, account: &Account, batch: &Batch) -> Result<Settled, Failure> {
        self.host.finish(account, batch).await
    }

    async fn self_test(&self, account: &Account) -> Result<String, Failure> {
        match self.lie {
            Lie::PassesEverySelfTest => Ok("fine".to_owned()),
            _ => self.host.self_test(account).await,
        }
    }
}
