//! One call: a place, a fresh store, a deadline, one typed answer or one typed failure.

mod about;
mod crash;
mod described;

use std::{pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use opentelemetry::KeyValue;
use saoma_domain::settlement::Settled;
use saoma_protocol::Millis;
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, Span, field::Empty};
use wasmtime::{Store, UpdateDeadline};

pub(crate) use self::crash::is_crash;
use self::{
    about::{About, Call, NOTIFICATION, SELF_TEST, reach_of},
    crash::{Step, classify},
};
use crate::{
    bindings::{contract, types},
    card::Card,
    convert,
    engine::TICK_MS,
    extension::Extension,
    failure::{Failure, InstallError, NotificationFailure},
    host::{
        CallState, Given, Host, Known, Loaded,
        http::{self, Reach},
        log::Lines,
    },
    in_app::{self, Step as InAppStep},
    manifest::{Capability, Manifest},
    memory::{Budget, MemoryLimit},
    message::{
        Account, BillPage, Created, HttpMessage, KnownOrder, NotificationOutcome, Order, PaymentAnswer, RefundAnswer,
        RefundOrder,
    },
    package::Vetted,
    places::Held,
    ports::ChannelCaller,
    registry::{ContentHash, Plugin, Whose},
    settlement::{self, Batch, Row},
    versions::{Guest, Pre},
};

/// Longest wait for a free place before a call is refused as [`Failure::Overloaded`]: long enough for a burst, short
/// enough that a cashier does not wait for nothing.
pub const QUEUE_WAIT_MS_MAX: u64 = 500;

/// How long a plugin may take to describe itself. It has nothing to wait for.
pub const DESCRIBE_TIMEOUT_MS: u64 = 2_000;

/// Largest notification that is handed to a plugin, headers and body. Schemes send a few KiB.
pub const NOTIFICATION_BYTES_MAX: usize = 256 << 10;

type Running<'a, T> = Pin<Box<dyn Future<Output = wasmtime::Result<T>> + Send + 'a>>;

/// One of the contract's functions with its arguments, to be run on whatever instance it is given.
trait Ask<T>:
    for<'a> FnOnce(&'a Guest, &'a mut Store<CallState>, &'a types::Account) -> Running<'a, T> + Send + 'static
{
}

impl<T, F> Ask<T> for F where
    F: for<'a> FnOnce(&'a Guest, &'a mut Store<CallState>, &'a types::Account) -> Running<'a, T> + Send + 'static
{
}

#[async_trait]
impl ChannelCaller for Host {
    fn manifest(&self, channel: &str) -> Option<Arc<Manifest>> {
        self.plugin(channel).map(|plugin| Arc::clone(plugin.manifest()))
    }

    fn manifests(&self) -> Vec<Arc<Manifest>> {
        self.plugins().iter().map(|plugin| Arc::clone(plugin.manifest())).collect()
    }

    fn extension(&self, id: &str) -> Option<Arc<Extension>> {
        Self::extension(self, id)
    }

    fn extensions(&self) -> Vec<Arc<Extension>> {
        Self::extensions(self)
    }

    fn package(&self, package: ContentHash) -> Option<Loaded> {
        Self::package(self, package)
    }

    async fn install_package(&self, component: &[u8], whose: Whose) -> Result<Loaded, InstallError> {
        Self::install_package(self, component, whose).await
    }

    async fn install_vetted(&self, vetted: &Vetted, component: &[u8], whose: Whose) -> Result<Loaded, InstallError> {
        Self::install_vetted(self, vetted, component, whose).await
    }

    async fn keep_code(&self, package: ContentHash) {
        Self::keep_code(self, package).await;
    }

    async fn delete_code(&self, package: ContentHash) {
        Self::delete_code(self, package).await;
    }

    fn remove_package(&self, package: ContentHash) -> bool {
        Self::remove_package(self, package)
    }

