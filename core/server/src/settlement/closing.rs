//! When a batch is closed, and what is held back for it.
//!
//! Payments that are under way hold up a close ([`saoma_domain::settlement::turn`]): new ones then wait for a while, and core closes as
//! soon as those under way have their end. From the close on nothing is sent through the account until the scheme has answered to the totals
//! or two minutes have passed: neither what is new, nor what core itself would give back or undo.

use saoma_channels::settlement::SettlementTerms;
use saoma_domain::settlement::{Drain, HOLD_MS, Turn, turn};
use saoma_protocol::{ChannelAccountId, Millis, SettlementBatchId};
use saoma_store::{
    StoreError, TenantScope, Tx, audit,
    channel_accounts::{self, ChannelAccount},
    ledger,
    settlement_batches::{self as batches, Closing, Open, SettlementBatch},
    tenants,
};

use super::{SettlementCloseView, SettlementError, terms};
use crate::{app::App, day::day_of, payments::PaymentError, webhooks::tell_waiting_close};

/// A close that somebody wants, to be carried out in a transaction.
#[derive(Clone, Debug)]
pub struct Prepared {
    id: SettlementBatchId,
    account: ChannelAccountId,
    by: String,
    at: Millis,
    rows_max: u32,
    /// Whether what is closed is settled at once.
    has_room: bool,
    /// Only if that is the sequence number of the batch before (0: there is none); else another node was first.
    after: Option<u64>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The batch; or the one on its way, or the one that another node closed.
    Closed(Box<SettlementBatch>),
    Held(Held),
    Nothing,
    /// It would wait for its turn, and payments for it.
    NoRoom,
}

/// Payments under way keep it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub under_way: u64,
    /// Until when new ones are held back for it, if they are.
    pub until: Option<Millis>,
}

/// # Errors
/// `Store` (`NotFound`), `NoSettlement`, `NoChance`.
pub async fn prepare(
    app: &App,
    scope: TenantScope,
    account: ChannelAccountId,
    by: &str,
    after: Option<u64>,
) -> Result<Prepared, SettlementError> {
    let stored = app.store().read(move |tx| channel_accounts::load(tx, &scope, account)).await?;
    let terms = terms(app, scope, &stored).ok_or_else(|| SettlementError::NoSettlement(stored.plugin.clone()))?;
    let id = SettlementBatchId::from_bytes(app.random_16()?);
    let (by, has_room) = (by.to_owned(), app.settlement_places().available_permits() > 0);
    Ok(Prepared { id, account, by, at: app.now(), rows_max: terms.rows_max, has_room, after })
}

