//! Core's door: what the HTTP handlers and the broker's gate do with a request, without HTTP and without a broker.
//!
//! The use-cases behind it are core's own, and so are the bodies and codes of its answers.

use std::time::Duration;

use saoma_channels::{HttpMessage, NotificationEvent, NotificationFailure};
use saoma_domain::claim::ScannedCode;
use saoma_edge::link::https::Call;
use saoma_protocol::{
    Amount, ApiKeyId, ChannelAccountId, HandSettlementId, OrderId, PaymentId, RefundId, Sequence, StoreId, TerminalId,
    api::{self, CreatePayment, OfflineList, Page, Presentation, Pushes, RefundKind},
    message::{Envelope, JournalAck, JournalBatch, Push, PushAck},
    topic::{Leaf, Topic},
};
use saoma_server::{
    app::App,
    fleet::{inbox::take_ack, sync::take_journal},
    http::{
        idempotency::fingerprint,
        problem::{KEY_REUSED, NOTIFICATION_REFUSED, Problem, UNAVAILABLE},
    },
    payments::{
        Collect, GiveBack, How, PaymentError, Proposal, answer_came, ask, cancel, collect, confirm, give_back,
        payment_view, propose, refund_notified, refund_view, repeated,
    },
    stored_cards,
};
use saoma_store::{
    Principal, StoreError, TenantScope, Tx, access,
    idempotency::{self, Kind},
    outbox, payments, refunds,
    stored_value::offline,
};
use serde::Serialize;

use super::{
    canary::Canary,
    rogue,
    wires::{Wanted, Wires},
};

/// The merchant's own machine.
const OFFICE: ApiKeyId = ApiKeyId::from_bytes([4; 16]);

/// A request, as it arrives.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Of a terminal, about a sale.
    Sale {
        terminal: TerminalId,
        call: Box<Call>,
    },
    Journal {
        terminal: TerminalId,
        batch: JournalBatch,
        by_broker: bool,
    },
    Pushes {
        terminal: TerminalId,
    },
    /// What may be sold without core.
    OfflineList,
    Acknowledged {
        terminal: TerminalId,
        ack: PushAck,
    },
    /// The terminal's subscription is in place.
    Connected {
        terminal: TerminalId,
    },
    /// The merchant's office gives money back.
    Office {
        payment: PaymentId,
        key: String,
        amount: Amount,
    },
    /// The merchant's online desk takes another payment for an order.
    OtherWay {
        order: OrderId,
        payment: PaymentId,
        amount: Amount,
        /// What the customer shows; without it a code is shown.
        code: Option<String>,
    },
    /// Somebody of the office says how it ended.
    Propose {
        said: Box<Proposal>,
    },
    Confirm {
        settlement: HandSettlementId,
        by: &'static str,
    },
    Notified {
        message: HttpMessage,
    },
}

/// An answer, as it leaves.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Who and where, for every request of the one merchant there is.
#[derive(Clone)]
pub struct Hall {
    pub app: App,
    pub wires: Wires,
    pub scope: TenantScope,
    pub shop: StoreId,
    pub account: ChannelAccountId,
    pub canary: Option<Canary>,
}

impl Hall {
    /// Who asks: a terminal, or the merchant's own machine.
    fn who(&self, terminal: Option<TerminalId>) -> Principal {
        match terminal {
            Some(terminal) => Principal::Terminal { scope: self.scope, terminal, store: self.shop },
            None => Principal::ApiKey { scope: self.scope, key: OFFICE, scopes: Vec::new() },
        }
    }
}

/// Carries out a request.
pub async fn serve(hall: &Hall, request: u64, asked: Asked) -> Answer {
    let done = match asked {
        Asked::Sale { terminal, call } => sale(hall, terminal, *call).await,
        Asked::Journal { terminal, batch, by_broker } => journal(hall, request, terminal, batch, by_broker).await,
        Asked::Pushes { terminal } => pushes(hall, terminal).await,
        Asked::OfflineList => offline_list(hall).await,
        Asked::Acknowledged { terminal, ack } => take_ack(&hall.app, hall.scope, terminal, ack)
            .await
            .map_err(Problem::from)
            .map(|()| Answer { status: 204, body: Vec::new() }),
        Asked::Connected { terminal } => connected(hall, terminal).await,
        Asked::Office { payment, key, amount } => office(hall, payment, &key, amount).await,
        Asked::OtherWay { order, payment, amount, code } => other_way(hall, order, payment, amount, code).await,
        Asked::Propose { said } => propose(&hall.app, hall.scope, *said)
            .await
            .map_err(Problem::from)
            .map(|_| Answer { status: 201, body: Vec::new() }),
        Asked::Confirm { settlement, by } => confirmed(hall, settlement, by).await,
        Asked::Notified { message } => notified(hall, &message).await,
    };
    done.unwrap_or_else(|problem| refusal(&problem))
}

