//! What the cashier presses about the shift: on the disk first, then the drawer and the printer.

use saoma_protocol::{
    Money, Sequence,
    api::{TEXT_LEN_MAX, stands_in_text},
    journal::Record,
    money::AMOUNT_MINOR_MAX,
};

use super::{
    now,
    owner::Owner,
    press::{amount_of, is_text},
};
use crate::{
    counter::About,
    journal::{self, Commit},
    peripherals::PeripheralError,
    receipt::report,
    sale::ReceiptState,
    shift::{Closed, Shift, in_the_way},
    till::{
        command::{Pressed, ShiftPress},
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

    /// Whether there is a shift, where the settings want one.
    ///
    /// # Errors
    /// `NoShift`.
    pub(super) fn check_shift(&self) -> Result<(), Refused> {
        if self.config.till.shift_required && self.open_shift().is_none() { Err(Refused::NoShift) } else { Ok(()) }
    }

    pub(super) fn shift_now(&self) -> ShiftNow {
        ShiftNow { shift: self.shift.as_ref().map(ShiftView::of) }
    }

    /// A button on the shift. The same press again does nothing again, and shows the shift as it stands.
    ///
    /// # Errors
    /// `KeyReused`, those of the press, the journal's; nothing has happened then.
    pub(super) async fn press_shift(&mut self, pressed: Pressed, press: ShiftPress) -> Result<ShiftView, Refused> {
        if self.seen(&pressed).await?.is_none() {
            match press {
                ShiftPress::Open { float_minor, cashier, cashier_number } => {
                    self.sign_on(pressed, float_minor, cashier, cashier_number).await?;
                }
                ShiftPress::PaidIn { amount_minor, reason } => {
                    self.move_cash(pressed, true, amount_minor, reason).await?
                }
                ShiftPress::PaidOut { amount_minor, reason } => {
                    self.move_cash(pressed, false, amount_minor, reason).await?;
                }
                ShiftPress::Close { counted_minor } => self.close_batch(pressed, counted_minor).await?,
                ShiftPress::Reprint => self.reprint_report(pressed).await?,
            }
        }
        let shift = self.shift.as_ref().ok_or(Refused::NoShift)?;
        Ok(ShiftView::of(shift))
    }

    async fn sign_on(
        &mut self,
        pressed: Pressed,
        float_minor: i64,
        cashier: String,
        cashier_number: String,
    ) -> Result<(), Refused> {
        if let Some(Shift { batch, cashier, .. }) = self.open_shift() {
            return Err(Refused::ShiftOpen { batch: *batch, cashier: cashier.clone() });
        }
        let float = self.in_drawer(float_minor)?;
        let is_number = cashier_number.chars().count() <= TEXT_LEN_MAX && cashier_number.chars().all(stands_in_text);
        if !is_text(&cashier) || !is_number {
            return Err(Refused::Cashier);
        }
        self.check_open_for_sales().await?;
        let batch = self.shift.as_ref().map_or(Sequence(0), |last| last.batch).next();
        let record =
            Record::ShiftOpened { batch, cashier: cashier.clone(), cashier_number: cashier_number.clone(), float };
        let shift = Shift { batch, cashier, cashier_number, float, opened_at: now(), closed: None };
        self.write_shift(vec![record], shift, Some(pressed)).await?;
        tracing::info!(batch = batch.0, "a cashier signed on");
        Ok(())
    }

    async fn move_cash(
        &mut self,
        pressed: Pressed,
        is_in: bool,
        amount_minor: i64,
        reason: String,
    ) -> Result<(), Refused> {
        let shift = self.open_shift().ok_or(Refused::NoShift)?.clone();
        let amount = amount_of(amount_minor, shift.float.currency())?;
        if !is_text(&reason) {
            return Err(Refused::Reason);
        }
        self.check_open_for_sales().await?;
        let (batch, cashier) = (shift.batch, shift.cashier.clone());
        let record = if is_in {
            Record::PaidIn { batch, amount, reason, cashier }
        } else {
            Record::PaidOut { batch, amount, reason, cashier }
        };
        self.write_shift(vec![record], shift, Some(pressed)).await?;
        self.counter.open_drawer();
        Ok(())
    }

    async fn close_batch(&mut self, pressed: Pressed, counted_minor: i64) -> Result<(), Refused> {
        let mut shift = self.open_shift().ok_or(Refused::NoShift)?.clone();
        let counted = self.in_drawer(counted_minor)?;
        if let Some(why) = self.what_is_in_the_way() {
            return Err(Refused::ShiftBusy(why));
        }
        let counting = shift.clone();
        let totals = self.journal.run(move |store| store.tally(&counting)).await?;
        let expected = shift.expected(&totals).map_err(|error| Refused::Amount(error.to_string()))?;
        let (batch, cashier) = (shift.batch, shift.cashier.clone());
        shift.closed = Some(Closed { at: now(), counted, expected, totals, report: ReceiptState::Queued });
        self.write_shift(vec![Record::ShiftClosed { batch, counted, expected, cashier }], shift, Some(pressed)).await?;
        tracing::info!(batch = batch.0, "the batch was closed");
        self.print_report(false);
        Ok(())
    }

    /// What must come to an end before the batch does, in words for the cashier.
    fn what_is_in_the_way(&self) -> Option<String> {
        if self.awaiting.is_some() {
            return Some("a scan is awaited: scan the customer's code, or go back".to_owned());
        }
        if !self.early.is_empty() {
            return Some("a sale waits for core's first word: wait a moment".to_owned());
        }
        self.sales.values().find_map(|held| in_the_way(&held.sale))
    }

    async fn reprint_report(&mut self, pressed: Pressed) -> Result<(), Refused> {
        let mut shift = self.shift.clone().ok_or(Refused::NoReport)?;
        let closed = shift.closed.as_mut().ok_or(Refused::NoReport)?;
        closed.report = ReceiptState::Queued;
        self.write_shift(Vec::new(), shift, Some(pressed)).await?;
        self.print_report(true);
        Ok(())
    }

    /// Sends the last batch's report to the printer.
    pub(super) fn print_report(&mut self, is_copy: bool) {
        let Some(shift) = &self.shift else { return };
        let batch = shift.batch;
        let Some(document) = report(&self.heading(), shift, is_copy, now()) else { return };
        if !self.counter.print(About::Batch(batch), document) {
            // The next start tries again; until then the cashier may.
            tracing::warn!(batch = batch.0, "the report was not printed: the printer hangs");
        }
    }

    /// The printer took the report, or did not.
    pub(super) async fn report_printed(&mut self, batch: Sequence, failure: Option<PeripheralError>) {
        if let Some(error) = &failure {
            tracing::warn!(batch = batch.0, %error, "a report was not printed");
        }
        let Some(mut shift) = self.shift.clone().filter(|shift| shift.batch == batch) else { return };
        let Some(closed) = shift.closed.as_mut() else { return };
        closed.report = if failure.is_none() { ReceiptState::Printed } else { ReceiptState::Failed };
        if let Err(error) = self.write_shift(Vec::new(), shift, None).await {
            tracing::error!(batch = batch.0, code = %Code(&error), %error, "that a report was printed could not be kept");
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
    ) -> Result<(), Refused> {
        let shift_press = pressed.map(|Pressed { key, fingerprint }| journal::ShiftPress { key, fingerprint });
        self.commit(Commit { records, shift: Some(shift.clone()), shift_press, ..Commit::default() }).await?;
        self.emit("shift", &ShiftView::of(&shift));
        self.shift = Some(shift);
        Ok(())
    }
}
