//! The bank at the stage door.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::stage::{FarSide, Fault, Notification, OrderSeen, Script, Stage, Unplayable};

use super::{
    AUTHORITY_PEM, Bank, CLIENT_ID, CLIENT_PEM, CLIENT_SECRET, PIX_KEY, State,
    book::{Charge, ChargeStatus, ReturnStatus},
    random_text, wire,
};

impl FarSide for Bank {
    fn stage(&self) -> &Stage {
        &self.stage
    }

    fn script(&self, base_url: &str) -> Script {
        Script {
            settings: json!({
                "base_url": format!("{base_url}/v2"),
                "token_url": format!("{base_url}/oauth/token"),
                "client_id": CLIENT_ID,
                "pix_key": PIX_KEY,
                "merchant_city": "SAO PAULO",
                "private_authority": true,
            }),
            secrets: json!({
                "client-secret": CLIENT_SECRET,
                "client-certificate": CLIENT_PEM,
                "psp-certificates": AUTHORITY_PEM,
            }),
            code: None,
            card: None,
            unusable: json!({}),
            faults: [Fault::all_but(&Fault::SIGNED_OR_OF_CUSTOMERS), vec![Fault::SignOn]].concat(),
        }
    }

    fn taken(&self) -> u32 {
        u32::try_from(self.lock().book.n_received()).unwrap_or(u32::MAX)
    }

    fn order(&self, number: &str) -> Option<OrderSeen> {
        let state = self.lock();
        let charge = charge(&state, number)?;
        Some(OrderSeen {
            code: Some(charge.location.clone()),
            subject: None,
            number: number.to_owned(),
            amount_minor: charge.centavos(),
            currency: "BRL".to_owned(),
            state: charge.status.text().to_owned(),
            times_taken: u32::try_from(charge.received.len()).unwrap_or(u32::MAX),
            given_back_minor: charge.returned_centavos(),
        })
    }

    fn pay(&self, number: &str) -> Result<(), Unplayable> {
        let now_ms = self.stage.now_ms();
        let mut state = self.lock();
        match charge(&state, number).map(|charge| charge.txid.clone()) {
            Some(txid) => state.book.pay(&txid, &random_text(11), now_ms).map_err(Unplayable),
            None => end_return(&mut state, number, ReturnStatus::Returned, now_ms),
        }
    }

    /// Of a charge that is paid: the customer calls it fraud, and the bank takes it back.
    fn decline(&self, number: &str) -> Result<(), Unplayable> {
        let now_ms = self.stage.now_ms();
        let mut state = self.lock();
        match charge(&state, number).map(|charge| (charge.txid.clone(), charge.status)) {
            Some((txid, ChargeStatus::Concluded)) => {
                state.book.take_back(&txid, &random_text(11), now_ms).map_err(Unplayable)
            }
            Some((txid, _)) => {
                let removed = state.book.remove(&txid, ChargeStatus::RemovedByBank);
                removed.map(|_| ()).map_err(|_| Unplayable(format!("{number} does not wait")))
            }
            None => end_return(&mut state, number, ReturnStatus::NotDone, now_ms),
        }
    }

    fn notification(
        &self,
        number: &str,
        refund: Option<&str>,
        fault: Option<Fault>,
    ) -> Result<Notification, Unplayable> {
        let state = self.lock();
        let charge = charge(&state, number).ok_or_else(|| Unplayable(format!("there is no order {number}")))?;
        let Some(received) = charge.received.first() else {
            return Err(Unplayable("a charge that is not paid is not told of".to_owned()));
        };
        if let Some(refund) = refund
            && !received.returns.iter().any(|given| is_written_as(&given.id, refund))
        {
            return Err(Unplayable(format!("there is no return {refund}")));
        }
        let mut view = received.view(charge);
        match fault {
            None => {}
            Some(Fault::WrongNumber) => {
                wire::other_number(view.pointer_mut("/txid"));
                view["devolucoes"] = json!([]);
            }
            // Nothing in a callback is signed, so a channel asks the bank, and hears the truth whatever the callback says.
            Some(Fault::WrongAmount) => wire::one_more(view.pointer_mut("/valor")),
            Some(other) => return Err(Unplayable(format!("a callback that is {other:?} tells nothing else"))),
        }
        Ok(Notification {
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body_base64: STANDARD.encode(json!({ "pix": [view] }).to_string()),
        })
    }
}

fn charge<'a>(state: &'a State, number: &str) -> Option<&'a Charge> {
    state.book.charges().find(|charge| is_written_as(&charge.txid, number))
}

fn end_return(state: &mut State, number: &str, status: ReturnStatus, now_ms: i64) -> Result<(), Unplayable> {
    let ids = state.book.charges().flat_map(|charge| &charge.received).flat_map(|received| &received.returns);
    let id = ids.map(|given| given.id.clone()).find(|id| is_written_as(id, number));
    id.and_then(|id| state.book.end_return(&id, status, now_ms))
        .ok_or_else(|| Unplayable(format!("nothing of the number {number} waits")))
}

/// Whether an id of the scheme, all letters and digits, stands for a merchant's number: how the merchant writes the characters that
/// the scheme does not have is the merchant's affair.
fn is_written_as(id: &str, number: &str) -> bool {
    id.len() == number.len()
        && id
            .bytes()
            .zip(number.bytes())
            .all(|(of_id, of_number)| of_id == of_number || !of_number.is_ascii_alphanumeric())
}
