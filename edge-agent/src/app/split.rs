//! Split payments (分次付款) at the till: which part may be keyed, what follows for the whole from how its parts stand, and all of
//! it given back.
//!
//! What follows for the whole is written in the transaction of the part that it follows from, so that a restart finds both or
//! neither. What goes back is begun anew from the disk, part by part, until each has been tried once.

use std::collections::BTreeMap;

use saoma_protocol::{
    Amount, PaymentId, RefundId, Sequence,
    journal::{SplitPart, Stamp},
};

use super::{
    happen::Beside,
    owner::{Order, Owner},
    paper::Fate,
};
use crate::{
    basket::Basket,
    counter::About,
    held::{Held, HeldChange},
    journal::{self, Commit},
    receipt::compose_split,
    sale::{self, ReceiptState, Refusal, Sale},
    shift,
    split::{GiveBack, OPEN_MAX, Split, SplitRefusal, Stage, Whole, may_go_back},
    till::{
        command::Pressed,
        problem::{Code, Refused},
        split::{SplitAsk, SplitPress, SplitView},
    },
};

/// What could not be given back of a split, as an alarm.
const LEFT: &str = "split_not_given_back";
/// More was paid than it costs.
const OVERPAID: &str = "split_overpaid";

/// The splits of which something is still to be done.
#[derive(Default)]
pub(super) struct Splits {
    open: BTreeMap<Sequence, Whole>,
    /// As pages were told last.
    told: BTreeMap<Sequence, SplitView>,
    /// Whose slip was given to the printer in this run.
    at_printer: Vec<Sequence>,
    /// Whose slip the printer did not take.
    unprinted: Vec<Sequence>,
}

/// A whole as it is once it is on the disk.
pub(super) struct Follows {
    pub(super) whole: Whole,
    basket: Option<Back>,
}

/// Where the goods of a split go of which nothing came.
enum Back {
    /// Into the basket, which is empty.
    Here(Basket),
    /// Among what is put aside: other goods are in the basket by now.
    Aside(Held),
}

impl Follows {
    /// What is put aside by it.
    pub(super) fn held(&self) -> Option<HeldChange> {
        if let Some(Back::Aside(held)) = &self.basket { Some(HeldChange::Keep(held.clone())) } else { None }
    }
}

/// The part that is keyed, as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartOf {
    First { total: Amount },
    Next { number: Sequence, rest_minor: i64 },
}

impl Splits {
    pub(super) fn new(open: Vec<Whole>) -> Self {
        Self { open: open.into_iter().map(|whole| (whole.split.number, whole)).collect(), ..Self::default() }
    }

    /// Those of which money is to be collected or given back.
    pub(super) fn views(&self) -> Vec<SplitView> {
        let shown = |whole: &&Whole| whole.split.is_unfinished() || whole.split.too_much_minor > 0;
        self.open.values().filter(shown).map(SplitView::of).collect()
    }

    fn unfinished(&self) -> impl Iterator<Item = &Whole> {
        self.open.values().filter(|whole| whole.split.is_unfinished())
    }

    /// The first that nobody has ended, in words.
    pub(super) fn why_busy(&self) -> Option<String> {
        self.unfinished().find(|whole| !whole.is_with_channel()).map(why_busy)
    }

    /// Whether a slip is at the printer.
    pub(super) fn is_printing(&self, waits: impl Fn(Sequence) -> bool) -> bool {
        let queued = self.open.values().filter(|whole| whole.split.receipt == ReceiptState::Queued);
        queued.map(|whole| whole.split.number).any(|number| !waits(number))
    }
}

fn why_busy(whole: &Whole) -> String {
    let number = whole.split.number;
    match whole.split.stage {
        Stage::GivingBack { .. } => format!("split payment {number} is being given back: wait"),
        _ => {
            let (rest, total) = (whole.money(whole.rest_minor()).decimal(), whole.split.total);
            format!(
                "split payment {number} is open, {rest} of {total} is to be paid: collect it, or give back what was paid"
            )
        }
    }
}

