//! What core's rules make of a sale.

use actix_web::{HttpResponse, web::Json};
use saoma_protocol::{
    Amount, Millis, QuoteId,
    api::{Adjustment, AskQuote, QuoteView, Quoted},
};

use super::{Shared, offline, problem};

/// How core answers a terminal that asks for a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Says {
    /// There are no rules, and terminals are told so.
    #[default]
    NoRules,
    /// A fifth less.
    Less,
    /// The rules were switched off, and no terminal has heard of that yet.
    SwitchedOff,
    /// A rule without which there is no price gave none.
    Fails,
    /// Such a rule could not be asked just now.
    Busy,
    /// Something that does not add up.
    Lies,
}

/// What terminals asked and sold.
#[derive(Default)]
pub struct Quotes {
    pub says: Says,
    pub asked: Vec<AskQuote>,
    /// Of each sale that came to core, in order.
    pub sold: Vec<Option<Quoted>>,
}

pub(super) async fn quote(known: Shared, ask: Json<AskQuote>) -> HttpResponse {
    let (says, number) = {
        let quotes = &mut known.lock().unwrap().quotes;
        quotes.asked.push(ask.clone());
        (quotes.says, u8::try_from(quotes.asked.len()).unwrap())
    };
    offline::silence(&known).await;
    let off = ask.amount.minor() / 5;
    let less = Amount::new(ask.amount.minor() - off, ask.amount.currency()).unwrap();
    let view = QuoteView {
        id: Some(QuoteId::from_bytes([number; 16])),
        amount: less,
        adjustments: vec![Adjustment { name: "员工折扣 Staff".to_owned(), minor: -off }],
        receipt_lines: vec!["谢谢光临 Thank you".to_owned()],
        failed: Vec::new(),
        expires_at: Some(Millis(4_000_000_000_000)),
    };
    HttpResponse::Ok().json(match says {
        Says::Less => view,
        Says::NoRules | Says::SwitchedOff => {
            QuoteView { id: None, amount: ask.amount, adjustments: Vec::new(), receipt_lines: Vec::new(), ..view }
        }
        Says::Lies => QuoteView { amount: ask.amount, ..view },
        Says::Fails => return problem(409, "rule_failed"),
        Says::Busy => return problem(503, "rule_busy"),
    })
}