impl Prepared {
    /// Closes what is open, or holds new payments and refunds back until it can be.
    ///
    /// # Errors
    /// `Store`.
    pub fn carry_out(&self, tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Turned, StoreError> {
        let &Self { id, account, at, rows_max, has_room, after, .. } = self;
        // What is about to be sold waits for this commit, and so does what is about to be booked.
        batches::take_turn(tx, scope, account)?;
        ledger::take_turn(tx, scope)?;
        batches::begin(tx, scope, account, at)?;
        if let Some(last) = batches::last(tx, scope, account)?
            && (last.state.is_on_its_way() || after.is_some_and(|after| last.sequence != after))
        {
            return Ok(Turned::Closed(Box::new(last)));
        }
        let open = batches::open(tx, scope, account, rows_max, at)?;
        if open.rows == 0 {
            batches::end_drain(tx, scope, account)?;
            return Ok(Turned::Nothing);
        }
        if !has_room {
            return Ok(Turned::NoRoom);
        }
        let settling = batches::settling(tx, scope, account)?;
        let drain = settling.as_ref().and_then(|settling| settling.drain);
        let under_way = batches::under_way(tx, scope, account, at)?;
        let held = |until: Option<Millis>| Turned::Held(Held { under_way: under_way.sent, until });
        match turn(drain, under_way, open.rows >= rows_max, at) {
            Turn::Close => {
                let closing = Closing { id, account, by: self.by.clone(), at, holds_until: at.plus(HOLD_MS) };
                let batch = batches::close(tx, scope, closing, &open)?;
                batches::end_drain(tx, scope, account)?;
                let about = serde_json::json!({ "channel_account": account, "rows": batch.rows });
                self.audit(tx, scope, "settlement_batch.closed", &id.to_string(), &about)?;
                Ok(Turned::Closed(Box::new(batch)))
            }
            Turn::Hold(drain) => {
                batches::hold(tx, scope, account, drain, &self.by)?;
                let about = serde_json::json!({ "under_way": under_way.sent, "holds": drain.holds });
                self.audit(tx, scope, "settlement_batch.held_back", &account.to_string(), &about)?;
                Ok(held(Some(drain.held_at.plus(HOLD_MS))))
            }
            Turn::Wait(drain) => {
                if settling.is_none_or(|settling| settling.attention_at.is_none()) && drain.needs_person(at) {
                    self.call_person(tx, scope, drain, under_way.sent)?;
                }
                Ok(held(drain.holds_at(at).then(|| drain.held_at.plus(HOLD_MS))))
            }
        }
    }

    fn call_person(
        &self,
        tx: &mut Tx<'_>,
        scope: &TenantScope,
        drain: Drain,
        under_way: u64,
    ) -> Result<(), StoreError> {
        batches::call_person(tx, scope, self.account, self.at)?;
        let about = serde_json::json!({ "wanted_at": drain.wanted_at });
        self.audit(tx, scope, "settlement_batch.needs_attention", &self.account.to_string(), &about)?;
        let close = SettlementCloseView { channel_account: self.account, wanted_at: drain.wanted_at, under_way };
        tell_waiting_close(tx, scope, close, self.at)
    }

    fn audit(
        &self,
        tx: &mut Tx<'_>,
        scope: &TenantScope,
        action: &str,
        target: &str,
        about: &serde_json::Value,
    ) -> Result<(), StoreError> {
        let entry = audit::NewEntry::new(&self.by, action, &target, about, self.at);
        audit::append(tx, scope, &entry).map(drop)
    }
}

/// Tells those who wait for it, after the commit.
///
/// # Errors
/// `UnderWay`, `Nothing`.
pub fn report(app: &App, scope: TenantScope, turned: Turned) -> Result<SettlementBatch, SettlementError> {
    match turned {
        Turned::Closed(batch) => {
            app.news_of(scope.tenant());
            app.wake_settlement();
            Ok(*batch)
        }
        Turned::Held(Held { under_way, until }) => {
            app.news_of(scope.tenant());
            Err(SettlementError::UnderWay { count: under_way, held_until: until })
        }
        Turned::NoRoom => Err(SettlementError::NoRoom),
        Turned::Nothing => Err(SettlementError::Nothing),
    }
}

/// Closes what is open of an account, and answers with the batch; the scheme hears of it right afterwards. If the account has one on its
/// way, that is the answer. `after`: only if that is the sequence number of the batch before (0: there is none); else another node was
/// first, and its batch is the answer.
///
/// # Errors
/// With nothing closed: `Store` (`NotFound`), `NoSettlement`, `UnderWay`, `Nothing`, `NoRoom`.
pub async fn close(
    app: &App,
    scope: TenantScope,
    account: ChannelAccountId,
    by: &str,
    after: Option<u64>,
) -> Result<SettlementBatch, SettlementError> {
    let prepared = prepare(app, scope, account, by, after).await?;
    let turned = app.store().write(move |tx| prepared.carry_out(tx, &scope)).await?;
    report(app, scope, turned)
}

/// What is open is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
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

/// Whether what is open of the account is to be closed by core itself: it is of an earlier day of the merchant's, and no person has put that
/// off today; or a batch has hardly room for more.
///
/// # Errors
/// Of the store.
pub async fn is_due(app: &App, scope: TenantScope, account: &ChannelAccount) -> Result<Option<Due>, StoreError> {
    let Some(terms) = terms(app, scope, account) else { return Ok(None) };
    let (id, now) = (account.id, app.now());
    let nearly_full = (terms.rows_max / 5 * 4).saturating_add(1);
    let looked = app.store().read(move |tx| {
        let last = batches::last(tx, &scope, id)?;
        let open = batches::glance(tx, &scope, id, nearly_full, now)?;
        Ok::<_, StoreError>((tenants::load(tx, &scope)?.time_zone, last, open, batches::settling(tx, &scope, id)?))
    });
    let (zone, last, open, settling) = looked.await?;
    if settling.is_none() {
        app.store().write(move |tx| batches::begin(tx, &scope, id, now)).await?;
    }
    let Some(open) = open else { return Ok(None) };
    if last.as_ref().is_some_and(|last| last.state.is_on_its_way()) {
        return Ok(None);
    }
    let (Some(today), Some(before)) = (day_of(now, &zone), day_of(open.since, &zone)) else { return Ok(None) };
    let put_off_at = settling.and_then(|settling| settling.put_off_at);
    let is_put_off = put_off_at.is_some_and(|at| day_of(at, &zone) == Some(today));
    let is_due = (before < today && !is_put_off) || open.rows >= nearly_full;
    Ok(is_due.then(|| Due { after: last.map_or(0, |last| last.sequence) }))
}

/// Nothing new is sent through an account that is held back for its batch. In the transaction that writes down what is about to be sent.
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

/// The same of the first thing that is sent through an account that settles: what comes of it is in a batch, however late one is closed.
///
/// # Errors
/// As there.
pub fn begin_unheld(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    now: Millis,
) -> Result<(), PaymentError> {
    check_not_held(tx, scope, account, now)?;
    Ok(batches::begin(tx, scope, account, now)?)
}

/// Whether what is about to go out through an account is in its books, as under way: a batch is then not closed before it has its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Yes,
    /// A person is called for it, it is over here, or it was never sent. It may last so long, in milliseconds.
    No {
        call_ms: i64,
    },
}

/// What core would undo or give back waits too while the totals of the account's batch are on their way. What is not counted as under way
/// waits for a close as well, or no close would ever come as long as the scheme keeps silent about it; and no batch is closed while it is out.
///
/// # Errors
/// `BatchClosing`, `Store`.
pub async fn check_may_send(
    app: &App,
    scope: TenantScope,
    account: ChannelAccountId,
    counted: Counted,
) -> Result<(), PaymentError> {
    let now = app.now();
    let looked = app.store().read(move |tx| {
        let settles = batches::settling(tx, &scope, account)?.is_some();
        Ok::<_, StoreError>((settles, batches::is_closing(tx, &scope, account, now)?))
    });
    match (looked.await?, counted) {
        ((_, true), _) => Err(PaymentError::BatchClosing),
        ((false, false), _) | ((true, false), Counted::Yes) => Ok(()),
        ((true, false), Counted::No { call_ms }) => {
            let goes_out = move |tx: &mut Tx<'_>| {
                check_not_held(tx, &scope, account, now)?;
                Ok::<_, PaymentError>(batches::goes_out(tx, &scope, account, now.plus(call_ms), now)?)
            };
            app.store().write(goes_out).await
        }
    }
}
