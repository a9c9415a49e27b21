//! Collecting money: the payment is written down, then the channel is asked, by a code to show or by the customer's code.

use std::time::Duration;

use saoma_channels::{
    Capability, Card, Failure, Manifest, PaymentAnswer, QUEUE_WAIT_MS_MAX, extension::DraftMethod, in_app::Step,
};
use saoma_domain::{
    claim::ScannedCode,
    order as order_rules,
    pay_code::PayCodeId,
    payment::{Event, Method, Pace, Payment, Source, State, decide},
};
use saoma_protocol::{
    Amount, ChannelAccountId, Millis, OrderId, PaymentId, Sequence, StoreId, TerminalId,
    api::{Goods, Quoted},
};
use saoma_store::{
    Insertion, StoreError, TenantScope,
    idempotency::{self, Fingerprint, Kind},
    orders::{self, Order},
    pay_codes::PayCode,
    payments::{self, Sale, StoredPayment, Watch},
    plugin_packages, settlement_batches,
    static_codes::{self, Origin},
};
use tracing::Instrument as _;

use super::{
    Outcome, PaymentError,
    call::{Channel, not_sent, order_of, ready},
    cards,
    close::answered,
    kind,
    push::push,
    quoted,
    routing::{Route, route},
    rules::{Rules, Wish, ground},
    settle::{record, settle},
};
use crate::{
    app::App,
    settlement::{begin_unheld, check_not_held},
    webhooks::tell_payment,
};

/// What is to be collected. The id makes it one payment however often it is asked for.
#[derive(Debug)]
pub struct Collect {
    pub id: PaymentId,
    /// Of the whole request: with another one the id is taken.
    pub fingerprint: Fingerprint,
    pub amount: Amount,
    pub how: How,
    /// Without it the account is chosen by the code, or the first that can show one.
    pub account: Option<ChannelAccountId>,
    /// An order that is there already, of the same amount and store; without it the payment makes its own.
    pub order: Option<OrderId>,
    pub store: StoreId,
    pub terminal: Option<TerminalId>,
    pub counter: Option<Sequence>,
    pub cashier: Option<String>,
    pub reference: Option<String>,
    pub goods: Vec<Goods>,
    /// The quote that the amount is, checked to be core's own.
    pub quote: Option<Quoted>,
    /// The printed code that the customer scanned, if there is one.
    pub origin: Option<Origin>,
    pub actor: String,
}

#[derive(Debug)]
pub enum How {
    /// We show a code.
    Present { lives: Duration },
    /// A terminal shows one that leads here. Begun before one moment, and over at the other, by core's clock, however long anything takes.
    Carried { begins_before: Millis, ends_at: Millis },
    /// A page of ours is open in this app of the account's channel; `payer` is who the channel says they are.
    InApp { app: String, payer: Payer, lives: Duration },
    /// The customer showed one.
    Charge { code: ScannedCode },
    /// A card was presented.
    Card { card: Card },
}

/// A scheme's id of who pays: for the scheme alone, and never printed.
pub struct Payer(pub String);

impl std::fmt::Debug for Payer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payer(..)")
    }
}

impl How {
    const fn method(&self) -> Method {
        match self {
            Self::Present { .. } | Self::Carried { .. } | Self::InApp { .. } => Method::MerchantPresented,
            Self::Charge { .. } => Method::CustomerPresented,
            Self::Card { .. } => Method::Card,
        }
    }

    const fn draft_method(&self) -> DraftMethod {
        match self {
            Self::Present { .. } | Self::Carried { .. } | Self::InApp { .. } => DraftMethod::MerchantPresented,
            Self::Charge { .. } => DraftMethod::CustomerPresented,
            Self::Card { .. } => DraftMethod::Card,
        }
    }

    pub(super) const fn capability(&self) -> Capability {
        match self {
            Self::Present { .. } | Self::Carried { .. } => Capability::MerchantPresented,
            Self::InApp { .. } => Capability::InApp,
            Self::Charge { .. } => Capability::CustomerPresented,
            Self::Card { .. } => Capability::Card,
        }
    }
}