impl Order {
    /// What all of it costs, of which this may be a part.
    pub(super) const fn whole(&self) -> Amount {
        match self.split {
            Some(PartOf::First { total }) => total,
            Some(PartOf::Next { .. }) | None => self.amount,
        }
    }
}

impl Owner {
    /// What was asked, checked by itself. A further part has what the first one brought.
    ///
    /// # Errors
    /// `Amount`, `Method`.
    pub(super) fn part_of(&self, ask: SplitAsk, order: &Order, of_basket: bool) -> Result<PartOf, Refused> {
        match ask {
            SplitAsk::Begin { total_minor } => {
                let total = super::keyed::amount_of(total_minor, self.identity.profile.currency)?;
                Ok(PartOf::First { total })
            }
            SplitAsk::GoOn { number, rest_minor } => {
                let brings = of_basket || order.held.is_some() || order.reference.is_some() || !order.goods.is_empty();
                if brings {
                    return Err(Refused::Method("what is sold goes with the first part of a split payment"));
                }
                Ok(PartOf::Next { number, rest_minor })
            }
        }
    }

    /// Whether that part may be keyed now.
    ///
    /// # Errors
    /// `Split`.
    pub(super) fn check_part(&self, order: &Order) -> Result<(), Refused> {
        match order.split {
            None => Ok(()),
            Some(PartOf::First { total }) if order.amount.minor() >= total.minor() => Err(SplitRefusal::Amount.into()),
            Some(PartOf::First { .. }) => match self.splits.unfinished().nth(OPEN_MAX - 1) {
                Some(first) => Err(SplitRefusal::Busy(why_busy(first)).into()),
                None => Ok(()),
            },
            Some(PartOf::Next { number, rest_minor }) => {
                let whole = self.splits.open.get(&number).ok_or(SplitRefusal::Changed)?;
                Ok(whole.may_collect(order.amount, rest_minor)?)
            }
        }
    }

    /// What the sale `counter` says of the whole, and the split that it begins; nothing if it is none. The order's goods are the
    /// whole's.
    ///
    /// # Errors
    /// As [`Self::check_part`].
    pub(super) fn begin_part(
        &self,
        order: &mut Order,
        counter: Sequence,
    ) -> Result<(Option<SplitPart>, Option<Split>), Refused> {
        self.check_part(order)?;
        match order.split {
            None => Ok((None, None)),
            Some(PartOf::First { total }) => {
                let goods = std::mem::take(&mut order.goods);
                let basket = order.of_basket.then(|| Basket { held: None, ..self.filling.basket().clone() });
                let Stamp { machine: began_at, core: began_core } = self.stamp();
                let split = Split {
                    number: counter,
                    total,
                    reference: order.reference.clone(),
                    cashier: order.cashier.clone(),
                    began_at,
                    began_core,
                    parts: Vec::new(),
                    goods: goods.clone(),
                    basket,
                    stage: Stage::Open,
                    was_paid: false,
                    receipt: ReceiptState::None,
                    too_much_minor: 0,
                };
                Ok((Some(SplitPart { of: counter, part: 1, total, goods }), Some(split)))
            }
            Some(PartOf::Next { number, .. }) => {
                let whole = self.splits.open.get(&number).ok_or(SplitRefusal::Changed)?;
                order.reference.clone_from(&whole.split.reference);
                Ok((Some(whole.next_part()), None))
            }
        }
    }

