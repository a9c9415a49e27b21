//! What scheme, core and terminal have written down, read through their own doors once everything has come to rest.

use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::{load::Told, site::Site};
use crate::{
    api::{Door, text},
    wait::LOOK_EVERY,
};

/// How long everything may take to come to rest. Core lends a payment to its worker for a minute and a quarter: after a kill -9
/// it is that long before another takes it up.
const REST_MAX: Duration = Duration::from_secs(150);
/// States of a payment in which something is still to be found out.
pub const OPEN: [&str; 5] = ["created", "presenting", "submitting", "pending", "unknown"];
/// States of a payment with which money came in, and has not gone back by a void.
const CAPTURED: [&str; 3] = ["succeeded", "partly_refunded", "refunded"];

/// All books of a shop. Sums are in minor units.
#[derive(Clone, Debug, Default)]
pub struct Books {
    pub scheme: BTreeMap<String, Order>,
    /// Customers and merchants together hold what the customers began with.
    pub scheme_balances: bool,
    pub core: BTreeMap<String, Payment>,
    pub till: BTreeMap<String, Sale>,
    /// The trial balance, by account; debits are positive.
    pub ledger: BTreeMap<String, i64>,
    /// What the till's own sums are, and whether core's sums of this terminal are the same.
    pub till_sums: TillSums,
    /// What `saoma ledger check` and `saoma-edge journal verify` say against them.
    pub objections: Vec<String>,
}

/// An order in the scheme's book.
#[derive(Clone, Debug, Default)]
pub struct Order {
    pub amount_minor: i64,
    pub charged: i64,
    pub reversed: i64,
    /// Done ones, by number.
    pub refunds: BTreeMap<String, i64>,
}

/// A payment in core's.
#[derive(Clone, Debug, Default)]
pub struct Payment {
    pub amount_minor: i64,
    pub state: String,
    pub is_cash: bool,
    pub is_of_till: bool,
    pub reference: Option<String>,
    /// Done ones that are no void, by number.
    pub refunds: BTreeMap<String, i64>,
    /// The done void.
    pub void: Option<String>,
}

/// A sale in the till's.
#[derive(Clone, Debug, Default)]
pub struct Sale {
    pub amount_minor: i64,
    pub state: String,
    pub is_cash: bool,
    pub is_paid: bool,
    pub cashier: String,
    pub refunds: BTreeMap<String, i64>,
    pub void: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct TillSums {
    pub sales_minor: i64,
    pub core_agrees: bool,
}

impl Order {
    /// What the merchant has of it.
    pub fn net_minor(&self) -> i64 {
        self.amount_minor * (self.charged - self.reversed) - self.refunds.values().sum::<i64>()
    }
}

impl Payment {
    pub fn is_captured(&self) -> bool {
        CAPTURED.contains(&self.state.as_str())
    }

