//! A merchant's own rules (the world `merchant-extension`): taken in as channels are, and asked in a fresh instance each time.
//!
//! An extension reaches nobody: it is given its arguments and may write log lines. (WASI's clock and chance are there, since
//! every language's start-up wants them.) What it answers is held to the bounds of the
//! contract here, so that whoever asks gets a decision that can be carried out, or one typed [`RuleFailure`]. What then becomes of
//! the sale is not decided here.

mod answer;
mod state;

use std::{collections::BTreeSet, fmt, pin::Pin, sync::Arc, time::Duration};

use opentelemetry::{KeyValue, metrics::Histogram};
use saoma_protocol::{Amount, ChannelAccountId, Millis, StoreId, TenantId, TerminalId, api::Goods};
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, field::Empty};
use wasmtime::{
    Engine, PoolConcurrencyLimitError, Store, Trap, UpdateDeadline,
    component::{Component, Linker},
};

pub(crate) use self::state::{RuleState, linker as rule_linker};
use crate::{
    bindings::rules::{MerchantExtension, MerchantExtensionPre, exports::saoma::channel::extension as wit},
    call::{QUEUE_WAIT_MS_MAX, is_crash},
    convert::{WORDS_CHARS_MAX, cut},
    engine::TICK_MS,
    failure::InstallError,
    guests::{Guests, Source},
    manifest::{is_plugin_id, semver},
    memory::{Budget, MemoryLimit},
    places::{Cause, Held, HostPlaces, Places},
    ports::Clock,
    registry::ContentHash,
    settings::SettingsSchema,
    versions::NEWEST,
};

/// Longest that a rule's code runs in one call, in milliseconds: four of them stand between the cashier's key and the channel, and
/// a Rust one needs less than one. Counted at the engine's ticks, so that a busy machine does not fail honest rules.
pub const RULE_RUNNING_MS_MAX: u64 = 50;

/// Longest that a call of a rule takes with all waiting for a processor, in milliseconds: then the machine is the matter.
pub const RULE_CALL_MS_MAX: u64 = 1_000;

/// What a rule may make of an amount: at most this many times what was asked.
pub const PRICE_TIMES_MAX: i64 = 2;
pub const ADJUSTMENTS_MAX: usize = 8;
pub const ADJUSTMENT_NAME_CHARS_MAX: usize = 64;
pub const RECEIPT_LINES_MAX: usize = 8;
/// As many as the usual 80 mm paper has columns. Wide characters take two: the printer breaks such a line.
pub const RECEIPT_LINE_CHARS_MAX: usize = 48;
pub const CANDIDATES_MAX: usize = 64;

/// What an extension may offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    Price,
    Route,
    Risk,
    ReceiptLines,
}

impl Rule {
    pub const ALL: [Self; 4] = [Self::Price, Self::Route, Self::Risk, Self::ReceiptLines];

    /// The function's name in the contract.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Route => "route",
            Self::Risk => "risk",
            Self::ReceiptLines => "receipt-lines",
        }
    }
}

/// What an extension says of itself, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    pub id: String,
    /// SemVer.
    pub version: String,
    pub name: String,
    pub rules: BTreeSet<Rule>,
    pub settings_schema: SettingsSchema,
}

/// A sale that is about to be made.
#[derive(Clone, Debug)]
pub struct Draft {
    pub amount: Amount,
    pub goods: Vec<Goods>,
    pub store: StoreId,
    pub terminal: Option<TerminalId>,
    pub cashier: Option<String>,
    pub method: DraftMethod,
    pub at: Millis,
    /// Of the merchant's clock at that moment.
    pub utc_offset_minutes: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DraftMethod {
    MerchantPresented,
    CustomerPresented,
    Card,
    /// Not chosen yet, as when a price is asked for.
    Undecided,
}

/// What is to be paid, and why it is not what was asked: `amount` is what was asked and all adjustments together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    pub amount: Amount,
    pub adjustments: Vec<Adjustment>,
}

/// A discount (less than 0) or surcharge, in minor units of the sale's currency; never 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    pub name: String,
    pub minor: i64,
}

/// An account that could collect the payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteCandidate {
    pub id: ChannelAccountId,
    pub channel: String,
    pub fee_minor: i64,
    pub outcomes: u32,
    pub success_per_10000: u32,
}