    /// What follows for the whole that this sale is a part of, once the sale stands like this; nothing if it is of none.
    ///
    /// # Errors
    /// The journal's.
    pub(super) async fn whole_with(&self, sale: &Sale, begun: Option<Split>) -> Result<Option<Follows>, Refused> {
        let payment = sale.kept.payment;
        // An agent of a version before may have written the sale without what it is a part of.
        let is_of = |whole: &&Whole| whole.split.parts.contains(&payment);
        let open = || self.splits.open.values().find(is_of).cloned();
        let before = match (begun.map(|split| Whole { split, parts: Vec::new() }).or_else(open), &sale.kept.split) {
            (Some(whole), _) => Some(whole),
            (None, Some(part)) => {
                let of = part.of;
                match self.splits.open.get(&of).cloned() {
                    Some(whole) => Some(whole),
                    // It is over; its figures are held against what is true now.
                    None => self.journal.run(move |store| store.split(of)).await?,
                }
            }
            (None, None) => None,
        };
        Ok(before.map(|before| self.follows(before, |whole| whole.with(sale))))
    }

    /// That change of a whole, and the basket that comes out of it.
    fn follows(&self, before: Whole, change: impl FnOnce(Whole) -> Whole) -> Follows {
        let basket = before.split.basket.clone();
        let whole = change(before);
        let basket = basket.filter(|_| whole.split.basket.is_none()).map(|basket| {
            if self.filling.basket().is_empty() {
                return Back::Here(basket);
            }
            let Split { number, total, reference, cashier, began_at, .. } = &whole.split;
            Back::Aside(Held {
                number: self.held_last.next(),
                amount: *total,
                reference: reference.clone(),
                cashier: cashier.clone(),
                basket: Some(basket),
                held_at: *began_at,
                key: format!("split-{number}"),
            })
        });
        Follows { whole, basket }
    }

    /// What is on the disk is in memory, and all that follows is done: told, printed, called for.
    pub(super) fn split_is(&mut self, follows: Option<Follows>) {
        let Some(Follows { whole, basket }) = follows else { return };
        let number = whole.split.number;
        match basket {
            Some(Back::Here(basket)) => self.filling.put_back(basket),
            Some(Back::Aside(held)) => {
                self.held_last = held.number;
                self.held_aside.insert(held.number, held);
            }
            None => {}
        }
        let view = SplitView::of(&whole);
        if self.splits.told.get(&number) != Some(&view) {
            self.emit("split", &view);
            self.splits.told.insert(number, view);
        }
        if whole.split.is_open() {
            self.splits.open.insert(number, whole);
        } else {
            self.splits.open.remove(&number);
            self.splits.told.remove(&number);
        }
        self.too_much();
        if !self.splits.at_printer.contains(&number)
            && self.splits.open.get(&number).is_some_and(|whole| whole.split.receipt == ReceiptState::Queued)
        {
            self.print_split(number, false);
        }
    }

    /// The alarms about what the shop has and should not, as the figures of the splits are.
    fn too_much(&mut self) {
        for (code, is_paid) in [(OVERPAID, true), (LEFT, false)] {
            let of = self
                .splits
                .open
                .values()
                .filter(|whole| whole.split.too_much_minor > 0 && (whole.split.stage == Stage::Paid) == is_paid);
            let told = of.map(|whole| {
                let (number, much) = (whole.split.number, whole.money(whole.split.too_much_minor));
                if is_paid {
                    format!("{much} more was paid on split payment {number} than it costs: give one part of it back")
                } else {
                    format!("{much} of split payment {number} could not be given back: try it again")
                }
            });
            match told.collect::<Vec<_>>().join("; ") {
                none if none.is_empty() => self.alarms.silence(code),
                told => self.alarm(code, told),
            }
        }
    }

    /// Goes on with what was begun before this start: what follows from how the parts stand now, a slip that may not have come out,
    /// and money that goes back.
    pub(super) async fn splits_begin(&mut self) {
        for before in self.splits.open.values().cloned().collect::<Vec<_>>() {
            for part in before.parts.iter().filter(|part| part.is_part_in_doubt()) {
                let look = sale::Event::Tick { mqtt: false, poll_ms: 0 };
                self.follow_ups.push_back((part.kept.payment, look));
            }
            let (number, split) = (before.split.number, before.split.clone());
            let follows = self.follows(before, Whole::go_on);
            if follows.whole.split != split
                && let Err(error) = self.keep_split(follows, None).await
            {
                tracing::error!(split = number.0, code = %Code(&error), %error, "what follows for a split could not be kept");
            }
        }
        self.too_much();
        let owed = self.splits.open.values().filter(|whole| whole.split.receipt == ReceiptState::Queued);
        for number in owed.map(|whole| whole.split.number).collect::<Vec<_>>() {
            self.print_split(number, true);
        }
    }

