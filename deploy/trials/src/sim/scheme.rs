//! A wallet scheme: the far side, which knows its own truth and nothing of ours.
//!
//! It keeps orders and its customers' wallets. The same number never charges twice, a refund's number never pays twice;
//! everything else that schemes do to merchants it does as well: it confirms late, closes and is paid all the same, leaves
//! refunds pending, refuses them, and tells its news again until they are acknowledged.

use std::collections::BTreeMap;

use super::{
    plan::{Customer, Says},
    wires::Wires,
};

/// Money of one currency, as the scheme writes it.
pub type Sum = (i64, String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Create {
        number: String,
        sum: Sum,
    },
    Charge {
        number: String,
        sum: Sum,
        customer: usize,
    },
    /// A card that was sold to without a network; its customer says yes or no at once.
    Forward {
        number: String,
        sum: Sum,
        customer: usize,
    },
    Query {
        number: String,
    },
    Cancel {
        number: String,
    },
    Refund {
        number: String,
        refund: String,
        sum: Sum,
    },
    QueryRefund {
        number: String,
        refund: String,
        sum: Sum,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Created { code: String },
    Order { number: String, standing: Standing, sum: Option<Sum>, reference: String },
    Refund { refund: String, standing: Standing, sum: Option<Sum> },
}

/// Where an order or refund stands, in the scheme's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Waiting,
    Done,
    Declined,
    Closed,
    GivenBack,
    NoSuch,
}

/// What the scheme tells of: an order, or one of its refunds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    pub number: String,
    pub refund: Option<String>,
}

/// What the scheme does later by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Later {
    /// The customer confirms on the phone.
    Confirm {
        number: String,
    },
    /// What was closed is paid all the same.
    PayClosed {
        number: String,
    },
    Tell(Subject),
    /// What was refused is paid all the same.
    PayRefused {
        number: String,
        refund: String,
    },
    EndRefund {
        number: String,
        refund: String,
        paid: bool,
    },
}

#[derive(Clone, Debug)]
pub struct Order {
    pub sum: Sum,
    pub customer: Option<usize>,
    pub standing: Standing,
    pub refunds: BTreeMap<String, Refund>,
    /// Paid once, whatever became of it.
    pub was_paid: bool,
    /// A code that nobody closed, until its time was over.
    pub ran_out: bool,
}

#[derive(Clone, Debug)]
pub struct Refund {
    pub minor: i64,
    pub standing: Standing,
}

/// A line of a customer's statement: positive is taken, negative is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub number: String,
    pub minor: i64,
}

pub struct Scheme {
    customers: Vec<Customer>,
    pub orders: BTreeMap<String, Order>,
    pub wallets: Vec<Vec<Line>>,
    /// News that the merchant has not acknowledged, with how often it was told.
    pub untold: BTreeMap<Subject, u32>,
}

/// From then on, in milliseconds of the world, no customer is asked any more: an hour is long past every customer.
const WAITS_MS: i64 = 3_600_000;
/// The same for a code that nobody has scanned: long past whatever core does about one.
const SHOWS_MS: i64 = 10_800_000;

impl Scheme {
    #[must_use]
    pub fn new(customers: Vec<Customer>) -> Self {
        let wallets = vec![Vec::new(); customers.len()];
        Self { customers, orders: BTreeMap::new(), wallets, untold: BTreeMap::new() }
    }

    /// Carries out a request; what it will do because of that, and in how many milliseconds.
    pub fn take(&mut self, ask: &Ask, wires: &Wires) -> (Said, Vec<(i64, Later)>) {
        let mut later = Vec::new();
        let said = match ask {
            Ask::Create { number, sum } => {
                self.orders.entry(number.clone()).or_insert_with(|| Order::new(sum.clone(), None, Standing::Waiting));
                Said::Created { code: format!("sim://pay/{number}") }
            }
            Ask::Charge { number, sum, customer } => {
                if !self.orders.contains_key(number) {
                    self.charge(number, sum, *customer, &mut later);
                }
                self.standing(number)
            }
            Ask::Forward { number, sum, customer } => {
                if !self.orders.contains_key(number) {
                    self.forward(number, sum, *customer);
                }
                self.standing(number)
            }
            Ask::Query { number } => {
                self.end_what_waits(number, wires.lock().now_ms);
                self.standing(number)
            }
            Ask::Cancel { number } => {
                self.cancel(number, wires, &mut later);
                self.standing(number)
            }
            Ask::Refund { number, refund, sum } => {
                self.refund(number, refund, sum.0, wires, &mut later);
                self.refund_standing(number, refund)
            }
            Ask::QueryRefund { number, refund, .. } => self.refund_standing(number, refund),
        };
        (said, later)
    }

    fn charge(&mut self, number: &str, sum: &Sum, customer: usize, later: &mut Vec<(i64, Later)>) {
        let says = self.customers.get(customer).map_or(Says::No, |customer| customer.says);
        let standing = if says == Says::No { Standing::Declined } else { Standing::Waiting };
        self.orders.insert(number.to_owned(), Order::new(sum.clone(), Some(customer), standing));
        match says {
            Says::Yes => self.paid(number, later),
            Says::Later { after_ms } => later.push((after_ms, Later::Confirm { number: number.to_owned() })),
            Says::No | Says::Never => {}
        }
    }

