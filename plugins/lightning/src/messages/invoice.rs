//! The node's invoice (`lnrpc.Invoice`), and what it tells of an order.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use saoma_channel_sdk::{Error, Order, PaymentAnswer, PaymentStatus, no_answer, not_sent, to_hex};
use serde::Deserialize;

use super::{
    Settings, bolt11,
    build::Announcement,
    memo::{self, Terms},
    preimage::Hash,
    refusal,
};

/// How much later than the order an invoice may end: the node's clock is not ours.
const LATER_SECONDS_MAX: i64 = 600;
/// A wallet that a telephone's camera has read the code with is opened by it; capital letters make the picture smaller.
const SCHEME: &str = "LIGHTNING:";

/// `lnrpc.AddInvoiceResponse`, as far as it is used.
#[derive(Deserialize)]
struct Added {
    r_hash: String,
    payment_request: String,
}

/// `lnrpc.Invoice`, as far as it is used; its numbers are texts.
#[derive(Deserialize)]
pub(super) struct Message {
    memo: String,
    r_hash: String,
    value_msat: String,
    amt_paid_msat: String,
    settle_date: String,
    payment_request: String,
    state: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    /// The money is on its way and held, not yet the merchant's.
    Accepted,
    Settled,
    Canceled,
}

/// An invoice of this channel that is whole: what it asks for is what its memo was made for.
#[derive(Clone, Debug, PartialEq)]
pub struct Invoice {
    pub terms: Terms,
    pub hash: Hash,
    pub state: State,
    /// When it was paid, milliseconds since 1970.
    pub paid_at: Option<i64>,
    /// What was paid above what was asked, in thousandths of a satoshi: payers may give up to twice as much (BOLT 4).
    pub surplus_msat: i64,
    request: bolt11::Invoice,
    payment_request: String,
}

impl Message {
    /// `None` for a state that LND does not have.
    pub(super) fn state(&self) -> Option<State> {
        Some(match self.state.as_str() {
            "OPEN" => State::Open,
            "ACCEPTED" => State::Accepted,
            "SETTLED" => State::Settled,
            "CANCELED" => State::Canceled,
            _ => return None,
        })
    }

    pub(super) fn memo(&self) -> &str {
        &self.memo
    }

    /// When it was paid, seconds since 1970.
    pub(super) fn paid_at_seconds(&self) -> Option<i64> {
        self.settle_date.parse().ok().filter(|at| *at > 0)
    }

    /// # Errors
    /// What does not fit together.
    pub(super) fn read(self, settings: &Settings) -> Result<Invoice, String> {
        let state = self.state().ok_or_else(|| format!("its state {:?} is not known", cut(&self.state)))?;
        let terms = memo::read(&self.memo).ok_or("its memo is not of this channel")?;
        let hash = hash_of(&self.r_hash)?;
        let number = |text: &str| text.parse::<i64>().map_err(|_| format!("{:?} is no number", cut(text)));
        let value_msat = number(&self.value_msat)?;
        if terms.msat()? != value_msat {
            return Err(format!("it asks for {value_msat} msat, which is not its memo's amount at its memo's rate"));
        }
        let request = asked(&self.payment_request, settings, &hash, value_msat, &self.memo)?;
        let paid_msat = number(&self.amt_paid_msat)?;
        let surplus_msat =
            paid_msat.checked_sub(value_msat).ok_or_else(|| format!("{paid_msat} msat cannot be paid"))?;
        let paid_at = match state {
            State::Settled if surplus_msat < 0 => {
                return Err(format!("it is settled with {paid_msat} msat, which is too little"));
            }
            State::Settled => {
                let at = self.paid_at_seconds().ok_or("it is settled at no time")?;
                Some(at.checked_mul(1_000).ok_or_else(|| format!("it is settled at {at}"))?)
            }
            _ => None,
        };
        let payment_request = self.payment_request;
        Ok(Invoice { terms, hash, state, paid_at, surplus_msat, request, payment_request })
    }
}

impl Invoice {
    /// Whether somebody may still pay it.
    #[must_use]
    pub const fn is_payable(&self) -> bool {
        matches!(self.state, State::Open | State::Accepted)
    }

    /// When it was made, seconds since 1970.
    #[must_use]
    pub const fn made_at(&self) -> u64 {
        self.request.made_at
    }

