//! People who sell, pay, give back and undo while things go wrong, and who remember what they were told.
//!
//! Whoever gets no answer asks again with the same key, as a till's page or a merchant's system does, and at some time gives
//! up. What they were told is held against the books afterwards; what they were not told may have happened or not.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    api::{Door, Reply},
    scenarios::people::{Customer, Office},
    shop::{Made, Shop},
    sim::luck::Luck,
};

/// Who is at it at the same time.
const CASHIERS: usize = 2;
const SYSTEMS: usize = 3;
/// How long one answer is waited for: a channel's call takes at most 4 s.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// How often a request is sent before whoever sends it gives up.
const TRIES_MAX: i64 = 6;
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// How long somebody looks at a sale that is not through.
const LOOK_MAX: Duration = Duration::from_secs(4);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Codes on show die soon, so that those which nobody paid need not be waited for.
const CODE_SECONDS: u32 = 6;

/// What somebody was told by an answer with 2xx, or by the till's screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The till has such a sale.
    Keyed {
        payment: String,
        amount_minor: i64,
    },
    /// Core has such a payment.
    Taken {
        payment: String,
        amount_minor: i64,
    },
    Paid {
        payment: String,
        amount_minor: i64,
    },
    GivenBack {
        payment: String,
        refund: String,
        amount_minor: i64,
    },
    /// Each time it was asked, the till said clearly that it did not take the sale of this cashier (each sale has its own).
    NotKeyed {
        cashier: String,
    },
    /// The same of core, and of the payment with this reference.
    NotTaken {
        reference: String,
    },
    /// An answer that nobody can act on: no problem with a code, or `internal`.
    Unclear(String),
}

/// The people of one round.
pub struct People {
    till: Door,
    core: Door,
    customer: Customer,
    made: Made,
    stop: AtomicBool,
    told: Mutex<Vec<Told>>,
    refused: AtomicU64,
    unheard: AtomicU64,
}

/// What came of the round's load.
pub struct Load {
    pub told: Vec<Told>,
    /// Answers that said clearly that it cannot be done now.
    pub refused: u64,
    /// Requests that got no answer.
    pub unheard: u64,
}

impl People {
    /// `core`: where the merchant's systems find core.
    pub fn of(shop: &Shop, core: &str) -> Result<Self> {
        let made = shop.made()?.clone();
        let key = format!("Bearer {}", made.api_key);
        Ok(Self {
            till: Door::for_at_most(ANSWER_MAX, shop.till()?.base())?.with("x-saoma-till", "1"),
            core: Door::for_at_most(ANSWER_MAX, core)?.with("authorization", key),
            customer: Customer::of(shop)?,
            made,
            stop: AtomicBool::new(false),
            told: Mutex::default(),
            refused: AtomicU64::new(0),
            unheard: AtomicU64::new(0),
        })
    }

    pub fn go_home(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Sells until [`Self::go_home`]. `name` tells this round's keys from those of others.
    pub async fn sell(&self, seed: u64, name: &str) -> Load {
        let stream = |who: String| (Luck::of(seed, &format!("{name} {who}")), format!("{name}-{who}"));
        let cashiers = join_all((0..CASHIERS).map(|number| self.cashier(stream(format!("cashier-{number}")))));
        let systems = join_all((0..SYSTEMS).map(|number| self.system(stream(format!("system-{number}")))));
        tokio::join!(cashiers, systems);
        Load {
            told: std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner)),
            refused: self.refused.load(Ordering::Relaxed),
            unheard: self.unheard.load(Ordering::Relaxed),
        }
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn hear(&self, told: Told) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    /// Somebody at the till.
    async fn cashier(&self, (mut luck, name): (Luck, String)) {
        let (mut sold, mut number) = (Vec::new(), 0_u32);
        while !self.is_over() {
            number += 1;
            let key = format!("{name}-{number}");
            let deed = if sold.is_empty() { luck.below(70) } else { luck.below(100) };
            match deed {
                0..30 => {
                    let body = json!({"amount_minor": luck.between(100, 9_000), "method": "cash", "tendered_minor": 10_000, "cashier": cashier_of(&key)});
                    sold.extend(self.sells_at_till(&body, &key).await);
                }
                30..58 => {
                    let Some(code) = self.shows_code().await else { continue };
                    let body = json!({"amount_minor": amount(&mut luck), "method": "scan", "code": code, "cashier": cashier_of(&key)});
                    sold.extend(self.sells_at_till(&body, &key).await);
                }
                58..70 => {
                    let body =
                        json!({"amount_minor": amount(&mut luck), "method": "code", "cashier": cashier_of(&key)});
                    sold.extend(self.sells_at_till(&body, &key).await);
                }
                70..90 => {
                    let Sold { payment, left_minor } = sold.swap_remove(luck.idx(sold.len()));
                    let part_minor = luck.between(1, left_minor);
                    let path = format!("/api/sales/{payment}/refund");
                    self.undoes_at_till(&path, &json!({"amount_minor": part_minor}), &key).await;
                    sold.extend(Sold { payment, left_minor: left_minor - part_minor }.if_anything_is_left());
                }
                _ => {
                    let Sold { payment, .. } = sold.swap_remove(luck.idx(sold.len()));
                    self.undoes_at_till(&format!("/api/sales/{payment}/void"), &json!({}), &key).await;
                }
            }
            tokio::time::sleep(Duration::from_millis(luck.below(120))).await;
        }
    }

