//! A channel that breaks the contract on purpose: the honest one with a liar in front of it, so that what differs is the lie alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use saoma_channels::{
    Account, BillPage, Card, ChannelCaller, Created, DeclineCode, Failure, Host, HttpMessage, KnownOrder, Manifest,
    NotificationFailure, NotificationOutcome, Order, PaymentAnswer, Presenter, RefundAnswer, RefundOrder,
    in_app::Step,
    settlement::{Batch, Row},
};
use saoma_domain::settlement::{Settled, Tally};
use saoma_protocol::{Amount, Millis, Money, PaymentId, RefundId, SettlementBatchId};

use super::liar_news::{BillLie, NewsLie};
use super::liar_says::{About, Answer};
pub use super::liar_says::{Act, Say, When};

/// What `saoma-schemes wallet --stage` has for a merchant that nobody named.
const SECRET: &str = "stage key, known to everybody";
/// Of the card that `saoma-schemes acquirer` has in its script.
const CARD_NUMBER: &str = "6212345678900000003";
/// Where the plugins' log lines go.
macro_rules! log {
    ($($words:tt)*) => { tracing::info!(target: "saoma_channels::plugin", $($words)*) };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Of an act's answers, those of one sort are told as something else.
    Says(Act, When, Say),
    /// What is asked for is sent otherwise, and told as it was asked for.
    Sends(Change),
    Bill(BillLie),
    News(NewsLie),
    /// A closed order is closed on paper: nothing is sent, and it is called closed from then on.
    ClosesOnPaper,
    /// What was opened is closed again at once.
    ClosesWhatItOpened,
    /// The answer to the sale before is taken for this one's.
    AnswersWithTheLast,
    SettlesTwice,
    /// Totals with the digits that fit into sixteen.
    CutsTotals,
    /// Totals without what was given back.
    ForgetsCredits,
    LogsCode,
    LogsCardNumber,
    LogsSecret,
    LogsSecretInErrors,
    NamesNoAmount,
    KnowsEverybody,
    /// Of settings that are wrong, the name alone.
    NamesNoFix,
    /// Or what to do, and not where.
    NamesNoField,
    /// What no schema can say of a setting, it does not look at.
    TakesWhatItCannotUse,
    ClaimsNoCodes,
    ListsNoSecrets,
}

/// What is sent otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Whole tens of minor units.
    RoundedAmount,
    /// Ten minor units more than is asked.
    LargerAmount,
    /// A currency without decimals, or with three, as if it had two.
    TwoDigits,
    /// Another number once the first was used.
    OtherNumberOnRetry,
    /// Something of chance in it.
    Chance,
    AsciiSubject,
    EscapedSubject,
    /// 64 bytes of it, whatever they are.
    CutSubject,
    /// Its first letter.
    LetterOfSubject,
}

pub struct Liar {
    host: Arc<Host>,
    pub lie: Lie,
    state: Mutex<State>,
}

/// What a liar has seen.
#[derive(Default)]
pub struct State {
    /// What was asked for of each order; the last is the one that was asked for last.
    pub asked: BTreeMap<PaymentId, Money>,
    pub last: Option<PaymentId>,
    refunds: BTreeSet<RefundId>,
    cancelled: BTreeSet<PaymentId>,
    answered: Option<PaymentAnswer>,
    /// Bodies of notifications.
    pub read: BTreeSet<Vec<u8>>,
    n_calls: u32,
}

pub fn liar(host: Arc<Host>, lie: Lie) -> Arc<dyn ChannelCaller> {
    Arc::new(Liar { host, lie, state: Mutex::default() })
}

fn amount(minor: i64, like: Amount) -> Amount {
    Amount::new(minor, like.currency()).expect("an amount")
}

impl Liar {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    /// What is said without asking, if that is the lie.
    fn unasked<T: Answer>(&self, act: Act, about: &About) -> Option<Result<T, Failure>> {
        match self.lie {
            Lie::Says(of, When::Unasked, say) if of == act => Some(say.made(about)),
            _ => None,
        }
    }

