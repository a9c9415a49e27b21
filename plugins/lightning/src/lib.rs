//! The `lightning` channel: Bitcoin Lightning by an LND-compatible node of the merchant's own.
//!
//! The invoice's preimage follows from our order number (`messages/preimage.rs`), so that announcing again finds the same invoice;
//! its memo carries the price and the rate, so that the node itself can say what it was made for. The node's answers are not
//! signed: it is known by its certificate.

pub mod messages;
mod node;

use messages::{
    Settings,
    bill::Page,
    build, check, invoice,
    invoice::Invoice,
    list,
    preimage::{self, Hash},
    rate, refusal,
    search::{self, Found},
    settings as checks,
};
use node::{CERTIFICATE, MACAROON, PREIMAGE_KEY, exchange, exchange_bill, exchange_search, preimage};
use saoma_channel_sdk::{
    Account, BillPage, BillTerms, Cadence, Capability, Created, Error, Guest, HostPattern, HttpMessage, KnownOrder,
    Manifest, NotificationError, NotificationOutcome, Order, PaymentAnswer, RefundAnswer, RefundOrder, SecretKind,
    SecretSpec, clock, log, misconfigured, no_answer, not_sent, random, settings,
};

pub struct Lightning;

/// As in `settings.schema.json`. One account sells in one of them.
const CURRENCIES: [&str; 14] =
    ["USD", "EUR", "GBP", "AUD", "BRL", "CAD", "CHF", "HKD", "JPY", "KRW", "MXN", "NZD", "SGD", "THB"];

impl Guest for Lightning {
    fn describe() -> Manifest {
        let secret = |name: &str, kind, description: &str| SecretSpec {
            name: name.to_owned(),
            kind,
            description: description.to_owned(),
        };
        Manifest {
            id: "lightning".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: "Bitcoin Lightning".to_owned(),
            currencies: CURRENCIES.map(str::to_owned).to_vec(),
            capabilities: vec![Capability::MerchantPresented, Capability::Cancel, Capability::Bills],
            claims: Vec::new(),
            settings_schema: include_str!("../settings.schema.json").to_owned(),
            secrets: vec![
                secret(
                    MACAROON,
                    SecretKind::Text,
                    "LND's invoice.macaroon in hex (xxd -p -c 1000 invoice.macaroon): it cannot spend. 发票权限的 macaroon（十六进制）。",
                ),
                secret(
                    CERTIFICATE,
                    SecretKind::Certificates,
                    "LND's tls.cert, as PEM; needed unless the node's certificate is from a public authority. 节点证书。",
                ),
                secret(
                    PREIMAGE_KEY,
                    SecretKind::MacKey,
                    "At least 32 random characters that you make once (openssl rand -hex 32) and keep: every invoice is made with them, and a \
                     guessed key lets others keep payments. 至少 32 位随机字符，请勿更换；密钥被猜中会导致款项被截留。",
                ),
            ],
            hosts: vec![HostPattern::Setting("node_url".to_owned()), HostPattern::Setting("rate_url".to_owned())],
            cadence: Cadence { call_timeout_ms: 15_000, query_interval_ms: 1_500, reverse_after_ms: 60_000 },
            bills: Some(BillTerms { time_zone: "Etc/UTC".to_owned(), day_begins_minutes: 0, ready_after_minutes: 10 }),
        }
    }