    /// What it tells of its order.
    #[must_use]
    pub fn told(&self) -> PaymentAnswer {
        PaymentAnswer {
            status: match self.state {
                State::Open | State::Accepted => PaymentStatus::Pending,
                State::Settled => PaymentStatus::Succeeded,
                State::Canceled => PaymentStatus::Closed,
            },
            number: self.terms.number.clone(),
            amount: Some(self.terms.amount.clone()),
            reference: to_hex(&self.hash),
            paid_at: self.paid_at,
            payer_hint: String::new(),
        }
    }
}

/// What the node says of an order that it was asked about by the payment hash; `None`: it has no invoice of that hash.
///
/// # Errors
/// `misconfigured` if the node does not take the macaroon; `no-answer` for anything that leaves it open.
pub fn read_looked_up(status: u16, body: &[u8], hash: &Hash, settings: &Settings) -> Result<Option<Invoice>, Error> {
    if status != 200 {
        let refused = refusal::read(status, body)?;
        return if refused.is_not_found() { Ok(None) } else { Err(no_answer(refused.words)) };
    }
    let message: Message = serde_json::from_slice(body).map_err(|_| no_answer("the node's answer is no invoice"))?;
    let invoice = message.read(settings).map_err(|why| no_answer(format!("the node's invoice: {why}")))?;
    if invoice.hash == *hash { Ok(Some(invoice)) } else { Err(no_answer("the node's answer is about another invoice")) }
}

/// Why there is no answer about an order whose invoice a node has told of before, if this one has none of that hash: money may have come
/// in where it was made, so the order is not `not-found`.
#[must_use]
pub fn gone(hash: &Hash) -> Error {
    no_answer(format!(
        "the node has no invoice {}, of which it told before: is node_url another node's, or was this one set up anew?",
        to_hex(hash)
    ))
}

/// The answer about an order of which the node has nothing.
#[must_use]
pub fn unknown(number: &str) -> PaymentAnswer {
    PaymentAnswer {
        status: PaymentStatus::NotFound,
        number: number.to_owned(),
        amount: None,
        reference: String::new(),
        paid_at: None,
        payer_hint: String::new(),
    }
}

/// The code of an invoice that was just made.
///
/// # Errors
/// `no-answer` if it is not what was asked for.
pub fn read_added(
    body: &[u8],
    announced: &Announcement,
    hash: &Hash,
    order: &Order,
    settings: &Settings,
    now_ms: i64,
) -> Result<String, Error> {
    let wrong = |why: String| no_answer(format!("the node's invoice: {why}"));
    let added: Added = serde_json::from_slice(body).map_err(|_| wrong("it cannot be read".to_owned()))?;
    if hash_of(&added.r_hash).map_err(wrong)? != *hash {
        return Err(wrong("it is of another hash".to_owned()));
    }
    let request = asked(&added.payment_request, settings, hash, announced.msat, &announced.memo).map_err(wrong)?;
    in_time(&request, order, now_ms).map_err(wrong)?;
    Ok(code(&added.payment_request))
}

/// The code of an invoice that the node already had, or why there is none.
///
/// # Errors
/// `not-sent` if it is closed, or if the node refused the order for good; `no-answer` if it is paid or not this order's.
pub fn read_announced(invoice: Option<&Invoice>, refused: &str, order: &Order, now_ms: i64) -> Result<String, Error> {
    let Some(invoice) = invoice else { return Err(not_sent(refused)) };
    if (invoice.terms.number.as_str(), &invoice.terms.amount) != (order.number.as_str(), &order.amount) {
        return Err(no_answer("the node has an invoice of another amount for this order"));
    }
    match invoice.state {
        State::Open => {}
        State::Canceled => return Err(not_sent("the invoice of this order is closed")),
        State::Accepted | State::Settled => return Err(no_answer("the invoice of this order has been paid")),
    }
    in_time(&invoice.request, order, now_ms).map_err(no_answer)?;
    Ok(code(&invoice.payment_request))
}

/// # Errors
/// Of which network it is, if not of the one that the settings name.
pub(super) fn has_network(request: &bolt11::Invoice, settings: &Settings) -> Result<(), String> {
    let prefix = settings.network.prefix();
    if request.prefix == prefix {
        return Ok(());
    }
    Err(format!("it is of the network {}, not {prefix}: check network", cut(&request.prefix)))
}

/// What the customer's wallet will read in it.
fn asked(text: &str, settings: &Settings, hash: &Hash, msat: i64, memo: &str) -> Result<bolt11::Invoice, String> {
    let request = bolt11::read(text).map_err(|why| format!("its payment request: {why}"))?;
    has_network(&request, settings)?;
    let is_asked = request.payment_hash == *hash
        && request.msat.is_some_and(|asked| i64::try_from(asked) == Ok(msat))
        && request.description.as_deref() == Some(memo);
    if is_asked { Ok(request) } else { Err("its payment request asks for something else".to_owned()) }
}

