//! What must be sent because of what was committed: written in the same transaction, sent at least once after it.

use saoma_protocol::{Millis, Sequence, TerminalId};

use crate::{PlatformScope, StoreError, TenantScope, Tx};

/// The road a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// To one terminal over MQTT, until the terminal acknowledges it.
    Push,
    /// To a merchant's URL.
    Webhook,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    pub kind: Kind,
    /// For pushes.
    pub terminal: Option<TerminalId>,
    /// JSON text; for pushes a [`saoma_protocol::message::PushBody`].
    pub payload: String,
    pub created_at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Grows, with gaps; the push's id.
    pub id: Sequence,
    pub message: NewMessage,
    /// How often it was sent.
    pub attempts: u32,
    pub next_at: Millis,
    pub acked_at: Option<Millis>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub scope: TenantScope,
    pub message: Message,
}

/// Due at once (at its `created_at`).
///
/// # Errors
/// None of its own.
pub fn append(tx: &mut Tx<'_>, scope: &TenantScope, message: &NewMessage) -> Result<Sequence, StoreError> {
    todo!()
}

/// Takes messages that are due, in order of their ids: nobody else gets them until `lease_until`, which is also when they
/// are due again. Counts an attempt.
///
/// # Errors
/// None of its own.
pub fn claim_due(
    tx: &mut Tx<'_>,
    _: &PlatformScope,
    kind: Kind,
    now: Millis,
    lease_until: Millis,
    limit: u32,
) -> Result<Vec<Due>, StoreError> {
    todo!()
}

/// When to send it again unless it is acknowledged before.
///
/// # Errors
/// None of its own: a message that was acknowledged or pruned meanwhile is left alone.
pub fn resend_at(tx: &mut Tx<'_>, scope: &TenantScope, id: Sequence, next_at: Millis) -> Result<(), StoreError> {
    todo!()
}

/// The terminal has these; ids of other terminals are ignored. The answer is how many were new.
///
/// # Errors
/// None of its own.
pub fn ack(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    ids: &[Sequence],
    at: Millis,
) -> Result<u64, StoreError> {
    todo!()
}

/// A webhook was accepted, or is given up: it is not sent again.
///
/// # Errors
/// None of its own.
pub fn settle(tx: &mut Tx<'_>, scope: &TenantScope, id: Sequence, at: Millis) -> Result<(), StoreError> {
    todo!()
}

/// A terminal's unacknowledged pushes after `after`, oldest first.
///
/// # Errors
/// None of its own.
pub fn pending(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    after: Sequence,
    limit: u32,
) -> Result<Vec<Message>, StoreError> {
    todo!()
}

/// Makes a terminal's unacknowledged pushes due at `now`: it has just connected.
///
/// # Errors
/// None of its own.
pub fn hurry(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId, now: Millis) -> Result<u64, StoreError> {
    todo!()
}

/// When the next message of this kind is due.
///
/// # Errors
/// None of its own.
pub fn next_due_at(tx: &mut Tx<'_>, _: &PlatformScope, kind: Kind) -> Result<Option<Millis>, StoreError> {
    todo!()
}

/// Deletes what was acknowledged before `before`.
///
/// # Errors
/// None of its own.
pub fn prune(tx: &mut Tx<'_>, _: &PlatformScope, before: Millis) -> Result<u64, StoreError> {
    todo!()
}