    fn told<T: Answer>(
        &self,
        act: Act,
        about: &About,
        is_again: bool,
        outcome: Result<T, Failure>,
    ) -> Result<T, Failure> {
        match self.lie {
            Lie::Says(of, when, say) if of == act && when.fits(&outcome, about, is_again) => say.made(about),
            _ => outcome,
        }
    }

    /// What is sent for the order, and whether it was asked for before.
    fn sent(&self, order: &Order) -> (Order, bool) {
        let mut state = self.state();
        let is_again = state.asked.insert(order.number, order.amount.money()).is_some();
        state.last = Some(order.number);
        state.n_calls += 1;
        let mut sent = order.clone();
        let Lie::Sends(change) = self.lie else { return (sent, is_again) };
        match change {
            Change::RoundedAmount => sent.amount = amount(order.amount.minor() / 10 * 10, order.amount),
            Change::TwoDigits => {
                let minor = match order.amount.currency().minor_digits() {
                    0 => order.amount.minor() / 100,
                    3 => order.amount.minor() * 10,
                    _ => order.amount.minor(),
                };
                sent.amount = amount(minor, order.amount);
            }
            Change::OtherNumberOnRetry if is_again => sent.number = PaymentId::from_bytes([9; 16]),
            Change::Chance => sent.subject = format!("{} {}", order.subject, state.n_calls),
            Change::AsciiSubject => {
                sent.subject =
                    order.subject.chars().map(|letter| if letter.is_ascii() { letter } else { '?' }).collect();
            }
            Change::EscapedSubject => sent.subject = order.subject.replace('\'', "&#39;").replace('&', "&amp;"),
            Change::CutSubject => {
                let bytes = &order.subject.as_bytes()[..order.subject.len().min(64)];
                sent.subject = String::from_utf8_lossy(bytes).into_owned();
            }
            Change::LetterOfSubject => sent.subject = order.subject.chars().take(1).collect(),
            Change::OtherNumberOnRetry | Change::LargerAmount => {}
        }
        (sent, is_again)
    }

    /// An answer about what was sent, as one about what was asked for.
    fn hidden(&self, order: &Order, outcome: Result<PaymentAnswer, Failure>) -> Result<PaymentAnswer, Failure> {
        let about = About::of(order);
        match (self.lie, outcome) {
            (Lie::Sends(_), Ok(answer)) => Ok(PaymentAnswer {
                number: about.number,
                amount: answer.amount.map(|_| order.amount.money()),
                ..answer
            }),
            (Lie::NamesNoAmount, Ok(answer)) => Ok(PaymentAnswer { amount: None, ..answer }),
            (Lie::LogsSecretInErrors, Err(Failure::NoAnswer { why })) => {
                Err(Failure::NoAnswer { why: format!("{why}, signed with {SECRET}") })
            }
            (_, outcome) => outcome,
        }
    }

    fn paid_by_card(
        &self,
        order: &Order,
        is_again: bool,
        outcome: Result<PaymentAnswer, Failure>,
    ) -> Result<PaymentAnswer, Failure> {
        let outcome = self.told(Act::Ask, &About::of(order), is_again, self.hidden(order, outcome));
        if let Ok(answer) = &outcome {
            self.state().answered = Some(answer.clone());
        }
        outcome
    }

    pub async fn asked_now(
        &self,
        account: &Account,
        number: PaymentId,
        asked: Money,
    ) -> Result<PaymentAnswer, Failure> {
        let amount = Amount::new(asked.minor(), asked.currency()).expect("an amount");
        self.host.query(account, &known(number, amount, Millis(0))).await
    }
}

fn known(number: PaymentId, amount: Amount, created_at: Millis) -> KnownOrder {
    let presented_by = Presenter::Merchant;
    KnownOrder { number, reference: String::new(), amount, presented_by, created_at, card: None }
}

#[async_trait]
impl ChannelCaller for Liar {
    fn manifest(&self, channel: &str) -> Option<Arc<Manifest>> {
        let mut manifest = self.host.manifest(channel)?;
        match self.lie {
            Lie::ClaimsNoCodes => Arc::make_mut(&mut manifest).claims.clear(),
            Lie::ListsNoSecrets => Arc::make_mut(&mut manifest).secrets.clear(),
            _ => {}
        }
        Some(manifest)
    }

