//! The auditor: what must be true of money, checked from four sides, with arithmetic of its own.
//!
//! It shares no rule with core. It takes the customers' statements and the scheme's orders for what happened, and compares
//! with them what core, its books and the tills say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use saoma_protocol::HandSettlementId;

use super::{
    facts::{Facts, Payment, Standing, TillRefund, TillSale},
    issuer::TOP_UP,
    scheme::{Scheme, Standing as AtScheme},
    terminal::Terminal,
};

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub promise: &'static str,
    pub how: String,
}

impl Broken {
    #[must_use]
    pub fn new(promise: &'static str, how: impl Into<String>) -> Self {
        Self { promise, how: how.into() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.how)
    }
}

const PAID: [&str; 4] = ["succeeded", "partly_refunded", "refunded", "voided"];
const OVER: [&str; 4] = ["failed", "reversed", "expired", "cancelled"];
/// By the merchant, or because nobody knew.
const CALLED_OFF: [&str; 3] = ["reversed", "expired", "cancelled"];

/// Whether a payment may be seen in `after` once it was seen in `before`, with whatever came between unseen.
fn may_follow(before: &str, after: &str) -> bool {
    before == after
        || match before {
            "succeeded" => PAID.contains(&after),
            "partly_refunded" => after == "refunded",
            "refunded" | "voided" => false,
            // Two persons' word, which the scheme may take back.
            "by hand" => PAID.contains(&after),
            // Only money that arrives late can still change it, also by two persons' word while the scheme keeps silent.
            before if OVER.contains(&before) => PAID.contains(&after) || after == "by hand",
            _ => true,
        }
}

/// Events after which a person has something to do also when all is over.
const FOR_A_PERSON: [&str; 6] = [
    "contradicts_capture",
    "contradicts_hand",
    "contradicts_refund",
    "contradicts_void",
    "refunded_elsewhere",
    "undone_elsewhere",
];

/// How core says that a till gave back what was not there any more.
const TOO_MUCH_BACK: &str = "that can still be given back";

/// The refunds of a cash sale that core leaves to a person, since the office had given that money back through core while the
/// till, which had not heard of it, gave it back as well. Nothing else may keep the two apart.
fn given_back_twice<'a>(sale: &'a TillSale, payment: &Payment) -> Vec<&'a String> {
    let at_core = |number: &String| payment.refunds.iter().find(|held| held.number == *number);
    let gone = || sale.refunds.iter().filter(|(_, refund)| refund.state == "succeeded");
    let sum = |of_office: bool| -> i64 {
        gone().filter(|(_, refund)| refund.keyed_here != of_office).map(|(_, refund)| refund.minor).sum()
    };
    let unknown: Vec<&String> = gone().map(|(number, _)| number).filter(|number| at_core(number).is_none()).collect();
    let is_own = |number: &&String| sale.refunds.get(*number).is_some_and(|refund| refund.keyed_here);
    let is_twice = sale.cash
        && payment.method == "cash"
        && sale.minor == payment.minor
        && ["refunded", "voided"].contains(&sale.state)
        && sum(false) <= sale.minor
        && sum(true) > 0
        && sum(false) + sum(true) > sale.minor
        && unknown.iter().all(is_own);
    if is_twice { unknown } else { Vec::new() }
}

