//! Settling batches at schemes that want it (card acquirers): what moved through a channel account is closed into a batch, both sides count
//! it, and where they differ its rows are uploaded.
//!
//! It moves no money and changes no payment. A batch is closed in one transaction, with its number, rows and totals, before the first
//! message leaves; each answer is one more. Survives: a crash at any point (the lease ends while the account is still held, and the same step
//! is taken again under the same number), silence, several nodes (one has the lease). When a close is due is in [`closing`], and what a
//! person takes back of it in [`cancelling`].

mod cancelling;
mod closing;
mod view;

use saoma_channels::{
    Capability, Failure, NoChance,
    settlement::{Batch, ROWS_MAX, Row, SettlementTerms},
};
use saoma_domain::settlement::{Difference, Event, HOLD_MS, OutOfTurn, RowKind, Settled, State, decide};
use saoma_protocol::{Millis, SettlementBatchId};
use saoma_store::{
    StoreError, TenantScope, Tx, audit, cards,
    channel_accounts::{self, ChannelAccount},
    settlement_batches::{self as batches, CALL_MS_MAX, Resolved, RowAt, SettlementBatch},
};

pub use self::cancelling::{cancel_close_in, cancel_in};
pub use self::closing::{
    Counted, Due, Held, Prepared, Turned, begin_unheld, check_may_send, check_not_held, close, is_due, open_of,
    prepare, report,
};
pub use self::view::{SettlementBatchView, SettlementCloseView, SettlementTotal};
use crate::{
    app::App,
    payments::{Channel, PaymentError, card_of_stored, channel_of_account},
    webhooks::tell_settlement,
};

