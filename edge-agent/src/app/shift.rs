//! What the cashier presses about the shift: on the disk first, then the drawer and the printer.

use saoma_protocol::{
    Money, Sequence,
    api::{TEXT_LEN_MAX, stands_in_text},
    cashier::{CashierCard, Pin},
    journal::{Record, Stamp},
    money::AMOUNT_MINOR_MAX,
};

use super::{
    keyed::{amount_of, is_text},
    owner::Owner,
    paper::Fate,
};
use crate::{
    config::ShiftRequired,
    counter::About,
    held::HeldChange,
    journal::{self, Commit, Store},
    receipt::report,
    sale::ReceiptState,
    shift::{Closed, InDoubt, Shift, in_doubt},
    till::{
        command::{Named, Pressed, ShiftPress},
        problem::{Code, Refused},
        shift::{ShiftNow, ShiftView},
    },
};

impl Owner {
    /// Who is at the till: whoever signed on, else whoever the configuration names.
    pub(super) fn cashier(&self) -> &str {
        self.open_shift().map_or(&self.config.till.cashier, |shift| &shift.cashier)
    }

    pub(super) fn open_shift(&self) -> Option<&Shift> {
        self.shift.as_ref().filter(|shift| shift.is_open())
    }

    /// Whether there is a shift, where the settings want one. `is_cash`: whether the drawer's cash moves.
    ///
    /// # Errors
    /// `NoShift`.
    pub(super) fn check_shift(&self, is_cash: bool) -> Result<(), Refused> {
        let is_required = match self.config.till.shift_required {
            ShiftRequired::Always => true,
            // Where everybody has a PIN, nobody sells who has shown none.
            ShiftRequired::OnceUsed => self.cashiers.are_known() || (is_cash && self.shift.is_some()),
            ShiftRequired::Never => false,
        };
        if is_required && self.open_shift().is_none() { Err(Refused::NoShift) } else { Ok(()) }
    }

    pub(super) fn shift_now(&self) -> ShiftNow {
        ShiftNow { shift: self.shift.as_ref().map(ShiftView::of) }
    }

    /// A button on the shift. The same press again does nothing again, and shows the shift that it was about.
    ///
    /// # Errors
    /// `KeyReused`, those of the press, the journal's; nothing has happened then.
    pub(super) async fn press_shift(&mut self, pressed: Pressed, press: ShiftPress) -> Result<ShiftView, Refused> {
        let of = press.batch();
        if self.seen(&pressed).await?.is_none() {
            self.check_not_training()?;
            match press {
                ShiftPress::Open { float_minor, cashier, cashier_number, pin } => {
                    self.sign_on(pressed, float_minor, (cashier, cashier_number), pin).await?;
                }
                ShiftPress::Move { batch, is_in, amount_minor, reason, by } => {
                    self.move_cash(pressed, batch, is_in, amount_minor, (reason, by)).await?;
                }
                ShiftPress::Close { batch, counted_minor, by, despite, drop_held } => {
                    self.close_batch(pressed, batch, counted_minor, by, (&despite, &drop_held)).await?;
                }
                ShiftPress::Reprint => {
                    let shift = self.reprint_report(pressed).await?;
                    return Ok(ShiftView::of(&shift));
                }
            }
        }
        let shift = match of {
            Some(batch) => self.shift_of(batch).await?,
            None => self.shift.clone(),
        };
        Ok(ShiftView::of(&shift.ok_or(Refused::NoShift)?))
    }

    async fn shift_of(&self, batch: Sequence) -> Result<Option<Shift>, Refused> {
        match self.shift.as_ref().filter(|shift| shift.batch == batch) {
            Some(shift) => Ok(Some(shift.clone())),
            None => Ok(self.journal.run(move |store| store.shift(batch)).await?),
        }
    }

    /// The open shift, if it is the one that the page shows: another page may have closed that and opened the next.
    fn open_as_shown(&self, batch: Sequence) -> Result<&Shift, Refused> {
        let open = self.open_shift().ok_or(Refused::NoShift)?;
        if open.batch == batch {
            return Ok(open);
        }
        Err(Refused::OtherShift { asked: batch, open: open.batch, cashier: open.cashier.clone() })
    }