    fn manifests(&self) -> Vec<Arc<Manifest>> {
        self.host.manifests()
    }

    async fn create(&self, account: &Account, order: &Order) -> Result<Created, Failure> {
        let (sent, is_again) = self.sent(order);
        match self.unasked(Act::Create, &About::of(order)) {
            Some(made) => made,
            None => {
                let outcome = self.host.create(account, &sent).await;
                self.told(Act::Create, &About::of(order), is_again, outcome)
            }
        }
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
        let (sent, is_again) = self.sent(order);
        match self.unasked(Act::Open, &About::of(order)) {
            Some(made) => made,
            None => {
                let outcome = self.host.open_in_app(account, app, &sent, payer).await;
                if self.lie == Lie::ClosesWhatItOpened {
                    self.host
                        .cancel(account, &known(order.number, order.amount, order.created_at))
                        .await
                        .expect("closed");
                }
                self.told(Act::Open, &About::of(order), is_again, outcome)
            }
        }
    }

    async fn charge(&self, account: &Account, order: &Order, code: &str) -> Result<PaymentAnswer, Failure> {
        let (sent, is_again) = self.sent(order);
        match self.lie {
            Lie::LogsCode => log!("charging {code}"),
            Lie::LogsSecret => log!("signing with {SECRET}"),
            _ => {}
        }
        if let Some(made) = self.unasked(Act::Ask, &About::of(order)) {
            return made;
        }
        let outcome = self.host.charge(account, &sent, code).await;
        self.told(Act::Ask, &About::of(order), is_again, self.hidden(order, outcome))
    }

    async fn charge_card(&self, account: &Account, order: &Order, card: &Card) -> Result<PaymentAnswer, Failure> {
        let (sent, is_again) = self.sent(order);
        if self.lie == Lie::LogsCardNumber {
            log!("charging {CARD_NUMBER}");
        }
        let last = self.state().answered.clone().filter(|_| self.lie == Lie::AnswersWithTheLast && !is_again);
        if let Some(answer) = last {
            let About { number, amount } = About::of(order);
            return Ok(PaymentAnswer { number, amount: Some(amount), ..answer });
        }
        let outcome = self.host.charge_card(account, &sent, card).await;
        self.paid_by_card(order, is_again, outcome)
    }

    async fn forward(
        &self,
        account: &Account,
        order: &Order,
        card: &Card,
        at: Millis,
    ) -> Result<PaymentAnswer, Failure> {
        let (sent, is_again) = self.sent(order);
        let outcome = self.host.forward(account, &sent, card, at).await;
        self.paid_by_card(order, is_again, outcome)
    }

    async fn query(&self, account: &Account, order: &KnownOrder) -> Result<PaymentAnswer, Failure> {
        let about = About::known(order);
        if self.lie == Lie::ClosesOnPaper && self.state().cancelled.contains(&order.number) {
            return Say::Closed.made(&about);
        }
        let outcome = self.host.query(account, order).await;
        self.told(Act::Query, &about, false, outcome)
    }

    async fn cancel(&self, account: &Account, order: &KnownOrder) -> Result<PaymentAnswer, Failure> {
        let about = About::known(order);
        let is_again = !self.state().cancelled.insert(order.number);
        if self.lie == Lie::ClosesOnPaper {
            return Say::Closed.made(&about);
        }
        match self.unasked(Act::Cancel, &about) {
            Some(made) => made,
            None => {
                let outcome = self.host.cancel(account, order).await;
                self.told(Act::Cancel, &about, is_again, outcome)
            }
        }
    }

