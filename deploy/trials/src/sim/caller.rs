//! Core's way to the scheme: the port that plugins stand behind in a real core.
//!
//! A call waits until the world answers it. What the wire does to it (and what a plugin does that crashes) is decided there.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use saoma_channels::{
    Account, BillPage, Cadence, Capability, Card, ChannelCaller, Claim, Created, Decline, DeclineCode, Failure,
    HttpMessage, HttpReply, KnownOrder, Manifest, NotificationEvent, NotificationFailure, NotificationOutcome, Order,
    PaymentAnswer, PaymentStatus, RefundAnswer, RefundOrder, RefundStatus, SettingsSchema,
};
use saoma_protocol::{Amount, Currency, Millis, Money, RefundId};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{
    canary::Canary,
    scheme::{Ask, Said, Standing, Sum},
    wires::{Wanted, Wires},
};

/// How long core's host waits for a plugin, in milliseconds.
pub const CALL_MS_MAX: i64 = 5_000;

/// A request on its way to the scheme.
pub struct Call {
    pub node: usize,
    pub ask: Ask,
    pub answer: oneshot::Sender<Result<Said, Failure>>,
}

pub struct Caller {
    node: usize,
    pub wires: Wires,
    pub canary: Option<Canary>,
    manifest: Arc<Manifest>,
    /// Of the account through which cards are forwarded.
    cards: Arc<Manifest>,
}

/// What the scheme sends on its own, as it writes it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Notice {
    pub number: String,
    /// It is about this refund of the order.
    pub refund: Option<String>,
    /// Paid, or refused (a refund alone).
    pub paid: bool,
    pub minor: i64,
    pub currency: String,
    /// Stands for a signature that only the scheme can make.
    pub signed: bool,
}