    async fn create(&self, account: &Account, order: &Order) -> Result<Created, Failure> {
        let wit = convert::order(order);
        let call = Call::new("create", Some(order.number), Some(Capability::MerchantPresented));
        let call = Call { currency: Some(order.amount.currency()), ..call };
        self.call(
            account,
            call,
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.create(store, account, &wit).await })
            },
            convert::created,
        )
        .await
    }

    async fn identify(
        &self,
        account: &Account,
        app: &str,
        return_url: &str,
        state: &str,
    ) -> Result<Option<String>, Failure> {
        let call = Call::new("identify", None, Some(Capability::InApp));
        let sites = self.sites(account, app)?;
        let (app, return_url, state) = (app.to_owned(), return_url.to_owned(), state.to_owned());
        self.call(
            account,
            call,
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.identify(store, account, &app, &return_url, &state).await })
            },
            |url| in_app::sent_to(url, &sites),
        )
        .await
    }

    async fn payer(&self, account: &Account, app: &str, parameters: &[(String, String)]) -> Result<String, Failure> {
        if !in_app::may_be_read(parameters) {
            return Err(Failure::NotSent { why: "the visitor came back with more than a scheme sends".to_owned() });
        }
        let call = Call::new("payer", None, Some(Capability::InApp));
        // What the scheme gave them is good for a token: it stays out of log lines, as a code does. The longest is that.
        let given = parameters.iter().map(|(_, value)| value.as_str()).max_by_key(|value| value.len());
        let call = Call { code: given.filter(|value| !value.is_empty()), ..call };
        let (app, parameters) = (app.to_owned(), parameters.to_vec());
        self.call(
            account,
            call,
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.payer(store, account, &app, &parameters).await })
            },
            in_app::payer,
        )
        .await
    }

    async fn open_in_app(
        &self,
        account: &Account,
        app: &str,
        order: &Order,
        payer: &str,
    ) -> Result<InAppStep, Failure> {
        let call = Call::new("open", Some(order.number), Some(Capability::InApp));
        let sites = self.sites(account, app)?;
        // Whose id it is stays out of log lines, as a code does.
        let call = Call { code: Some(payer), currency: Some(order.amount.currency()), ..call };
        let (wit, app, payer) = (convert::order(order), app.to_owned(), payer.to_owned());
        self.call(
            account,
            call,
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.open(store, account, &app, &wit, &payer).await })
            },
            |step| in_app::step(step, &sites),
        )
        .await
    }

    async fn charge(&self, account: &Account, order: &Order, code: &str) -> Result<PaymentAnswer, Failure> {
        let call = Call::new("charge", Some(order.number), Some(Capability::CustomerPresented));
        let call = Call { code: Some(code), currency: Some(order.amount.currency()), ..call };
        let (wit, sent) = (convert::order(order), code.to_owned());
        self.call(
            account,
            call,
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.charge(store, account, &wit, &sent).await })
            },
            |answer| Ok(convert::charge_answer(answer, order)?.without_code(code)),
        )
        .await
    }

    async fn charge_card(&self, account: &Account, order: &Order, card: &Card) -> Result<PaymentAnswer, Failure> {
        let call = Call::new("charge", Some(order.number), Some(Capability::Card));
        let call = Call { card: Some(About::Presented(card)), currency: Some(order.amount.currency()), ..call };
        let wit = convert::order(order);
        self.call(
            account,
            call,
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.charge(store, account, &wit, "").await })
            },
            |answer| convert::charge_answer(answer, order),
        )
        .await
    }

    async fn forward(
        &self,
        account: &Account,
        order: &Order,
        card: &Card,
        at: Millis,
    ) -> Result<PaymentAnswer, Failure> {
        let call = Call::new("forward", Some(order.number), Some(Capability::Card));
        let call = Call { card: Some(About::Presented(card)), currency: Some(order.amount.currency()), ..call };
        let wit = convert::order(order);
        self.call(
            account,
            call,
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.forward(store, account, &wit, at.0).await })
            },
            |answer| convert::forward_answer(answer, order),
        )
        .await
    }

    async fn query(&self, account: &Account, order: &KnownOrder) -> Result<PaymentAnswer, Failure> {
        let call = Call::new("query", Some(order.number), None).about(order.card.as_ref());
        let wit = convert::known_order(order);
        self.call(
            account,
            call,
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.query(store, account, &wit).await })
            },
            |answer| convert::query_answer(answer, order.number),
        )
        .await
    }

    async fn cancel(&self, account: &Account, order: &KnownOrder) -> Result<PaymentAnswer, Failure> {
        let call = Call::new("cancel", Some(order.number), None).about(order.card.as_ref());
        let wit = convert::known_order(order);
        self.call(
            account,
            call,
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.cancel(store, account, &wit).await })
            },
            |answer| convert::cancel_answer(answer, order.number),
        )
        .await
    }

    async fn refund(&self, account: &Account, refund: &RefundOrder) -> Result<RefundAnswer, Failure> {
        let is_partial = refund.amount != refund.total;
        let needs = if is_partial { Capability::PartialRefund } else { Capability::Refund };
        let call = Call::new("refund", Some(refund.number), Some(needs)).about(refund.card.as_ref());
        let wit = convert::refund_order(refund);
        self.call(
            account,
            call,
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.refund(store, account, &wit).await })
            },
            |answer| convert::refund_answer_about(answer, refund),
        )
        .await
    }

    async fn query_refund(&self, account: &Account, refund: &RefundOrder) -> Result<RefundAnswer, Failure> {
        let needs = Some(Capability::Refund);
        let call = Call::new("query-refund", Some(refund.number), needs).about(refund.card.as_ref());
        let wit = convert::refund_order(refund);
        self.call(
            account,
            call,
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.query_refund(store, account, &wit).await })
            },
            |answer| convert::refund_answer_about(answer, refund),
        )
        .await
    }

    async fn parse_notification(
        &self,
        account: &Account,
        notification: &HttpMessage,
    ) -> Result<NotificationOutcome, NotificationFailure> {
        let header_bytes: usize = notification.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        if header_bytes + notification.body.len() > NOTIFICATION_BYTES_MAX {
            return Err(NotificationFailure::Malformed(format!("it is larger than {NOTIFICATION_BYTES_MAX} bytes")));
        }
        let headers =
            notification.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let wit = contract::HttpMessage { headers, body: notification.body.clone() };
        let call = Call::new(NOTIFICATION, None, Some(Capability::Notifications));
        // The contract's own errors are an answer of this call, not a failure of it.
        let outcome = self
            .call(
                account,
                call,
                move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                    Box::pin(async move { guest.parse_notification(store, account, &wit).await.map(Ok) })
                },
                Ok,
            )
            .await?;
        convert::notification(outcome)
    }

    async fn fetch_bill(&self, account: &Account, day: &str, cursor: Option<&str>) -> Result<BillPage, Failure> {
        let call = Call::new("fetch-bill", None, Some(Capability::Bills));
        let call = Call { answer_bytes_max: http::BILL_BYTES_MAX, ..call };
        let (day, cursor) = (day.to_owned(), cursor.map(str::to_owned));
        self.call(
            account,
            call,
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.fetch_bill(store, account, &day, cursor.as_deref()).await })
            },
            convert::bill_page,
        )
        .await
    }

    async fn settle(&self, account: &Account, batch: &Batch) -> Result<Settled, Failure> {
        let wit = settlement::batch(batch);
        self.call(
            account,
            Call::new("settle", None, None),
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.settle(store, account, &wit).await })
            },
            settlement::settled,
        )
        .await
    }

    async fn upload(&self, account: &Account, batch: &Batch, rows: &[Row]) -> Result<(), Failure> {
        let card = rows.iter().find_map(|row| row.card.as_ref());
        let wit = settlement::batch(batch);
        let rows: Vec<_> = rows.iter().map(settlement::row).collect();
        self.call(
            account,
            Call::new("upload", None, None).about(card),
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.upload(store, account, &wit, &rows).await })
            },
            Ok,
        )
        .await
    }

    async fn finish(&self, account: &Account, batch: &Batch) -> Result<Settled, Failure> {
        let wit = settlement::batch(batch);
        self.call(
            account,
            Call::new("finish", None, None),
            move |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.finish(store, account, &wit).await })
            },
            settlement::settled,
        )
        .await
    }

    async fn self_test(&self, account: &Account) -> Result<String, Failure> {
        let call = Call::new(SELF_TEST, None, None);
        self.call(
            account,
            call,
            |guest: &_, store: &mut _, account: &_| -> Running<'_, _> {
                Box::pin(async move { guest.self_test(store, account).await })
            },
            |text| Ok(convert::cut(&text, convert::WORDS_CHARS_MAX)),
        )
        .await
    }
}