    async fn refund(&self, account: &Account, refund: &RefundOrder) -> Result<RefundAnswer, Failure> {
        let about = About::refunded(refund);
        let is_again = !self.state().refunds.insert(refund.refund_number);
        if let Some(made) = self.unasked(Act::Refund, &about) {
            return made;
        }
        let mut sent = refund.clone();
        match self.lie {
            Lie::Sends(Change::OtherNumberOnRetry) if is_again => sent.refund_number = RefundId::from_bytes([9; 16]),
            Lie::Sends(Change::LargerAmount) => sent.amount = amount(refund.amount.minor() + 10, refund.amount),
            _ => {}
        }
        let outcome = match (self.lie, self.host.refund(account, &sent).await) {
            (Lie::Sends(Change::OtherNumberOnRetry | Change::LargerAmount), Ok(_)) => Say::Succeeded.made(&about),
            (_, outcome) => outcome,
        };
        self.told(Act::Refund, &about, is_again, outcome)
    }

    async fn query_refund(&self, account: &Account, refund: &RefundOrder) -> Result<RefundAnswer, Failure> {
        let outcome = self.host.query_refund(account, refund).await;
        self.told(Act::QueryRefund, &About::refunded(refund), false, outcome)
    }

    async fn parse_notification(
        &self,
        account: &Account,
        notification: &HttpMessage,
    ) -> Result<NotificationOutcome, NotificationFailure> {
        let is_new = self.state().read.insert(notification.body.clone());
        let outcome = self.host.parse_notification(account, notification).await;
        match self.lie {
            Lie::News(lie) => lie.bent(self, account, is_new, outcome).await,
            _ => outcome,
        }
    }

    async fn fetch_bill(&self, account: &Account, day: &str, cursor: Option<&str>) -> Result<BillPage, Failure> {
        let outcome = self.host.fetch_bill(account, day, cursor).await;
        match self.lie {
            Lie::Bill(lie) => lie.bent(self, outcome),
            _ => outcome,
        }
    }

    async fn settle(&self, account: &Account, batch: &Batch) -> Result<Settled, Failure> {
        let mut sent = batch.clone();
        for total in &mut sent.totals {
            match self.lie {
                Lie::CutsTotals => total.debits.minor %= 10_i64.pow(16),
                Lie::ForgetsCredits => total.credits = Tally::default(),
                _ => {}
            }
        }
        if let Some(made) = self.unasked(Act::Settle, &About::nothing()) {
            return made;
        }
        let first = self.host.settle(account, &sent).await;
        match (self.lie, first) {
            // Under another number, with nothing in it: the acquirer's next batch balances too.
            (Lie::SettlesTwice, Ok(Settled::Balanced)) => {
                sent.number = SettlementBatchId::from_bytes([9; 16]);
                let nothing = Tally::default();
                sent.totals.iter_mut().for_each(|total| (total.debits, total.credits) = (nothing, nothing));
                self.host.settle(account, &sent).await
            }
            (_, outcome) => self.told(Act::Settle, &About::nothing(), false, outcome),
        }
    }

    async fn upload(&self, account: &Account, batch: &Batch, rows: &[Row]) -> Result<(), Failure> {
        match self.unasked(Act::Upload, &About::nothing()) {
            Some(made) => made,
            None => self.host.upload(account, batch, rows).await,
        }
    }

    async fn finish(&self, account: &Account, batch: &Batch) -> Result<Settled, Failure> {
        let outcome = self.host.finish(account, batch).await;
        self.told(Act::Finish, &About::nothing(), false, outcome)
    }

    async fn self_test(&self, account: &Account) -> Result<String, Failure> {
        let outcome = self.host.self_test(account).await;
        match (self.lie, outcome) {
            (Lie::NamesNoFix, Err(Failure::Misconfigured { why })) => {
                let name = why.split('"').nth(1).unwrap_or_default().to_owned();
                Err(Failure::Misconfigured { why: format!("{name} is wrong") })
            }
            (Lie::NamesNoField, Err(Failure::Misconfigured { .. })) => {
                Err(Failure::Misconfigured { why: "a setting must be mended".to_owned() })
            }
            (Lie::TakesWhatItCannotUse, Err(Failure::Misconfigured { why })) if !why.contains("do not fit") => {
                Ok("settings are fine".to_owned())
            }
            (_, outcome) => self.told(Act::SelfTest, &About::nothing(), false, outcome),
        }
    }
}

/// For the tables: a decline of that code.
pub const fn failed(code: DeclineCode) -> Say {
    Say::Failed(code)
}
