//! What it does with offline codes: it says what terminals may take, and books what they took.

use std::time::{Duration, SystemTime};

use actix_web::HttpResponse;
use saoma_protocol::{
    Amount, Millis, PaymentId,
    api::{CreatePayment, OfflineList, Presentation},
    code::offline::Code,
    journal::{Entry, Record},
    message::{JournalVerdict, Verdict},
};

use super::{GOOD_CODE, Known, Shared, new_payment, problem};

impl Known {
    /// What is wrong with what an offline code paid: it waits for a person.
    pub(super) fn offline_verdict(&mut self, entry: &Entry) -> Option<JournalVerdict> {
        let (sequence, verdict) = (entry.sequence, Verdict::Held);
        self.book_offline(entry).err().map(|why| JournalVerdict { sequence, verdict, why, newer: false })
    }

    pub(super) fn refuses_refund(&self, payment: PaymentId, amount: Amount) -> Option<HttpResponse> {
        // What no other till knows of: core's rules may be narrower than the till's.
        match amount.minor() {
            _ if !self.payments.contains_key(&payment) => Some(problem(404, "payment_not_found")),
            404 => Some(problem(409, "refund_window_over")),
            _ => None,
        }
    }

    /// Books what an offline code paid, once, if the code is good at the moment of its entry.
    fn book_offline(&mut self, entry: &Entry) -> Result<(), String> {
        let Ok(Record::OfflineSale { payment, counter, amount, code, goods, cashier }) = entry.record() else {
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
            reference: None,
            cashier: Some(cashier),
            counter: Some(counter),
        };
        self.payments.entry(payment).or_insert_with(|| new_payment(payment, &body));
        Ok(())
    }
}

/// While it is silent.
pub(super) async fn silence(known: &Shared) {
    while known.lock().unwrap().silent {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) async fn list(known: Shared) -> HttpResponse {
    let mut known = known.lock().unwrap();
    known.offline_asked += 1;
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let issued_at = Millis(i64::try_from(since_1970.as_millis()).unwrap() + known.ahead_ms);
    match &known.offline {
        Some(list) => HttpResponse::Ok().json(OfflineList { issued_at, ..list.clone() }),
        None => problem(404, "not_found"),
    }
}
