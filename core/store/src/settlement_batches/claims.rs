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
    /// Of those, such as are uploaded, or asked about again.
    pub others: u32,
}

/// Most uploads of one tenant that workers have in hand at once. On PostgreSQL two claims at the same instant do not see each other,
/// so it may be passed by as many.
pub const UPLOADS_MAX: i64 = 4;

/// Gives out batches on their way that are due, each to one worker of one node, until `lease_until`. Those go first whose totals are on their
/// way, since an account is held for them, and of those the new ones; of uploads at most [`UPLOADS_MAX`] of one tenant. One that cannot be
/// read keeps no other waiting: it is passed over until the lease is over.
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
    let new = due_of(tx, platform, "closing", (0, 0), &[], now, room.all)?;
    let mut left = room.others.min(room.all.saturating_sub(count_of(&new)));
    let repeats = due_of(tx, platform, "closing", (1, i32::MAX), &[], now, left)?;
    left = left.saturating_sub(count_of(&repeats));
    let mut claimed = lease(tx, platform, new, lease_until)?;
    claimed.extend(lease(tx, platform, repeats, lease_until)?);
    let leased: Vec<(Txt<TenantId>, i64)> = tx.run(platform, |conn| {
        settlement_batches::table
            .filter(settlement_batches::lease_until.between(now.0 + 1, now.plus(WAITS_MS_MAX).0))
            .filter(settlement_batches::state.eq("uploading"))
            .group_by(settlement_batches::tenant_id)
            .select((settlement_batches::tenant_id, count_star()))
            .load(conn)
    })?;
    let mut in_hand: HashMap<TenantId, i64> = leased.into_iter().map(|(tenant, count)| (tenant.0, count)).collect();
    loop {
        let full: Vec<Txt<TenantId>> =
            in_hand.iter().filter(|(_, count)| **count >= UPLOADS_MAX).map(|(tenant, _)| Txt(*tenant)).collect();
        let mut uploads = due_of(tx, platform, "uploading", (0, i32::MAX), &full, now, left)?;
        let found = uploads.len();
        uploads.retain(|(tenant, _)| {
            let count = in_hand.entry(tenant.0).or_default();
            *count += 1;
            *count <= UPLOADS_MAX
        });
        let passed_over = found > uploads.len();
        left = left.saturating_sub(count_of(&uploads));
        claimed.extend(lease(tx, platform, uploads, lease_until)?);
        // Each round fills at least one tenant more, so this ends.
        if !passed_over || left == 0 {
            return Ok(claimed);
        }
    }
}

type Found = Vec<(Txt<TenantId>, Txt<SettlementBatchId>)>;

fn count_of(found: &Found) -> u32 {
    u32::try_from(found.len()).unwrap_or(u32::MAX)
}

/// Those in this state that are due, after so many attempts from the one through the other, but none of `full`.
fn due_of(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    state: &str,
    attempts: (i32, i32),
    full: &[Txt<TenantId>],
    now: Millis,
    limit: u32,
) -> Result<Found, StoreError> {
    claim!(
        tx,
        platform,
        settlement_batches::table
            .filter(settlement_batches::next_attempt_at.le(now.0))
            .filter(settlement_batches::state.eq(state))
            .filter(settlement_batches::attempts.between(attempts.0, attempts.1))
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
