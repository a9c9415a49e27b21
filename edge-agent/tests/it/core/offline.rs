//! What it does with offline codes and with cards without a network: it says what terminals may take, and books what they took.

use std::time::{Duration, SystemTime};

use actix_web::HttpResponse;
use saoma_protocol::{
    Amount, Millis, PaymentId,
    api::{Attention, CreatePayment, Failure, OfflineList, PaymentState, PaymentView, Presentation},
    code::offline::Code,
    journal::{Entry, Record},
    message::{JournalVerdict, Verdict},
};

use super::{FakeCore, GOOD_CODE, Known, Shared, new_payment, problem};

impl Known {
    /// What is wrong with what was sold offline: it waits for a person.
    pub(super) fn offline_verdict(&mut self, entry: &Entry) -> Option<JournalVerdict> {
        let (sequence, verdict) = (entry.sequence, Verdict::Held);
        self.book_offline(entry).and_then(|()| self.book_stored(entry)).err().map(|why| JournalVerdict {
            sequence,
            verdict,
            why,
            newer: false,
        })
    }

    pub(super) fn refuses_refund(&self, payment: PaymentId, amount: Amount) -> Option<HttpResponse> {
        // What no other till knows of: core's rules may be narrower than the till's.
        match amount.minor() {
            _ if !self.payments.contains_key(&payment) => Some(problem(404, "payment_not_found")),
            404 => Some(problem(409, "refund_window_over")),
            _ => None,
        }
    }

    /// Makes the payment of a card that was sold to without a network, once; it waits for the acquirer. Without a policy it is held.
    fn book_stored(&mut self, entry: &Entry) -> Result<(), String> {
        let Ok(Record::StoredCardSale {
            payment,
            counter,
            amount,
            channel_account,
            card,
            goods,
            cashier,
            reference,
            ..
        }) = entry.record()
        else {
            return Ok(());
        };
        if self.offline.as_ref().is_none_or(|list| list.cards.is_none()) {
            return Err("no cards are sold to without a network".to_owned());
        }
        let body = CreatePayment {
            amount,
            presentation: Presentation::Card { card },
            order: None,
            channel_account: Some(channel_account),
            store: None,
            goods,
            reference,
            cashier: Some(cashier),
            counter: Some(counter),
            quote: None,
        };
        let state = PaymentState::Pending;
        let view = PaymentView { state, stored_at: Some(entry.at), ..new_payment(payment, &body) };
        self.payments.entry(payment).or_insert(view);
        Ok(())
    }

    /// Books what an offline code paid, once, if the code is good at the moment of its entry.
    fn book_offline(&mut self, entry: &Entry) -> Result<(), String> {
        let Ok(Record::OfflineSale { payment, counter, amount, code, goods, cashier, quote, reference }) =
            entry.record()
        else {
            return Ok(());
        };
        let code = Code::parse(&code).map_err(|error| error.to_string())?;
        let issuers = self.offline.as_ref().map(|list| list.issuers.clone()).unwrap_or_default();
        code.verify(&issuers, entry.at).map_err(|error| error.to_string())?;
        let body = CreatePayment {
            amount,
            presentation: Presentation::Customer { code: GOOD_CODE.to_owned() },
            order: None,
            channel_account: None,
            store: None,
            goods,
            reference,
            cashier: Some(cashier),
            counter: Some(counter),
            quote,
        };
        self.payments.entry(payment).or_insert_with(|| new_payment(payment, &body));
        Ok(())
    }
}

impl FakeCore {
    /// It does not forward that before a person has looked at it, or does so now; the terminal is told.
    pub fn waits_for_a_person(&self, payment: PaymentId, waits: bool) {
        let attention =
            Attention { since: Millis(1), asked: 0, last_said: None, last_said_at: None, next_attempt_at: None };
        self.look(|known| {
            known.change(payment, |view| view.needs_attention = waits.then_some(attention));
            known.push(payment);
        });
    }

    /// The acquirer has an answer for a card that core forwarded; the terminal is told.
    pub fn bank_says(&self, payment: PaymentId, takes_it: bool) {
        self.look(|known| {
            known.change(payment, |view| {
                view.state = if takes_it { PaymentState::Succeeded } else { PaymentState::Failed };
                let declined = || Failure { code: "declined".to_owned(), message: "the issuer declines".to_owned() };
                view.failure = (!takes_it).then(declined);
            });
            known.push(payment);
        });
    }
}

/// While it is silent.
pub(super) async fn silence(known: &Shared) {
    while known.lock().unwrap().silent {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) fn clock(ahead_ms: i64) -> Millis {
    Millis(i64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap() + ahead_ms)
}

pub(super) async fn list(known: Shared) -> HttpResponse {
    let mut known = known.lock().unwrap();
    known.offline_asked += 1;
    let issued_at = clock(known.ahead_ms);
    match &known.offline {
        Some(list) => HttpResponse::Ok().json(OfflineList { issued_at, ..list.clone() }),
        None => problem(404, "not_found"),
    }
}
