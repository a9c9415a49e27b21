//! Rows of both sides as they are sorted: in the order of their keys, and whole.

use saoma_domain::recon::{Key, Movement, Ours, Side};
use saoma_protocol::{Currency, Millis, Money};
use saoma_store::bills::{NewLine, Said};
use serde::{Serialize, de::DeserializeOwned};

use super::{ReconcileError, sort::Entry};

/// Behind all movements, as in the database.
const UNREADABLE: u8 = u8::MAX;
/// At the end of a line of a bill: where it stands on it.
const PLACE_BYTES: usize = 8;

type Sums = (Currency, i64, i64, i64);

pub fn of_movement(row: &Ours) -> Result<Entry, ReconcileError> {
    let mut rest = vec![row.key.movement as u8];
    write(&mut rest, &sums(&row.side))?;
    Ok(Entry { key: row.key.number.clone().into_bytes(), rest })
}

pub fn movement(entry: Entry) -> Result<Ours, ReconcileError> {
    let (kind, content) = entry.rest.split_first().ok_or_else(broken)?;
    let side = side(read(content)?);
    let key = Key { movement: kind_of(*kind)?, number: number(entry.key)? };
    Ok(Ours { key, side })
}

pub fn of_line(line: &NewLine) -> Result<Entry, ReconcileError> {
    let (number, kind) = match &line.said {
        Said::Row { key, .. } => (key.number.as_str(), key.movement as u8),
        Said::Unreadable(_) => ("", UNREADABLE),
    };
    let mut rest = vec![kind];
    match &line.said {
        Said::Row { order_number, reference, side, .. } => write(&mut rest, &(order_number, reference, sums(side)))?,
        Said::Unreadable(words) => write(&mut rest, words)?,
    }
    rest.extend(line.line.to_be_bytes());
    Ok(Entry { key: number.as_bytes().to_vec(), rest })
}

pub fn line(entry: Entry) -> Result<NewLine, ReconcileError> {
    let (rest, place) = entry.rest.split_last_chunk::<PLACE_BYTES>().ok_or_else(broken)?;
    let line = u64::from_be_bytes(*place);
    let (kind, content) = rest.split_first().ok_or_else(broken)?;
    let said = if *kind == UNREADABLE {
        Said::Unreadable(read(content)?)
    } else {
        let (order_number, reference, sums) = read(content)?;
        let key = Key { movement: kind_of(*kind)?, number: number(entry.key)? };
        Said::Row { key, order_number, reference, side: side(sums) }
    };
    Ok(NewLine { line, said })
}

/// What a line says, wherever it stands on the bill.
pub fn content(line: &Entry) -> [&[u8]; 2] {
    [&line.key, line.rest.split_last_chunk::<PLACE_BYTES>().map_or(&[], |(content, _)| content)]
}

const fn sums(side: &Side) -> Sums {
    (side.currency(), side.money.minor(), side.fee.minor(), side.at.0)
}

const fn side((currency, minor, fee_minor, at): Sums) -> Side {
    Side { money: Money::new(minor, currency), fee: Money::new(fee_minor, currency), at: Millis(at) }
}

fn kind_of(kind: u8) -> Result<Movement, ReconcileError> {
    Movement::ALL.into_iter().find(|movement| *movement as u8 == kind).ok_or_else(broken)
}

fn number(key: Vec<u8>) -> Result<String, ReconcileError> {
    String::from_utf8(key).map_err(|_| broken())
}

fn write(into: &mut Vec<u8>, what: &impl Serialize) -> Result<(), ReconcileError> {
    serde_json::to_writer(into, what).map_err(|_| broken())
}

fn read<T: DeserializeOwned>(from: &[u8]) -> Result<T, ReconcileError> {
    serde_json::from_slice(from).map_err(|_| broken())
}

fn broken() -> ReconcileError {
    ReconcileError::Walk("what was sorted cannot be read".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> impl Strategy<Value = Key> {
        ("[a-bèé_]{0,3}", prop::sample::select(Movement::ALL.to_vec()))
            .prop_map(|(number, movement)| Key { number, movement })
    }

    fn sides() -> impl Strategy<Value = Side> {
        any::<(i64, i64, i64)>().prop_map(|(minor, fee_minor, at)| side((Currency::CNY, minor, fee_minor, at)))
    }

    fn lines() -> impl Strategy<Value = NewLine> {
        let said = prop_oneof![
            3 => (keys(), ".{0,8}", ".{0,8}", sides()).prop_map(|(key, order_number, reference, side)| {
                Said::Row { key, order_number, reference, side }
            }),
            1 => ".{0,12}".prop_map(Said::Unreadable),
        ];
        (any::<u64>(), said).prop_map(|(line, said)| NewLine { line, said })
    }

    proptest! {
        #[test]
        fn rows_come_back_and_stand_in_the_order_of_their_keys(one in (keys(), sides()), other in (keys(), sides())) {
            let [one, other] = [one, other].map(|(key, side)| Ours { key, side });
            let entries = [&one, &other].map(|row| of_movement(row).unwrap());
            if one.key != other.key {
                prop_assert_eq!(entries[0].cmp(&entries[1]), one.key.cmp(&other.key));
            }
            let [entry, _] = entries;
            prop_assert_eq!(movement(entry).unwrap(), one);
        }

        #[test]
        fn lines_come_back_and_say_the_same_wherever_they_stand(one in lines(), other in lines(), place in any::<u64>()) {
            let entry = of_line(&one).unwrap();
            prop_assert_eq!(&line(entry.clone()).unwrap(), &one);
            let elsewhere = of_line(&NewLine { line: place, said: one.said.clone() }).unwrap();
            prop_assert_eq!(content(&elsewhere), content(&entry));
            let other_entry = of_line(&other).unwrap();
            prop_assert_eq!(content(&other_entry) == content(&entry), other.said == one.said);
        }
    }

    #[test]
    fn what_is_no_entry_is_an_error() {
        for rest in [&b""[..], b"\0", b"\0{}", b"\x07[\"CNY\",1,1,1]", b"12345678", b"\xff123456789"] {
            let entry = Entry { key: b"pay_1".to_vec(), rest: rest.to_vec() };
            assert!(movement(entry.clone()).is_err() && line(entry).is_err(), "{rest:?}");
        }
    }
}
