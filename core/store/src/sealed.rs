//! Everything that is sealed under a tenant's data keys, wherever it lies: what a rotation of that key seals again.
//!
//! A sealed value begins with the number of its data key (four bytes, the highest first), so that the values under an older
//! key are those that are less than the newer number. Another column of such values gets its place here. [`keys.rs` of the
//! tests knows every column of bytes.]

use std::fmt;

use diesel::prelude::*;
use saoma_protocol::{CashierId, ChannelAccountId, TenantId, WebhookEndpointId, code::offline::KeyId};

use crate::{
    Opaque, StoreError, TenantScope, Tx,
    column::Txt,
    schema::{cashiers, channel_accounts, webhook_endpoints},
    stored_value::offline::schema::offline_issuers,
};

/// Where a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    ChannelSecrets(ChannelAccountId),
    WorkingKeys(ChannelAccountId),
    WebhookSecret(WebhookEndpointId),
    WebhookPreviousSecret(WebhookEndpointId),
    CashierPin(CashierId),
    OfflineIssuer(KeyId),
}

/// The id of what the value belongs to, which it was sealed for.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChannelSecrets(account) => account.fmt(f),
            // Else the account's secrets could be put in the place of its keys.
            Self::WorkingKeys(account) => write!(f, "{account}/working-keys"),
            Self::OfflineIssuer(key) => write!(f, "offline-issuer/{key}"),
            Self::WebhookSecret(endpoint) | Self::WebhookPreviousSecret(endpoint) => endpoint.fmt(f),
            Self::CashierPin(cashier) => cashier.fmt(f),
        }
    }
}

/// A value as it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub place: Place,
    pub value: Opaque<Vec<u8>>,
}

/// Every column, with the words that the queries below are made of: table, column, place.
macro_rules! each_column {
    ($with:ident) => {
        $with!(channel_accounts, secrets, Place::ChannelSecrets);
        $with!(channel_accounts, working_keys, Place::WorkingKeys);
        $with!(webhook_endpoints, secret, Place::WebhookSecret);
        $with!(webhook_endpoints, previous_secret, Place::WebhookPreviousSecret);
        $with!(cashiers, pin, Place::CashierPin);
        $with!(offline_issuers, secret, Place::OfflineIssuer);
    };
}

/// Some values that are sealed under data keys below this number.
///
/// # Errors
/// None of its own.
pub fn below(tx: &mut Tx<'_>, scope: &TenantScope, number: u32, limit: u32) -> Result<Vec<Sealed>, StoreError> {
    let mut found = Vec::new();
    let before = number.to_be_bytes();
    macro_rules! look {
        ($table:ident, $column:ident, $place:expr) => {
            let rows: Vec<(Txt<_>, Option<Vec<u8>>)> = tx.run(scope, |conn| {
                $table::table
                    .filter($table::tenant_id.eq(Txt(scope.tenant())))
                    .filter($table::$column.lt(before.as_slice()))
                    .order($table::id)
                    .limit(limit.into())
                    .select(($table::id, $table::$column.nullable()))
                    .load(conn)
            })?;
            let sealed =
                |(id, value): (Txt<_>, Option<Vec<u8>>)| Some(Sealed { place: $place(id.0), value: Opaque(value?) });
            found.extend(rows.into_iter().filter_map(sealed));
        };
    }
    each_column!(look);
    Ok(found)
}

/// How many values are sealed under this data key.
///
/// # Errors
/// None of its own.
pub fn count_under(tx: &mut Tx<'_>, scope: &TenantScope, number: u32) -> Result<i64, StoreError> {
    let (from, to) = (number.to_be_bytes(), number.saturating_add(1).to_be_bytes());
    let mut count = 0;
    macro_rules! look {
        ($table:ident, $column:ident, $place:expr) => {
            let rows = $table::table
                .filter($table::tenant_id.eq(Txt(scope.tenant())))
                .filter($table::$column.ge(from.as_slice()))
                .filter($table::$column.lt(to.as_slice()))
                .count();
            count += tx.run(scope, |conn| rows.get_result::<i64>(conn))?;
        };
    }
    each_column!(look);
    Ok(count)
}

/// Puts `value` in its place, if what lies there is still what was read: `false` if somebody saved another meanwhile. Neither
/// its version nor its age changes, since it says the same as before.
///
/// # Errors
/// None of its own.
pub fn replace(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    read: &Sealed,
    value: &Opaque<Vec<u8>>,
) -> Result<bool, StoreError> {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let (old, new) = (read.value.0.as_slice(), value.0.as_slice());
    macro_rules! put {
        ($table:ident, $column:ident, $id:expr) => {{
            let row = $table::table
                .filter($table::tenant_id.eq(tenant))
                .filter($table::id.eq(Txt($id)))
                .filter($table::$column.eq(old));
            tx.run(scope, |conn| diesel::update(row).set($table::$column.eq(new)).execute(conn))?
        }};
    }
    let n = match read.place {
        Place::ChannelSecrets(account) => put!(channel_accounts, secrets, account),
        Place::WorkingKeys(account) => put!(channel_accounts, working_keys, account),
        Place::WebhookSecret(endpoint) => put!(webhook_endpoints, secret, endpoint),
        Place::WebhookPreviousSecret(endpoint) => put!(webhook_endpoints, previous_secret, endpoint),
        Place::CashierPin(cashier) => put!(cashiers, pin, cashier),
        Place::OfflineIssuer(key) => put!(offline_issuers, secret, key),
    };
    Ok(n == 1)
}