/// That it can be paid now, and not for much longer than the order lasts.
fn in_time(request: &bolt11::Invoice, order: &Order, now_ms: i64) -> Result<(), String> {
    let end = i64::try_from(request.made_at.saturating_add(request.expiry_seconds)).unwrap_or(i64::MAX);
    if end <= now_ms / 1_000 || end > order.expires_at / 1_000 + LATER_SECONDS_MAX {
        return Err(format!("it ends at {end}, not with the order: check the node's clock"));
    }
    Ok(())
}

fn code(payment_request: &str) -> String {
    format!("{SCHEME}{}", payment_request.to_ascii_uppercase())
}

fn hash_of(base64: &str) -> Result<Hash, String> {
    let bytes = STANDARD.decode(base64).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| "it has no payment hash".to_owned())
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{
        samples::{
            MEMO, NOW_MS, NUMBER, added, announcement, hash, invoice, kind, order, payment_request, payment_request_of,
            settings,
        },
        settings::Network,
    };

    fn told(status: u16, body: &str) -> String {
        match read_looked_up(status, body.as_bytes(), &hash(), &settings()) {
            Ok(Some(invoice)) => {
                let told = invoice.told();
                assert_eq!((told.number.as_str(), told.reference.len()), (NUMBER, 64));
                format!("{:?} {:?}", told.status, told.paid_at)
            }
            Ok(None) => "nothing".to_owned(),
            Err(error) => kind(&error).to_owned(),
        }
    }

    #[test]
    fn states() {
        for (state, paid_msat, outcome) in [
            ("OPEN", 0, "PaymentStatus::Pending None"),
            ("ACCEPTED", 25_253_000, "PaymentStatus::Pending None"),
            ("CANCELED", 0, "PaymentStatus::Closed None"),
            ("SETTLED", 25_253_000, "PaymentStatus::Succeeded Some(1700000060000)"),
            // More may be paid than was asked, never less.
            ("SETTLED", 50_506_000, "PaymentStatus::Succeeded Some(1700000060000)"),
            ("SETTLED", 25_252_999, "no-answer"),
            ("SETTLED", 0, "no-answer"),
            ("PAID", 25_253_000, "no-answer"),
            ("", 25_253_000, "no-answer"),
        ] {
            assert_eq!(told(200, &invoice(state, paid_msat)), outcome, "{state} {paid_msat}");
        }
        let more = read_looked_up(200, invoice("SETTLED", 25_253_007).as_bytes(), &hash(), &settings());
        assert_eq!(more.map(|invoice| invoice.map(|invoice| invoice.surplus_msat)), Ok(Some(7)));
    }

    #[test]
    fn what_is_not_this_orders_invoice_is_not_believed() {
        let paid = invoice("SETTLED", 25_253_000);
        for (from, to) in [
            (r#""value_msat":"25253000""#, r#""value_msat":"25254000""#),
            (r#""value_msat":"25253000""#, r#""value_msat":25253000"#),
            ("12.50 USD", "12.49 USD"),
            ("49500.00", "49400.00"),
            ("USD", "EUR"),
            (MEMO, "a cup of coffee"),
            (r#""settle_date":"1700000060""#, r#""settle_date":"0""#),
            (r#""settle_date":"1700000060""#, r#""settle_date":"soon""#),
            (r#""settle_date":"1700000060""#, r#""settle_date":"9223372036854775807""#),
            (r#""amt_paid_msat":"25253000""#, r#""amt_paid_msat":"-9223372036854775808""#),
            (r#""state":"SETTLED""#, r#""state":1"#),
            (r#","state":"SETTLED""#, ""),
        ] {
            let changed = paid.replace(from, to);
            assert_ne!(changed, paid, "{from}");
            assert_eq!(told(200, &changed), "no-answer", "{to}");
        }
        for body in ["", "{}", "[]", "<html>", &paid[..paid.len() / 2]] {
            assert_eq!(told(200, body), "no-answer", "{body}");
        }
        let other = read_looked_up(200, paid.as_bytes(), &[7; 32], &settings());
        assert_eq!(other.map_err(|error| kind(&error)), Err("no-answer"), "another invoice");
        assert_eq!(told(404, r#"{"code":5,"message":"unable to locate invoice","details":[]}"#), "nothing");
        assert_eq!(told(404, r#"{"code":5,"message":"Not Found","details":[]}"#), "no-answer", "the wallet is locked");
        assert_eq!(told(404, "<html>"), "no-answer");
        assert_eq!(told(500, r#"{"code":2,"message":"waiting to start","details":[]}"#), "no-answer");
    }

    #[test]
    fn new_invoices() {
        let read = |body: &str, now_ms| {
            read_added(body.as_bytes(), &announcement(), &hash(), &order(), &settings(), now_ms)
                .map_err(|error| kind(&error))
        };
        let good = payment_request(&hash(), 25_253_000, NOW_MS / 1_000, 120, MEMO);
        let code = read(&added(&hash(), &good), NOW_MS).expect("a code");
        assert_eq!(code, format!("LIGHTNING:{}", good.to_uppercase()));
        for (what, request) in [
            ("another amount", payment_request(&hash(), 25_254_000, NOW_MS / 1_000, 120, MEMO)),
            ("another hash", payment_request(&[7; 32], 25_253_000, NOW_MS / 1_000, 120, MEMO)),
            ("another memo", payment_request(&hash(), 25_253_000, NOW_MS / 1_000, 120, "coffee")),
            ("a day ahead", payment_request(&hash(), 25_253_000, NOW_MS / 1_000 + 86_400, 120, MEMO)),
            ("a day behind", payment_request(&hash(), 25_253_000, NOW_MS / 1_000 - 86_400, 120, MEMO)),
            ("a link", "https://example.com".to_owned()),
        ] {
            assert_eq!(read(&added(&hash(), &request), NOW_MS), Err("no-answer"), "{what}");
        }
        assert_eq!(read(&added(&[7; 32], &good), NOW_MS), Err("no-answer"), "of another hash");
        assert_eq!(read("{}", NOW_MS), Err("no-answer"));
        assert_eq!(read(&added(&hash(), &good), NOW_MS + 120_000), Err("no-answer"), "it has ended");
    }

    /// Its checksum is right each time: nothing but the prefix says that the money is another network's.
    #[test]
    fn an_invoice_of_another_network_is_never_shown_nor_believed() {
        let networks = [Network::Mainnet, Network::Testnet, Network::Signet, Network::Regtest];
        for (named, made) in networks.into_iter().flat_map(|named| networks.map(|made| (named, made))) {
            let settings = Settings { network: named, ..settings() };
            let request = payment_request_of(made, &hash(), 25_253_000, NOW_MS / 1_000, 120, MEMO);
            let expected = if named == made { Ok(()) } else { Err("no-answer") };
            let shown =
                read_added(added(&hash(), &request).as_bytes(), &announcement(), &hash(), &order(), &settings, NOW_MS);
            assert_eq!(shown.map(|_| ()).map_err(|error| kind(&error)), expected, "{made:?} at {named:?}");
            let regtest = payment_request(&hash(), 25_253_000, NOW_MS / 1_000, 120, MEMO);
            let paid = invoice("SETTLED", 25_253_000).replace(&regtest, &request);
            let known = read_looked_up(200, paid.as_bytes(), &hash(), &settings);
            assert_eq!(known.map(|_| ()).map_err(|error| kind(&error)), expected, "{made:?} at {named:?}");
        }
    }

    /// `tests/added.json` is what the simulated node answered to the request in the snapshot of `build.rs`; other software reads the
    /// code again (`oracle/code.test.mjs`).
    #[test]
    fn the_code_that_core_gets() {
        let (body, code) = (include_bytes!("../../tests/added.json"), include_str!("../../tests/code.txt"));
        let read = read_added(body, &announcement(), &hash(), &order(), &settings(), NOW_MS);
        assert_eq!(read.as_deref(), Ok(code.trim_end()));
    }

    #[test]
    fn announced_before() {
        let told = |known: Option<&Invoice>, order: &Order| {
            read_announced(known, "refused", order, NOW_MS).map(|code| code.len() > 200).map_err(|error| kind(&error))
        };
        let known = |state: &str| {
            let read = read_looked_up(200, invoice(state, 0).as_bytes(), &hash(), &settings());
            read.expect("readable").expect("an invoice")
        };
        assert_eq!(told(Some(&known("OPEN")), &order()), Ok(true));
        assert_eq!(told(Some(&known("CANCELED")), &order()), Err("not-sent"));
        assert_eq!(told(Some(&known("ACCEPTED")), &order()), Err("no-answer"));
        assert_eq!(told(None, &order()), Err("not-sent"), "no invoice");
        let mut other = order();
        other.amount.minor += 1;
        assert_eq!(told(Some(&known("OPEN")), &other), Err("no-answer"));
    }
}