/// Collects what is no repeat ([`repeated`]), and answers with the payment as it then stands and whether it is new. Goes on
/// if the caller hangs up.
///
/// # Errors
/// Before anything is written: `ExistsDifferently`, `Order`, `OrderElsewhere`, `NoChannel`, `CodeNotRecognised`,
/// `Ambiguous`, `ChannelCannot`, `RefusedByRules`, `RuleFailed`, `CodeOver`, `Store` (`Conflict` if the number was called off). Afterwards only `Store` and `CutOff`; the resolver
/// finishes what was begun.
#[tracing::instrument(skip_all, fields(payment.id = %collect.id))]
pub async fn collect(app: &App, scope: TenantScope, collect: Collect) -> Result<(Sale, bool), PaymentError> {
    let (enabled, stored) = ground(app, scope).await?;
    let mut rules = Rules::of(app, scope, stored, || wish(&collect)).await?;
    let routed = async {
        if let Some(rules) = &mut rules {
            rules.risk(app).await?;
        }
        route(app, scope, &collect, enabled, rules.as_mut()).await
    };
    let route = match routed.await {
        Ok(route) => route,
        // The same request at once may have been allowed and made, and counts against this one.
        Err(refused @ (PaymentError::RefusedByRules { .. } | PaymentError::RuleFailed { .. })) => {
            let made = repeated(app, scope, collect.id, collect.fingerprint).await?;
            return made.map(|sale| (sale, false)).ok_or(refused);
        }
        Err(error) => return Err(error),
    };
    let channel = ready(app, scope, &route.account).await?;
    let told = rules.map(|rules| rules.told());
    let Some(sale) = write_down(app, scope, &collect, &route, &channel, told).await? else {
        // Somebody else wrote it down since we looked.
        return match repeated(app, scope, collect.id, collect.fingerprint).await? {
            Some(sale) => Ok((sale, false)),
            None => Err(StoreError::NotFound { what: "the payment" }.into()),
        };
    };
    app.metrics().payment_moved(&sale.payment.payment, &sale.payment.channel);
    app.news_of(scope.tenant());
    let (task_app, span) = (app.clone(), tracing::Span::current());
    let work = async move { send(&task_app, scope, sale, collect.how, channel).await }.instrument(span);
    let sale = app.in_flight().spawn(work).await.map_err(|error| PaymentError::CutOff(error.to_string()))?;
    let sale = sale.map_err(PaymentError::once_begun)?;
    Ok((sale, true))
}

fn wish(collect: &Collect) -> Wish {
    Wish {
        amount: collect.amount,
        goods: collect.goods.clone(),
        store: collect.store,
        terminal: collect.terminal,
        cashier: collect.cashier.clone(),
        method: collect.how.draft_method(),
    }
}

