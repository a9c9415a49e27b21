//! What the merchant's own rules make of a sale, asked of core before it is keyed.
//!
//! Nothing waits for it but the page that asks, and that for [`ASK_MAX`] at most: without a network, without an answer, or where a rule
//! fails, the sale goes on at its list price, unless core says that the merchant wants none without the rule's answer. What was quoted is
//! sold once, for a while only, and only of what was asked about; a restart forgets it, and the page asks again.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use saoma_protocol::{
    Amount, Millis, QuoteId,
    api::{AskQuote, Goods, QUOTE_LIVES_MS, QuoteMethod, QuoteView, Quoted},
};

use super::{
    keyed::{amount_of, check_goods},
    now,
    owner::{Done, Order, Owner},
    press::SCAN_MS_MAX,
};
use crate::{
    link::https::{HttpsError, RULE_BUSY},
    till::{
        command::Reply,
        problem::Refused,
        quote::{QuoteRequest, QuoteShown, QuoteTold, Unquoted},
    },
};

/// How long a cashier waits for a price.
const ASK_MAX: Duration = Duration::from_secs(2);
/// How long a sale of a quote can be begun: whoever shows a code or a card then still has the time for that.
const SELLS_MS: i64 = 4 * 60 * 1_000;
/// Longest that a customer's card may be waited for (`till.card_wait_seconds`).
const CARD_WAIT_MS_MAX: i64 = 600_000;
const _: () = assert!(
    SELLS_MS + SCAN_MS_MAX < QUOTE_LIVES_MS && SELLS_MS + CARD_WAIT_MS_MAX < QUOTE_LIVES_MS,
    "core takes it until the customer's code or card is waited for no more"
);
/// How core says that a rule gave no price which the merchant's `refuse_on_failure` names.
const NO_SALE: [&str; 2] = ["rule_failed", RULE_BUSY];
/// Quotes that are remembered: the till's cashier and those at the paired devices may look at several prices each.
const HELD_MAX: usize = 64;

/// What was quoted lately, the newest last.
#[derive(Default)]
pub(super) struct Quotes(VecDeque<HeldQuote>);

/// A quote, and what it is of.
#[derive(Clone)]
pub(super) struct HeldQuote {
    quote: Quoted,
    amount: Amount,
    /// What it was asked about.
    pub(super) asked: Amount,
    goods: Vec<Goods>,
    /// When it was quoted, by the clock that stands still while the machine sleeps, and by the one that can be set.
    since: (Instant, Millis),
}

/// How asking ended.
pub(super) struct Told {
    asked: AskQuote,
    /// `None`: not in time.
    answer: Option<Result<QuoteView, HttpsError>>,
    reply: Reply<QuoteTold>,
}

impl Quotes {
    fn hold(&mut self, held: HeldQuote) {
        if self.0.len() == HELD_MAX {
            self.0.pop_front();
        }
        self.0.push_back(held);
    }

    /// The quote that a sale names, if it is of that amount and can still be sold.
    ///
    /// # Errors
    /// `Method` for a part of a total, `QuoteOver`.
    pub(super) fn of(
        &self,
        named: Option<QuoteId>,
        order: &Order,
        of_basket: bool,
        now: (Instant, Millis),
    ) -> Result<Option<HeldQuote>, Refused> {
        let Some(id) = named else { return Ok(None) };
        if order.split.is_some() {
            return Err(Refused::Method("what is paid in parts is sold at its list price"));
        }
        let is_it = |held: &&HeldQuote| held.quote.id == id && held.amount == order.amount && held.is_sold(now);
        let held = self.newest(is_it).ok_or(Refused::QuoteOver)?;
        // The lines of a basket follow; those that are named are compared with the same.
        if !of_basket && held.goods != order.goods {
            return Err(Refused::QuoteOver);
        }
        Ok(Some(held.clone()))
    }

    /// It was sold: what is quoted is sold once.
    pub(super) fn forget(&mut self, id: QuoteId) {
        self.0.retain(|held| held.quote.id != id);
    }

    /// What these goods cost by their newest quote, while that can be sold.
    pub(super) fn price_of(&self, goods: &[Goods], asked_minor: i64) -> Option<Amount> {
        let now = (Instant::now(), now());
        let is_of = |held: &&HeldQuote| held.asked.minor() == asked_minor && held.goods == goods && held.is_sold(now);
        self.newest(is_of).map(|held| held.amount)
    }

    fn newest(&self, is_it: impl Fn(&&HeldQuote) -> bool) -> Option<&HeldQuote> {
        self.0.iter().rev().find(is_it)
    }
}

impl HeldQuote {
    /// Whether a sale of it can be begun. A clock that was set back says no, and the price is asked for anew.
    fn is_sold(&self, (instant, machine): (Instant, Millis)) -> bool {
        let awake = instant.saturating_duration_since(self.since.0);
        awake < Duration::from_millis(SELLS_MS.unsigned_abs()) && (0..SELLS_MS).contains(&machine.since(self.since.1))
    }

    /// What the sale of these lines names.
    ///
    /// # Errors
    /// `QuoteOver`: others were asked about.
    pub(super) fn sold(self, goods: &[Goods]) -> Result<Option<Quoted>, Refused> {
        let says_something = !(self.quote.adjustments.is_empty() && self.quote.receipt_lines.is_empty());
        if self.goods == goods { Ok(says_something.then_some(self.quote)) } else { Err(Refused::QuoteOver) }
    }
}