    async fn sign_on(
        &mut self,
        pressed: Pressed,
        float_minor: i64,
        (cashier, cashier_number): (String, String),
        pin: Option<Pin>,
    ) -> Result<(), Refused> {
        if let Some(Shift { batch, cashier, .. }) = self.open_shift() {
            return Err(Refused::ShiftOpen { batch: *batch, cashier: cashier.clone() });
        }
        let float = self.in_drawer(float_minor)?;
        self.check_open_for_sales().await?;
        let (cashier, cashier_number, cashier_id) = if self.cashiers.are_known() {
            self.cashiers.by_code(&cashier_number).ok_or(Refused::CashierUnknown)?;
            let pin = pin.ok_or(Refused::PinNeeded)?;
            let CashierCard { id, name, staff_code, .. } = self.person(&pressed.key, &cashier_number, pin).await?;
            (name, staff_code.to_string(), Some(id))
        } else {
            let is_number =
                cashier_number.chars().count() <= TEXT_LEN_MAX && cashier_number.chars().all(stands_in_text);
            if !is_text(&cashier) || !is_number {
                return Err(Refused::Cashier);
            }
            (cashier, cashier_number, None)
        };
        let batch = self.shift.as_ref().map_or(Sequence(0), |last| last.batch).next();
        let record =
            Record::ShiftOpened { batch, cashier: cashier.clone(), cashier_number: cashier_number.clone(), float };
        let Stamp { machine: opened_at, core: opened_core } = self.stamp();
        let shift = Shift { batch, cashier, cashier_number, cashier_id, float, opened_at, opened_core, closed: None };
        self.write_shift(vec![record], shift, Some(pressed), Vec::new()).await?;
        tracing::info!(batch = batch.0, "a cashier signed on");
        Ok(())
    }

    async fn move_cash(
        &mut self,
        pressed: Pressed,
        batch: Sequence,
        is_in: bool,
        amount_minor: i64,
        (reason, by): (String, Named),
    ) -> Result<(), Refused> {
        let shift = self.open_as_shown(batch)?.clone();
        let amount = amount_of(amount_minor, shift.float.currency())?;
        if !is_text(&reason) {
            return Err(Refused::Reason);
        }
        self.check_open_for_sales().await?;
        let cashier = self.at_the_till(&pressed.key, &shift, by).await?;
        let record = if is_in {
            Record::PaidIn { batch, amount, reason, cashier }
        } else {
            Record::PaidOut { batch, amount, reason, cashier }
        };
        self.write_shift(vec![record], shift, Some(pressed), Vec::new()).await?;
        self.counter.open_drawer();
        Ok(())
    }

    async fn close_batch(
        &mut self,
        pressed: Pressed,
        batch: Sequence,
        counted_minor: i64,
        by: Named,
        (despite, drop_held): (&[Sequence], &[Sequence]),
    ) -> Result<(), Refused> {
        let counted = self.in_drawer(counted_minor)?;
        // Closed with this very count: two pages, or one that was reloaded, mean the same close.
        let before = self.shift_of(batch).await?.and_then(|shift| shift.closed);
        if before.is_some_and(|closed| closed.counted == counted) {
            return Ok(());
        }
        let mut shift = self.open_as_shown(batch)?.clone();
        let in_doubt = self.in_doubt(despite)?;
        self.check_splits_over()?;
        let dropped = self.held_to_drop(drop_held)?;
        // Last: what is asked again for another reason tries no PIN.
        let cashier = self.at_the_till(&pressed.key, &shift, by).await?;
        let counting = shift.clone();
        let totals = self.journal.run(move |store| store.tally(&counting)).await?;
        let expected = shift.expected(&totals).map_err(|error| Refused::Amount(error.to_string()))?;
        let report = ReceiptState::Queued;
        let Stamp { machine: at, core: at_core } = self.stamp();
        shift.closed = Some(Closed { at, at_core, counted, expected, totals, in_doubt, report });
        let (record, n_dropped) = (Record::ShiftClosed { batch, counted, expected, cashier }, dropped.len());
        self.write_shift(vec![record], shift, Some(pressed), dropped).await?;
        for number in self.held_aside.keys().copied().collect::<Vec<_>>() {
            self.not_aside(number);
        }
        tracing::info!(batch = batch.0, held_dropped = n_dropped, "the batch was closed");
        self.print_report(false).await;
        Ok(())
    }

    /// The sales over which the batch is closed although nobody knows how they stand. While core can be asked, there are none:
    /// they come to an end first. While it cannot, the cashier must have seen each of them (`despite`).
    fn in_doubt(&self, despite: &[Sequence]) -> Result<Vec<InDoubt>, Refused> {
        if self.awaiting.is_some() {
            let why = "a scan is awaited: scan the customer's code, or go back";
            return Err(Refused::ShiftBusy(why.to_owned()));
        }
        if self.card.is_some() {
            return Err(Refused::ShiftBusy("a card is awaited: take it, or go back".to_owned()));
        }
        if !self.early.is_empty() {
            return Err(Refused::ShiftBusy("a sale waits for core's first word: wait a moment".to_owned()));
        }
        // What goes back on another till's sale is under way in the report, and no sale of this one.
        let ours = self.sales.values().filter(|held| !held.sale.kept.elsewhere);
        let in_doubt: Vec<InDoubt> = ours.filter_map(|held| in_doubt(&held.sale)).collect();
        if let Some(first) = in_doubt.first().filter(|_| self.line.is_online()) {
            return Err(Refused::ShiftBusy(first.why.clone()));
        }
        if in_doubt.iter().all(|sale| despite.contains(&sale.counter)) {
            return Ok(in_doubt);
        }
        Err(Refused::ShiftInDoubt(in_doubt.into_iter().map(|sale| sale.why).collect()))
    }