/// Looks at core's payments again and again while a run goes on.
#[derive(Default)]
pub struct Watch {
    last: BTreeMap<String, (&'static str, i64)>,
    /// Since when each is stuck, in milliseconds of the world.
    stuck_since: BTreeMap<String, i64>,
}

/// A person is called after a quarter of an hour, by a core that looks every 12.5 minutes at the least.
const CALLED_MS_MAX: i64 = 30 * 60_000;

impl Watch {
    /// `calm_at_ms`: since when clocks are right and nothing goes wrong by itself; `None` where no core could tell how long
    /// something takes.
    pub fn look(&mut self, seen: &[Standing], now_ms: i64, calm_at_ms: Option<i64>) -> Vec<Broken> {
        let mut broken = Vec::new();
        for Standing { number, state, refunded_minor, stuck, attention } in seen {
            if let Some((before, refunded_before)) = self.last.insert(number.clone(), (*state, *refunded_minor))
                && (!may_follow(before, state) || (*state != "voided" && *refunded_minor < refunded_before))
            {
                let how =
                    format!("{number} was {before} ({refunded_before} back) and is {state} ({refunded_minor} back)");
                broken.push(Broken::new("a final state is never overwritten", how));
            }
            if !stuck {
                self.stuck_since.remove(number);
                continue;
            }
            let since_ms = *self.stuck_since.entry(number.clone()).or_insert(now_ms);
            if let Some(calm_at_ms) = calm_at_ms
                && !attention
                && now_ms - since_ms.max(calm_at_ms) > CALLED_MS_MAX
            {
                let how = format!("{number} is {state} since {since_ms} ms, and it is {now_ms} ms");
                broken.push(Broken::new("a person is called for what is stuck", how));
            }
        }
        broken
    }
}

/// Checks everything once it is over.
#[must_use]
pub fn audit(facts: &Facts, scheme: &Scheme, terminals: &[Terminal], lone: &BTreeSet<HandSettlementId>) -> Vec<Broken> {
    let mut audit = Audit { facts, scheme, broken: Vec::new() };
    audit.customers();
    audit.orders();
    audit.people(lone);
    audit.payments();
    audit.books();
    audit.refunds();
    audit.tills();
    audit.alone();
    audit.told(terminals);
    audit.broken
}

struct Audit<'a> {
    facts: &'a Facts,
    scheme: &'a Scheme,
    broken: Vec<Broken>,
}