    /// What is left of the customer's money.
    pub fn held_minor(&self) -> i64 {
        if self.is_captured() { self.amount_minor - self.refunds.values().sum::<i64>() } else { 0 }
    }
}

/// Waits until nobody has anything to find out any more, then reads all books.
pub async fn at_rest(site: &Site, told: &[Told]) -> Result<Books> {
    let patience = Instant::now() + REST_MAX;
    loop {
        // Whoever was just started may not answer yet.
        match unrest(site).await.unwrap_or_else(|error| Some(format!("{error:#}"))) {
            None => break,
            Some(why) if Instant::now() > patience => bail!("no rest after {REST_MAX:?}: {why}"),
            Some(_) => tokio::time::sleep(4 * LOOK_EVERY).await,
        }
    }
    read(site, told).await
}

/// What is still open, if anything is.
async fn unrest(site: &Site) -> Result<Option<String>> {
    let shop = site.shop()?;
    let state = shop.till()?.get("/api/state").await?;
    for (what, rests) in [
        ("the till is not online", state["link"]["online"] == true),
        ("the till has open sales", state["open_sales"].as_array().is_some_and(Vec::is_empty)),
        (
            "the till has unsent entries",
            state["unsent"]["count"] == 0 && state["sync"]["head"] == state["sync"]["through"],
        ),
    ] {
        if !rests {
            return Ok(Some(format!("{what}: {} {} {}", state["open_sales"], state["sync"], state["alarms"])));
        }
    }
    let office = shop.office()?;
    for state in OPEN {
        let open = office.get(&format!("/v1/payments?state={state}&limit=1")).await?;
        if let Some(payment) = open["items"].get(0) {
            return Ok(Some(format!("core has a payment that is {state}: {payment}")));
        }
    }
    let orders = shop.scheme()?.get("/admin/orders").await?;
    let busy = orders.as_array().into_iter().flatten().find(|order| {
        let mut refunds = order["refunds"].as_array().into_iter().flatten();
        order["order"]["status"] == "PAYING" || refunds.any(|refund| refund["status"] == "PROCESSING")
    });
    if let Some(order) = busy {
        return Ok(Some(format!("the scheme is not through with {order}")));
    }
    let transit = ledger(&office).await?.get("refunds_in_transit").copied().unwrap_or(0);
    Ok((transit != 0).then(|| format!("{transit} of refunds are in transit")))
}

async fn read(site: &Site, told: &[Told]) -> Result<Books> {
    let shop = site.shop()?;
    let (office, till, scheme) = (shop.office()?, shop.till()?, shop.scheme()?);
    let core = payments(&office, &shop.made()?.terminal).await?;
    let mut books = Books {
        scheme: orders(&scheme).await?,
        scheme_balances: scheme.get("/admin/totals").await?["balanced"] == true,
        till: sales(&till, &core, told).await?,
        ledger: ledger(&office).await?,
        till_sums: till_sums(&till).await?,
        objections: Vec::new(),
        core,
    };
    for (who, program, arguments, environment) in site.proofs() {
        let proof = Command::new(program).args(arguments).envs(environment).output()?;
        if !proof.status.success() {
            let said = [proof.stdout, proof.stderr].concat();
            books.objections.push(format!("{who}: {}", String::from_utf8_lossy(&said).trim()));
        }
    }
    Ok(books)
}

/// Decimal text with two digits after the point.
fn minor(text: &Value) -> Result<i64> {
    let text = text.as_str().context("no amount")?;
    Ok(text.replace('.', "").parse()?)
}

async fn orders(scheme: &Door) -> Result<BTreeMap<String, Order>> {
    let orders = scheme.get("/admin/orders").await?;
    let mut read = BTreeMap::new();
    for order in orders.as_array().context("no orders")? {
        let mut refunds = BTreeMap::new();
        for refund in order["refunds"].as_array().into_iter().flatten().filter(|refund| refund["status"] == "DONE") {
            refunds.insert(text(refund, "/refund_number")?, minor(&refund["amount"])?);
        }
        let count = |field: &str| order[field].as_i64().context("no count");
        let (charged, reversed) = (count("charged_count")?, count("reversed_count")?);
        let amount_minor = minor(&order["order"]["amount"])?;
        let before =
            read.insert(text(order, "/order/order_number")?, Order { amount_minor, charged, reversed, refunds });
        ensure!(before.is_none(), "the scheme has a number twice: {order}");
    }
    Ok(read)
}

async fn payments(office: &Door, terminal: &str) -> Result<BTreeMap<String, Payment>> {
    let (mut read, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = office.get(&format!("/v1/payments?limit=200{cursor}")).await?;
        for payment in page["items"].as_array().context("no payments")? {
            let (id, state) = (text(payment, "/id")?, text(payment, "/state")?);
            let (mut refunds, mut void) = (BTreeMap::new(), None);
            if payment["refunded_minor"] != 0 {
                let all = office.get(&format!("/v1/payments/{id}/refunds")).await?;
                for refund in all["items"].as_array().into_iter().flatten().filter(|one| one["state"] == "succeeded") {
                    let number = text(refund, "/id")?;
                    if refund["kind"] == "void" {
                        void = Some(number);
                    } else {
                        refunds.insert(number, refund["amount"]["minor"].as_i64().context("no amount")?);
                    }
                }
            }
            let amount_minor = payment["amount"]["minor"].as_i64().context("no amount")?;
            let reference = payment["reference"].as_str().map(str::to_owned);
            let (is_cash, is_of_till) = (payment["method"] == "cash", payment["terminal"] == terminal);
            read.insert(id, Payment { amount_minor, state, is_cash, is_of_till, reference, refunds, void });
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(read),
        }
    }
}

/// The latest sales of the till, those of this terminal that core has, and those that people were told of.
async fn sales(till: &Door, core: &BTreeMap<String, Payment>, told: &[Told]) -> Result<BTreeMap<String, Sale>> {
    let mut read = BTreeMap::new();
    let latest = till.get("/api/sales?limit=100").await?;
    for sale in latest["items"].as_array().context("no sales")? {
        read.insert(text(sale, "/payment")?, sale_of(sale)?);
    }
    let in_core = core.iter().filter(|(_, payment)| payment.is_of_till).map(|(id, _)| id);
    let keyed = told.iter().filter_map(|told| match told {
        Told::Keyed { payment, .. } => Some(payment),
        _ => None,
    });
    for id in in_core.chain(keyed) {
        if !read.contains_key(id) {
            let reply = till.call(reqwest::Method::GET, &format!("/api/sales/{id}"), None, None).await?;
            if reply.status.is_success() {
                read.insert(id.clone(), sale_of(&reply.body)?);
            }
        }
    }
    Ok(read)
}

fn sale_of(sale: &Value) -> Result<Sale> {
    let (mut refunds, mut void) = (BTreeMap::new(), None);
    for given in sale["refunds"].as_array().into_iter().flatten().filter(|given| given["state"] == "succeeded") {
        let number = text(given, "/refund")?;
        if given["void"] == true {
            void = Some(number);
        } else {
            refunds.insert(number, given["amount_minor"].as_i64().context("no amount")?);
        }
    }
    Ok(Sale {
        amount_minor: sale["amount_minor"].as_i64().context("no amount")?,
        state: text(sale, "/state")?,
        is_cash: sale["method"] == "cash",
        is_paid: sale["paid"] == true,
        cashier: text(sale, "/cashier")?,
        refunds,
        void,
    })
}

async fn ledger(office: &Door) -> Result<BTreeMap<String, i64>> {
    let balance = office.get("/v1/ledger/trial-balance").await?;
    let mut accounts = BTreeMap::new();
    for line in balance["accounts"].as_array().context("no accounts")? {
        *accounts.entry(text(line, "/account")?).or_default() +=
            line["balance"]["minor"].as_i64().context("no balance")?;
    }
    Ok(accounts)
}

async fn till_sums(till: &Door) -> Result<TillSums> {
    let books = till.get("/api/books").await?;
    let sales = books["terminal"]["sales"].as_array().into_iter().flatten();
    let sales_minor = sales.filter_map(|money| money["minor"].as_i64()).sum();
    Ok(TillSums { sales_minor, core_agrees: books["agree"] == true })
}