    async fn sells_at_till(&self, body: &Value, key: &str) -> Option<Sold> {
        let reply = match self.asks(&self.till, "/api/sales", body, key).await {
            Answer::Yes(reply) => reply,
            Answer::No => {
                self.hear(Told::NotKeyed { cashier: cashier_of(key) });
                return None;
            }
            Answer::Nobody => return None,
        };
        let amount_minor = body["amount_minor"].as_i64()?;
        let payment = reply["payment"].as_str()?.to_owned();
        self.hear(Told::Keyed { payment: payment.clone(), amount_minor });
        let (path, mut offered) = (format!("/api/sales/{payment}"), false);
        let patience = Instant::now() + LOOK_MAX;
        let mut sale = reply;
        while sale["paid"] != true {
            if let Some(link) = sale["code_url"].as_str().filter(|_| !offered) {
                offered = true;
                self.pays(link).await;
            }
            if sale["settled"] == true || Instant::now() > patience || self.is_over() {
                return None;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            sale = self.till.get(&path).await.unwrap_or(sale);
        }
        self.hear(Told::Paid { payment: payment.clone(), amount_minor });
        Some(Sold { payment, left_minor: amount_minor })
    }

    async fn undoes_at_till(&self, path: &str, body: &Value, key: &str) {
        let Answer::Yes(sale) = self.asks(&self.till, path, body, key).await else { return };
        for given in sale["refunds"].as_array().into_iter().flatten() {
            self.hear_of_refund(
                sale["payment"].as_str(),
                given["refund"].as_str(),
                &given["amount_minor"],
                &given["state"],
            );
        }
    }

    /// A merchant's own system, which asks core directly.
    async fn system(&self, (mut luck, name): (Luck, String)) {
        let (mut sold, mut number) = (Vec::new(), 0_u32);
        while !self.is_over() {
            number += 1;
            let key = format!("{name}-{number}");
            let deed = if sold.is_empty() { luck.below(70) } else { luck.below(100) };
            match deed {
                0..50 => {
                    let Some(code) = self.shows_code().await else { continue };
                    let body = json!({
                        "amount": Office::amount(amount(&mut luck)),
                        "presentation": {"kind": "customer", "code": code},
                        "store": self.made.store,
                        "reference": key,
                    });
                    sold.extend(self.sells_by_core(&body, &key).await);
                }
                50..70 => {
                    let body = json!({
                        "amount": Office::amount(amount(&mut luck)),
                        "presentation": {"kind": "merchant", "expires_in_seconds": CODE_SECONDS},
                        "channel_account": self.made.sandbox,
                        "store": self.made.store,
                        "reference": key,
                    });
                    sold.extend(self.sells_by_core(&body, &key).await);
                }
                70..90 => {
                    let Sold { payment, left_minor } = sold.swap_remove(luck.idx(sold.len()));
                    let part_minor = luck.between(1, left_minor);
                    let body = json!({"amount": Office::amount(part_minor)});
                    self.undoes_by_core(&payment, "refunds", &body, &key).await;
                    sold.extend(Sold { payment, left_minor: left_minor - part_minor }.if_anything_is_left());
                }
                _ => {
                    let Sold { payment, .. } = sold.swap_remove(luck.idx(sold.len()));
                    self.undoes_by_core(&payment, "void", &json!({}), &key).await;
                }
            }
            tokio::time::sleep(Duration::from_millis(luck.below(80))).await;
        }
    }

    async fn sells_by_core(&self, body: &Value, key: &str) -> Option<Sold> {
        let mut payment = match self.asks(&self.core, "/v1/payments", body, key).await {
            Answer::Yes(payment) => payment,
            Answer::No => {
                self.hear(Told::NotTaken { reference: key.to_owned() });
                return None;
            }
            Answer::Nobody => return None,
        };
        let (id, amount_minor) = (payment["id"].as_str()?.to_owned(), body["amount"]["minor"].as_i64()?);
        self.hear(Told::Taken { payment: id.clone(), amount_minor });
        let path = format!("/v1/payments/{id}");
        if let Some(link) = payment["code_url"].as_str() {
            self.pays(link).await;
        }
        let patience = Instant::now() + LOOK_MAX;
        while payment["state"] != "succeeded" {
            let waits = ["created", "presenting", "submitting", "pending", "unknown"];
            let open = payment["state"].as_str().is_some_and(|state| waits.contains(&state));
            if !open || Instant::now() > patience || self.is_over() {
                return None;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            payment = self.core.get(&path).await.unwrap_or(payment);
        }
        self.hear(Told::Paid { payment: id.clone(), amount_minor });
        Some(Sold { payment: id, left_minor: amount_minor })
    }

    async fn undoes_by_core(&self, payment: &str, how: &str, body: &Value, key: &str) {
        let path = format!("/v1/payments/{payment}/{how}");
        let Answer::Yes(given) = self.asks(&self.core, &path, body, key).await else { return };
        self.hear_of_refund(Some(payment), given["id"].as_str(), &given["amount"]["minor"], &given["state"]);
    }

    fn hear_of_refund(&self, payment: Option<&str>, refund: Option<&str>, amount_minor: &Value, state: &Value) {
        if let (Some(payment), Some(refund), Some(amount_minor)) = (payment, refund, amount_minor.as_i64())
            && state == "succeeded"
        {
            self.hear(Told::GivenBack { payment: payment.to_owned(), refund: refund.to_owned(), amount_minor });
        }
    }

    /// The code in a customer's wallet; the scheme's own pages are always there.
    async fn shows_code(&self) -> Option<String> {
        self.customer.shows_code().await.ok()
    }

    /// A customer opens the link and pays, or goes away when the page does not come.
    async fn pays(&self, link: &str) {
        if let Ok(Ok((_, page))) = timeout(ANSWER_MAX, self.customer.opens(link)).await
            && let Ok(token) = Customer::wallet_token(&page)
        {
            // Whether it worked is for the books to say.
            drop(timeout(ANSWER_MAX, self.customer.pays(&token)).await);
        }
    }

    /// What comes of a request that is sent again, the same each time, while no clear answer comes. Some give up at once.
    async fn asks(&self, door: &Door, path: &str, body: &Value, key: &str) -> Answer {
        let (mut luck, mut is_doubtful) = (Luck::of(0, key), false);
        for _ in 0..luck.between(1, TRIES_MAX) {
            match door.call(Method::POST, path, Some(body), Some(key)).await {
                Ok(Reply { status, body }) if status.is_success() => return Answer::Yes(body),
                Ok(Reply { status, .. }) if status.is_client_error() => break,
                Ok(Reply { status, body }) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    let code = body["code"].as_str().unwrap_or("internal");
                    if code == "internal" {
                        self.hear(Told::Unclear(format!("{path} answered {status}: {body}")));
                    }
                    is_doubtful |= code == "outcome_unknown";
                }
                Err(_) => {
                    self.unheard.fetch_add(1, Ordering::Relaxed);
                    is_doubtful = true;
                }
            }
            if self.is_over() {
                break;
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
        if is_doubtful { Answer::Nobody } else { Answer::No }
    }
}

/// What came of a request in the end.
enum Answer {
    /// 2xx.
    Yes(Value),
    /// Each answer said that nothing was done.
    No,
    /// It may have been done.
    Nobody,
}

/// Something that can be given back.
struct Sold {
    payment: String,
    left_minor: i64,
}

impl Sold {
    fn if_anything_is_left(self) -> Option<Self> {
        (self.left_minor > 0).then_some(self)
    }
}

/// Mostly plain; else one whose last two digits make the scheme do what schemes do on bad days (PROTOCOL.md).
/// Each sale has its own, by which it is known again; the name itself stands in no log.
fn cashier_of(key: &str) -> String {
    format!("Ouyang, {key}")
}

fn amount(luck: &mut Luck) -> i64 {
    let whole = luck.between(1, 300) * 100;
    let last =
        if luck.permille(800) { luck.between(0, 79) } else { luck.pick(&[91, 92, 92, 93, 94, 95, 96, 97, 98, 99]) };
    whole + last
}
