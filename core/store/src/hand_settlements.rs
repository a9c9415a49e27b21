//! How two persons say that a stuck payment or refund ended: one proposes, another confirms.

use diesel::prelude::*;
use saoma_protocol::{HandSettlementId, Millis, PaymentId, RefundId, TenantId};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt, millis, moment},
    schema::hand_settlements,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for a second person.
    Proposed,
    CarriedOut,
    /// The channel itself said how it ended, or something that this contradicts.
    Refused,
    /// The second person (or the first) did not want it.
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandSettlement {
    pub id: HandSettlementId,
    pub payment: PaymentId,
    /// `None`: the payment itself.
    pub refund: Option<RefundId>,
    pub paid: bool,
    /// The channel's own number of the movement, as the person found it there; may be empty for what was not paid.
    pub reference: String,
    pub reason: String,
    pub state: State,
    pub proposed_by: String,
    pub proposed_at: Millis,
    pub decided_by: Option<String>,
    pub decided_at: Option<Millis>,
    /// What came of it, in words.
    pub outcome: Option<String>,
}

/// # Errors
/// `Conflict` if another one about the same payment or refund waits, `NotFound` if the payment is not the tenant's.
pub fn propose(tx: &mut Tx<'_>, scope: &TenantScope, proposal: &HandSettlement) -> Result<(), StoreError> {
    let row = Row {
        tenant_id: Txt(scope.tenant()),
        id: Txt(proposal.id),
        payment_id: Txt(proposal.payment),
        refund_id: refund_text(proposal.refund),
        paid: proposal.paid,
        reference: proposal.reference.clone(),
        reason: proposal.reason.clone(),
        state: Txt(proposal.state),
        proposed_by: proposal.proposed_by.clone(),
        proposed_at: proposal.proposed_at.0,
        decided_by: proposal.decided_by.clone(),
        decided_at: moment(proposal.decided_at),
        outcome: proposal.outcome.clone(),
    };
    match tx.run(scope, |conn| diesel::insert_into(hand_settlements::table).values(&row).execute(conn)) {
        Err(StoreError::Conflict { .. }) => Err(StoreError::Conflict { what: "the settlement by hand" }),
        other => other.map(drop),
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, id: HandSettlementId) -> Result<HandSettlement, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| {
        hand_settlements::table
            .filter(hand_settlements::tenant_id.eq(Txt(scope.tenant())))
            .filter(hand_settlements::id.eq(Txt(id)))
            .select(Row::as_select())
            .first(conn)
            .optional()
    })?;
    row.ok_or(StoreError::NotFound { what: "the settlement by hand" })?.try_into()
}

/// Oldest first.
///
/// # Errors
/// None of its own.
pub fn of_payment(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Vec<HandSettlement>, StoreError> {
    let rows: Vec<Row> = tx.run(scope, |conn| {
        hand_settlements::table
            .filter(hand_settlements::tenant_id.eq(Txt(scope.tenant())))
            .filter(hand_settlements::payment_id.eq(Txt(payment)))
            .order((hand_settlements::proposed_at, hand_settlements::id))
            .select(Row::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(HandSettlement::try_from).collect()
}

/// Ends one that waits. Of two who decide at once the first one does.
///
/// # Errors
/// `NotFound`, `Stale` if it was decided before.
pub fn decide(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: HandSettlementId,
    state: State,
    by: &str,
    outcome: &str,
    at: Millis,
) -> Result<(), StoreError> {
    let open = hand_settlements::table
        .filter(hand_settlements::tenant_id.eq(Txt(scope.tenant())))
        .filter(hand_settlements::id.eq(Txt(id)))
        .filter(hand_settlements::state.eq(Txt(State::Proposed)));
    let changes = (
        hand_settlements::state.eq(Txt(state)),
        hand_settlements::decided_by.eq(by),
        hand_settlements::decided_at.eq(at.0),
        hand_settlements::outcome.eq(outcome),
    );
    if tx.run(scope, |conn| diesel::update(open).set(changes).execute(conn))? == 1 {
        return Ok(());
    }
    load(tx, scope, id)?;
    Err(StoreError::Stale { what: "the settlement by hand" })
}

/// What persons called paid never was: of the payment's sets those behind this one are in no batch that is settled.
///
/// # Errors
/// None of its own.
pub(crate) fn deny(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    behind_set: i64,
) -> Result<(), StoreError> {
    let denied = hand_settlements::table
        .filter(hand_settlements::tenant_id.eq(Txt(scope.tenant())))
        .filter(hand_settlements::payment_id.eq(Txt(payment)))
        .filter(hand_settlements::refund_id.eq(""))
        .filter(hand_settlements::paid.eq(true))
        .filter(hand_settlements::state.eq(Txt(State::CarriedOut)));
    let behind = hand_settlements::denied_behind.eq(Some(behind_set));
    tx.run(scope, |conn| diesel::update(denied).set(behind).execute(conn)).map(drop)
}

/// What was denied behind the last set of a batch, which is taken back: from the set on that the batch before it ended with.
///
/// # Errors
/// None of its own.
pub(crate) fn deny_from(tx: &mut Tx<'_>, scope: &TenantScope, was: i64, now: i64) -> Result<(), StoreError> {
    let behind = hand_settlements::table
        .filter(hand_settlements::tenant_id.eq(Txt(scope.tenant())))
        .filter(hand_settlements::denied_behind.eq(Some(was)));
    let moved = diesel::update(behind).set(hand_settlements::denied_behind.eq(Some(now)));
    tx.run(scope, |conn| moved.execute(conn)).map(drop)
}

impl State {
    /// The stable text of this state, as stored and sent.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::CarriedOut => "carried_out",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Proposed, Self::CarriedOut, Self::Refused, Self::Withdrawn]
            .into_iter()
            .find(|state| state.text() == text)
    }
}

crate::column::stored_as_text!(State);

/// As in the books: none is the empty text, since a unique key treats NULLs as different.
fn refund_text(refund: Option<RefundId>) -> String {
    refund.map(|refund| refund.to_string()).unwrap_or_default()
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = hand_settlements)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<HandSettlementId>,
    payment_id: Txt<PaymentId>,
    refund_id: String,
    paid: bool,
    reference: String,
    reason: String,
    state: Txt<State>,
    proposed_by: String,
    proposed_at: i64,
    decided_by: Option<String>,
    decided_at: Option<i64>,
    outcome: Option<String>,
}

impl TryFrom<Row> for HandSettlement {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let refund = Some(row.refund_id).filter(|refund| !refund.is_empty());
        Ok(Self {
            id: row.id.0,
            payment: row.payment_id.0,
            refund: refund.map(|refund| refund.parse().map_err(|_| corrupt("a refund's id"))).transpose()?,
            paid: row.paid,
            reference: row.reference,
            reason: row.reason,
            state: row.state.0,
            proposed_by: row.proposed_by,
            proposed_at: Millis(row.proposed_at),
            decided_by: row.decided_by,
            decided_at: millis(row.decided_at),
            outcome: row.outcome,
        })
    }
}