/// The payment that this very request has made before, as it now stands.
///
/// # Errors
/// `ExistsDifferently` if another request made it, `Store`.
pub async fn repeated(
    app: &App,
    scope: TenantScope,
    id: PaymentId,
    fingerprint: Fingerprint,
) -> Result<Option<Sale>, PaymentError> {
    let found = app.store().read(move |tx| {
        let sale = match payments::load_sale(tx, &scope, id) {
            Ok(sale) => sale,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        // A cash sale that a journal brought has none.
        let first = idempotency::kept(tx, &scope, Kind::Payment, &id.to_string())?;
        Ok(Some((sale, first)))
    });
    match found.await? {
        None => Ok(None),
        Some((sale, first)) if first == Some(fingerprint) => Ok(Some(sale)),
        Some(_) => Err(PaymentError::ExistsDifferently(id)),
    }
}

/// How long a call of this channel can take with its wait for a place, in milliseconds, and a second more for the commit.
pub(crate) fn pace(manifest: &Manifest) -> Pace {
    let cadence = manifest.cadence;
    Pace {
        call_ms: i64::from(cadence.call_timeout_ms) + QUEUE_WAIT_MS_MAX.cast_signed() + 1_000,
        query_interval_ms: i64::from(cadence.query_interval_ms),
        reverse_after_ms: i64::from(cadence.reverse_after_ms),
    }
}

/// Transaction one. `None` if the payment is there already.
async fn write_down(
    app: &App,
    scope: TenantScope,
    collect: &Collect,
    route: &Route,
    channel: &Channel,
    rules: Option<String>,
) -> Result<Option<Sale>, PaymentError> {
    let now = app.now();
    let account = &route.account;
    let order = Order {
        id: collect.order.unwrap_or_else(|| OrderId::from_bytes(*collect.id.as_bytes())),
        amount: collect.amount,
        store: collect.store,
        terminal: collect.terminal,
        counter: collect.counter,
        cashier: collect.cashier.clone(),
        reference: collect.reference.clone(),
        goods: collect.goods.clone(),
        created_at: now,
        paid_by: None,
    };
    let created =
        Payment { id: collect.id, amount: collect.amount, method: collect.how.method(), state: State::Created };
    let (state, kinds): (_, &[&str]) = match &collect.how {
        How::Present { .. } | How::Carried { .. } | How::InApp { .. } => (State::Created, &[kind::CREATED]),
        How::Charge { .. } | How::Card { .. } => {
            let submitted = decide(&created, &Event::Submit, now)?.next.unwrap_or(State::Created);
            (submitted, &[kind::CREATED, kind::SUBMITTING])
        }
    };
    let stored = StoredPayment {
        payment: Payment { state, ..created },
        version: 1,
        order: order.id,
        store: collect.store,
        terminal: collect.terminal,
        channel: account.plugin.clone(),
        channel_account: Some(account.id),
        channel_reference: None,
        payer_hint: None,
        fee_plan: Some(account.fee_version),
        close_asked_at: None,
        // If this process dies now, the resolver takes it up once no answer can come any more.
        next_attempt_at: Some(now.plus(pace(&channel.manifest).call_ms)),
        attempts: 0,
        watch: Watch::default(),
        created_at: now,
        updated_at: now,
    };
    let (app_in, actor, fingerprint) = (app.clone(), collect.actor.clone(), collect.fingerprint);
    let passed_over = route.passed_over.clone();
    let card = match &collect.how {
        How::Card { card } => Some(cards::to_store(&card.kept)),
        How::Present { .. } | How::Carried { .. } | How::InApp { .. } | How::Charge { .. } => None,
    };
    let begins_before = match &collect.how {
        How::Carried { begins_before, .. } => Some(*begins_before),
        How::Present { .. } | How::InApp { .. } | How::Charge { .. } | How::Card { .. } => None,
    };
    let quoted = collect.quote.as_ref().map(|quote| quoted::told(quote, collect.amount));
    let (is_first, package, origin) = (collect.order.is_none(), channel.account.package, collect.origin.clone());
    let (account, settles) = (account.id, channel.manifest.settlement.is_some());
    app.store()
        .write(move |tx| {
            // The first of two equal requests may have gone out before an account was held.
            match payments::load(tx, &scope, stored.payment.id) {
                Err(StoreError::NotFound { .. }) => {}
                there => return Ok(there.map(|_| None)?),
            }
            // Rules, plugins and others who write were waited for.
            if begins_before.is_some_and(|before| app_in.now() >= before) {
                return Err(PaymentError::CodeOver);
            }
            if settles {
                begin_unheld(tx, &scope, account, now)?;
            } else if settlement_batches::settling(tx, &scope, account)?.is_some() {
                // Another node may serve a package of the same channel that settles.
                check_not_held(tx, &scope, account, now)?;
            }
            if is_first && orders::insert_new(tx, &scope, &order)? == Insertion::Existing {
                return Ok(None);
            }
            if !is_first {
                may_join(&orders::load(tx, &scope, order.id)?, &order)?;
            }
            if payments::insert_new(tx, &scope, &stored)? == Insertion::Existing {
                return Ok(None);
            }
            let id = stored.payment.id;
            if let Some(package) = package {
                plugin_packages::bind(tx, &scope, id, package)?;
            }
            if let Some(origin) = &origin {
                static_codes::note_payment(tx, &scope, id, origin)?;
            }
            if let Some(card) = &card {
                saoma_store::cards::keep(tx, &scope, id, card, now).map_err(|error| match error {
                    StoreError::Conflict { .. } => PaymentError::CardUsed,
                    error => error.into(),
                })?;
            }
            idempotency::keep(tx, &scope, Kind::Payment, &id.to_string(), &fingerprint, now)?;
            for (idx, kind) in kinds.iter().enumerate() {
                let detail = if idx == 0 { passed_over.as_str() } else { "" };
                record(tx, &scope, &stored, None, kind, detail, &actor, now)?;
                if let (0, Some(told)) = (idx, &quoted) {
                    record(tx, &scope, &stored, None, kind::QUOTED, told, &actor, now)?;
                }
                if let (0, Some(told)) = (idx, &rules) {
                    record(tx, &scope, &stored, None, kind::RULES_ASKED, told, &actor, now)?;
                }
            }
            let sale = payments::load_sale(tx, &scope, id)?;
            push(&app_in, tx, &scope, &sale, now)?;
            tell_payment(tx, &scope, kind::CREATED, id, now)?;
            Ok(Some(sale))
        })
        .await
}

/// Whether another payment may be made for the order that is `there`. What comes too late for this check is given back.
fn may_join(there: &Order, wished: &Order) -> Result<(), PaymentError> {
    if there.store != wished.store {
        return Err(PaymentError::OrderElsewhere(there.id));
    }
    Ok(order_rules::may_join(there.paid_by, there.amount, wished.amount)?)
}

/// The call and transaction two.
async fn send(app: &App, scope: TenantScope, sale: Sale, how: How, channel: Channel) -> Result<Sale, PaymentError> {
    let (payment, account) = (sale.payment.payment.id, &channel.account);
    let for_ms = |lives_ms| sale.payment.created_at.plus(lives_ms);
    let expires_at = match &how {
        How::Present { lives } | How::InApp { lives, .. } => {
            for_ms(i64::try_from(lives.as_millis()).unwrap_or(i64::MAX))
        }
        How::Carried { ends_at, .. } => *ends_at,
        How::Charge { .. } | How::Card { .. } => for_ms(pace(&channel.manifest).reverse_after_ms),
    };
    let order = order_of(app, scope, &sale, expires_at).await?;
    let charged = |reply: Result<PaymentAnswer, Failure>| {
        app.silences().heard(account.id, &reply, app.now());
        let since_version = Some(sale.payment.version);
        match reply {
            Ok(answer) => {
                Outcome::Answer(answered(app, &channel.manifest, &sale.payment, answer, Source::Reply, since_version))
            }
            Err(failure) => silence(&failure),
        }
    };
    let presented = |reply: Result<String, Failure>| {
        Ok::<_, PaymentError>(match reply {
            Ok(channel_code) => Outcome::Presented(PayCode {
                id: PayCodeId(app.random_16()?),
                payment,
                channel_code,
                scans: 0,
                scan_limit: app.config().payments.scan_limit,
                created_at: app.now(),
                expires_at,
            }),
            Err(failure) => silence(&failure),
        })
    };
    let outcome = match how {
        How::Present { .. } | How::Carried { .. } => {
            let reply = app.channels().create(account, &order).await;
            app.silences().heard(account.id, &reply, app.now());
            presented(reply.map(|created| created.code))?
        }
        How::InApp { app: name, payer, .. } => {
            let reply = app.channels().open_in_app(account, &name, &order, &payer.0).await;
            // A refusal cannot be told from one of this payer alone (a blocked wallet): it says nothing of the account.
            if !matches!(reply, Err(Failure::NotSent { .. })) {
                app.silences().heard(account.id, &reply, app.now());
            }
            presented(reply.and_then(|step| in_app_text(&step)))?
        }
        How::Charge { code } => charged(app.channels().charge(account, &order, code.expose()).await),
        How::Card { card } => charged(app.channels().charge_card(account, &order, &card).await),
    };
    Ok(settle(app, scope, payment, outcome, "channel").await?.sale)
}

/// What the browser has to do, as it is kept until the payment is over.
fn in_app_text(step: &Step) -> Result<String, Failure> {
    serde_json::to_string(step).map_err(|error| Failure::BadAnswer { why: error.to_string() })
}

fn silence(failure: &Failure) -> Outcome {
    if failure.may_have_taken_effect() {
        tracing::warn!(error = %failure, "a channel gave no answer");
        return Outcome::Event(Event::NoAnswer);
    }
    Outcome::Event(Event::NotSent { failure: not_sent(failure) })
}
