//! What is kept of the cards that paid: numbers as terminals encrypted them, for as long as a payment may be given back.

use diesel::prelude::*;
use saoma_protocol::{Millis, PaymentId, TenantId, api::CardEntry};

use crate::{
    PlatformScope, StoreError, TenantScope, Tx,
    column::{Txt, corrupt},
    dialect::insert_or_ignore,
    schema::payment_cards,
};

/// Bytes of a DUKPT serial number (ANSI X9.24-1).
pub const KSN_LEN: usize = 10;

/// A card without what nobody may keep of it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptCard {
    pub entry: CardEntry,
    /// 0 to 99.
    pub sequence_number: Option<u8>,
    pub ksn: [u8; KSN_LEN],
    /// Number and expiry, encrypted under the key of that serial number.
    pub number: Vec<u8>,
}

impl std::fmt::Debug for KeptCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a card, {:?}", self.entry)
    }
}

/// # Errors
/// `Conflict` if the payment has one, or another payment has this reading of a card (its serial number).
pub fn keep(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    card: &KeptCard,
    now: Millis,
) -> Result<(), StoreError> {
    insert(tx, scope, payment, card, false, now)
}

/// The same of a reading that paid before: it proves nothing, and a person looks at it.
///
/// # Errors
/// `Conflict` if the payment has one.
pub fn keep_read_before(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    card: &KeptCard,
    now: Millis,
) -> Result<(), StoreError> {
    insert(tx, scope, payment, card, true, now)
}

fn insert(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    card: &KeptCard,
    read_before: bool,
    now: Millis,
) -> Result<(), StoreError> {
    let row = CardRow {
        tenant_id: Txt(scope.tenant()),
        payment_id: Txt(payment),
        entry: card.entry.text().to_owned(),
        sequence_number: card.sequence_number.map(i32::from),
        ksn: card.ksn.to_vec(),
        number: card.number.clone(),
        created_at: now.0,
        read_before,
    };
    match insert_or_ignore!(tx, scope, payment_cards::table, &row)? {
        0 => Err(StoreError::Conflict { what: "this reading of the card" }),
        _ => Ok(()),
    }
}

/// Whether this reading of a card has paid.
///
/// # Errors
/// None of its own.
pub fn has_paid(tx: &mut Tx<'_>, scope: &TenantScope, ksn: &[u8; KSN_LEN]) -> Result<bool, StoreError> {
    let readings = payment_cards::table
        .filter(payment_cards::tenant_id.eq(Txt(scope.tenant())))
        .filter(payment_cards::ksn.eq(ksn.as_slice()))
        .count();
    Ok(tx.run(scope, |conn| readings.get_result::<i64>(conn))? > 0)
}

/// The card of a payment; `None` if it was none, or its time is over.
///
/// # Errors
/// None of its own.
pub fn of_payment(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Option<KeptCard>, StoreError> {
    let row: Option<CardRow> = tx.run(scope, |conn| {
        payment_cards::table
            .find((Txt(scope.tenant()), Txt(payment)))
            .select(CardRow::as_select())
            .first(conn)
            .optional()
    })?;
    row.map(KeptCard::try_from).transpose()
}

/// Deletes what was kept before `before`.
///
/// # Errors
/// None of its own.
pub fn prune(tx: &mut Tx<'_>, platform: &PlatformScope, before: Millis) -> Result<u64, StoreError> {
    let old = payment_cards::table.filter(payment_cards::created_at.lt(before.0));
    tx.run(platform, |conn| diesel::delete(old).execute(conn)).map(|n| n as u64)
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = payment_cards)]
struct CardRow {
    tenant_id: Txt<TenantId>,
    payment_id: Txt<PaymentId>,
    entry: String,
    sequence_number: Option<i32>,
    ksn: Vec<u8>,
    number: Vec<u8>,
    created_at: i64,
    read_before: bool,
}

impl TryFrom<CardRow> for KeptCard {
    type Error = StoreError;

    fn try_from(row: CardRow) -> Result<Self, StoreError> {
        let entry = CardEntry::ALL.into_iter().find(|entry| entry.text() == row.entry);
        Ok(Self {
            entry: entry.ok_or_else(|| corrupt(format!("a card that was {:?}", row.entry)))?,
            sequence_number: row
                .sequence_number
                .map(|number| u8::try_from(number).map_err(|_| corrupt("a card's sequence number")))
                .transpose()?,
            ksn: row.ksn.try_into().map_err(|_| corrupt("a serial number that has not 10 bytes"))?,
            number: row.number,
        })
    }
}