    fn create(account: Account, order: Order) -> Result<Created, Error> {
        let settings = valid(&account)?;
        if order.amount.currency != settings.currency {
            return Err(not_sent(format!(
                "this account sells in {}, not in {}",
                settings.currency, order.amount.currency
            )));
        }
        let preimage = preimage(&order.number)?;
        let hash = preimage.hash();
        let rate = match node::rate(&settings) {
            Ok(rate) => rate,
            // An order that was announced before has its rate; whether it was is not known if the node does not say so.
            Err(without_rate) => {
                let known = unsure(looked_up(&settings, &hash))?.ok_or(without_rate)?;
                return announced(Some(&known), "no rate", &order);
            }
        };
        let announcement = build::add(&order, &settings, &rate, &preimage, clock::now())?;
        let reply = exchange(&settings, &announcement.call)?;
        if reply.status == 200 {
            let code = invoice::read_added(&reply.body, &announcement, &hash, &order, &settings, clock::now())?;
            return Ok(Created { code });
        }
        let refused = refusal::read(reply.status, &reply.body)?;
        if !refused.is_foreseen() {
            return Err(no_answer(refused.words));
        }
        // LND makes no second invoice of a preimage, and refuses it by no code of its own: what it has counts.
        announced(unsure(looked_up(&settings, &hash))?.as_ref(), &refused.words, &order)
    }

    fn charge(_account: Account, _order: Order, _code: String) -> Result<PaymentAnswer, Error> {
        Err(Error::Unsupported)
    }

    fn query(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        unsure(queried(&valid(&account)?, &order))
    }

    fn cancel(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        let settings = valid(&account)?;
        unsure(cancelled(&settings, &order))
    }

    fn refund(_account: Account, _refund: RefundOrder) -> Result<RefundAnswer, Error> {
        Err(Error::Unsupported)
    }

    fn query_refund(_account: Account, _refund: RefundOrder) -> Result<RefundAnswer, Error> {
        Err(Error::Unsupported)
    }

    fn parse_notification(
        _account: Account,
        _notification: HttpMessage,
    ) -> Result<NotificationOutcome, NotificationError> {
        Err(NotificationError::Malformed("a node sends no notifications".to_owned()))
    }

    fn fetch_bill(account: Account, day: String, cursor: Option<String>) -> Result<BillPage, Error> {
        let settings = valid(&account)?;
        let page = Page::new(&day, cursor.as_deref())?;
        let reply = exchange_bill(&settings, &page.call())?;
        page.read(reply.status, &reply.body, &settings)
    }

    fn self_test(account: Account) -> Result<String, Error> {
        let settings = valid(&account)?;
        // Before anything is sent, since no sale goes without it.
        preimage("self-test")?;
        let reply = exchange(&settings, &build::last(check::ROWS))?;
        let invoices = list::read(reply.status, &reply.body, check::ROWS, 0)?.invoices;
        check::of_network(&invoices, &settings).map_err(misconfigured)?;
        for invoice in check::of_the_last_day(invoices, &settings, clock::now()) {
            if preimage(&invoice.terms.number)?.hash() != invoice.hash {
                return Err(misconfigured(format!(
                    "{PREIMAGE_KEY} did not make the invoice of {}: enter the one that did; if it is lost, sales go on, and this is \
                     said until that invoice is a day old",
                    invoice.terms.number
                )));
            }
        }
        let nobodys: Hash = random::bytes(32).try_into().unwrap_or_default();
        let reply = exchange(&settings, &build::cancel(&nobodys))?;
        check::read_nobodys(reply.status, &reply.body)?;
        let rate = rate::words(&node::rate(&settings)?);
        Ok(format!("The node answers. A bitcoin is counted as {rate}. 节点连接正常，比特币折合 {rate}。"))
    }
}

fn valid(account: &Account) -> Result<Settings, Error> {
    checks::valid(settings(account)?)
}

/// Of an order that may be paid, a question that was not sent, or that the node did not take, says no more than one that was not
/// answered: only so does core ask again.
fn unsure<T>(outcome: Result<T, Error>) -> Result<T, Error> {
    outcome.map_err(|error| match error {
        Error::NotSent(why) | Error::Misconfigured(why) => no_answer(why),
        other => other,
    })
}

fn announced(known: Option<&Invoice>, refused: &str, order: &Order) -> Result<Created, Error> {
    invoice::read_announced(known, refused, order, clock::now()).map(|code| Created { code })
}