impl Caller {
    /// # Errors
    /// Never: the schema is an empty one.
    pub fn new(node: usize, wires: Wires, canary: Option<Canary>) -> anyhow::Result<Self> {
        let manifest = Manifest {
            id: "model".to_owned(),
            version: "1.0.0".to_owned(),
            name: "Model wallet".to_owned(),
            currencies: vec![Currency::CNY],
            capabilities: BTreeSet::from([
                Capability::MerchantPresented,
                Capability::CustomerPresented,
                Capability::Cancel,
                Capability::Refund,
                Capability::PartialRefund,
                Capability::Notifications,
            ]),
            claims: vec![Claim::Digits {
                prefix_from: "28".to_owned(),
                prefix_to: "28".to_owned(),
                length_min: 16,
                length_max: 24,
            }],
            settings_schema: SettingsSchema::parse(r#"{"type":"object"}"#)?,
            secrets: Vec::new(),
            hosts: Vec::new(),
            cadence: Cadence { call_timeout_ms: 5_000, query_interval_ms: 6_000, reverse_after_ms: 30_000 },
            bills: None,
            settlement: None,
            apps: Vec::new(),
            forwards: false,
        };
        let cards = Manifest {
            id: "cards".to_owned(),
            capabilities: BTreeSet::from([Capability::Card]),
            claims: Vec::new(),
            forwards: true,
            ..manifest.clone()
        };
        Ok(Self { node, wires, canary, manifest: Arc::new(manifest), cards: Arc::new(cards) })
    }

    async fn call(&self, ask: Ask) -> Result<Said, Failure> {
        let (answer, answered) = oneshot::channel();
        self.wires.want(Wanted::Call(Call { node: self.node, ask, answer }));
        answered.await.unwrap_or_else(|_| Err(Failure::NoAnswer { why: "the world ended".to_owned() }))
    }

    async fn order(&self, ask: Ask) -> Result<PaymentAnswer, Failure> {
        let Said::Order { number, standing, sum, reference } = self.call(ask).await? else {
            return Err(Failure::BadAnswer { why: "it is about something else".to_owned() });
        };
        let believed = self.canary == Some(Canary::AmountNotChecked);
        Ok(PaymentAnswer {
            status: status(standing),
            number,
            amount: sum.filter(|_| !believed).map(money).transpose()?,
            reference,
            paid_at: None,
            payer_hint: String::new(),
        })
    }

    async fn refunded(&self, ask: Ask, asked: RefundId) -> Result<RefundAnswer, Failure> {
        let Said::Refund { refund, standing, sum } = self.call(ask).await? else {
            return Err(Failure::BadAnswer { why: "it is about something else".to_owned() });
        };
        let status = match standing {
            Standing::Waiting => RefundStatus::Pending,
            Standing::Done | Standing::GivenBack => RefundStatus::Succeeded,
            Standing::Declined | Standing::Closed => RefundStatus::Failed(declined()),
            Standing::NoSuch => RefundStatus::NotFound,
        };
        let refund_number = if self.canary == Some(Canary::RefundRenumbered) { asked.to_string() } else { refund };
        Ok(RefundAnswer { status, refund_number, amount: sum.map(money).transpose()?, reference: String::new() })
    }

    fn refund_number(&self, refund: &RefundOrder) -> String {
        let mut number = refund.refund_number.to_string();
        if self.canary == Some(Canary::RefundRenumbered) {
            number.push_str(&format!("-{}", self.wires.lock().luck.draw()));
        }
        number
    }
}

fn status(standing: Standing) -> PaymentStatus {
    match standing {
        Standing::Waiting => PaymentStatus::Pending,
        Standing::Done => PaymentStatus::Succeeded,
        Standing::Declined => PaymentStatus::Failed(declined()),
        Standing::Closed => PaymentStatus::Closed,
        Standing::GivenBack => PaymentStatus::Refunded,
        Standing::NoSuch => PaymentStatus::NotFound,
    }
}

fn declined() -> Decline {
    Decline { code: DeclineCode::InsufficientFunds, message: "no".to_owned() }
}

fn money((minor, currency): Sum) -> Result<Money, Failure> {
    let currency: Currency = currency.parse().map_err(|_| Failure::BadAnswer { why: "no currency".to_owned() })?;
    Ok(Money::new(minor, currency))
}

fn sum(amount: Amount) -> Sum {
    (amount.minor(), amount.currency().code().to_owned())
}

/// The code that customer number `customer` shows.
#[must_use]
pub fn code_of(customer: usize) -> String {
    format!("28{customer:016}")
}

/// Whose card it is: the serial number of its reading says it here.
fn customer_of(card: &Card) -> usize {
    card.kept.ksn.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

#[async_trait]
impl ChannelCaller for Caller {
    fn manifest(&self, channel: &str) -> Option<Arc<Manifest>> {
        [&self.manifest, &self.cards].into_iter().find(|known| known.id == channel).map(Arc::clone)
    }

    fn manifests(&self) -> Vec<Arc<Manifest>> {
        vec![Arc::clone(&self.manifest)]
    }

    async fn create(&self, _: &Account, order: &Order) -> Result<Created, Failure> {
        match self.call(Ask::Create { number: order.number.to_string(), sum: sum(order.amount) }).await? {
            Said::Created { code } => Ok(Created { code }),
            _ => Err(Failure::BadAnswer { why: "it is about something else".to_owned() }),
        }
    }

    async fn charge(&self, _: &Account, order: &Order, code: &str) -> Result<PaymentAnswer, Failure> {
        let customer = code.strip_prefix("28").and_then(|digits| digits.parse().ok()).unwrap_or(usize::MAX);
        self.order(Ask::Charge { number: order.number.to_string(), sum: sum(order.amount), customer }).await
    }

    async fn forward(&self, _: &Account, order: &Order, card: &Card, _: Millis) -> Result<PaymentAnswer, Failure> {
        let mut number = order.number.to_string();
        if self.canary == Some(Canary::ForwardRenumbered) {
            number.push_str(&format!("-{}", self.wires.lock().luck.draw()));
        }
        let answer = self.order(Ask::Forward { number, sum: sum(order.amount), customer: customer_of(card) }).await?;
        Ok(match self.canary {
            Some(Canary::ForwardRenumbered) => PaymentAnswer { number: order.number.to_string(), ..answer },
            _ => answer,
        })
    }

    async fn query(&self, _: &Account, order: &KnownOrder) -> Result<PaymentAnswer, Failure> {
        self.order(Ask::Query { number: order.number.to_string() }).await
    }

    async fn cancel(&self, _: &Account, order: &KnownOrder) -> Result<PaymentAnswer, Failure> {
        self.order(Ask::Cancel { number: order.number.to_string() }).await
    }

    async fn refund(&self, _: &Account, refund: &RefundOrder) -> Result<RefundAnswer, Failure> {
        let (number, wanted) = (refund.number.to_string(), self.refund_number(refund));
        self.refunded(Ask::Refund { number, refund: wanted, sum: sum(refund.amount) }, refund.refund_number).await
    }

    async fn query_refund(&self, _: &Account, refund: &RefundOrder) -> Result<RefundAnswer, Failure> {
        let (number, wanted) = (refund.number.to_string(), self.refund_number(refund));
        self.refunded(Ask::QueryRefund { number, refund: wanted, sum: sum(refund.amount) }, refund.refund_number).await
    }

    async fn parse_notification(
        &self,
        _: &Account,
        notification: &HttpMessage,
    ) -> Result<NotificationOutcome, NotificationFailure> {
        let notice: Notice = serde_json::from_slice(&notification.body)
            .map_err(|error| NotificationFailure::Malformed(error.to_string()))?;
        if !notice.signed && self.canary != Some(Canary::ForgeryBelieved) {
            return Err(NotificationFailure::Forged("its signature is wrong".to_owned()));
        }
        let trap = {
            let mut world = self.wires.lock();
            let chance = world.rates.trap;
            world.strikes(chance, "the plugin crashes on a notification")
        };
        if trap {
            return Err(NotificationFailure::Call(Failure::Trapped { why: "unreachable".to_owned() }));
        }
        let believed = self.canary == Some(Canary::AmountNotChecked);
        // Of an order that it was never asked to collect the scheme has no currency, and so names no sum.
        let named = (!notice.currency.is_empty()).then(|| money((notice.minor, notice.currency)));
        let amount = named.transpose().map_err(NotificationFailure::Call)?;
        let event = match notice.refund {
            Some(refund_number) => {
                let declined = || Decline { code: DeclineCode::Other, message: String::new() };
                NotificationEvent::Refund(RefundAnswer {
                    status: if notice.paid { RefundStatus::Succeeded } else { RefundStatus::Failed(declined()) },
                    reference: format!("S-{refund_number}"),
                    refund_number,
                    amount,
                })
            }
            None => NotificationEvent::Payment(PaymentAnswer {
                status: PaymentStatus::Succeeded,
                reference: format!("S-{}", notice.number),
                number: notice.number,
                amount: amount.filter(|_| !believed),
                paid_at: None,
                payer_hint: String::new(),
            }),
        };
        Ok(NotificationOutcome {
            events: vec![event],
            acknowledgement: HttpReply { status: 200, content_type: "text/plain".to_owned(), body: Vec::new() },
        })
    }

    async fn fetch_bill(&self, _: &Account, _: &str, _: Option<&str>) -> Result<BillPage, Failure> {
        Err(Failure::Unsupported)
    }

    async fn self_test(&self, _: &Account) -> Result<String, Failure> {
        Err(Failure::Unsupported)
    }
}