/// How long nobody else works on a batch that one node has in hand. Renewed with each answer; and shorter than an account is held for a
/// batch, so that the totals are asked about again in time if that node dies.
const LEASE_MS: i64 = CALL_MS_MAX;
/// Batches that one node has in hand at once.
pub const IN_HAND_MAX: usize = 16;
/// From when on a person is called about a batch that has no end.
const ATTENTION_AFTER_MS: i64 = 900_000;
/// After a failure, doubled with each further one.
const PAUSE_MS_MIN: i64 = 5_000;
const PAUSE_MS_MAX: i64 = 300_000;
/// How long one batch is uploaded before others have their turn; a call more at most.
const TURN_MS: i64 = 30_000;

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
    /// Nobody is held back for a close that would wait for its turn.
    #[error("too many batches are being settled just now")]
    NoRoom,
    #[error("{count} payments or refunds of this account are under way")]
    UnderWay {
        count: u64,
        /// Until then new ones are held back for the close, which core makes as soon as it can; `None`: sales go on meanwhile.
        held_until: Option<Millis>,
    },
    #[error("it is {0}, and no person is called for it")]
    NotWaiting(&'static str),
    #[error("it is {0}, and its totals were sent, or may have been")]
    MayBeSent(&'static str),
    #[error("no close of this account waits")]
    NoneWaits,
}

/// What the account's channel says of its settlement; `None` if it settles no batches, or its plugin is gone.
#[must_use]
pub fn terms(app: &App, scope: TenantScope, account: &ChannelAccount) -> Option<SettlementTerms> {
    app.served(scope.tenant(), &account.plugin)?.manifest.settlement
}

/// Takes a batch as far as the scheme lets it, or so far that others have their turn. The lease is this node's.
///
/// # Errors
/// Of the store; another node goes on once the lease is over.
pub async fn pursue(app: &App, scope: TenantScope, mut batch: SettlementBatch) -> Result<(), StoreError> {
    let (began, was_unsent) = (app.now(), batch.unsent);
    // A node that stops asks nothing more, and holds nobody.
    if !app.is_stopping() {
        batch = match set_out(app, scope, batch).await {
            // A person gave it up, or another node took it over.
            Err(StoreError::Stale { .. }) => return Ok(()),
            held => held?,
        };
    }
    while batch.state.is_on_its_way() && !app.is_stopping() {
        let is_upload = batch.state != State::Closing;
        let (event, through) = match step(app, scope, &batch).await {
            Ok(taken) => taken,
            Err(error) => return fail(app, scope, batch, &error, was_unsent).await,
        };
        batch = match heard(app, scope, batch.clone(), event.clone(), through).await {
            Err(StoreError::Stale { .. }) => return note_late(app, scope, batch, &event).await,
            heard => heard?,
        };
        // What has its totals' answer is claimed anew, as an upload: of those, fewer are in hand.
        if !is_upload || !(0..TURN_MS).contains(&app.now().since(began)) {
            break;
        }
    }
    if batch.state.is_on_its_way() {
        // Another start, or the next turn, goes on at once, after those that have waited for longer.
        (batch.lease_until, batch.next_attempt_at) = (None, Some(app.now()));
        app.store().write(move |tx| batches::save(tx, &scope, &mut batch.clone())).await?;
        app.wake_settlement();
    }
    Ok(())
}

/// From this commit on the scheme may have the totals, whatever becomes of this process.
///
/// While they are asked about again, their account is held again for that one call if its hold is over or would be, as long as nothing
/// came into the books since the close: the totals are then still what the scheme counts. The first sale that comes between two attempts
/// ends that, so a scheme that never answers keeps nobody from selling.
async fn set_out(app: &App, scope: TenantScope, batch: SettlementBatch) -> Result<SettlementBatch, StoreError> {
    let now = app.now();
    let until = now.plus(LEASE_MS);
    if batch.state != State::Closing || (batch.holds_until >= until && !batch.unsent) {
        return Ok(batch);
    }
    app.store()
        .write(move |tx| {
            let mut batch = batch.clone();
            batches::take_turn(tx, &scope, batch.account)?;
            let holds = batch.holds_until < until && batches::glance(tx, &scope, batch.account, 1, now)?.is_none();
            if holds {
                batch.holds_until = until;
            }
            if std::mem::take(&mut batch.unsent) || holds {
                batches::save(tx, &scope, &mut batch)?;
            }
            Ok(batch)
        })
        .await
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

impl StepError {
    /// Whether nothing left: all but a call fails before it.
    const fn is_before_sending(&self) -> bool {
        match self {
            Self::Call(failure) => !failure.may_have_taken_effect(),
            Self::Store(_) | Self::Channel(_) | Self::NoRows(_) => true,
        }
    }
}

/// What the scheme said, and through which row it has taken them.
async fn step(app: &App, scope: TenantScope, batch: &SettlementBatch) -> Result<(Event, RowAt), StepError> {
    let id = batch.account;
    let account = app.store().read(move |tx| channel_accounts::load(tx, &scope, id)).await?;
    let channel = channel_of_account(app, scope, &account).await?;
    let told = Batch { number: batch.id, totals: batch.totals.clone(), rows: batch.rows, closed_at: batch.closed_at };
    let event = match &batch.state {
        State::Uploading { sent } if *sent == batch.rows => {
            Event::Finished(app.channels().finish(&channel.account, &told).await?)
        }
        State::Uploading { sent } => {
            let (rows, through) = rows(app, scope, batch, *sent, &channel).await?;
            app.channels().upload(&channel.account, &told, &rows).await?;
            return Ok((Event::Taken { rows: u32::try_from(rows.len()).unwrap_or(u32::MAX) }, through));
        }
        State::Closing | State::Settled | State::Differs(_) | State::Cancelled => {
            Event::Answered(app.channels().settle(&channel.account, &told).await?)
        }
    };
    Ok((event, batch.sent_through))
}

/// The next rows, and where the last of them stands; one alone where cards are taken, with its card.
async fn rows(
    app: &App,
    scope: TenantScope,
    batch: &SettlementBatch,
    sent: u32,
    channel: &Channel,
) -> Result<(Vec<Row>, RowAt), StepError> {
    let takes_cards = channel.manifest.can(Capability::Card);
    let (undoes, refunds) = (channel.manifest.can(Capability::Cancel), channel.manifest.can(Capability::Refund));
    let limit = if takes_cards { 1 } else { u32::try_from(ROWS_MAX).unwrap_or(1) };
    let batch = batch.clone();
    let (rows, through) = app
        .store()
        .read(move |tx| {
            let page = batches::page(tx, &scope, &batch, limit)?;
            let through = page.last().map(|(at, _)| *at);
            let mut rows = Vec::with_capacity(page.len());
            for (place, (_, row)) in (sent + 1..).zip(page) {
                let card = if takes_cards { cards::of_payment(tx, &scope, row.payment)? } else { None };
                rows.push(Row {
                    place,
                    kind: match row.kind {
                        // What came late went back by `cancel` here, and a void by `refund` there.
                        RowKind::Refund if !refunds => RowKind::Void,
                        RowKind::Void if !undoes && row.refund.is_some() => RowKind::Refund,
                        kind => kind,
                    },
                    payment: row.payment,
                    reference: row.reference,
                    refund: row.refund,
                    refund_reference: row.refund_reference,
                    amount: row.amount,
                    at: row.at,
                    card: card.map(card_of_stored),
                });
            }
            Ok::<_, StoreError>((rows, through))
        })
        .await?;
    Ok((rows, through.ok_or(StepError::NoRows(sent))?))
}

/// Writes down what the scheme said, and renews the lease while there is more to do.
async fn heard(
    app: &App,
    scope: TenantScope,
    batch: SettlementBatch,
    event: Event,
    through: RowAt,
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
            (batch.attempts, batch.words, batch.sent_through) = (0, None, through);
            let was_called = batch.attention_at.is_some();
            if batch.state.is_on_its_way() {
                batch.lease_until = Some(now.plus(LEASE_MS));
                batch.holds_until = batch.holds_until.min(now);
            } else {
                end(tx, &scope, &mut batch, now)?;
            }
            batches::save(tx, &scope, &mut batch)?;
            if batch.attention_at.is_some() && !was_called {
                tell_called(tx, &scope, &batch, now)?;
            }
            Ok::<_, StoreError>(batch)
        })
        .await?;
    if !batch.state.is_on_its_way() {
        tracing::info!(settlement_batch = %id, state = batch.state.text(), "a batch has its end");
        app.news_of(scope.tenant());
    }
    Ok(batch)
}