/// What the cashier (or the store) was paid in the hour before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    pub payments: u32,
    pub amount_minor: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    Refuse { code: String, sentence: String },
}

/// Why a rule gave no decision. Nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleFailure {
    #[error("the extension does not offer this rule")]
    NotOffered,
    #[error("the extension's settings do not fit: {why}")]
    Settings { why: String },
    #[error("too many calls are under way")]
    Overloaded,
    #[error("the rule crashed: {why}")]
    Trapped { why: String },
    #[error("the rule gave no answer within {after_ms} ms")]
    TimedOut { after_ms: u64 },
    #[error("the rule asked for more than its {limit_bytes} bytes of memory")]
    OutOfMemory { limit_bytes: usize },
    #[error("the rule's answer cannot be carried out: {why}")]
    BadAnswer { why: String },
    /// In the extension's own words.
    #[error("the rule does not decide: {why}")]
    Undecided { why: String },
}

impl RuleFailure {
    /// A stable word for logs, metrics and events.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotOffered => "not_offered",
            Self::Settings { .. } => "misconfigured",
            Self::Overloaded => "overloaded",
            Self::Trapped { .. } => "trapped",
            Self::TimedOut { .. } => "timed_out",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::BadAnswer { .. } => "bad_answer",
            Self::Undecided { .. } => "undecided",
        }
    }
}

/// Compiled rules and what they say of themselves. Holds no instance: every call makes its own.
pub struct Extension {
    description: Description,
    content_hash: ContentHash,
    pre: MerchantExtensionPre<RuleState>,
    run: Running,
}

/// What a call needs of the host.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) guests: Arc<Guests>,
    pub(crate) host_places: Arc<HostPlaces>,
    pub(crate) places: Arc<Places>,
    pub(crate) memory_bytes_max: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) calls: Histogram<f64>,
}

type Asked<'a, T> = Pin<Box<dyn Future<Output = wasmtime::Result<T>> + Send + 'a>>;

/// One function with its arguments, to be run on whatever instance it is given.
trait Ask<T>: for<'a> FnOnce(&'a wit::Guest, &'a mut Store<RuleState>) -> Asked<'a, T> + Send + 'static {}

impl<T, F> Ask<T> for F where
    F: for<'a> FnOnce(&'a wit::Guest, &'a mut Store<RuleState>) -> Asked<'a, T> + Send + 'static
{
}