fn json(status: u16, body: &impl Serialize) -> Result<Answer, Problem> {
    let body = serde_json::to_vec(body).map_err(|error| Problem::internal(&error))?;
    Ok(Answer { status, body })
}

fn refusal(problem: &Problem) -> Answer {
    let saoma_server::http::problem::Code(code, status, title) = problem.code();
    let body = api::Problem {
        kind: String::new(),
        title: title.to_owned(),
        status,
        code: code.to_owned(),
        detail: problem.to_string(),
        pointer: None,
        errors: Vec::new(),
        trace_id: None,
    };
    Answer { status, body: serde_json::to_vec(&body).unwrap_or_default() }
}

async fn sale(hall: &Hall, terminal: TerminalId, call: Call) -> Result<Answer, Problem> {
    let (app, scope) = (&hall.app, hall.scope);
    match call {
        Call::Create { payment, body } => create(hall, terminal, payment, *body).await,
        Call::Fetch { payment } => {
            let sale = app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?;
            json(200, &payment_view(app, &sale))
        }
        Call::Query { payment, .. } => json(200, &payment_view(app, &ask(app, scope, payment).await?.sale)),
        Call::ListRefunds { payment } => {
            let stored = app.store().read(move |tx| refunds::of_payment(tx, &scope, payment)).await?;
            json(200, &Page { items: stored.iter().map(refund_view).collect(), next_cursor: None })
        }
        Call::Cancel { payment, key, .. } => give_up(hall, terminal, payment, &key).await,
        Call::Void { payment, refund } => returned(hall, Some(terminal), payment, refund, RefundKind::Void, None).await,
        Call::Refund { payment, refund, amount } => {
            returned(hall, Some(terminal), payment, refund, RefundKind::Refund, Some(amount)).await
        }
    }
}

/// As the routes of payments do it.
async fn give_up(hall: &Hall, terminal: TerminalId, payment: PaymentId, key: &str) -> Result<Answer, Problem> {
    let (app, scope) = (hall.app.clone(), hall.scope);
    let known = app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?;
    let fingerprint = fingerprint(&app, &format!("cancel {payment}"), &hall.who(Some(terminal)), &())?;
    let named = format!("{payment} {key}");
    let name = named.clone();
    match app.store().read(move |tx| idempotency::kept(tx, &scope, Kind::Cancel, &name)).await? {
        Some(first) if first == fingerprint => return json(200, &payment_view(&app, &known)),
        Some(_) => return Err(Problem::new(KEY_REUSED, "Another request to cancel this payment had this key.")),
        None => {}
    }
    let task_app = app.clone();
    let work = async move {
        let sale = cancel(&task_app, scope, payment, "terminal").await?;
        let now = task_app.now();
        let kept = task_app
            .store()
            .write(move |tx| idempotency::keep(tx, &scope, Kind::Cancel, &named, &fingerprint, now))
            .await;
        match kept {
            Ok(()) | Err(StoreError::Conflict { .. }) => Ok(sale),
            Err(error) => Err(PaymentError::from(error)),
        }
    };
    let sale = app.in_flight().spawn(work).await.map_err(|error| PaymentError::CutOff(error.to_string()))??;
    json(200, &payment_view(&app, &sale))
}

async fn create(hall: &Hall, terminal: TerminalId, payment: PaymentId, body: CreatePayment) -> Result<Answer, Problem> {
    let fingerprint = fingerprint(&hall.app, "create", &hall.who(Some(terminal)), &body)?;
    if hall.canary != Some(Canary::KeyIgnored)
        && let Some(sale) = repeated(&hall.app, hall.scope, payment, fingerprint).await?
    {
        return json(200, &payment_view(&hall.app, &sale));
    }
    let how = match body.presentation {
        Presentation::Merchant { expires_in_seconds } => {
            How::Present { lives: Duration::from_secs(u64::from(expires_in_seconds.unwrap_or(120))) }
        }
        Presentation::Customer { code } => How::Charge { code: ScannedCode::read(&code).map_err(PaymentError::from)? },
        Presentation::Card { .. } => {
            return Err(PaymentError::NoChannel("this scheme takes no cards".to_owned()).into());
        }
    };
    let id = match hall.canary {
        Some(Canary::KeyIgnored) => PaymentId::for_key(hall.scope.tenant(), &hall.wires.lock().luck.draw().to_string()),
        _ => payment,
    };
    let wish = Collect {
        id,
        fingerprint,
        order: body.order,
        amount: body.amount,
        how,
        account: body.channel_account,
        store: hall.shop,
        terminal: Some(terminal),
        counter: body.counter,
        cashier: body.cashier,
        reference: body.reference,
        goods: body.goods,
        quote: None,
        origin: None,
        actor: terminal.to_string(),
    };
    if hall.canary == Some(Canary::ChargedBeforeWritten) {
        rogue::charge_first(hall, &wish).await;
    }
    let (sale, new) = collect(&hall.app, hall.scope, wish).await?;
    if new && hall.canary == Some(Canary::PostedTwice) {
        rogue::post_again(hall, &sale).await?;
    }
    json(if new { 201 } else { 200 }, &payment_view(&hall.app, &sale))
}