    /// Once, whatever is repeated; the merchant hears of it by the answer alone.
    fn forward(&mut self, number: &str, sum: &Sum, customer: usize) {
        let declines = self.customers.get(customer).is_none_or(|customer| customer.says == Says::No);
        let standing = if declines { Standing::Declined } else { Standing::Done };
        let order = Order { was_paid: !declines, ..Order::new(sum.clone(), Some(customer), standing) };
        self.orders.insert(number.to_owned(), order);
        if let Some(wallet) = self.wallets.get_mut(customer).filter(|_| !declines) {
            wallet.push(Line { number: number.to_owned(), minor: sum.0 });
        }
    }

    /// The customer pays an order that waits. Nothing happens to one that does not.
    pub fn pay(&mut self, number: &str, customer: usize, wires: &Wires) -> Vec<(i64, Later)> {
        let mut later = Vec::new();
        if let Some(order) = self.orders.get_mut(number).filter(|order| order.standing == Standing::Waiting) {
            order.customer = Some(customer);
            let mut world = wires.lock();
            let chance = world.rates.lie;
            if order.sum.0 > 1 && world.strikes(chance, "a customer pays less than was asked") {
                order.sum.0 -= 1;
            }
            drop(world);
            self.paid(number, &mut later);
        }
        later
    }

    fn paid(&mut self, number: &str, later: &mut Vec<(i64, Later)>) {
        let Some(order) = self.orders.get_mut(number) else { return };
        let Some(customer) = order.customer else { return };
        order.standing = Standing::Done;
        order.was_paid = true;
        let line = Line { number: number.to_owned(), minor: order.sum.0 };
        if let Some(wallet) = self.wallets.get_mut(customer) {
            wallet.push(line);
        }
        self.tells(Subject { number: number.to_owned(), refund: None }, later);
    }

    /// It has news, which it tells until they are acknowledged.
    fn tells(&mut self, of: Subject, later: &mut Vec<(i64, Later)>) {
        self.untold.insert(of.clone(), 0);
        later.push((50, Later::Tell(of)));
    }

    /// No scheme waits for a customer for ever.
    fn end_what_waits(&mut self, number: &str, now_ms: i64) {
        let Some(order) = self.orders.get_mut(number) else { return };
        let ends_ms = if order.customer.is_some() { WAITS_MS } else { SHOWS_MS };
        if order.standing == Standing::Waiting && now_ms >= ends_ms {
            order.standing = Standing::Closed;
            order.ran_out = order.customer.is_none();
        }
    }

    fn give_back(&mut self, number: &str, minor: i64) {
        let customer = self.orders.get(number).and_then(|order| order.customer);
        if let Some(wallet) = customer.and_then(|customer| self.wallets.get_mut(customer)) {
            wallet.push(Line { number: number.to_owned(), minor: -minor });
        }
    }

    fn cancel(&mut self, number: &str, wires: &Wires, later: &mut Vec<(i64, Later)>) {
        let Some(order) = self.orders.get_mut(number) else {
            // The number is burnt: a charge that is still on its way finds it closed.
            self.orders.insert(number.to_owned(), Order::new((0, String::new()), None, Standing::Closed));
            return;
        };
        match order.standing {
            Standing::Waiting => {
                order.standing = Standing::Closed;
                let mut world = wires.lock();
                let chance = if order.customer.is_some() { world.rates.late_pay } else { 0 };
                if world.strikes(chance, "the scheme is paid after it closed an order") {
                    let after_ms = world.luck.pick(&[100, 5_000, 60_000]);
                    later.push((after_ms, Later::PayClosed { number: number.to_owned() }));
                }
            }
            Standing::Done if order.refunds.is_empty() => {
                order.standing = Standing::Closed;
                let minor = order.sum.0;
                self.give_back(number, minor);
            }
            _ => {}
        }
    }

    fn refund(&mut self, number: &str, refund: &str, minor: i64, wires: &Wires, later: &mut Vec<(i64, Later)>) {
        let Some(order) = self.orders.get_mut(number) else { return };
        if order.refunds.contains_key(refund) {
            return;
        }
        let possible = order.standing == Standing::Done && order.promised() + minor <= order.sum.0;
        let mut world = wires.lock();
        let chance = world.rates.refund_trouble;
        let of = Subject { number: number.to_owned(), refund: Some(refund.to_owned()) };
        let (standing, ends) = if !possible {
            (Standing::Declined, None)
        } else if world.strikes(chance, "the scheme lets a refund wait") {
            let after_ms = world.luck.pick(&[500, 8_000, 60_000]);
            (Standing::Waiting, Some((after_ms, world.luck.permille(600))))
        } else if world.strikes(chance / 2, "the scheme refuses a refund") {
            (Standing::Declined, None)
        } else {
            (Standing::Done, None)
        };
        drop(world);
        order.refunds.insert(refund.to_owned(), Refund { minor, standing });
        match ends {
            Some((after_ms, paid)) => {
                let (number, refund) = (number.to_owned(), refund.to_owned());
                later.push((after_ms, Later::EndRefund { number, refund, paid }));
            }
            None => self.refund_ended(of, wires, later),
        }
    }