impl Extension {
    /// Links a component and asks it for its description.
    ///
    /// # Errors
    /// See [`InstallError`].
    pub(crate) async fn take_in(
        linker: &Linker<RuleState>,
        component: &Component,
        content_hash: ContentHash,
        run: impl FnOnce(&str) -> Running,
        describing: Running,
        source: Source,
    ) -> Result<Self, InstallError> {
        let unfit = |error: wasmtime::Error| InstallError::DoesNotFit(format!("{error:#}"));
        let pre = linker.instantiate_pre(component).and_then(MerchantExtensionPre::new).map_err(unfit)?;
        let state = RuleState::new(describing.limit(Vec::new()), Arc::clone(&describing.clock), false);
        let held = Held::no_place(describing.guests.describing(source));
        let told = describing.fresh(&pre, state, held, |guest: &_, store: &mut _| -> Asked<'_, _> {
            Box::pin(async move { guest.call_describe(store).await })
        });
        let description = check(told.await.map_err(InstallError::DescribeRules)?)?;
        let run = run(&description.id);
        Ok(Self { description, content_hash, pre, run })
    }

    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        self.content_hash
    }

    /// The version of `saoma:channel` that it was built for.
    #[must_use]
    pub fn contract(&self) -> &'static str {
        NEWEST
    }

    pub(crate) fn places(&self) -> &Places {
        &self.run.places
    }

    pub(crate) fn component(&self) -> &Component {
        self.pre.instance_pre().component()
    }

    /// What is to be paid instead of the draft's amount.
    ///
    /// # Errors
    /// See [`RuleFailure`].
    pub async fn price(&self, tenant: TenantId, settings_json: &str, draft: &Draft) -> Result<Priced, RuleFailure> {
        let (settings, wit) = (settings_json.to_owned(), answer::draft(draft));
        self.call(
            tenant,
            Rule::Price,
            settings_json,
            move |guest: &_, store: &mut _| -> Asked<'_, _> {
                Box::pin(async move { guest.call_price(store, &settings, &wit).await })
            },
            |told| answer::priced(told, draft.amount),
        )
        .await
    }

    /// The accounts that should come first, the best first: some or all of `candidates`.
    ///
    /// # Errors
    /// See [`RuleFailure`].
    pub async fn route(
        &self,
        tenant: TenantId,
        settings_json: &str,
        draft: &Draft,
        candidates: &[RouteCandidate],
    ) -> Result<Vec<ChannelAccountId>, RuleFailure> {
        let (settings, wit) = (settings_json.to_owned(), answer::draft(draft));
        let candidates = candidates.get(..CANDIDATES_MAX).unwrap_or(candidates);
        let given: Vec<_> = candidates.iter().map(answer::candidate).collect();
        self.call(
            tenant,
            Rule::Route,
            settings_json,
            move |guest: &_, store: &mut _| -> Asked<'_, _> {
                Box::pin(async move { guest.call_route(store, &settings, &wit, &given).await })
            },
            |told| answer::routed(&told, candidates),
        )
        .await
    }

    /// Whether the sale may be made.
    ///
    /// # Errors
    /// See [`RuleFailure`].
    pub async fn risk(
        &self,
        tenant: TenantId,
        settings_json: &str,
        draft: &Draft,
        recent: Recent,
    ) -> Result<Verdict, RuleFailure> {
        let (settings, wit) = (settings_json.to_owned(), answer::draft(draft));
        let recent = wit::Recent { payments: recent.payments, amount_minor: recent.amount_minor };
        self.call(
            tenant,
            Rule::Risk,
            settings_json,
            move |guest: &_, store: &mut _| -> Asked<'_, _> {
                Box::pin(async move { guest.call_risk(store, &settings, &wit, recent).await })
            },
            answer::verdict,
        )
        .await
    }

    /// What the receipt says besides.
    ///
    /// # Errors
    /// See [`RuleFailure`].
    pub async fn receipt_lines(
        &self,
        tenant: TenantId,
        settings_json: &str,
        draft: &Draft,
        priced: &Priced,
    ) -> Result<Vec<String>, RuleFailure> {
        let (settings, wit, priced) = (settings_json.to_owned(), answer::draft(draft), answer::to_wit(priced));
        self.call(
            tenant,
            Rule::ReceiptLines,
            settings_json,
            move |guest: &_, store: &mut _| -> Asked<'_, _> {
                Box::pin(async move { guest.call_receipt_lines(store, &settings, &wit, &priced).await })
            },
            answer::lines,
        )
        .await
    }

    async fn call<W: Send + 'static, T>(
        &self,
        tenant: TenantId,
        rule: Rule,
        settings_json: &str,
        ask: impl Ask<Result<W, String>>,
        check: impl FnOnce(W) -> Result<T, RuleFailure> + Send,
    ) -> Result<T, RuleFailure> {
        if !self.description.rules.contains(&rule) {
            return Err(RuleFailure::NotOffered);
        }
        let began = Instant::now();
        let span = tracing::info_span!(
            "rule_call",
            plugin.id = %self.description.id, plugin.version = %self.description.version, plugin.function = rule.text(),
            %tenant, log_dropped = Empty,
        );
        let outcome = match self.place_and_run(tenant, settings_json, ask).instrument(span).await {
            Ok(Ok(told)) => check(told),
            Ok(Err(why)) => Err(RuleFailure::Undecided { why: cut(&why, WORDS_CHARS_MAX) }),
            Err(failure) => Err(failure),
        };
        let word = outcome.as_ref().map_or_else(RuleFailure::code, |_| "answered");
        let labels = [
            KeyValue::new("plugin", self.description.id.clone()),
            KeyValue::new("version", self.description.version.clone()),
            KeyValue::new("function", rule.text()),
            KeyValue::new("outcome", word),
        ];
        self.run.calls.record(began.elapsed().as_secs_f64(), &labels);
        outcome
    }

    async fn place_and_run<T: Send + 'static>(
        &self,
        tenant: TenantId,
        settings_json: &str,
        ask: impl Ask<T>,
    ) -> Result<T, RuleFailure> {
        let schema = &self.description.settings_schema;
        schema.check(settings_json).map_err(|error| RuleFailure::Settings { why: error.to_string() })?;
        let until = Instant::now() + Duration::from_millis(QUEUE_WAIT_MS_MAX);
        let held = self.run.places.take(tenant, Cause::Core, &self.run.host_places, until).await;
        let held = held.ok_or(RuleFailure::Overloaded)?;
        let state = RuleState::new(self.run.limit(held.budgets()), Arc::clone(&self.run.clock), true);
        self.run.fresh(&self.pre, state, held, ask).await
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} ({})", self.description.id, self.description.version, self.content_hash)
    }
}

