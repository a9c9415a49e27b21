//! Settles batches at schemes: those on their way are taken up again, and what is open is closed once the merchant's day is over.
//! What is due follows from what was done, so nothing is scheduled; of several nodes one has a batch's lease.

use std::{collections::HashMap, sync::Arc, time::Duration};

use saoma_domain::settlement::State;
use saoma_protocol::{ChannelAccountId, TenantId};
use saoma_store::{
    StoreError, TenantScope, access, channel_accounts,
    settlement_batches::{self as batches, Room, claim_due},
    tenants,
};
use tokio::{
    sync::watch,
    task::{Id, JoinSet},
    time::Instant,
};
use tracing::Instrument as _;

use super::rested;
use crate::{
    app::App,
    settlement::{self, IN_HAND_MAX, SettlementError, lease_from},
};

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often it is looked what is to be closed.
const CLOSE_EVERY: Duration = Duration::from_secs(60);
/// Of those in hand, such as are asked about again at most, and such as are uploaded: neither an acquirer that is away nor a long upload keeps
/// a new batch, which an account is held for, from its place, nor the one the other.
const REPEATS_MAX: usize = 6;
const UPLOADS_MAX: usize = 6;
/// New batches of one merchant whose totals are on their way from here at once; others' find a place too.
const OF_TENANT_MAX: usize = 4;
const TENANTS: u32 = 100;
/// Accounts that are held for a close, looked at in one turn. Each is held for two minutes.
const HELD_MAX: u32 = 256;

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    let mut hands = Hands::default();
    let mut close_at = Instant::now();
    while rested(Some(app.settlement_bell()), LOOK_EVERY, &mut stopping).await {
        hands.let_go();
        if let Err(error) = close_held(&app, &mut hands).await {
            tracing::warn!(%error, "closing batches waits");
        }
        if Instant::now() >= close_at {
            close_at = Instant::now() + CLOSE_EVERY;
            match close_due(&app, &mut hands).await {
                Ok(true) => {}
                // There was no room for all: the others are looked for as soon as there is.
                Ok(false) => close_at = Instant::now(),
                Err(error) => tracing::warn!(%error, "closing batches waits"),
            }
        }
        if let Err(error) = take_up(&app, &mut hands).await {
            tracing::warn!(%error, "settling batches waits");
        }
    }
    hands.finish().await;
}

/// The batches that this node has in hand, and whose.
#[derive(Default)]
pub struct Hands {
    work: JoinSet<()>,
    of: HashMap<Id, InHand>,
}

struct InHand {
    tenant: TenantId,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    First,
    Repeat,
    Upload,
}

impl Hands {
    fn let_go(&mut self) {
        while let Some(done) = self.work.try_join_next_with_id() {
            let id = done.map_or_else(|error| error.id(), |(id, ())| id);
            self.of.remove(&id);
        }
    }

    fn room(&mut self) -> Room {
        self.let_go();
        let taken = |kind| self.of.values().filter(|of| of.kind == kind).count();
        let places = |max: usize, taken| u32::try_from(max.saturating_sub(taken)).unwrap_or(0);
        Room {
            all: places(IN_HAND_MAX, self.work.len()),
            repeats: places(REPEATS_MAX, taken(Kind::Repeat)),
            uploads: places(UPLOADS_MAX, taken(Kind::Upload)),
        }
    }

    fn has_room_for(&mut self, tenant: TenantId) -> bool {
        self.let_go();
        self.of.values().filter(|of| of.tenant == tenant && of.kind == Kind::First).count() < OF_TENANT_MAX
    }

    fn take(&mut self, app: &App, due: batches::Due) {
        let (app, tenant) = (app.clone(), due.scope.tenant());
        let kind = match &due.batch.state {
            State::Closing if due.batch.attempts == 0 => Kind::First,
            State::Closing => Kind::Repeat,
            State::Uploading { .. } | State::Settled | State::Differs(_) | State::Cancelled => Kind::Upload,
        };
        let span = tracing::info_span!("settle", settlement_batch = %due.batch.id, %tenant);
        let place = Arc::clone(app.settlement_places()).try_acquire_owned().ok();
        let one = async move {
            let _place = place;
            if let Err(error) = settlement::pursue(&app, due.scope, due.batch).await {
                tracing::warn!(%error, "a batch is taken up again later");
            }
        };
        let task = self.work.spawn(one.instrument(span));
        self.of.insert(task.id(), InHand { tenant, kind });
    }

