//! The journal's statements about payments through printed codes: so that each is said once, and the day's list outlasts a restart.

use diesel::prelude::*;
use saoma_protocol::{Millis, PaymentId};

use super::{JournalError, Store, rows::RECEIVED_KEPT, schema::received, seal::Seals, store::unreadable};
use crate::received::{LISTED_MAX, Received};

/// How long one is kept: a day longer than core tells it for.
const KEPT_MS: i64 = 2 * 24 * 60 * 60 * 1_000;

/// Keeps one that was not told before. What nobody looks at any more goes.
pub(super) fn take(tx: &mut SqliteConnection, seals: &Seals, told: &Received, now: Millis) -> Result<(), JournalError> {
    diesel::delete(received::table.filter(received::until.le(now.0))).execute(tx)?;
    let payment = told.payment.to_string();
    let text = serde_json::to_string(told).map_err(|error| unreadable("a payment by a printed code", error))?;
    let row = (
        received::until.eq(now.plus(KEPT_MS).0),
        received::kept.eq(seals.seal_text(RECEIVED_KEPT, &payment, &text)?),
        received::payment.eq(payment),
    );
    diesel::insert_into(received::table).values(row).execute(tx)?;
    Ok(())
}

impl Store {
    /// Whether core has told it before, under whatever number.
    ///
    /// # Errors
    /// `Database`.
    pub fn is_received(&mut self, payment: PaymentId) -> Result<bool, JournalError> {
        let row = received::table.find(payment.to_string()).select(received::until);
        Ok(row.first::<i64>(&mut self.connection).optional()?.is_some())
    }

    /// The last [`LISTED_MAX`], newest first. One that cannot be read is left out: nothing but a list depends on it.
    ///
    /// # Errors
    /// `Database`.
    pub(super) fn received(&mut self) -> Result<Vec<Received>, JournalError> {
        let rows: Vec<(String, Vec<u8>)> = received::table
            .order(received::until.desc())
            .limit(i64::try_from(LISTED_MAX).unwrap_or(i64::MAX))
            .select((received::payment, received::kept))
            .load(&mut self.connection)?;
        let read = |(payment, kept): &(String, Vec<u8>)| {
            let text = self.seals.open_text(RECEIVED_KEPT, payment, kept)?;
            serde_json::from_str(&text).map_err(|error| unreadable("a payment by a printed code", error))
        };
        let told = rows.iter().filter_map(|row| {
            read(row).inspect_err(|error| tracing::error!(payment.id = row.0, %error, "it is not listed")).ok()
        });
        Ok(told.collect())
    }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Amount, Currency, TerminalId};

    use super::*;
    use crate::journal::{Commit, Settings};

    fn told(number: u8) -> Received {
        let amount = Amount::new(i64::from(number), Currency::CNY).unwrap();
        Received {
            payment: PaymentId::from_bytes([number; 16]), label: "门口".to_owned(), amount, paid_at: Millis(5)
        }
    }

    #[test]
    fn what_was_told_is_known_and_listed_after_a_restart_and_goes_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { path: folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
        let open = || Store::open(&settings, TerminalId::from_bytes([2; 16]), Millis(0)).unwrap();
        let (mut store, opened) = open();
        assert_eq!(opened.received, []);
        let take = |store: &mut Store, number, at| {
            let commit = Commit { received: Some(told(number)), ..Commit::default() };
            store.commit(&commit, Millis(at)).unwrap();
        };
        take(&mut store, 1, 10);
        take(&mut store, 2, 20);
        drop(store);
        let (mut store, opened) = open();
        assert_eq!(opened.received, [told(2), told(1)]);
        assert_eq!([1, 3].map(|number| store.is_received(told(number).payment).unwrap()), [true, false]);
        let known = store.commit(&Commit { received: Some(told(1)), ..Commit::default() }, Millis(30));
        assert!(matches!(known, Err(JournalError::Database(_))), "{known:?}");
        take(&mut store, 3, 10 + KEPT_MS);
        assert_eq!(store.received().unwrap(), [told(3), told(2)]);
        assert!(!store.is_received(told(1).payment).unwrap());
    }
}
