//! What people do and what befalls machines, as the plan has it.

use saoma_protocol::{Amount, Currency, HandSettlementId, OrderId, PaymentId};
use saoma_server::payments::Proposal;

use super::{
    auditor::Broken,
    caller::{Notice, code_of},
    door::Asked,
    network::Back,
    plan::Action,
    scheme::Standing,
    template::TENANT,
    world::{Event, World},
};

/// Who proposes settlements by hand.
const PROPOSES: &str = "person 1";

impl World<'_> {
    /// What the plan says happens now.
    pub(super) fn act(&mut self, action: &Action) {
        self.wires.note(format_args!("{action:?}"));
        match action {
            Action::Sell { sale, terminal, tender, minor, twice } => {
                if let Ok(amount) = Amount::new(*minor, Currency::CNY)
                    && self.terminals[*terminal].run.is_some()
                {
                    let (sale, tender) = (*sale, *tender);
                    self.with_terminal(*terminal, |terminal| terminal.sell(sale, tender, amount).map(drop));
                    self.look_at_unsent(*terminal);
                }
                if *twice {
                    self.after(
                        700,
                        Event::Act(Action::Sell {
                            sale: *sale,
                            terminal: *terminal,
                            tender: *tender,
                            minor: *minor,
                            twice: false,
                        }),
                    );
                }
            }
            Action::Press { sale, press, key, twice } => {
                let found = self.terminals.iter().find_map(|terminal| {
                    let payment = terminal.numbers.iter().find(|(_, number)| *number == sale).map(|(id, _)| *id)?;
                    terminal.run.as_ref().map(|_| (terminal.idx, payment))
                });
                if let Some((terminal, payment)) = found {
                    let (press, key) = (*press, *key);
                    self.with_terminal(terminal, |terminal| terminal.press(payment, press, key));
                }
                if *twice {
                    self.after(30, Event::Act(Action::Press { sale: *sale, press: *press, key: *key, twice: false }));
                }
            }
            Action::Office { sale, minor, key, twice } => {
                // What goes out of a drawer is for the till to say: two who give back the same cash leave it to a person.
                let payment = self.payment_of(*sale).filter(|payment| !self.is_cash(payment));
                if let (Some(payment), Ok(amount)) = (payment, Amount::new(*minor, Currency::CNY)) {
                    let asked = Asked::Office { payment, key: format!("office-{key}"), amount };
                    self.request(asked, Back::Nobody);
                }
                if *twice {
                    self.after(40, Event::Act(Action::Office { sale: *sale, minor: *minor, key: *key, twice: false }));
                }
            }
            Action::OtherWay { sale, shows, minor, key, twice } => {
                let first = self.payment_of(*sale).filter(|payment| !self.is_cash(payment));
                if let (Some(first), Ok(amount)) = (first, Amount::new(*minor, Currency::CNY)) {
                    let payment = PaymentId::for_key(TENANT, &format!("other-{key}"));
                    let order = OrderId::from_bytes(*first.as_bytes());
                    let code = (!shows).then(|| code_of(*sale));
                    self.request(
                        Asked::OtherWay { order, payment, amount, code },
                        Back::OtherWay { sale: *sale, payment },
                    );
                }
                if *twice {
                    let (sale, shows, minor, key) = (*sale, *shows, *minor, *key);
                    self.after(900, Event::Act(Action::OtherWay { sale, shows, minor, key, twice: false }));
                }
            }
            Action::Settle { sale, refund, paid, key, confirmed_after_ms, by_two } => {
                let Some(said) = self.proposal(*sale, *refund, *paid, *key) else { return };
                let settlement = said.id;
                if !by_two {
                    self.lone.insert(settlement);
                }
                self.request(Asked::Propose { said: Box::new(said) }, Back::Nobody);
                let by = if *by_two { "person 2" } else { PROPOSES };
                self.after(*confirmed_after_ms, Event::Confirm { settlement, by });
            }
            Action::Outage { for_ms } => self.scheme_back_at_ms = self.now_ms() + for_ms,
            Action::Forge { sale } => {
                if let Some(payment) = self.payment_of(*sale) {
                    let number = payment.to_string();
                    let sum = self.scheme.orders.get(&number).map_or((1, "CNY".to_owned()), |order| order.sum.clone());
                    let notice =
                        Notice { number, refund: None, paid: true, minor: sum.0, currency: sum.1, signed: false };
                    self.notify(&notice, Back::Nobody);
                }
            }
            Action::KillCore { node } => self.kill_core(*node),
            Action::KillTerminal { terminal } => self.kill_terminal(*terminal),
            Action::Cut { terminal, for_ms } => {
                self.cut.insert(*terminal);
                self.unlink(*terminal);
                self.after(*for_ms, Event::Mended { terminal: *terminal });
            }
            Action::Hush { terminal, for_ms } => {
                self.hushed.insert(*terminal);
                self.unlink(*terminal);
                self.after(*for_ms, Event::Mended { terminal: *terminal });
            }
            Action::SetClock { who, by_ms } => {
                let mut world = self.wires.lock();
                if let Some(clock) = world.clocks_ms.get_mut(*who) {
                    *clock += by_ms;
                }
            }
        }
    }

    /// What somebody of the office says who has looked at the scheme's own pages. Of a payment it may be wrong: core goes on
    /// asking. So may "not paid" of a refund. "Paid" is what the scheme shows: money that a customer never got is for persons to
    /// find, as core alone can do nothing about it.
    fn proposal(&mut self, sale: usize, of_refund: bool, paid: bool, key: u64) -> Option<Proposal> {
        let payment = self.payment_of(sale).filter(|payment| !self.is_cash(payment))?;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&key.to_be_bytes());
        let proposal = Proposal {
            id: HandSettlementId::from_bytes(bytes),
            // Each is asked for once.
            fingerprint: [0; 32],
            payment,
            refund: None,
            paid,
            reference: format!("S-{payment}"),
            reason: "seen on the scheme's own pages".to_owned(),
            actor: PROPOSES.to_owned(),
        };
        if !of_refund {
            // The model ends no code on show by itself, so that what people say of one that waits would stay in doubt for good.
            let order = self.scheme.orders.get(&payment.to_string());
            let waits = order.is_some_and(|order| order.standing == Standing::Waiting);
            return (!waits).then_some(proposal);
        }
        let refunds = &self.scheme.orders.get(&payment.to_string())?.refunds;
        refunds.iter().find_map(|(number, refund)| {
            let paid = match refund.standing {
                Standing::Done => paid,
                _ if paid => return None,
                _ => false,
            };
            Some(Proposal { refund: Some(number.parse().ok()?), paid, ..proposal.clone() })
        })
    }

    /// What a terminal has sold without core stays within its limits, whenever somebody looks.
    fn look_at_unsent(&mut self, terminal: usize) {
        if self.plan.alone && self.terminals[terminal].run.is_some() {
            match self.terminals[terminal].over_unsent() {
                Ok(None) => {}
                Ok(Some(how)) => self.broken.push(Broken::new("what core does not know of stays within limits", how)),
                Err(end) => self.broken.push(Broken::new("a terminal can go on", format!("{end:?}"))),
            }
        }
    }

    fn is_cash(&self, payment: &PaymentId) -> bool {
        self.terminals.iter().any(|terminal| terminal.cash.contains(payment))
    }

    fn payment_of(&self, sale: usize) -> Option<PaymentId> {
        let numbers = self.terminals.iter().flat_map(|terminal| &terminal.numbers);
        numbers.into_iter().find(|(_, number)| **number == sale).map(|(payment, _)| *payment)
    }
}
