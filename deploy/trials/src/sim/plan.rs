//! What people do in a run, and what happens to the machines: a list that is drawn beforehand, so that a failing run can be
//! made shorter by leaving lines out.

use super::luck::Luck;

/// When mishaps and people stop; what is open then must come to an end by itself.
pub const PLAY_MS: i64 = 150_000;

#[derive(Clone, Debug)]
pub struct Plan {
    pub nodes: usize,
    pub terminals: usize,
    /// The merchant keeps what is paid late instead of giving it back.
    pub keeps_late: bool,
    /// Terminals sell without core as well.
    pub alone: bool,
    pub customers: Vec<Customer>,
    pub actions: Vec<Planned>,
}

#[derive(Clone, Debug)]
pub struct Planned {
    pub at_ms: i64,
    pub action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The cashier keys sale number `sale`, which customer number `sale` pays.
    Sell {
        sale: usize,
        terminal: usize,
        tender: Tendered,
        minor: i64,
        twice: bool,
    },
    /// The cashier presses a button on it.
    Press {
        sale: usize,
        press: Pressed,
        key: u64,
        twice: bool,
    },
    /// The office gives money back through the API.
    Office {
        sale: usize,
        minor: i64,
        key: u64,
        twice: bool,
    },
    /// The shop offers the same order in a second way, through the API: another code to pay, or the customer's own again.
    OtherWay {
        sale: usize,
        shows: bool,
        minor: i64,
        key: u64,
        twice: bool,
    },
    /// Somebody of the office says how a sale (or a refund of it) ended. Later a second person confirms it, or the same one tries.
    Settle {
        sale: usize,
        refund: bool,
        paid: bool,
        key: u64,
        confirmed_after_ms: i64,
        by_two: bool,
    },
    /// Somebody who is not the scheme says that it is paid.
    Forge {
        sale: usize,
    },
    KillCore {
        node: usize,
    },
    KillTerminal {
        terminal: usize,
    },
    /// The terminal's network is gone for a while.
    Cut {
        terminal: usize,
        for_ms: i64,
    },
    /// The connection to the broker alone is gone for a while.
    Hush {
        terminal: usize,
        for_ms: i64,
    },
    /// The scheme answers nobody of ours for a while. What customers do at it goes on.
    Outage {
        for_ms: i64,
    },
    /// A clock is set. Those of core's nodes come first, then the terminals'.
    SetClock {
        who: usize,
        by_ms: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tendered {
    Cash,
    Code,
    Scan,
    /// The holder's phone shows a code that pays without core: which of its grant, and when it was made.
    Offline {
        counter: u32,
        shown_ms: i64,
    },
    /// A card, where there is no network.
    Stored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressed {
    Query,
    Cancel,
    Void,
    Refund { minor: i64 },
}

/// What a customer does when asked to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Customer {
    pub says: Says,
    /// From seeing a code to paying it.
    pub pays_after_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    Yes,
    /// The scheme declines.
    No,
    /// Confirms on the phone after so long.
    Later {
        after_ms: i64,
    },
    Never,
}

impl Plan {
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let luck = &mut Luck::of(seed, "plan");
        let (nodes, terminals) = (1 + usize::from(luck.permille(400)), 1 + usize::from(luck.permille(300)));
        let keeps_late = luck.permille(250);
        let n_sales = 1 + luck.idx(5);
        let mut actions = Vec::new();
        let mut customers = Vec::new();
        for sale in 0..n_sales {
            let at_ms = luck.between(0, PLAY_MS * 2 / 3);
            customers.push(customer(luck));
            let minor = luck.pick(&[1, 2, 99, 1_000, 1_250, 100_000]);
            let tender = luck.pick(&[Tendered::Cash, Tendered::Code, Tendered::Code, Tendered::Scan, Tendered::Scan]);
            let terminal = luck.idx(terminals);
            let twice = luck.permille(150);
            actions.push(Planned { at_ms, action: Action::Sell { sale, terminal, tender, minor, twice } });
            for _ in 0..luck.below(4) {
                let planned = about(luck, sale, minor);
                actions.push(Planned { at_ms: at_ms + luck.pick(&[500, 3_000, 8_000, 30_000]), action: planned });
                if luck.permille(300) {
                    // A second person does something at the same moment.
                    let planned = about(luck, sale, minor);
                    let at_ms = actions.last().map_or(at_ms, |last| last.at_ms) + luck.between(0, 60);
                    actions.push(Planned { at_ms, action: planned });
                }
            }
        }
        for _ in 0..luck.below(5) {
            let at_ms = luck.between(0, PLAY_MS);
            let action = trouble(luck, nodes, terminals);
            actions.push(Planned { at_ms, action });
        }
        Self { nodes, terminals, keeps_late, alone: false, customers, actions }
    }

    /// In half of the runs the network of terminals is away at times, and they sell without core. From a stream of its own: what else
    /// happens stays as it is.
    pub fn sell_alone(&mut self, seed: u64) {
        let luck = &mut Luck::of(seed, "alone");
        if !luck.permille(500) {
            return;
        }
        self.alone = true;
        let nodes = self.nodes;
        // Codes are good for seconds of core's clock.
        self.actions.retain(|planned| !matches!(planned.action, Action::SetClock { who, .. } if who < nodes));
        let mut counter = 0;
        for _ in 0..1 + luck.below(3) {
            let terminal = luck.idx(self.terminals);
            let (begin_ms, for_ms) = (luck.between(10_000, PLAY_MS / 2), luck.pick(&[20_000, 45_000, 80_000]));
            self.actions.push(Planned { at_ms: begin_ms, action: Action::Cut { terminal, for_ms } });
            if luck.permille(400) {
                let at_ms = begin_ms + luck.between(0, for_ms);
                self.actions.push(Planned { at_ms, action: Action::KillTerminal { terminal } });
            }
            for _ in 0..1 + luck.below(6) {
                // By then the terminal knows that it is cut off.
                let at_ms = begin_ms + luck.between(6_000, for_ms);
                let is_card = luck.permille(500);
                counter += u32::from(!is_card);
                let tender =
                    if is_card { Tendered::Stored } else { Tendered::Offline { counter, shown_ms: at_ms - 1_000 } };
                self.sells_alone(luck, at_ms, terminal, tender);
                if !is_card && luck.permille(250) {
                    // The same code is shown again, here or next door.
                    let at_ms = at_ms + luck.pick(&[700, 5_000, 30_000]);
                    let terminal = luck.idx(self.terminals);
                    self.sells_alone(luck, at_ms, terminal, tender);
                }
            }
        }
    }

    fn sells_alone(&mut self, luck: &mut Luck, at_ms: i64, terminal: usize, tender: Tendered) {
        let sale = self.customers.len();
        let says = luck.pick(&[Says::Yes, Says::Yes, Says::No]);
        self.customers.push(Customer { says, pays_after_ms: 0 });
        let (minor, twice) = (luck.pick(&[100, 400, 700, 1_000]), luck.permille(150));
        self.actions.push(Planned { at_ms, action: Action::Sell { sale, terminal, tender, minor, twice } });
        if luck.permille(250) {
            let press = luck.pick(&[Pressed::Query, Pressed::Cancel]);
            let action = Action::Press { sale, press, key: luck.draw(), twice: false };
            self.actions.push(Planned { at_ms: at_ms + luck.pick(&[500, 30_000]), action });
        }
    }
}

fn customer(luck: &mut Luck) -> Customer {
    let after_ms = luck.pick(&[200, 3_000, 20_000, 70_000]);
    let says = luck.pick(&[Says::Yes, Says::Yes, Says::Yes, Says::No, Says::Later { after_ms }, Says::Never]);
    Customer { says, pays_after_ms: luck.pick(&[500, 4_000, 15_000, 45_000, 119_000]) }
}

fn about(luck: &mut Luck, sale: usize, minor: i64) -> Action {
    let part = luck.pick(&[1, minor / 2, minor / 2, minor, minor + 1]).max(1);
    let (key, twice) = (luck.draw(), luck.permille(250));
    let (shows, by_two) = (luck.permille(600), luck.permille(500));
    let confirmed_after_ms = luck.pick(&[50, 2_000, 20_000, 90_000]);
    let press = match luck.below(12) {
        0 => Pressed::Query,
        1 => Pressed::Cancel,
        2 | 3 => Pressed::Void,
        4 | 5 => Pressed::Refund { minor: part },
        6 => return Action::Office { sale, minor: part, key, twice },
        7 | 8 => return Action::OtherWay { sale, shows, minor, key, twice },
        9 | 10 => {
            let (refund, paid) = (luck.permille(300), luck.permille(500));
            return Action::Settle { sale, refund, paid, key, confirmed_after_ms, by_two };
        }
        _ => return Action::Forge { sale },
    };
    Action::Press { sale, press, key, twice }
}

fn trouble(luck: &mut Luck, nodes: usize, terminals: usize) -> Action {
    let terminal = luck.idx(terminals);
    let for_ms = luck.pick(&[1_000, 10_000, 40_000]);
    match luck.below(7) {
        0 => Action::KillCore { node: luck.idx(nodes) },
        1 => Action::KillTerminal { terminal },
        2 => Action::Cut { terminal, for_ms },
        3 => Action::Hush { terminal, for_ms },
        // Past a quarter of an hour a person is to be called.
        4 => Action::Outage { for_ms: luck.pick(&[20_000, 100_000, 2_400_000]) },
        _ => {
            let by_ms = luck.pick(&[-86_400_000, -3_600_000, -30_000, -2_000, 2_000, 30_000, 3_600_000, 86_400_000]);
            Action::SetClock { who: luck.idx(nodes + terminals), by_ms }
        }
    }
}