    /// Looks after what goes on by itself.
    pub(super) async fn splits_tick(&mut self) {
        for number in std::mem::take(&mut self.splits.unprinted) {
            let why = "the printer hangs; switch it off and on, then reprint".to_owned();
            self.split_came_back(number, Fate::Failed, Some(why)).await;
        }
        if self.disk.is_ok() {
            self.give_on().await;
        }
    }

    /// What is left of what goes back is pressed on the parts that have not had it yet.
    async fn give_on(&mut self) {
        let utc_offset_minutes = self.config.till.utc_offset_minutes;
        let going: Vec<Sequence> = self.splits.unfinished().map(|whole| whole.split.number).collect();
        for number in going {
            while let Some((payment, presses)) =
                self.splits.open.get(&number).and_then(|whole| whole.next_back(utc_offset_minutes))
            {
                if let Err(error) = self.give_back_part(number, payment, presses).await {
                    // It is tried again at the next look.
                    tracing::warn!(split = number.0, code = %Code(&error), %error, "a part was not given back yet");
                    break;
                }
            }
        }
    }

    async fn give_back_part(
        &mut self,
        number: Sequence,
        payment: PaymentId,
        [first, then]: [crate::sale::Event; 2],
    ) -> Result<(), Refused> {
        let by = self.splits.open.get(&number).and_then(|whole| match &whole.split.stage {
            Stage::GivingBack { by } => by.approved_by.clone(),
            _ => None,
        });
        let beside = || Beside { approved_by: by.clone(), ..Beside::default() };
        match self.happen(payment, first, beside()).await {
            Err(Refused::Sale(Refusal::VoidTooLate)) => self.happen(payment, then, beside()).await,
            other => other,
        }
    }

    /// A split, also one that is over.
    ///
    /// # Errors
    /// `SaleNotFound`, the journal's.
    async fn whole(&self, number: Sequence) -> Result<Whole, Refused> {
        if let Some(whole) = self.splits.open.get(&number) {
            return Ok(whole.clone());
        }
        self.journal.run(move |store| store.split(number)).await?.ok_or(Refused::SaleNotFound)
    }

    /// # Errors
    /// `SaleNotFound`, the journal's.
    pub(super) async fn split_view(&self, number: Sequence) -> Result<SplitView, Refused> {
        Ok(SplitView::of(&self.whole(number).await?))
    }

