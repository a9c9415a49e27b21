//! What the limits of sales without a network go by, held against the entries: the offline codes that were taken, and the cards that were
//! sold to. A row may go once nothing looks at it any more, and no sooner.

use std::collections::BTreeMap;

use saoma_protocol::{Amount, Millis, Sequence, api::CardDigits, code::offline::Code};

use super::differ_unless_other;
use crate::{
    journal::{JournalError, Store},
    offline::Spent,
    stored::SoldCard,
};

/// What the entries say.
#[derive(Default)]
pub(super) struct Taken {
    codes: BTreeMap<Sequence, Spent>,
    cards: BTreeMap<Sequence, SoldCard>,
}

impl Taken {
    /// Nothing of a code that cannot be read: whoever let it pay is asked why by the difference.
    pub(super) fn code(&mut self, entry: Sequence, code: &str, amount: Amount, at: Millis) -> Option<String> {
        match Code::parse(code) {
            Ok(code) => {
                self.codes.insert(entry, Spent::of(&code, amount, at));
                None
            }
            Err(_) => Some(format!("entry {entry} is paid by an offline code that cannot be read")),
        }
    }

    pub(super) fn card(&mut self, entry: Sequence, digits: CardDigits, amount: Amount, at: Millis) {
        self.cards.insert(entry, SoldCard { digits, amount, at });
    }
}

impl Store {
    pub(super) fn compare_limits(&mut self, taken: Taken, differences: &mut Vec<String>) -> Result<(), JournalError> {
        let Taken { codes, cards } = taken;
        match self.offline_spent() {
            Ok(held) => compare("offline code", codes, held, |spent| (spent.at, spent.until), differences),
            Err(error) => differ_unless_other(&"the offline codes that were taken", error, differences)?,
        }
        match self.stored_cards() {
            Ok(held) => compare("card", cards, held, |sold| (sold.at, sold.until()), differences),
            Err(error) => differ_unless_other(&"the cards that were sold to", error, differences)?,
        }
        Ok(())
    }
}

/// `times`: when it was sold, and until when a limit looks at it.
fn compare<T: PartialEq>(
    what: &str,
    mut told: BTreeMap<Sequence, T>,
    held: Vec<(Sequence, T)>,
    times: impl Fn(&T) -> (Millis, Millis),
    differences: &mut Vec<String>,
) {
    // Each sale takes out what is over by then.
    let newest = told.values().map(|one| times(one).0).max().unwrap_or(Millis(i64::MIN));
    for (entry, held) in held {
        match told.remove(&entry) {
            None => differences.push(format!("entry {entry}: the limits know of its {what}, and it has none")),
            Some(told) if told != held => {
                differences.push(format!("entry {entry}: what the limits know of its {what} is not as it says"));
            }
            Some(_) => {}
        }
    }
    let missing = told.iter().filter(|(_, one)| times(one).1 > newest);
    differences.extend(missing.map(|(entry, _)| format!("entry {entry}: the limits do not know of its {what}")));
}

#[cfg(test)]
mod tests {
    use ring::signature::Ed25519KeyPair;
    use saoma_protocol::{
        ChannelAccountId, Currency, PaymentId, TerminalId,
        code::offline::{Grant, KeyId, Token, public_key},
        journal::Record,
    };
    use serde_json::json;

    use super::*;
    use crate::{
        journal::{Commit, Settings},
        offline::DAY_MS,
    };

    const AMOUNT: i64 = 100;

    fn amount() -> Amount {
        Amount::new(AMOUNT, Currency::CNY).unwrap()
    }