impl Audit<'_> {
    fn say(&mut self, promise: &'static str, how: String) {
        self.broken.push(Broken::new(promise, how));
    }

    /// What all customers together have paid for an order, less what they got back.
    fn net(&self, number: &str) -> i64 {
        let lines = self.scheme.wallets.iter().flatten().filter(|line| line.number == number);
        lines.map(|line| line.minor).sum()
    }

    /// The customer's side: one sale, charged once at most, and known to the shop.
    fn customers(&mut self) {
        for (customer, wallet) in self.scheme.wallets.iter().enumerate() {
            let own = self.facts.tills.iter().find_map(|till| till.numbers.get(&customer));
            let charged: Vec<&str> =
                wallet.iter().filter(|line| line.minor > 0).map(|line| line.number.as_str()).collect();
            let distinct: BTreeSet<&str> = charged.iter().copied().collect();
            if charged.len() > distinct.len() {
                self.say("nobody is charged twice", format!("customer {customer} was charged for {charged:?}"));
            }
            let order = own.and_then(|own| self.order_of(own));
            let is_own = |number: &str| {
                own.is_some_and(|own| own == number) || (order.is_some() && self.order_of(number) == order)
            };
            let stranger = distinct.iter().find(|number| !is_own(number));
            if let Some(stranger) = stranger.filter(|number| self.net(number) != 0) {
                let how = format!("customer {customer} paid for {stranger}, and the sale is {own:?}");
                self.say("a customer pays for the own sale alone", how);
            }
            let net: i64 = wallet.iter().map(|line| line.minor).sum();
            if net < 0 {
                self.say("nobody gets back more than was paid", format!("customer {customer} has {net}"));
            }
        }
    }

    fn order_of(&self, number: &str) -> Option<&str> {
        self.facts.payments.get(number).map(|payment| payment.order.as_str())
    }

    /// An order that was paid in two ways keeps the money of one, unless the scheme refused to give the other's back.
    fn orders(&mut self) {
        let mut holding: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (number, payment) in &self.facts.payments {
            let refused = payment.refunds.iter().any(|refund| refund.kind == "late" && refund.state == "failed");
            if payment.method != "cash" && self.net(number) > 0 && !refused {
                holding.entry(&payment.order).or_default().push(number);
            }
        }
        for (order, payments) in holding.into_iter().filter(|(_, payments)| payments.len() > 1) {
            self.say("an order is paid once", format!("{order} keeps the money of {payments:?}"));
        }
    }

    /// The office: two persons settle, and people are called only while there is something to do.
    fn people(&mut self, lone: &BTreeSet<HandSettlementId>) {
        for (number, payment) in &self.facts.payments {
            if let Some(settlement) = payment.by_hand.iter().find(|settlement| lone.contains(settlement)) {
                self.say("nobody settles alone", format!("{settlement} of {number}"));
            }
            let is_owed = payment.refunds.iter().any(|refund| refund.kind == "late" && refund.state == "failed");
            let is_odd = payment.story.iter().any(|kind| FOR_A_PERSON.contains(&kind.as_str()));
            if payment.attention && !is_owed && !is_odd {
                self.say("nobody is called for what is over", format!("{number} is {}", payment.state));
            }
        }
    }

    /// Scheme and core: what was paid is what core says was captured, less what was given back.
    fn payments(&mut self) {
        for number in self.scheme.orders.keys() {
            let net = self.net(number);
            if net != 0 && !self.facts.payments.contains_key(number) {
                self.say("core knows what was paid", format!("{number}: {net} was paid, and core has no such payment"));
            }
        }
        let facts = self.facts;
        for (number, payment) in &facts.payments {
            let Payment { state, minor, refunded_minor, reserved_minor, .. } = payment;
            let kept = if PAID[..3].contains(state) { minor - refunded_minor } else { 0 };
            if payment.method != "cash" && !payment.by_code && self.net(number) != kept {
                let how = format!(
                    "{number} is {state}, {refunded_minor} of {minor} back; the customer paid {}",
                    self.net(number)
                );
                self.say("what the customer paid is what core says", how);
            }
            let expected = match (state, *refunded_minor) {
                (&"succeeded", 0) | (&"voided", _) => true,
                (&"partly_refunded", back) => (1..*minor).contains(&back),
                (&"refunded", back) => back == *minor,
                (_, back) => back == 0,
            };
            if !expected || *reserved_minor != 0 {
                let how =
                    format!("{number} is {state} with {refunded_minor} of {minor} back, {reserved_minor} set aside");
                self.say("states and sums agree", how);
            }
            let order = self.scheme.orders.get(number).filter(|order| {
                // A code that core never got from the scheme cannot be paid by anybody.
                let is_seen = order.customer.is_some() || payment.story.iter().any(|kind| kind == "presenting");
                is_seen && (order.standing == AtScheme::Waiting || order.ran_out)
            });
            if let Some(order) = order.filter(|_| CALLED_OFF.contains(state)) {
                self.say("what core calls off cannot be paid", format!("{number} is {state}, the scheme {order:?}"));
            }
            if !PAID.contains(state) && !OVER.contains(state) {
                self.say("everything open gets resolved", format!("{number} is {state}"));
            }
            if payment.late && !facts.keeps_late && !payment.refunds.iter().any(|refund| refund.kind == "late") {
                self.say("what is paid late is given back", format!("{number} is {state}"));
            }
            self.story(number, payment);
        }
    }

    fn story(&mut self, number: &str, payment: &Payment) {
        let mut state = "created";
        for kind in &payment.story {
            let next = match kind.as_str() {
                "succeeded" | "payment.succeeded" => "succeeded",
                "paid_by_hand" => "by hand",
                "voided" => "voided",
                "failed" | "reversed" | "expired" | "cancelled" => kind.as_str(),
                "presenting" | "submitting" | "pending" => kind.as_str(),
                "no_answer" => "unknown",
                _ => continue,
            };
            if !may_follow(state, next) || (state == next && next == "succeeded") {
                let how = format!("{number}: {}", payment.story.join(", "));
                self.say("a final state is never overwritten", how);
                return;
            }
            state = next;
        }
    }

    /// The merchant's books: double entry, and the same story as the payments.
    fn books(&mut self) {
        for says in &self.facts.ledger_says {
            self.broken.push(Broken::new("the ledger sums to zero", says.clone()));
        }
        let facts = self.facts;
        for (number, payment) in &facts.payments {
            let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
            for set in &payment.postings {
                if set.iter().map(|(_, minor)| minor).sum::<i64>() != 0 {
                    self.say("the ledger sums to zero", format!("{number}: {set:?}"));
                }
                for (account, minor) in set {
                    *sums.entry(account).or_default() += minor;
                }
            }
            let sum = |account: &str| sums.get(account).copied().unwrap_or(0);
            let kept = if PAID[..3].contains(&payment.state) { payment.minor - payment.refunded_minor } else { 0 };
            let (held, other) = match payment.method {
                // What the office gives back comes from the safe.
                "cash" => (sum("cash_in_drawer") + sum("cash_in_safe"), sum("channel_clearing") + sum("fees")),
                _ => (sum("channel_clearing") + sum("fees"), sum("cash_in_drawer")),
            };
            let holds =
                held == kept && other == 0 && sum("merchant_payable") == -kept && sum("refunds_in_transit") == 0;
            if !holds {
                let how = format!("{number} is {} with {kept} kept; its accounts: {sums:?}", payment.state);
                self.say("the ledger agrees with the states", how);
            }
        }
    }

    /// Refunds: each ends, each paid once, and scheme and core agree on each.
    fn refunds(&mut self) {
        let facts = self.facts;
        for (number, payment) in &facts.payments {
            let mut done = 0;
            for refund in &payment.refunds {
                match refund.state {
                    "succeeded" => done += refund.minor,
                    "failed" => {}
                    open => self.say("everything open gets resolved", format!("refund {} is {open}", refund.number)),
                }
                let at_scheme = self.scheme.orders.get(number).and_then(|order| order.refunds.get(&refund.number));
                let paid = at_scheme.is_some_and(|held| held.standing == AtScheme::Done);
                let by_scheme = payment.method != "cash" && refund.kind != "void";
                if by_scheme && paid != (refund.state == "succeeded") {
                    let how = format!("{}: core says {}, the scheme {at_scheme:?}", refund.number, refund.state);
                    self.say("core and scheme agree on every refund", how);
                }
            }
            let expected = if payment.state == "voided" { done } else { payment.refunded_minor };
            if done != expected || done > payment.minor {
                self.say("states and sums agree", format!("{number}: refunds of {done}, {expected} back"));
            }
            let known = |refund: &String| payment.refunds.iter().any(|held| held.number == *refund);
            let order = self.scheme.orders.get(number);
            let paid =
                order.into_iter().flat_map(|order| &order.refunds).filter(|(_, held)| held.standing == AtScheme::Done);
            let unknown: Vec<&String> = paid.map(|(refund, _)| refund).filter(|refund| !known(refund)).collect();
            if !unknown.is_empty() {
                self.say("core and scheme agree on every refund", format!("{number}: core has none of {unknown:?}"));
            }
        }
    }

    /// The tills: no sale of theirs is lost, and each says what core says.
    fn tills(&mut self) {
        if self.facts.undelivered > 0 {
            self.say("every push is delivered", format!("{} are not", self.facts.undelivered));
        }
        let facts = self.facts;
        for (idx, till) in facts.tills.iter().enumerate() {
            if till.head != till.at_core {
                self.say("core has every journal", format!("t{idx}: {} of {} entries", till.at_core, till.head));
            }
            for id in &till.forgotten {
                self.say("every push is delivered", format!("t{idx} acknowledged {id} and does not have it"));
            }
            let known = till.sales.iter().filter_map(|(number, sale)| Some((sale, facts.payments.get(number)?)));
            let n_twice: usize = known.map(|(sale, payment)| given_back_twice(sale, payment).len()).sum();
            let (held, odd): (BTreeSet<&String>, BTreeSet<&String>) =
                till.alarms.iter().partition(|alarm| alarm.starts_with("entry ") && alarm.ends_with(TOO_MUCH_BACK));
            // That a bank declines is told, and is nothing odd.
            for alarm in odd.into_iter().filter(|alarm| !alarm.starts_with("stored_declined: ")) {
                self.say("core never speaks oddly to a till", format!("t{idx}: {alarm}"));
            }
            if held.len() != n_twice {
                self.say("core never speaks oddly to a till", format!("t{idx}: {n_twice} given back twice; {held:?}"));
            }
            for (number, sale) in &till.sales {
                let at_core = facts.payments.get(number);
                let twice = at_core.map(|payment| given_back_twice(sale, payment)).unwrap_or_default();
                let agrees = at_core.map_or(sale.unsent && !sale.cash, |payment| {
                    let refunded = if payment.state == "voided" { payment.minor } else { payment.refunded_minor };
                    // What a till undid before its midnight, core books as a refund after its own.
                    let undone_late = sale.cash && sale.state == "voided" && payment.state == "refunded";
                    (sale.state == payment.state || undone_late)
                        && sale.minor == payment.minor
                        && sale.refunded_minor == refunded
                        && sale.cash == (payment.method == "cash")
                });
                if !agrees && twice.is_empty() {
                    self.say("terminal and core agree", format!("{number}: till {sale:?}; core {at_core:?}"));
                }
                let refunds = at_core.map(|payment| payment.refunds.as_slice()).unwrap_or_default();
                for (refund, TillRefund { state, minor, .. }) in
                    sale.refunds.iter().filter(|(id, _)| !twice.contains(id))
                {
                    let held = refunds.iter().find(|held| held.number == *refund);
                    let same = held.map_or(*state == "failed", |held| held.state == *state && held.minor == *minor);
                    if !same {
                        let how = format!("{refund}: till {state} {minor}; core {held:?}");
                        self.say("terminal and core agree", how);
                    }
                }
            }
        }
        for (number, payment) in &facts.payments {
            if payment.at_till && !facts.tills.iter().any(|till| till.sales.contains_key(number)) {
                self.say("no sale exists that no till has", number.clone());
            }
        }
    }

    /// What was sold without core: each code is paid once by its holder, and each card sale has one end, which a person hears of if it is
    /// a loss.
    fn alone(&mut self) {
        let facts = self.facts;
        let Some(alone) = &facts.alone else { return };
        let mut by_code: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
        for (number, sale) in facts.tills.iter().flat_map(|till| &till.sales) {
            let payment = facts.payments.get(number);
            if let Some(code) = sale.code {
                let covered = alone.covered.get(number).copied().unwrap_or(sale.minor);
                by_code.entry(code).or_default().push(covered);
                if payment.is_none_or(|payment| payment.state != "succeeded") {
                    self.say("each code that was taken is paid", format!("{number}: {payment:?}"));
                }
            }
            if sale.stored {
                let told = (alone.cards.get(number).copied().flatten(), payment.map(|payment| payment.state));
                let has_end = matches!(told, (Some("paid"), Some("succeeded")) | (Some("lost"), Some("failed")));
                if !has_end || sale.loss_unseen != (told.0 == Some("lost")) {
                    self.say(
                        "each card sale without core has one end",
                        format!("{number}: core {told:?}, till {sale:?}"),
                    );
                }
            }
        }
        for (code, covered) in &by_code {
            if covered.iter().filter(|minor| **minor > 0).count() > 1 {
                self.say("nobody is charged twice", format!("code {code} was charged for {covered:?}"));
            }
        }
        let charged: i64 = by_code.values().flatten().sum();
        if alone.balance_minor != TOP_UP - charged {
            let how = format!("{} of {TOP_UP} are left, and {by_code:?} was charged", alone.balance_minor);
            self.say("each code that was taken is paid", how);
        }
        let unknown =
            alone.cards.keys().find(|number| !facts.tills.iter().any(|till| till.sales.contains_key(*number)));
        if let Some(number) = unknown {
            self.say("no sale exists that no till has", number.clone());
        }
    }

    /// What people were told: never two stories under one version, and nothing that was taken back.
    fn told(&mut self, terminals: &[Terminal]) {
        for terminal in terminals {
            let mut views = BTreeMap::new();
            for view in &terminal.told {
                let said = (super::facts::state(view.state), view.refunded_minor);
                if let Some(before) = views.insert((view.id.to_string(), view.version), said)
                    && before != said
                {
                    let how = format!("{} version {}: {before:?}, then {said:?}", view.id, view.version);
                    self.say("nothing is told that was not committed", how);
                }
            }
            let mut last: Option<(&String, &str)> = None;
            for ((number, _), (state, _)) in &views {
                if let Some((before_number, before)) = last
                    && before_number == number
                    && !may_follow(before, state)
                {
                    let how = format!("{number}: told {before}, then {state}");
                    self.say("a final state is never overwritten", how);
                }
                last = Some((number, state));
            }
            for (payment, minor) in &terminal.promised {
                let number = payment.to_string();
                let state = self.facts.payments.get(&number).map(|payment| payment.state);
                if !state.is_some_and(|state| PAID.contains(&state)) {
                    let how = format!("{number} ({minor}) was told as paid; core says {state:?}");
                    self.say("no committed sale is lost", how);
                }
            }
        }
    }
}