impl Host {
    /// Runs one call within its span. `check` turns the plugin's answer into ours, or refuses it.
    fn call<W, T>(
        &self,
        account: &Account,
        call: Call<'_>,
        ask: impl Ask<Result<W, types::Error>>,
        check: impl FnOnce(W) -> Result<T, Failure> + Send,
    ) -> impl Future<Output = Result<T, Failure>>
    where
        W: Send + 'static,
    {
        // With all its arguments it would stand once more in each future that hands it on, for as long as the scheme takes.
        let ask: Box<dyn Ask<Result<W, types::Error>>> = Box::new(ask);
        let span = tracing::info_span!(
            "plugin_call",
            plugin.id = %account.channel, plugin.version = Empty, plugin.function = call.function,
            tenant = %account.tenant, channel_account = %account.id, payment.id = Empty,
            outcome = Empty, duration_ms = Empty, log_dropped = Empty,
        );
        if let Some(payment) = call.payment {
            span.record("payment.id", tracing::field::display(payment));
        }
        let run = async move {
            let began = Instant::now();
            let plugin = self.plugin_of(account);
            let version = plugin.as_ref().map_or("", |plugin| plugin.manifest.version.as_str()).to_owned();
            let said = match plugin {
                Ok(plugin) => self.place_and_run(&plugin, account, call, ask).await,
                Err(failure) => Err(failure),
            };
            let outcome = match said {
                Ok(Said { words: Ok(answer), .. }) => check(answer),
                Ok(Said { words: Err(error), has_unanswered }) => Err(convert::failure(error, has_unanswered)),
                Err(failure) => Err(failure),
            };
            let outcome = outcome.map_err(|failure| failure.without_code(call.code));
            let (span, took) = (Span::current(), began.elapsed());
            let word = outcome.as_ref().map_or_else(Failure::code, |_| "answered");
            span.record("duration_ms", u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            // The caller decides what a failure means, and logs it.
            span.record("outcome", word);
            // Each label has few values: as many as plugins and versions of them are installed, functions in the contract, kinds
            // of failure.
            let labels = [
                KeyValue::new("plugin", account.channel.clone()),
                KeyValue::new("version", version),
                KeyValue::new("function", call.function),
                KeyValue::new("outcome", word),
            ];
            self.calls.record(took.as_secs_f64(), &labels);
            outcome
        };
        run.instrument(span)
    }

    async fn place_and_run<T: Send + 'static>(
        &self,
        plugin: &Plugin,
        account: &Account,
        call: Call<'_>,
        ask: Box<dyn Ask<T>>,
    ) -> Result<Said<T>, Failure> {
        Span::current().record("plugin.version", plugin.manifest.version.as_str());
        if call.needs.is_some_and(|capability| !plugin.manifest.can(capability)) {
            return Err(Failure::Unsupported);
        }
        if let Some(currency) = call.currency.filter(|currency| !plugin.manifest.currencies.contains(currency)) {
            return Err(Failure::NotSent { why: format!("{} does not take {currency}", plugin.manifest.name) });
        }
        let reach = reach_of(plugin, account, call.function)?;
        let until = Instant::now() + Duration::from_millis(QUEUE_WAIT_MS_MAX);
        let held =
            plugin.places.take(account.tenant, call.cause(), &self.places, until).await.ok_or(Failure::Overloaded)?;
        self.run(plugin, account, reach, call, held, ask)?.await
    }