    /// Waits for all of them.
    pub async fn finish(&mut self) {
        while self.work.join_next().await.is_some() {}
        self.of.clear();
    }
}

/// Begins the work that is due now, as far as there is room.
///
/// # Errors
/// Of the store.
pub async fn take_up(app: &App, hands: &mut Hands) -> Result<(), StoreError> {
    let (now, room) = (app.now(), hands.room());
    if room.all == 0 {
        return Ok(());
    }
    let due = app.store().write(move |tx| claim_due(tx, &access::process(), now, lease_from(now), room)).await?;
    due.into_iter().for_each(|due| hands.take(app, due));
    Ok(())
}

/// Closes what is held back for it, as soon as nothing is under way any more and there is room to settle it at once.
///
/// # Errors
/// Of the store.
pub async fn close_held(app: &App, hands: &mut Hands) -> Result<(), StoreError> {
    let now = app.now();
    let held = app.store().read(move |tx| batches::held(tx, &access::process(), now, HELD_MAX)).await?;
    for (scope, account) in held {
        if hands.room().all == 0 || !hands.has_room_for(scope.tenant()) || app.is_stopping() {
            continue;
        }
        // Another node may have closed it since, and what was sold after that is of a batch that nobody wants yet.
        let (settling, last) = app
            .store()
            .read(move |tx| {
                Ok::<_, StoreError>((batches::settling(tx, &scope, account)?, batches::last(tx, &scope, account)?))
            })
            .await?;
        let Some(settling) = settling.filter(|settling| settling.drain.is_some()) else { continue };
        let by = settling.wanted_by.unwrap_or_else(|| "core".to_owned());
        match settlement::close(app, scope, account, &by, Some(last.map_or(0, |last| last.sequence))).await {
            Ok(_) => take_up(app, hands).await?,
            Err(error) => leave(account, &error),
        }
    }
    Ok(())
}

/// Closes what is due, of all merchants, and begins to settle each at once: payments wait from the close on, so nothing is closed that
/// would wait for its turn. `false` if there was no room for more, or the process stops. A merchant of many accounts has only so many of them
/// closed in one look, and the others in the next.
///
/// # Errors
/// Of the store; what was closed until then is.
pub async fn close_due(app: &App, hands: &mut Hands) -> Result<bool, StoreError> {
    let mut after: Option<TenantId> = None;
    loop {
        let page = app.store().read(move |tx| tenants::list(tx, &access::process(), after, TENANTS)).await?;
        let Some(last) = page.last() else { return Ok(true) };
        after = Some(last.id);
        for tenant in page {
            // One merchant whose accounts cannot be read keeps nobody else waiting.
            match close_of(app, tenant.id, hands).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => tracing::warn!(tenant = %tenant.id, %error, "a merchant's batches are closed later"),
            }
        }
    }
}

async fn close_of(app: &App, tenant: TenantId, hands: &mut Hands) -> Result<bool, SettlementError> {
    let (scope, accounts): (TenantScope, _) = app
        .store()
        .read(move |tx| {
            let scope = access::enter_tenant(tx, &access::process(), tenant)?;
            Ok::<_, StoreError>((scope, channel_accounts::list(tx, &scope)?))
        })
        .await?;
    for account in accounts {
        let Some(due) = settlement::is_due(app, scope, &account).await? else { continue };
        if hands.room().all == 0 || app.is_stopping() {
            return Ok(false);
        }
        if !hands.has_room_for(tenant) {
            return Ok(true);
        }
        match settlement::close(app, scope, account.id, "core", Some(due.after)).await {
            Ok(_) => take_up(app, hands).await?,
            Err(error) => leave(account.id, &error),
        }
    }
    Ok(true)
}

fn leave(account: ChannelAccountId, error: &SettlementError) {
    match error {
        SettlementError::UnderWay { .. } | SettlementError::Nothing | SettlementError::NoRoom => {}
        error => tracing::warn!(channel_account = %account, %error, "a batch is closed later"),
    }
}