async fn returned(
    hall: &Hall,
    terminal: Option<TerminalId>,
    payment: PaymentId,
    id: RefundId,
    kind: RefundKind,
    amount: Option<Amount>,
) -> Result<Answer, Problem> {
    let scope = hall.scope;
    hall.app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?;
    let asked = format!("{kind:?} of {payment}");
    let fingerprint = Some(fingerprint(&hall.app, &asked, &hall.who(terminal), &amount)?);
    let wish = GiveBack { id, fingerprint, payment, kind, amount, reason: None, actor: "somebody".to_owned() };
    if hall.canary == Some(Canary::NothingSetAside) {
        rogue::refund_first(hall, &wish).await;
    }
    let (refund, _, new) = give_back(&hall.app, hall.scope, wish).await?;
    json(if new { 201 } else { 200 }, &refund_view(&refund))
}

async fn office(hall: &Hall, payment: PaymentId, key: &str, amount: Amount) -> Result<Answer, Problem> {
    let id = RefundId::for_key(hall.scope.tenant(), payment, key);
    returned(hall, None, payment, id, RefundKind::Refund, Some(amount)).await
}

async fn other_way(
    hall: &Hall,
    order: OrderId,
    id: PaymentId,
    amount: Amount,
    code: Option<String>,
) -> Result<Answer, Problem> {
    let fingerprint = fingerprint(&hall.app, "create", &hall.who(None), &(order, amount, &code))?;
    if let Some(sale) = repeated(&hall.app, hall.scope, id, fingerprint).await? {
        return json(200, &payment_view(&hall.app, &sale));
    }
    let how = match code {
        Some(code) => How::Charge { code: ScannedCode::read(&code).map_err(PaymentError::from)? },
        None => How::Present { lives: Duration::from_secs(60) },
    };
    let wish = Collect {
        id,
        fingerprint,
        amount,
        how,
        account: None,
        order: Some(order).filter(|_| hall.canary != Some(Canary::OrderForgotten)),
        store: hall.shop,
        terminal: None,
        counter: None,
        cashier: None,
        reference: None,
        goods: Vec::new(),
        quote: None,
        origin: None,
        actor: "the desk".to_owned(),
    };
    let (sale, new) = collect(&hall.app, hall.scope, wish).await?;
    json(if new { 201 } else { 200 }, &payment_view(&hall.app, &sale))
}

async fn confirmed(hall: &Hall, settlement: HandSettlementId, by: &'static str) -> Result<Answer, Problem> {
    let (app, scope) = (hall.app.clone(), hall.scope);
    let work = async move { confirm(&app, scope, settlement, by).await };
    let done = hall.app.in_flight().spawn(work).await;
    done.map_err(|error| PaymentError::CutOff(error.to_string()))??;
    Ok(Answer { status: 200, body: Vec::new() })
}

async fn pushes(hall: &Hall, terminal: TerminalId) -> Result<Answer, Problem> {
    let scope = hall.scope;
    let found = hall.app.store().read(move |tx| outbox::pending(tx, &scope, terminal, Sequence(0), 100)).await?;
    let pushes = found.into_iter().filter_map(|message| {
        let body = serde_json::from_str(&message.message.payload).ok()?;
        Some(Push { id: message.id, at: message.message.created_at, body })
    });
    json(200, &Pushes { pushes: pushes.collect() })
}

/// As `GET /v1/terminal/offline-list`.
async fn offline_list(hall: &Hall) -> Result<Answer, Problem> {
    let (app, scope, now) = (hall.app.clone(), hall.scope, hall.app.now());
    let read = move |tx: &mut Tx<'_>| {
        let limits = offline::policy(tx, &scope)?.filter(|policy| policy.enabled).map(|policy| policy.limits);
        let issuers = offline::issuers::list(tx, &scope, now)?.into_iter().map(|known| known.issuer).collect();
        let denied = offline::grants::denied(tx, &scope, now)?.iter().map(ToString::to_string).collect();
        let cards = stored_cards::limits(&app, tx, &scope)?;
        Ok::<_, StoreError>(OfflineList { issued_at: now, limits, issuers, denied, cards, phone: None })
    };
    json(200, &hall.app.store().read(read).await?)
}