    /// Whoever calls an account's package that is not here (any more) must hear so: another version of the plugin may not know
    /// what this one has begun.
    fn plugin_of(&self, account: &Account) -> Result<Arc<Plugin>, Failure> {
        let channel = &account.channel;
        let found = match account.package {
            Some(package) => {
                let loaded = self.package(package);
                loaded.and_then(|loaded| loaded.channel().filter(|plugin| plugin.manifest.id == *channel).cloned())
            }
            None => self.plugin(channel),
        };
        found.ok_or_else(|| Failure::Misconfigured {
            why: match account.package {
                Some(package) => format!("no package {package} of the plugin {channel:?} is installed here"),
                None => format!("no plugin {channel:?} is installed; install it, or choose another channel"),
            },
        })
    }

    fn run<T: Send + 'static>(
        &self,
        plugin: &Plugin,
        account: &Account,
        reach: Reach,
        call: Call<'_>,
        held: Held,
        ask: Box<dyn Ask<T>>,
    ) -> Result<impl Future<Output = Result<Said<T>, Failure>> + Send + use<T>, Failure> {
        let timeout_ms = u64::from(plugin.manifest.cadence.call_timeout_ms);
        let known = Known {
            plugin: Arc::clone(&plugin.manifest),
            account: account.clone(),
            ports: Arc::clone(&self.ports),
            reach,
            deadline: Instant::now() + Duration::from_millis(timeout_ms),
            answer_bytes_max: call.answer_bytes_max,
        };
        let given = Given {
            known: Arc::new(known),
            code: call.code.map(str::to_owned),
            card: call.opened(account, &plugin.manifest)?,
            requests: 0,
            rsa_operations: 0,
            key_loads: 0,
            asked: false,
            unanswered: false,
            kv_operations: 0,
            log: Lines::of_this_call(),
        };
        let state = self.state(held.budgets(), Some(given));
        Ok(self.run_fresh(&plugin.pre, state, timeout_ms, convert::account(account), held, ask))
    }

    fn state(&self, budgets: Vec<Arc<Budget>>, given: Option<Given>) -> CallState {
        CallState::new(MemoryLimit::new(self.config.memory_bytes_max, budgets), Arc::clone(&self.ports.clock), given)
    }

    fn sites(&self, account: &Account, app: &str) -> Result<in_app::Sites, Failure> {
        let plugin = self.plugin_of(account)?;
        let plain = self.config.allow_private_addresses;
        Ok(in_app::Sites::of(&plugin.manifest, app, &account.settings_json, plain))
    }

    /// A fresh store and instance, one function, and both are gone again, on every way out: also when this future is dropped. They
    /// live on the guests' threads, and what the call holds is given back there, after them.
    fn run_fresh<T: Send + 'static, A: Ask<T>>(
        &self,
        pre: &Arc<Pre>,
        state: CallState,
        timeout_ms: u64,
        account: types::Account,
        held: Held,
        ask: A,
    ) -> impl Future<Output = Result<Said<T>, Failure>> + Send + use<T, A> {
        let (pre, ticks_max) = (Arc::clone(pre), self.config.running_ms_max / TICK_MS);
        let mut store = state.into_store(self.engine());
        // At every tick running code goes back in line.
        store.epoch_deadline_callback(move |mut context| {
            let state = context.data_mut();
            state.ticks_running += 1;
            let is_over = state.ticks_running > ticks_max;
            Ok(if is_over { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
        });
        let running = self.guests.run(held.flow(), async move {
            let (_held, mut store) = (held, store);
            store.set_epoch_deadline(1);
            // Boxed, since it is large, and over when the scheme is waited for.
            let guest = match Box::pin(pre.instantiate(&mut store)).await {
                Ok(guest) => guest,
                Err(error) => return Err(classify(Step::Start, &error, store.data())),
            };
            match ask(&guest, &mut store, &account).await {
                Ok(words) => Ok(Said { words, has_unanswered: store.data().has_unanswered() }),
                Err(error) => Err(classify(Step::Answer, &error, store.data())),
            }
        });
        // Kept on the caller's side, where nobody's turn is waited for.
        let within = timeout(Duration::from_millis(timeout_ms), running);
        async move {
            match within.await {
                Ok(Some(outcome)) => outcome,
                Ok(None) => Err(Failure::Trapped { why: "the host has ended".to_owned() }),
                Err(_) => Err(Failure::TimedOut { after_ms: timeout_ms }),
            }
        }
    }
}

/// What a plugin said, and whether its own requests got answers: what it says of having sent nothing is judged by that.
struct Said<T> {
    words: T,
    has_unanswered: bool,
}
