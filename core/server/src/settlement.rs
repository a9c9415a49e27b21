//! Settling batches at schemes that want it (card acquirers): what moved through a channel account is closed into a batch, both sides count
//! it, and where they differ its rows are uploaded.
//!
//! It moves no money and changes no payment. A batch is closed in one transaction, with its number, rows and totals, before the first
//! message leaves; each answer is one more. Survives: a crash at any point (the lease ends, and the same step is taken again under the same
//! number), silence, several nodes (one has the lease). While the totals are on their way new payments and refunds of the account wait,
//! two minutes from the close at most; payments that are under way hold up the close, and those that wait for a person are left to the next batch.

use saoma_channels::{
    Failure, NoChance,
    settlement::{Batch, ROWS_MAX, Row, SettlementTerms},
};
use saoma_domain::settlement::{Event, OutOfTurn, Settled, State, decide};
use saoma_protocol::{ChannelAccountId, Millis, SettlementBatchId};
use saoma_store::{
    StoreError, TenantScope, Tx, audit, cards,
    channel_accounts::{self, ChannelAccount},
    ledger,
    settlement_batches::{self as batches, Closing, Open, Resolved, SettlementBatch},
    tenants,
};

use crate::{
    app::App,
    day::day_of,
    payments::{Channel, PaymentError, card_of_stored, channel_of_account},
    period::Period,
};

/// How long nobody else works on a batch that one node has in hand: longer than any call with its wait. Renewed with each answer.
const LEASE_MS: i64 = 180_000;
/// How long new payments wait for a batch, from its close on: a balanced one takes seconds. If the scheme stays silent the shop goes on
/// selling, and what is sold meanwhile may make the batch differ. Nothing waits for an upload: its rows are what they are.
const HOLD_MS: i64 = 120_000;
/// From when on a person is called about a batch that has no end.
const ATTENTION_AFTER_MS: i64 = 900_000;
/// After a failure, doubled with each further one.
const PAUSE_MS_MIN: i64 = 5_000;
const PAUSE_MS_MAX: i64 = 300_000;
/// How long after midnight a batch that is due waits for payments that are under way.
const WAITS_MS_MAX: i64 = 2 * 3_600_000;