impl Owner {
    /// `POST /api/quotes`. Answered at once where core is not asked.
    pub(super) fn ask_quote(&mut self, request: QuoteRequest, reply: Reply<QuoteTold>) {
        match self.question(request) {
            Err(refused) => drop(reply.send(Err(refused))),
            Ok(Err(why)) => drop(reply.send(Ok(Err(why).into()))),
            Ok(Ok(asked)) => {
                let core = self.core.clone();
                let span = tracing::info_span!(
                    "core.request",
                    otel.kind = "client",
                    ask = "quote",
                    trace_id = tracing::field::Empty
                );
                crate::telemetry::continue_trace(&span, None);
                let asking = async move {
                    let answer = tokio::time::timeout(ASK_MAX, core.quote(&asked)).await.ok();
                    Done::Quote(Box::new(Told { asked, answer, reply }))
                };
                self.calls.spawn(tracing::Instrument::instrument(asking, span));
            }
        }
    }

    /// What core is asked, or why it is not.
    ///
    /// # Errors
    /// `Amount`, `Goods`, `BasketChanged`.
    fn question(&self, request: QuoteRequest) -> Result<Result<AskQuote, Unquoted>, Refused> {
        let QuoteRequest { amount_minor, goods, basket } = request;
        let amount = amount_of(amount_minor, self.identity.profile.currency)?;
        check_goods(&goods)?;
        if self.training.is_on() {
            return Ok(Err(Unquoted::Training));
        }
        if !self.identity.profile.rules {
            return Ok(Err(Unquoted::NoRules));
        }
        let goods = match basket {
            Some(revision) => self.basket_goods(revision, amount, &goods)?,
            None => goods,
        };
        if !self.line.is_online() {
            return Ok(Err(Unquoted::Offline));
        }
        let cashier = Some(self.cashier().to_owned());
        Ok(Ok(AskQuote { amount, store: None, goods, cashier, method: QuoteMethod::Undecided }))
    }

    pub(super) async fn quote_told(&mut self, told: Told) {
        let Told { asked, answer, reply } = told;
        let unquoted = match &answer {
            // Also a core that cannot say anything just now.
            None | Some(Err(HttpsError::Silent(_))) => Unquoted::Slow,
            Some(Err(HttpsError::Unreachable(_) | HttpsError::Untimely(_))) => Unquoted::Offline,
            Some(Err(HttpsError::Refused(problem))) if NO_SALE.contains(&problem.code.as_str()) => Unquoted::Refused,
            Some(_) => Unquoted::Failed,
        };
        let answered = match answer {
            None => {
                tracing::info!("core named no price in time: the sale goes on at its list price");
                None
            }
            Some(answer) => self.answered_beside("quote", answer).await,
        };
        let shown = answered.ok_or(unquoted).and_then(|view| self.quoted(asked, view));
        // A page that is gone asks again.
        drop(reply.send(Ok(shown.into())));
    }

    fn quoted(&mut self, asked: AskQuote, view: QuoteView) -> Result<QuoteShown, Unquoted> {
        // They were switched off since the profile was read.
        if view.id.is_none() {
            return Err(Unquoted::NoRules);
        }
        let Some(quote) = view.quoted(asked.amount) else {
            tracing::warn!("core's quote does not add up: the sale goes on at its list price");
            return Err(Unquoted::Failed);
        };
        let shown = QuoteShown::of(&quote, view.amount.money(), view.failed);
        let since = (Instant::now(), now());
        self.quotes.hold(HeldQuote { quote, amount: view.amount, asked: asked.amount, goods: asked.goods, since });
        Ok(shown)
    }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::Currency;

    use super::*;

    const NOW: Millis = Millis(1_790_000_000_000);

    fn cny(minor: i64) -> Amount {
        Amount::new(minor, Currency::CNY).unwrap()
    }

    #[test]
    fn a_quote_is_sold_for_four_minutes_by_either_clock_and_once() {
        let (begun, id) = (Instant::now(), QuoteId::from_bytes([1; 16]));
        let quote = Quoted {
            id,
            asked_minor: 1_000,
            adjustments: Vec::new(),
            receipt_lines: Vec::new(),
            expires_at: NOW.plus(QUOTE_LIVES_MS),
        };
        let order = Order {
            amount: cny(800),
            goods: Vec::new(),
            split: None,
            quote: None,
            of_basket: false,
            reference: None,
            cashier: "1".to_owned(),
            held: None,
        };
        let mut quotes = Quotes::default();
        let held = HeldQuote { quote, amount: cny(800), asked: cny(1_000), goods: Vec::new(), since: (begun, NOW) };
        quotes.hold(held);
        let is_sold = |quotes: &Quotes, awake_ms: u64, machine_ms: i64| {
            let now = (begun + Duration::from_millis(awake_ms), NOW.plus(machine_ms));
            quotes.of(Some(id), &order, false, now).is_ok()
        };
        for (awake_ms, machine_ms, sells) in [
            (0, 0, true),
            (239_999, 239_999, true),
            (240_000, 239_999, false),
            // The machine slept.
            (1, 240_000, false),
            (1, -1, false),
        ] {
            assert_eq!(is_sold(&quotes, awake_ms, machine_ms), sells, "{awake_ms} {machine_ms}");
        }
        quotes.forget(id);
        assert!(!is_sold(&quotes, 0, 0), "it was sold");
    }
}