    /// The money goes back, or the refund is refused, perhaps not for good; both are news.
    fn refund_ended(&mut self, of: Subject, wires: &Wires, later: &mut Vec<(i64, Later)>) {
        let Subject { number, refund: Some(refund) } = &of else { return };
        let held = self.orders.get(number).and_then(|order| order.refunds.get(refund));
        let Some(Refund { minor, standing }) = held.cloned() else { return };
        if standing == Standing::Done {
            self.give_back(number, minor);
        } else {
            let mut world = wires.lock();
            let chance = world.rates.refund_trouble / 2;
            if world.strikes(chance, "the scheme pays a refund that it had refused") {
                let after_ms = world.luck.pick(&[200, 5_000, 60_000]);
                later.push((after_ms, Later::PayRefused { number: number.clone(), refund: refund.clone() }));
            }
        }
        self.tells(of, later);
    }

    /// What it does by itself, when its time has come.
    pub fn happen(&mut self, what: &Later, wires: &Wires) -> Vec<(i64, Later)> {
        let mut later = Vec::new();
        match what {
            Later::Confirm { number } => {
                if self.orders.get(number).is_some_and(|order| order.standing == Standing::Waiting) {
                    self.paid(number, &mut later);
                }
            }
            Later::PayClosed { number } => {
                if self.orders.get(number).is_some_and(|order| order.standing == Standing::Closed && !order.was_paid) {
                    self.paid(number, &mut later);
                }
            }
            Later::EndRefund { number, refund, paid } => {
                let held = self.orders.get_mut(number).and_then(|order| order.refunds.get_mut(refund));
                let Some(held) = held.filter(|held| held.standing == Standing::Waiting) else { return later };
                held.standing = if *paid { Standing::Done } else { Standing::Declined };
                self.refund_ended(Subject { number: number.clone(), refund: Some(refund.clone()) }, wires, &mut later);
            }
            Later::PayRefused { number, refund } => {
                let Some(order) = self.orders.get_mut(number) else { return later };
                let promised = order.promised();
                let Some(held) = order.refunds.get_mut(refund) else { return later };
                if order.standing == Standing::Done && promised + held.minor <= order.sum.0 {
                    held.standing = Standing::Done;
                    self.refund_ended(
                        Subject { number: number.clone(), refund: Some(refund.clone()) },
                        wires,
                        &mut later,
                    );
                }
            }
            Later::Tell(_) => {}
        }
        later
    }

    /// Of an order it tells only that; of a refund also that it was refused.
    pub fn is_paid(&self, of: &Subject) -> bool {
        let refund = |refund| self.orders.get(&of.number)?.refunds.get(refund);
        of.refund.as_ref().and_then(refund).is_none_or(|held| held.standing == Standing::Done)
    }

    fn standing(&self, number: &str) -> Said {
        let (number, reference) = (number.to_owned(), format!("S-{number}"));
        match self.orders.get(&number) {
            None => Said::Order { number, standing: Standing::NoSuch, sum: None, reference: String::new() },
            Some(Order { standing: Standing::Closed, .. }) => {
                Said::Order { number, standing: Standing::Closed, sum: None, reference }
            }
            Some(order) => {
                let given_back = order.refunds.values().any(|refund| refund.standing == Standing::Done);
                let standing = if given_back { Standing::GivenBack } else { order.standing };
                Said::Order { number, standing, sum: Some(order.sum.clone()), reference }
            }
        }
    }

    fn refund_standing(&self, number: &str, refund: &str) -> Said {
        let order = self.orders.get(number);
        let held = order.and_then(|order| Some((order.refunds.get(refund)?, order.sum.1.clone())));
        match held {
            None => Said::Refund { refund: refund.to_owned(), standing: Standing::NoSuch, sum: None },
            Some((held, currency)) => {
                // Of what it was never asked to collect it has no currency, and so names no sum.
                let sum = (!currency.is_empty()).then_some((held.minor, currency));
                Said::Refund { refund: refund.to_owned(), standing: held.standing, sum }
            }
        }
    }

    /// Whether it will do nothing more by itself.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let waits = |refund: &Refund| refund.standing == Standing::Waiting;
        self.untold.is_empty() && !self.orders.values().flat_map(|order| order.refunds.values()).any(waits)
    }
}

impl Order {
    const fn new(sum: Sum, customer: Option<usize>, standing: Standing) -> Self {
        Self { sum, customer, standing, refunds: BTreeMap::new(), was_paid: false, ran_out: false }
    }

    /// What has gone back, and what may.
    fn promised(&self) -> i64 {
        let may_go = |held: &&Refund| held.standing != Standing::Declined;
        self.refunds.values().filter(may_go).map(|held| held.minor).sum()
    }
}