/// A person gave the batch up, or another node took it over, while the scheme was asked: what it said is not lost.
async fn note_late(app: &App, scope: TenantScope, batch: SettlementBatch, event: &Event) -> Result<(), StoreError> {
    let (now, id) = (app.now(), batch.id);
    let about = serde_json::json!({ "channel_account": batch.account, "said": format!("{event:?}") });
    let entry = audit::NewEntry::new("core", "settlement_batch.answered_late", &id, &about, now);
    app.store().write(move |tx| audit::append(tx, &scope, &entry).map(drop)).await
}

fn end(tx: &mut Tx<'_>, scope: &TenantScope, batch: &mut SettlementBatch, now: Millis) -> Result<(), StoreError> {
    (batch.next_attempt_at, batch.lease_until, batch.ended_at) = (None, None, Some(now));
    batch.attention_at = match batch.state {
        State::Differs(_) => batch.attention_at.or(Some(now)),
        State::Settled | State::Closing | State::Uploading { .. } | State::Cancelled => None,
    };
    let about = serde_json::json!({ "channel_account": batch.account, "state": batch.state.text() });
    let entry = audit::NewEntry::new("core", "settlement_batch.ended", &batch.id, &about, now);
    audit::append(tx, scope, &entry).map(drop)
}

/// A person is called for the batch from this commit on.
fn tell_called(tx: &mut Tx<'_>, scope: &TenantScope, batch: &SettlementBatch, now: Millis) -> Result<(), StoreError> {
    let about = serde_json::json!({ "channel_account": batch.account, "state": batch.state.text() });
    let entry = audit::NewEntry::new("core", "settlement_batch.needs_attention", &batch.id, &about, now);
    audit::append(tx, scope, &entry)?;
    tell_settlement(tx, scope, batch, now)
}

/// It stands as it did; the next attempt is set, and in time a person is called. `was_unsent`: no attempt before sent anything.
async fn fail(
    app: &App,
    scope: TenantScope,
    batch: SettlementBatch,
    error: &StepError,
    was_unsent: bool,
) -> Result<(), StoreError> {
    tracing::warn!(settlement_batch = %batch.id, %error, "a batch is settled later");
    let (now, words, unsent) = (app.now(), error.to_string(), was_unsent && error.is_before_sending());
    let is_called = app
        .store()
        .write(move |tx| {
            let mut batch = batch.clone();
            let pause_ms = (PAUSE_MS_MIN << batch.attempts.min(16)).min(PAUSE_MS_MAX);
            (batch.attempts, batch.unsent) = (batch.attempts.saturating_add(1), unsent);
            batch.words = Some(words.chars().take(500).collect());
            (batch.lease_until, batch.next_attempt_at) = (None, Some(now.plus(pause_ms)));
            // Of a hold for one call nothing is left.
            batch.holds_until = batch.holds_until.min(now.max(batch.closed_at.plus(HOLD_MS)));
            let calls = batch.attention_at.is_none() && now.since(batch.closed_at) >= ATTENTION_AFTER_MS;
            if calls {
                batch.attention_at = Some(now);
            }
            batches::save(tx, &scope, &mut batch)?;
            if calls {
                tell_called(tx, &scope, &batch, now)?;
            }
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
pub fn resolve_in(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: SettlementBatchId,
    version: u64,
    reason: &str,
    by: &str,
    now: Millis,
) -> Result<SettlementBatch, SettlementError> {
    let mut batch = batches::load(tx, scope, id)?;
    if batch.attention_at.is_none() {
        return Err(SettlementError::NotWaiting(batch.state.text()));
    }
    if batch.version != version {
        return Err(StoreError::Stale { what: "the settlement batch" }.into());
    }
    if batch.state.is_on_its_way() {
        batch.state = State::Differs(Difference::Elsewhere("A person gave it up.".to_owned()));
        end(tx, scope, &mut batch, now)?;
    }
    batch.attention_at = None;
    batch.resolved = Some(Resolved { by: by.to_owned(), at: now, reason: reason.to_owned() });
    batches::save(tx, scope, &mut batch)?;
    let about = serde_json::json!({ "reason": reason });
    let entry = audit::NewEntry::new(by, "settlement_batch.resolved", &id, &about, now);
    audit::append(tx, scope, &entry)?;
    Ok(batch)
}

/// How long [`pursue`] may take between two writes.
pub const fn lease_from(now: Millis) -> Millis {
    now.plus(LEASE_MS)
}