    async fn last_closed(&self) -> Result<Option<Shift>, Refused> {
        match self.shift.as_ref().filter(|shift| !shift.is_open()) {
            Some(shift) => Ok(Some(shift.clone())),
            None => Ok(self.journal.run(Store::last_closed_shift).await?),
        }
    }

    async fn reprint_report(&mut self, pressed: Pressed) -> Result<Shift, Refused> {
        let mut shift = self.last_closed().await?.ok_or(Refused::NoReport)?;
        shift.closed.as_mut().ok_or(Refused::NoReport)?.report = ReceiptState::Queued;
        self.write_shift(Vec::new(), shift.clone(), Some(pressed), Vec::new()).await?;
        self.print_report(true).await;
        Ok(shift)
    }

    /// Nobody knows whether the last report came out before the agent ended.
    pub(super) async fn print_left_report(&mut self) {
        if matches!(self.last_closed().await, Ok(Some(shift)) if shift.is_report_queued()) {
            self.print_report(true).await;
        }
    }

    /// Sends the last closed batch's report to the printer.
    pub(super) async fn print_report(&mut self, is_copy: bool) {
        let Ok(Some(shift)) = self.last_closed().await else { return };
        let batch = shift.batch;
        let Some(document) = report(&self.heading(), &shift, is_copy, self.stamp()) else { return };
        if !self.counter.print(About::Batch { batch, is_copy }, document) {
            // The next start tries again; until then the cashier may.
            tracing::warn!(batch = batch.0, "the report was not printed: the printer hangs");
        }
    }

    /// The printer is done with the report, one way or the other.
    pub(super) async fn report_came_back(&mut self, batch: Sequence, fate: Fate, why: Option<String>) {
        if let Some(why) = why {
            tracing::warn!(batch = batch.0, why, "a report was not printed");
        }
        let report = match fate {
            Fate::Printed => ReceiptState::Printed,
            Fate::Failed => ReceiptState::Failed,
            // It stays queued, also over a restart.
            Fate::Owed => return,
        };
        let kept = async {
            // The next cashier may have signed on meanwhile.
            let Some(mut shift) = self.shift_of(batch).await? else { return Ok(()) };
            let Some(closed) = shift.closed.as_mut() else { return Ok(()) };
            closed.report = report;
            self.write_shift(Vec::new(), shift, None, Vec::new()).await
        };
        if let Err(error) = kept.await {
            tracing::error!(batch = batch.0, code = %Code(&error), %error, "that a report was printed could not be kept");
        }
    }

    /// Who stands at the till: as keyed, or whoever signed on.
    async fn at_the_till(&mut self, key: &str, shift: &Shift, by: Named) -> Result<String, Refused> {
        match self.named(key, by.cashier, by.pin).await? {
            None => Ok(shift.cashier.clone()),
            Some(cashier) if is_text(&cashier) => Ok(cashier),
            Some(_) => Err(Refused::Cashier),
        }
    }

    /// Cash that somebody counted: 0 to [`AMOUNT_MINOR_MAX`].
    fn in_drawer(&self, minor: i64) -> Result<Money, Refused> {
        if !(0..=AMOUNT_MINOR_MAX).contains(&minor) {
            return Err(Refused::Amount(format!(
                "what a drawer holds is 0 to {AMOUNT_MINOR_MAX} minor units, not {minor}"
            )));
        }
        Ok(Money::new(minor, self.identity.profile.currency))
    }

    async fn write_shift(
        &mut self,
        records: Vec<Record>,
        shift: Shift,
        pressed: Option<Pressed>,
        held: Vec<HeldChange>,
    ) -> Result<(), Refused> {
        let shift_press = pressed.map(|Pressed { key, fingerprint }| journal::ShiftPress { key, fingerprint });
        self.commit(Commit { records, shift: Some(shift.clone()), shift_press, held, ..Commit::default() }).await?;
        self.emit("shift", &ShiftView::of(&shift));
        // A report of the batch before may be printed while the next one is open.
        if self.shift.as_ref().is_none_or(|last| last.batch <= shift.batch) {
            self.shift = Some(shift);
        }
        Ok(())
    }
}
