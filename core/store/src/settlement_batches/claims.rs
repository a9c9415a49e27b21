//! Which batches on their way are worked on next, and by whom.

use std::collections::HashMap;

use diesel::{dsl::count_star, prelude::*};
use saoma_protocol::{Millis, SettlementBatchId, TenantId};

use super::{SettlementBatch, load, row_of};
use crate::{
    PlatformScope, StoreError, TenantScope, Tx, access, column::Txt, dialect::claim, schema::settlement_batches,
};

/// What a clock wrote that ran ahead is not waited for: the longest pause and the longest lease of a batch, and a minute by which clocks of two
/// nodes may be apart.
const WAITS_MS_MAX: i64 = 360_000;

/// A batch on its way that is due, of any tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub scope: TenantScope,
    pub batch: SettlementBatch,
}

/// How many batches are taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub all: u32,
    /// Of those, such as are asked about again.
    pub repeats: u32,
    /// And such as are uploaded.
    pub uploads: u32,
}

/// Most repeats of one tenant that workers have in hand at once, and most uploads. On PostgreSQL two claims at the same instant do not see
/// each other, so it may be passed by as many.
pub const OF_TENANT_MAX: i64 = 4;

/// What is due, in the order in which it is given out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Its totals were never sent, and its account is held for it.
    New,
    /// They are asked about again while the account is still held.
    Held,
    /// They are asked about again.
    Repeat,
    Upload,
}

/// Gives out batches on their way that are due, each to one worker of one node, until `lease_until`. Those go first whose totals are on their
/// way and whose account is held for them, and of those the new ones; of repeats and of uploads at most [`OF_TENANT_MAX`] each of one tenant.
/// One that cannot be read keeps no other waiting: it is passed over until the lease is over.
///
/// # Errors
/// None of its own.
pub fn claim_due(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    now: Millis,
    lease_until: Millis,
    room: Room,
) -> Result<Vec<Due>, StoreError> {
    let never = settlement_batches::table.filter(settlement_batches::next_attempt_at.gt(now.plus(WAITS_MS_MAX).0));
    tx.run(platform, |conn| diesel::update(never).set(settlement_batches::next_attempt_at.eq(now.0)).execute(conn))?;
    let new = due_of(tx, platform, Kind::New, &[], now, room.all)?;
    let left = room.all.saturating_sub(count_of(&new));
    let mut claimed = lease(tx, platform, new, lease_until)?;
    let repeats = room.repeats.min(left);
    let held = claim_shared(tx, platform, Kind::Held, now, lease_until, repeats)?;
    let rest = repeats.saturating_sub(count_of(&held));
    claimed.extend(held);
    claimed.extend(claim_shared(tx, platform, Kind::Repeat, now, lease_until, rest)?);
    let left = room.all.saturating_sub(count_of(&claimed));
    claimed.extend(claim_shared(tx, platform, Kind::Upload, now, lease_until, room.uploads.min(left))?);
    Ok(claimed)
}

/// Those of a kind of which one tenant has only so many in hand.
fn claim_shared(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    kind: Kind,
    now: Millis,
    lease_until: Millis,
    mut left: u32,
) -> Result<Vec<Due>, StoreError> {
    let leased: Vec<(Txt<TenantId>, i64)> = tx.run(platform, |conn| {
        settlement_batches::table
            .filter(settlement_batches::lease_until.between(now.0 + 1, now.plus(WAITS_MS_MAX).0))
            .filter(settlement_batches::state.eq(kind.state()))
            .filter(settlement_batches::attempts.ge(kind.attempts().0))
            .group_by(settlement_batches::tenant_id)
            .select((settlement_batches::tenant_id, count_star()))
            .load(conn)
    })?;
    let mut in_hand: HashMap<TenantId, i64> = leased.into_iter().map(|(tenant, count)| (tenant.0, count)).collect();
    let mut claimed = Vec::new();
    loop {
        let full: Vec<Txt<TenantId>> =
            in_hand.iter().filter(|(_, count)| **count >= OF_TENANT_MAX).map(|(tenant, _)| Txt(*tenant)).collect();
        let mut due = due_of(tx, platform, kind, &full, now, left)?;
        let found = due.len();
        due.retain(|(tenant, _)| {
            let count = in_hand.entry(tenant.0).or_default();
            *count += 1;
            *count <= OF_TENANT_MAX
        });
        let passed_over = found > due.len();
        left = left.saturating_sub(count_of(&due));
        claimed.extend(lease(tx, platform, due, lease_until)?);
        // Each round fills at least one tenant more, so this ends.
        if !passed_over || left == 0 {
            return Ok(claimed);
        }
    }
}

impl Kind {
    const fn state(self) -> &'static str {
        match self {
            Self::New | Self::Held | Self::Repeat => "closing",
            Self::Upload => "uploading",
        }
    }

    /// From the one through the other.
    const fn attempts(self) -> (i32, i32) {
        match self {
            Self::New => (0, 0),
            Self::Held | Self::Repeat => (1, i32::MAX),
            Self::Upload => (0, i32::MAX),
        }
    }

    /// When the account's hold ends, from the one through the other.
    const fn holds_until(self, now: Millis) -> (i64, i64) {
        match self {
            Self::New | Self::Upload => (i64::MIN, i64::MAX),
            Self::Held => (now.0 + 1, i64::MAX),
            Self::Repeat => (i64::MIN, now.0),
        }
    }
}

type Found = Vec<(Txt<TenantId>, Txt<SettlementBatchId>)>;

fn count_of<T>(found: &[T]) -> u32 {
    u32::try_from(found.len()).unwrap_or(u32::MAX)
}

/// Those of the kind that are due, but none of `full`.
fn due_of(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    kind: Kind,
    full: &[Txt<TenantId>],
    now: Millis,
    limit: u32,
) -> Result<Found, StoreError> {
    let (attempts, holds_until) = (kind.attempts(), kind.holds_until(now));
    claim!(
        tx,
        platform,
        settlement_batches::table
            .filter(settlement_batches::next_attempt_at.le(now.0))
            .filter(settlement_batches::state.eq(kind.state()))
            .filter(settlement_batches::attempts.between(attempts.0, attempts.1))
            .filter(settlement_batches::holds_until.between(holds_until.0, holds_until.1))
            .filter(
                settlement_batches::lease_until
                    .is_null()
                    .or(settlement_batches::lease_until.not_between(now.0 + 1, now.plus(WAITS_MS_MAX).0))
            )
            .filter(settlement_batches::tenant_id.ne_all(full.to_vec()))
            .order(settlement_batches::next_attempt_at)
            .limit(i64::from(limit))
            .select((settlement_batches::tenant_id, settlement_batches::id))
    )
}

fn lease(tx: &mut Tx<'_>, platform: &PlatformScope, found: Found, lease_until: Millis) -> Result<Vec<Due>, StoreError> {
    let mut claimed = Vec::with_capacity(found.len());
    for (tenant, id) in found {
        let scope = access::of_row(tenant.0);
        let lease = (
            settlement_batches::lease_until.eq(lease_until.0),
            settlement_batches::version.eq(settlement_batches::version + 1),
        );
        tx.run(platform, |conn| diesel::update(row_of(&scope, id.0)).set(lease).execute(conn))?;
        match load(tx, &scope, id.0) {
            Ok(batch) => claimed.push(Due { scope, batch }),
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(settlement_batch = %id.0, %error, "a batch cannot be settled");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(claimed)
}