    /// A button on a split; the same press again does nothing more.
    ///
    /// # Errors
    /// Those of the key, `Training`, `SaleNotFound`, `Split`, `NoShift`, a supervisor's, the journal's.
    pub(super) async fn press_split(
        &mut self,
        pressed: Pressed,
        number: Sequence,
        press: SplitPress,
    ) -> Result<SplitView, Refused> {
        if self.seen(&pressed).await?.is_some() {
            return self.split_view(number).await;
        }
        self.check_not_training()?;
        let mut whole = self.whole(number).await?;
        match press {
            SplitPress::GiveBack(approval) => {
                whole.may_give_back()?;
                let paid = whole.parts.iter().filter(|part| may_go_back(part));
                let (paid, tenant) = (paid.cloned().collect::<Vec<_>>(), self.identity.tenant);
                self.check_shift(paid.iter().any(|part| part.method().is_none()))?;
                let approved_by = if paid.is_empty() { None } else { self.approved(&pressed.key, approval).await? };
                let refund_of = |part: &Sale| {
                    let payment = part.kept.payment;
                    (payment, RefundId::for_key(tenant, payment, &pressed.key))
                };
                let refunds = paid.iter().map(refund_of).collect();
                let by = GiveBack { refunds, cashier: self.cashier().to_owned(), approved_by };
                whole.split.stage = Stage::GivingBack { by };
                let follows = self.follows(whole, Whole::go_on);
                self.keep_split(follows, Some(pressed)).await?;
                self.give_on().await;
            }
            SplitPress::Reprint => {
                if !whole.split.was_paid {
                    return Err(SplitRefusal::Over.into());
                }
                whole.split.receipt = ReceiptState::Queued;
                let is_at_printer = self.splits.at_printer.contains(&number);
                self.splits.at_printer.push(number);
                if let Err(error) = self.keep_split(Follows { whole, basket: None }, Some(pressed)).await {
                    self.splits.at_printer.retain(|held| is_at_printer || *held != number);
                    return Err(error);
                }
                self.print_split(number, true);
            }
        }
        self.split_view(number).await
    }

    async fn keep_split(&mut self, follows: Follows, pressed: Option<Pressed>) -> Result<(), Refused> {
        let shift_press = pressed.map(|Pressed { key, fingerprint }| journal::ShiftPress { key, fingerprint });
        let held = follows.held().into_iter().collect();
        self.commit(Commit { split: Some(follows.whole.split.clone()), held, shift_press, ..Commit::default() })
            .await?;
        self.split_is(Some(follows));
        Ok(())
    }

    /// Sends a split's slip to the printer.
    pub(super) fn print_split(&mut self, number: Sequence, is_copy: bool) {
        let Some(whole) = self.splits.open.get(&number) else { return };
        let document = compose_split(&self.heading(), whole, is_copy, self.stamp());
        if !self.splits.at_printer.contains(&number) {
            self.splits.at_printer.push(number);
        }
        if !self.counter.print(About::Split { number, is_copy }, document) {
            self.paper.forget(About::Split { number, is_copy });
            self.splits.unprinted.push(number);
        }
    }

    /// The printer is done with the slip, one way or the other.
    pub(super) async fn split_came_back(&mut self, number: Sequence, fate: Fate, why: Option<String>) {
        let receipt = match fate {
            Fate::Printed => ReceiptState::Printed,
            Fate::Failed => ReceiptState::Failed,
            // It stays queued, also over a restart.
            Fate::Owed => return,
        };
        self.splits.at_printer.retain(|held| *held != number);
        let Some(mut whole) = self.splits.open.get(&number).cloned() else { return };
        whole.split.receipt = receipt;
        if let Some(found_by) = whole.found_by() {
            self.tell_receipt(found_by.kept.payment, why);
        }
        if let Err(error) = self.keep_split(Follows { whole, basket: None }, None).await {
            // As queued it would go out anew with the next change of it.
            self.splits.at_printer.push(number);
            tracing::error!(split = number.0, code = %Code(&error), %error, "that a slip was printed could not be kept");
        }
    }

    /// Whether no split is in the way of closing the batch: each is finished or in the channels' hands, or nobody knows how a part of
    /// it stands while core is away (which the cashier sees among the sales in doubt). What can be pressed now is of this batch.
    ///
    /// # Errors
    /// `ShiftBusy`.
    pub(super) fn check_splits_over(&self) -> Result<(), Refused> {
        let is_away = !self.line.is_online();
        let may_wait = |whole: &Whole| {
            let is_in_doubt = || whole.parts.iter().any(|part| shift::in_doubt(part).is_some());
            whole.next_back(0).is_none() && (whole.is_with_channel() || (is_away && is_in_doubt()))
        };
        let open = self.splits.unfinished().find(|whole| !may_wait(whole));
        open.map_or(Ok(()), |whole| Err(Refused::ShiftBusy(why_busy(whole))))
    }
}