    /// A code that is good for so many days.
    fn code(counter: u32) -> Code {
        let (issuer, device) = (pair(1), pair(2));
        let grant = Grant {
            issuer: KeyId::of(&public_key(&issuer)),
            token: Token([7; 8]),
            currency: Currency::CNY,
            cap_single: 1_000,
            cap_grant: 1_000,
            not_before: 0,
            valid_hours: 24 * u16::try_from(counter).unwrap(),
            code_seconds: 60,
            device_key: public_key(&device),
        };
        grant.sign(&issuer).code(&device, counter, 0)
    }

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn by_code(store: &mut Store, counter: u32, at: i64) -> Sequence {
        let code = code(counter);
        let spent = Spent::of(&code, amount(), Millis(at));
        let record = json!({
            "kind": "offline_sale", "payment": PaymentId::from_bytes([counter as u8; 16]), "counter": counter,
            "amount": amount(), "code": code.text(), "goods": [], "cashier": "Li",
        });
        let records = vec![serde_json::from_value::<Record>(record).unwrap()];
        store.commit(&Commit { records, spent: Some(spent), ..Commit::default() }, Millis(0)).unwrap()
    }

    fn by_card(store: &mut Store, counter: u8, at: i64) -> Sequence {
        let digits = CardDigits::new("401234", "8909").unwrap();
        let record = json!({
            "kind": "stored_card_sale", "payment": PaymentId::from_bytes([counter; 16]), "counter": counter,
            "amount": amount(), "channel_account": ChannelAccountId::from_bytes([5; 16]),
            "card": {"entry": "chip", "ksn": "FFFF9876543210E00001", "number": "0011223344556677"},
            "digits": digits, "goods": [], "cashier": "Li",
        });
        let records = vec![serde_json::from_value::<Record>(record).unwrap()];
        let sold = SoldCard { digits, amount: amount(), at: Millis(at) };
        store.commit(&Commit { records, stored: Some(sold), ..Commit::default() }, Millis(0)).unwrap()
    }

    /// What replay says of the limits; the sales' own rows are not written here.
    fn differences(store: &mut Store) -> Vec<String> {
        let all = store.replay().unwrap().differences;
        all.into_iter().filter(|one| one.contains("limits") || one.contains("altered")).collect()
    }

    #[test]
    fn what_the_limits_go_by_is_as_the_entries_say() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { path: folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
        let open = || Store::open(&settings, TerminalId::from_bytes([2; 16]), Millis(0)).unwrap().0;
        let mut store = open();
        let first = [by_code(&mut store, 1, 5), by_card(&mut store, 11, 5)];
        store.commit(&Commit { synced_through: Some(first[1]), ..Commit::default() }, Millis(0)).unwrap();
        // The rows of the first are over, and go.
        let (code, card) = (by_code(&mut store, 2, DAY_MS), by_card(&mut store, 12, 2 * DAY_MS));
        assert_eq!(differences(&mut store), [""; 0]);
        store.execute("CREATE TEMP TABLE codes AS SELECT * FROM offline_spends").unwrap();
        store.execute("CREATE TEMP TABLE cards AS SELECT * FROM stored_cards").unwrap();
        let unknown = |entry: Sequence, what: &str| format!("entry {entry}: the limits do not know of its {what}");
        let of_none = |what: &str| format!("entry 99: the limits know of its {what}, and it has none");
        let altered = |place: &str| format!("{place} was altered, or moved there from elsewhere");
        for (sql, expected) in [
            ("DELETE FROM offline_spends", vec![unknown(code, "offline code")]),
            ("DELETE FROM stored_cards", vec![unknown(card, "card")]),
            ("UPDATE offline_spends SET entry = 99", vec![of_none("offline code"), unknown(code, "offline code")]),
            ("UPDATE offline_spends SET code = 'ff'", vec![altered("kept of offline_spends ff")]),
            ("UPDATE stored_cards SET entry = 99", vec![altered("kept of stored_cards 99")]),
        ] {
            store.execute(sql).unwrap();
            let told = differences(&mut store);
            let fits = told.len() == expected.len() && told.iter().zip(&expected).all(|(told, one)| told.contains(one));
            assert!(fits, "{sql}: {told:?}");
            store.execute("DELETE FROM offline_spends; INSERT INTO offline_spends SELECT * FROM codes").unwrap();
            store.execute("DELETE FROM stored_cards; INSERT INTO stored_cards SELECT * FROM cards").unwrap();
        }
        assert_eq!(differences(&mut store), [""; 0]);
    }
}