/// Why nothing was closed, or a batch was not ended.
#[derive(Debug, thiserror::Error)]
pub enum SettlementError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoChance(#[from] NoChance),
    #[error(transparent)]
    Channel(#[from] PaymentError),
    #[error("{0} settles no batches")]
    NoSettlement(String),
    #[error("nothing was paid or given back through this account since the last batch")]
    Nothing,
    /// Of this many payments and refunds.
    #[error("{0} payments or refunds of this account are under way")]
    UnderWay(u64),
    #[error("it is {0}, and no person is called for it")]
    NotWaiting(&'static str),
}

/// What the account's channel says of its settlement; `None` if it settles no batches, or its plugin is gone.
#[must_use]
pub fn terms(app: &App, scope: TenantScope, account: &ChannelAccount) -> Option<SettlementTerms> {
    app.served(scope.tenant(), &account.plugin)?.manifest.settlement
}

/// Closes what is open of an account, and answers with the batch; the scheme hears of it right afterwards. If the account has one on its
/// way, that is the answer. `despite`: although payments are under way. `after`: only if that is the sequence number of the batch before
/// (0: there is none); else another node was first, and its batch is the answer.
///
/// # Errors
/// Before anything is written: `Store` (`NotFound`), `NoSettlement`, `UnderWay`, `Nothing`.
pub async fn close(
    app: &App,
    scope: TenantScope,
    account: ChannelAccountId,
    by: &str,
    despite: bool,
    after: Option<u64>,
) -> Result<SettlementBatch, SettlementError> {
    let stored = app.store().read(move |tx| channel_accounts::load(tx, &scope, account)).await?;
    let terms = terms(app, scope, &stored).ok_or_else(|| SettlementError::NoSettlement(stored.plugin.clone()))?;
    let at = app.now();
    let id = SettlementBatchId::from_bytes(app.random_16()?);
    let closing = Closing { id, account, by: by.to_owned(), at, holds_until: at.plus(HOLD_MS) };
    let batch = app
        .store()
        .write(move |tx| {
            // What is about to be sold waits for this commit, and so does what is about to be booked.
            batches::take_turn(tx, &scope, account)?;
            ledger::take_turn(tx, &scope)?;
            if let Some(last) = batches::last(tx, &scope, account)?
                && (last.state.is_on_its_way() || after.is_some_and(|after| last.sequence != after))
            {
                return Ok(last);
            }
            let under_way = if despite { 0 } else { batches::in_flight(tx, &scope, account)? };
            if under_way > 0 {
                return Err(SettlementError::UnderWay(under_way));
            }
            let open = batches::open(tx, &scope, account, terms.rows_max, at)?;
            if open.rows == 0 {
                return Err(SettlementError::Nothing);
            }
            let batch = batches::close(tx, &scope, closing.clone(), &open)?;
            let about = serde_json::json!({ "channel_account": account, "rows": batch.rows });
            let entry = audit::NewEntry::new(&closing.by, "settlement_batch.closed", &id, &about, at);
            audit::append(tx, &scope, &entry)?;
            Ok(batch)
        })
        .await?;
    app.news_of(scope.tenant());
    app.wake_settlement();
    Ok(batch)
}

/// What is open is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// It no longer waits for payments that are under way.
    pub despite: bool,
    /// The sequence number of the batch before; 0: there is none.
    pub after: u64,
}

/// What is open of an account now.
///
/// # Errors
/// Of the store.
pub fn open_of(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    terms: SettlementTerms,
    now: Millis,
) -> Result<Open, StoreError> {
    batches::open(tx, scope, account, terms.rows_max, now)
}

/// Whether what is open of the account is to be closed by core itself: it is of an earlier day of the merchant's, or a batch has
/// hardly room for more.
///
/// # Errors
/// Of the store.
pub async fn is_due(app: &App, scope: TenantScope, account: &ChannelAccount) -> Result<Option<Due>, StoreError> {
    let Some(terms) = terms(app, scope, account) else { return Ok(None) };
    let (id, now) = (account.id, app.now());
    let (zone, last, open) = app
        .store()
        .read(move |tx| {
            let last = batches::last(tx, &scope, id)?;
            Ok::<_, StoreError>((tenants::load(tx, &scope)?.time_zone, last, open_of(tx, &scope, id, terms, now)?))
        })
        .await?;
    if open.rows == 0 || last.as_ref().is_some_and(|last| last.state.is_on_its_way()) {
        return Ok(None);
    }
    let (Some(today), Some(before)) = (day_of(now, &zone), day_of(open.since, &zone)) else { return Ok(None) };
    let is_full = open.rows > terms.rows_max / 5 * 4;
    if before >= today && !is_full {
        return Ok(None);
    }
    let day = today.to_string();
    let midnight = Period::of_days(&day, &day, &zone).map_or(now, |period| period.from);
    let despite = before < today && now.since(midnight) > WAITS_MS_MAX;
    Ok(Some(Due { despite, after: last.map_or(0, |last| last.sequence) }))
}

/// Takes a batch as far as the scheme lets it. The lease is this node's.
///
/// # Errors
/// Of the store; another node goes on once the lease is over.
pub async fn pursue(app: &App, scope: TenantScope, mut batch: SettlementBatch) -> Result<(), StoreError> {
    while batch.state.is_on_its_way() && !app.is_stopping() {
        let event = match step(app, scope, &batch).await {
            Ok(event) => event,
            Err(error) => return fail(app, scope, batch, &error).await,
        };
        batch = heard(app, scope, batch, event).await?;
    }
    if batch.state.is_on_its_way() {
        // Another start goes on at once.
        batch.lease_until = None;
        app.store().write(move |tx| batches::save(tx, &scope, &mut batch.clone())).await?;
    }
    Ok(())
}

/// Why a step has no outcome yet.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Channel(#[from] PaymentError),
    #[error(transparent)]
    Call(#[from] Failure),
    #[error("it has no row behind its {0} first")]
    NoRows(u32),
}

async fn step(app: &App, scope: TenantScope, batch: &SettlementBatch) -> Result<Event, StepError> {
    let id = batch.account;
    let account = app.store().read(move |tx| channel_accounts::load(tx, &scope, id)).await?;
    let channel = channel_of_account(app, scope, &account).await?;
    let told = Batch { number: batch.id, totals: batch.totals.clone(), rows: batch.rows, closed_at: batch.closed_at };
    Ok(match &batch.state {
        State::Uploading { sent } if *sent == batch.rows => {
            Event::Finished(app.channels().finish(&channel.account, &told).await?)
        }
        State::Uploading { sent } => {
            let rows = rows(app, scope, batch, *sent, &channel).await?;
            app.channels().upload(&channel.account, &told, &rows).await?;
            Event::Taken { rows: u32::try_from(rows.len()).unwrap_or(u32::MAX) }
        }
        State::Closing | State::Settled | State::Differs(_) => {
            Event::Answered(app.channels().settle(&channel.account, &told).await?)
        }
    })
}

/// The next rows; one alone where cards are taken, with its card.
async fn rows(
    app: &App,
    scope: TenantScope,
    batch: &SettlementBatch,
    sent: u32,
    channel: &Channel,
) -> Result<Vec<Row>, StepError> {
    let takes_cards = channel.manifest.can(saoma_channels::Capability::Card);
    let limit = if takes_cards { 1 } else { u32::try_from(ROWS_MAX).unwrap_or(1) };
    let batch = batch.clone();
    let rows = app
        .store()
        .read(move |tx| {
            let page = batches::page(tx, &scope, &batch, sent, limit)?;
            let mut rows = Vec::with_capacity(page.len());
            for (place, row) in (sent + 1..).zip(page) {
                let card = if takes_cards { cards::of_payment(tx, &scope, row.payment)? } else { None };
                rows.push(Row {
                    place,
                    kind: row.kind,
                    payment: row.payment,
                    reference: row.reference,
                    refund: row.refund,
                    refund_reference: row.refund_reference,
                    amount: row.amount,
                    at: row.at,
                    card: card.map(card_of_stored),
                });
            }
            Ok::<_, StoreError>(rows)
        })
        .await?;
    if rows.is_empty() { Err(StepError::NoRows(sent)) } else { Ok(rows) }
}

/// Writes down what the scheme said, and renews the lease while there is more to do.
async fn heard(
    app: &App,
    scope: TenantScope,
    batch: SettlementBatch,
    event: Event,
) -> Result<SettlementBatch, StoreError> {
    let (now, id) = (app.now(), batch.id);
    let batch = app
        .store()
        .write(move |tx| {
            let mut batch = batch.clone();
            if let Event::Answered(Settled::Differs(Some(theirs))) | Event::Finished(Settled::Differs(Some(theirs))) =
                &event
            {
                batch.theirs = Some(theirs.clone());
            }
            batch.state = decide(&batch.state, batch.rows, event.clone()).map_err(|OutOfTurn| {
                StoreError::Internal { why: format!("{} is {} and heard {event:?}", batch.id, batch.state.text()) }
            })?;
            (batch.attempts, batch.words) = (0, None);
            if batch.state.is_on_its_way() {
                batch.lease_until = Some(now.plus(LEASE_MS));
                batch.holds_until = batch.holds_until.min(now);
            } else {
                end(tx, &scope, &mut batch, now)?;
            }
            batches::save(tx, &scope, &mut batch)?;
            Ok::<_, StoreError>(batch)
        })
        .await?;
    if !batch.state.is_on_its_way() {
        tracing::info!(settlement_batch = %id, state = batch.state.text(), "a batch has its end");
        app.news_of(scope.tenant());
    }
    Ok(batch)
}

fn end(tx: &mut Tx<'_>, scope: &TenantScope, batch: &mut SettlementBatch, now: Millis) -> Result<(), StoreError> {
    (batch.next_attempt_at, batch.lease_until, batch.ended_at) = (None, None, Some(now));
    batch.attention_at = match batch.state {
        State::Differs(_) => batch.attention_at.or(Some(now)),
        State::Settled | State::Closing | State::Uploading { .. } => None,
    };
    let about = serde_json::json!({ "channel_account": batch.account, "state": batch.state.text() });
    let entry = audit::NewEntry::new("core", "settlement_batch.ended", &batch.id, &about, now);
    audit::append(tx, scope, &entry).map(drop)
}

/// It stands as it did; the next attempt is set, and in time a person is called.
async fn fail(app: &App, scope: TenantScope, batch: SettlementBatch, error: &StepError) -> Result<(), StoreError> {
    tracing::warn!(settlement_batch = %batch.id, %error, "a batch is settled later");
    let (now, words) = (app.now(), error.to_string());
    let is_called = app
        .store()
        .write(move |tx| {
            let mut batch = batch.clone();
            let pause_ms = (PAUSE_MS_MIN << batch.attempts.min(16)).min(PAUSE_MS_MAX);
            batch.attempts = batch.attempts.saturating_add(1);
            batch.words = Some(words.chars().take(500).collect());
            (batch.lease_until, batch.next_attempt_at) = (None, Some(now.plus(pause_ms)));
            let calls = batch.attention_at.is_none() && now.since(batch.closed_at) >= ATTENTION_AFTER_MS;
            if calls {
                batch.attention_at = Some(now);
            }
            batches::save(tx, &scope, &mut batch)?;
            Ok::<_, StoreError>(calls)
        })
        .await?;
    if is_called {
        app.news_of(scope.tenant());
    }
    Ok(())
}

/// A person has seen to a batch that differs, or gives one up that has no end: core asks the scheme no more.
///
/// # Errors
/// `Store` (`NotFound`, `Stale`), `NotWaiting`.
pub async fn resolve(
    app: &App,
    scope: TenantScope,
    id: SettlementBatchId,
    version: u64,
    reason: String,
    by: &str,
) -> Result<SettlementBatch, SettlementError> {
    let (now, by) = (app.now(), by.to_owned());
    let batch = app
        .store()
        .write(move |tx| {
            let mut batch = batches::load(tx, &scope, id)?;
            if batch.attention_at.is_none() {
                return Err(SettlementError::NotWaiting(batch.state.text()));
            }
            if batch.version != version {
                return Err(StoreError::Stale { what: "the settlement batch" }.into());
            }
            if batch.state.is_on_its_way() {
                let words = "A person gave it up.".to_owned();
                batch.state = State::Differs(saoma_domain::settlement::Difference::Elsewhere(words));
                end(tx, &scope, &mut batch, now)?;
            }
            batch.attention_at = None;
            batch.resolved = Some(Resolved { by: by.clone(), at: now, reason: reason.clone() });
            batches::save(tx, &scope, &mut batch)?;
            let about = serde_json::json!({ "reason": reason });
            let entry = audit::NewEntry::new(&by, "settlement_batch.resolved", &id, &about, now);
            audit::append(tx, &scope, &entry)?;
            Ok(batch)
        })
        .await?;
    app.news_of(scope.tenant());
    Ok(batch)
}

/// Nothing new is sent through an account whose batch is on its way. In the transaction that writes down what is about to be sent.
///
/// # Errors
/// `BatchClosing`, `Store`.
pub fn check_not_held(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    now: Millis,
) -> Result<(), PaymentError> {
    batches::take_turn(tx, scope, account)?;
    if batches::holds(tx, scope, account, now)? { Err(PaymentError::BatchClosing) } else { Ok(()) }
}

/// How long [`pursue`] may take between two writes.
pub const fn lease_from(now: Millis) -> Millis {
    now.plus(LEASE_MS)
}