impl Running {
    fn limit(&self, budgets: Vec<Arc<Budget>>) -> MemoryLimit {
        MemoryLimit::new(self.memory_bytes_max, budgets)
    }

    /// A fresh store and instance, one function, and both are gone again, on every way out; on the guests' threads, as channels'.
    fn fresh<T: Send + 'static, A: Ask<T>>(
        &self,
        pre: &MerchantExtensionPre<RuleState>,
        state: RuleState,
        held: Held,
        ask: A,
    ) -> impl Future<Output = Result<T, RuleFailure>> + Send + use<T, A> {
        let (pre, mut store) = (pre.clone(), state.into_store(&self.engine));
        store.epoch_deadline_callback(|mut context| {
            let state = context.data_mut();
            state.ticks_running += 1;
            let is_over = state.ticks_running > RULE_RUNNING_MS_MAX / TICK_MS;
            Ok(if is_over { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
        });
        let running = self.guests.run(held.flow(), async move {
            let (_held, mut store) = (held, store);
            store.set_epoch_deadline(1);
            let guest: MerchantExtension = match pre.instantiate_async(&mut store).await {
                Ok(guest) => guest,
                Err(error) => return Err(classify(&error, store.data())),
            };
            let told = ask(guest.saoma_channel_extension(), &mut store).await;
            told.map_err(|error| classify(&error, store.data()))
        });
        let within = timeout(Duration::from_millis(RULE_CALL_MS_MAX), running);
        async move {
            match within.await {
                Ok(Some(outcome)) => outcome,
                Ok(None) => Err(RuleFailure::Trapped { why: "the host has ended".to_owned() }),
                Err(_) => Err(RuleFailure::TimedOut { after_ms: RULE_CALL_MS_MAX }),
            }
        }
    }
}

fn classify(error: &wasmtime::Error, state: &RuleState) -> RuleFailure {
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() || state.memory.was_crowded_out() {
        return RuleFailure::Overloaded;
    }
    if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        return RuleFailure::TimedOut { after_ms: RULE_RUNNING_MS_MAX };
    }
    if let Some(limit_bytes) = state.memory.refused_at {
        return RuleFailure::OutOfMemory { limit_bytes };
    }
    let why = cut(&error.root_cause().to_string(), WORDS_CHARS_MAX);
    if is_crash(error) { RuleFailure::Trapped { why } } else { RuleFailure::BadAnswer { why } }
}

/// Why an extension's description is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    #[error("the id {0:?} is not 2 to 32 lower-case letters, digits and `-`, the first a letter")]
    Id(String),
    #[error("the version {0:?} is not SemVer of at most 64 characters")]
    Version(String),
    #[error("the name has not 1 to 64 characters without control characters")]
    Name,
    #[error("it offers no rule, or one of them twice")]
    Rules,
    #[error(transparent)]
    Settings(#[from] crate::settings::SchemaError),
}

fn check(told: wit::Description) -> Result<Description, DescriptionError> {
    if !is_plugin_id(&told.id) {
        return Err(DescriptionError::Id(cut(&told.id, 40)));
    }
    if semver(&told.version).is_none() {
        return Err(DescriptionError::Version(cut(&told.version, 40)));
    }
    if !answer::is_line(&told.name, 64) {
        return Err(DescriptionError::Name);
    }
    let rules: BTreeSet<Rule> = told
        .rules
        .iter()
        .map(|rule| match rule {
            wit::Rule::Price => Rule::Price,
            wit::Rule::Route => Rule::Route,
            wit::Rule::Risk => Rule::Risk,
            wit::Rule::ReceiptLines => Rule::ReceiptLines,
        })
        .collect();
    if rules.is_empty() || rules.len() != told.rules.len() {
        return Err(DescriptionError::Rules);
    }
    let settings_schema = SettingsSchema::parse(&told.settings_schema)?;
    Ok(Description { id: told.id, version: told.version, name: told.name, rules, settings_schema })
}