fn looked_up(settings: &Settings, hash: &Hash) -> Result<Option<Invoice>, Error> {
    let reply = exchange(settings, &build::look_up(hash))?;
    invoice::read_looked_up(reply.status, &reply.body, hash, settings)
}

fn queried(settings: &Settings, order: &KnownOrder) -> Result<PaymentAnswer, Error> {
    let invoice = found(settings, order, &hash(order)?)?;
    Ok(told(invoice, &order.number))
}

/// Closes the invoice if that can be done. What became of it only its state says: nodes have taken payments of invoices that had
/// ended.
fn cancelled(settings: &Settings, order: &KnownOrder) -> Result<PaymentAnswer, Error> {
    let hash = hash(order)?;
    close(settings, &hash)?;
    let invoice = match found(settings, order, &hash)? {
        // Under a hash that was not known before.
        Some(invoice) if invoice.hash != hash && invoice.is_payable() => {
            close(settings, &invoice.hash)?;
            let closed = looked_up(settings, &invoice.hash)?;
            Some(closed.ok_or_else(|| invoice::gone(&invoice.hash))?)
        }
        found => found,
    };
    Ok(told(invoice, &order.number))
}

fn close(settings: &Settings, hash: &Hash) -> Result<(), Error> {
    let reply = exchange(settings, &build::cancel(hash))?;
    if reply.status == 200 {
        return Ok(());
    }
    // Settled or not there: the refusal does not say which by a code.
    let refused = refusal::read(reply.status, &reply.body)?;
    if refused.is_foreseen() { Ok(()) } else { Err(no_answer(refused.words)) }
}

/// By which the node knows the order: what it said itself, or else what the key makes of the number. The first of them outlives the
/// key.
fn hash(order: &KnownOrder) -> Result<Hash, Error> {
    preimage::referred(&order.reference).map_or_else(|| Ok(preimage(&order.number)?.hash()), Ok)
}

/// The order's invoice; if core has never heard of one, the one of its number.
fn found(settings: &Settings, order: &KnownOrder, hash: &Hash) -> Result<Option<Invoice>, Error> {
    match looked_up(settings, hash)? {
        Some(invoice) => Ok(Some(invoice)),
        None if preimage::referred(&order.reference).is_some() => Err(invoice::gone(hash)),
        None => searched(settings, order),
    }
}

fn searched(settings: &Settings, order: &KnownOrder) -> Result<Option<Invoice>, Error> {
    let mut behind = 0;
    for _ in 0..search::PAGES_MAX {
        let reply = exchange_search(settings, &search::page(order.created_at, behind))?;
        match search::read(reply.status, &reply.body, &order.number, behind, settings)? {
            Found::Nothing => return Ok(None),
            Found::Here(invoice) => return Ok(Some(*invoice)),
            Found::NotYet(next) => behind = next,
        }
    }
    Err(no_answer("the node has more invoices of that hour than can be looked through"))
}

fn told(invoice: Option<Invoice>, number: &str) -> PaymentAnswer {
    let Some(invoice) = invoice else { return invoice::unknown(number) };
    if invoice.surplus_msat > 0 {
        let text = format!("{number} was paid with {} msat more than asked", invoice.surplus_msat);
        log::write(log::Level::Info, &text);
    }
    invoice.told()
}

// Only a component exports them: a native library with these symbol names would be of no use to anyone.
#[cfg(target_arch = "wasm32")]
saoma_channel_sdk::export!(Lightning);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::CURRENCIES;

    #[test]
    fn the_schema_offers_the_manifests_currencies() {
        let schema: serde_json::Value = serde_json::from_str(include_str!("../settings.schema.json")).expect("JSON");
        let offered = schema["properties"]["currency"]["enum"].as_array().into_iter().flatten();
        let offered: BTreeSet<&str> = offered.filter_map(serde_json::Value::as_str).collect();
        assert_eq!(offered, BTreeSet::from(CURRENCIES));
    }
}
