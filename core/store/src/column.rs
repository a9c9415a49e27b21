//! How values that are not text or numbers by themselves lie in a column.

use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::Pg,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::Text,
    sqlite::Sqlite,
};
use saoma_protocol::{Amount, Currency, Millis, Sequence};
use serde::{Serialize, de::DeserializeOwned};

use crate::{StoreError, conn::MultiBackend};

/// A value with one text: an id in wire form, a currency, a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub struct Txt<X: Debug>(pub X);

/// A serde enum without fields, as the text that it has on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub struct Tag<X: Debug>(pub X);

impl<X: Debug + Display> ToSql<Text, Sqlite> for Txt<X> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_string());
        Ok(IsNull::No)
    }
}

impl<X: Debug + Display> ToSql<Text, Pg> for Txt<X> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        use std::io::Write as _;
        write!(out, "{}", self.0)?;
        Ok(IsNull::No)
    }
}

impl<X: Debug + Display + Send + Sync + 'static> ToSql<Text, MultiBackend> for Txt<X> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
        out.set_value((Text, self));
        Ok(IsNull::No)
    }
}

impl<DB, X> FromSql<Text, DB> for Txt<X>
where
    DB: Backend,
    String: FromSql<Text, DB>,
    X: Debug + FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(String::from_sql(bytes)?.parse()?))
    }
}

fn tag_text(tag: &impl Serialize) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    match serde_json::to_value(tag)? {
        serde_json::Value::String(text) => Ok(text),
        other => Err(format!("{other} is no text").into()),
    }
}

impl<X: Debug + Serialize> ToSql<Text, Sqlite> for Tag<X> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(tag_text(&self.0)?);
        Ok(IsNull::No)
    }
}

impl<X: Debug + Serialize> ToSql<Text, Pg> for Tag<X> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        use std::io::Write as _;
        out.write_all(tag_text(&self.0)?.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl<X: Debug + Serialize + Send + Sync + 'static> ToSql<Text, MultiBackend> for Tag<X> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
        out.set_value((Text, self));
        Ok(IsNull::No)
    }
}

impl<DB, X> FromSql<Text, DB> for Tag<X>
where
    DB: Backend,
    String: FromSql<Text, DB>,
    X: Debug + DeserializeOwned,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(serde_json::from_value(serde_json::Value::String(String::from_sql(bytes)?))?))
    }
}

/// A count or number in a signed column. What does not fit is far past every limit, so it is cut.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub fn signed32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| corrupt(format!("{number} where no negative number can be")))
}

pub fn unsigned32(number: i32) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| corrupt(format!("{number} where no negative number can be")))
}

pub fn sequence(number: i64) -> Result<Sequence, StoreError> {
    unsigned(number).map(Sequence)
}

pub fn amount(minor: i64, currency: Currency) -> Result<Amount, StoreError> {
    Amount::new(minor, currency).map_err(|error| corrupt(error.to_string()))
}

pub fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Internal { why: error.to_string() })
}

pub fn from_json<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(format!("{what}: {error}")))
}

pub fn millis(moment: Option<i64>) -> Option<Millis> {
    moment.map(Millis)
}

pub fn moment(millis: Option<Millis>) -> Option<i64> {
    millis.map(|millis| millis.0)
}

pub fn corrupt(why: impl Into<String>) -> StoreError {
    StoreError::Corrupt { why: why.into() }
}

/// Whether an update met its row.
pub fn found(rows: usize, what: &'static str) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::NotFound { what }) } else { Ok(()) }
}

/// Lets an enum that has `text()` and `from_text()` lie in a [`Txt`].
macro_rules! stored_as_text {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.text())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::StoreError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::from_text(text).ok_or_else(|| {
                    $crate::column::corrupt(format!("{text:?} where a {} is expected", stringify!($name)))
                })
            }
        }
    };
}

pub(crate) use stored_as_text;
