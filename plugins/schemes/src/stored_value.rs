//! An issuer of closed-loop stored value, as core's OpenAPI document describes `/v1/stored-value/acceptors`: charges by a code that is
//! good once, cancels, refunds, bills.
//!
//! [`book`] has the rules, without clock, chance or network; `wire` the API; what is below the stage door. One holder, who is rich.

pub mod book;
mod wire;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::json;

use crate::stage::{self, Act, FarSide, Fault, Notification, OrderSeen, Running, Script, Stage, Unplayable};
use book::{Book, Charge};

/// Who accepts it, and the key that lets them in: as good as public.
pub const ACCEPTOR: &str = "hall";
pub const API_KEY: &str = "saoma_key_made_for_tests_only";

/// The issuer.
#[derive(Default)]
pub struct Issuer {
    stage: Stage,
    book: Mutex<Book>,
}

impl Issuer {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the issuer; must be called on a tokio runtime.
///
/// # Errors
/// If the address cannot be listened on.
pub fn start(listen: SocketAddr) -> anyhow::Result<Running> {
    stage::start(&Arc::new(Issuer::default()), listen, None, wire::configure)
}

fn is_taken(charge: &Charge) -> bool {
    charge.amount.is_some() && matches!(charge.state, "charged" | "cancelled")
}

impl FarSide for Issuer {
    fn stage(&self) -> &Stage {
        &self.stage
    }

    fn script(&self, base_url: &str) -> Script {
        Script {
            settings: json!({ "base_url": base_url, "acceptor": ACCEPTOR }),
            secrets: json!({ "api-key": API_KEY }),
            code: Some(self.lock().show_code()),
            // Nothing is signed, and nothing waits for anybody.
            card: None,
            unusable: json!({ "acceptor": "a/../b" }),
            faults: Fault::all_but(&[Fault::Unsigned, Fault::Forged, Fault::Pending]),
        }
    }

    fn plays(&self, act: Act, fault: Fault) -> bool {
        match fault {
            // A charge is refused for a reason, and there is no general one.
            Fault::Declined => act == Act::Refund,
            Fault::WrongAmount | Fault::WrongNumber | Fault::StrangeState => act != Act::Bill,
            _ => true,
        }
    }

    fn taken(&self) -> u32 {
        let book = self.lock();
        u32::try_from(book.charges().iter().filter(|charge| is_taken(charge)).count()).unwrap_or(u32::MAX)
    }

    fn order(&self, number: &str) -> Option<OrderSeen> {
        let book = self.lock();
        let charge = book.charge(number)?;
        // What was cancelled before it came is no order.
        let (amount_minor, currency) = charge.amount.clone()?;
        let times_taken = u32::from(is_taken(charge));
        Some(OrderSeen {
            code: None,
            subject: None,
            number: number.to_owned(),
            amount_minor,
            currency,
            state: charge.state.to_owned(),
            times_taken,
            given_back_minor: charge.returned_minor,
        })
    }

    fn pay(&self, number: &str) -> Result<(), Unplayable> {
        Err(Unplayable(format!("{number} does not wait: here everything is done at once")))
    }

    fn decline(&self, number: &str) -> Result<(), Unplayable> {
        self.pay(number)
    }

    fn notification(&self, _: &str, _: Option<&str>, _: Option<Fault>) -> Result<Notification, Unplayable> {
        Err(Unplayable("the issuer sends no notifications".to_owned()))
    }
}