async fn connected(hall: &Hall, terminal: TerminalId) -> Result<Answer, Problem> {
    let (scope, now) = (hall.scope, hall.app.now());
    hall.app.store().write(move |tx| outbox::hurry(tx, &scope, terminal, now)).await?;
    Ok(Answer { status: 204, body: Vec::new() })
}

async fn journal(
    hall: &Hall,
    request: u64,
    terminal: TerminalId,
    batch: JournalBatch,
    by_broker: bool,
) -> Result<Answer, Problem> {
    if hall.canary == Some(Canary::JournalAckedEarly)
        && let Some(last) = batch.entries.last()
    {
        let ack = JournalAck { through: last.sequence, verdicts: Vec::new() };
        acknowledge(hall, request, terminal, &ack, by_broker)?;
    }
    let ack = take_journal(&hall.app, hall.scope, terminal, batch).await.map_err(|error| Problem::internal(&error))?;
    acknowledge(hall, request, terminal, &ack, by_broker)
}

fn acknowledge(
    hall: &Hall,
    request: u64,
    terminal: TerminalId,
    ack: &JournalAck,
    by_broker: bool,
) -> Result<Answer, Problem> {
    if by_broker {
        let payload = Envelope::new(ack, None).encode().map_err(|error| Problem::internal(&error))?;
        let topic = Topic { tenant: hall.scope.tenant(), terminal, leaf: Leaf::JournalAck };
        hall.wires.want(Wanted::Publish { topic, payload });
        return Ok(Answer { status: 204, body: Vec::new() });
    }
    let answer = json(200, ack)?;
    if hall.canary == Some(Canary::JournalAckedEarly) {
        hall.wires.want(Wanted::Served { request, answer: answer.clone() });
    }
    Ok(answer)
}

/// As `POST /v1/notify/{account}`.
async fn notified(hall: &Hall, message: &HttpMessage) -> Result<Answer, Problem> {
    let (app, id) = (&hall.app, hall.account);
    let (scope, stored) = app.store().read(move |tx| access::by_channel_account(tx, id)).await?;
    let account = saoma_channels::Account {
        id,
        tenant: scope.tenant(),
        channel: stored.plugin,
        settings_json: stored.settings_json,
        secrets: app.secrets_of(scope, id).await?,
        package: None,
        notify_url: String::new(),
    };
    let outcome = match app.channels().parse_notification(&account, message).await {
        Ok(outcome) => outcome,
        Err(NotificationFailure::Irrelevant(reply)) => return Ok(Answer { status: reply.status, body: Vec::new() }),
        Err(NotificationFailure::Forged(_)) => return Ok(Answer { status: 401, body: Vec::new() }),
        Err(NotificationFailure::Malformed(_)) => return Err(Problem::new(NOTIFICATION_REFUSED, "It cannot be read.")),
        Err(NotificationFailure::NotNow(_) | NotificationFailure::Call(_)) => {
            return Err(Problem::new(UNAVAILABLE, "Send it again."));
        }
    };
    let unknown = || StoreError::NotFound { what: "the payment" };
    let status = outcome.acknowledgement.status;
    // The scheme of this world tells of one payment or refund at a time.
    let answer = match outcome.events.into_iter().next() {
        Some(NotificationEvent::Payment(answer)) => answer,
        Some(NotificationEvent::Refund(answer)) => {
            if hall.canary == Some(Canary::LateRefundDropped) && rogue::has_failed(hall, &answer).await? {
                return Ok(Answer { status, body: Vec::new() });
            }
            refund_notified(app, scope, id, answer).await?;
            return Ok(Answer { status, body: Vec::new() });
        }
        Some(NotificationEvent::Dispute(_)) | None => return Err(unknown().into()),
    };
    let payment: PaymentId = answer.number.parse().map_err(|_| unknown())?;
    if hall.canary == Some(Canary::LateSuccessDropped) && rogue::is_closed(hall, payment).await? {
        return Ok(Answer { status, body: Vec::new() });
    }
    if hall.canary == Some(Canary::SentBeforeCommit) {
        rogue::tell_first(hall, payment).await?;
    }
    if hall.canary == Some(Canary::OldNewsBelieved) {
        rogue::believe(hall, payment, answer).await?;
        return Ok(Answer { status, body: Vec::new() });
    }
    answer_came(app, scope, payment, id, answer).await?;
    Ok(Answer { status, body: Vec::new() })
}
