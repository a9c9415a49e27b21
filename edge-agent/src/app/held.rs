//! Putting aside (挂单) and dropping what is put aside. It is taken up by the sale that names it.

use saoma_protocol::{Amount, Sequence};

use super::{
    keyed::{amount_of, is_text, reference_of},
    now,
    owner::Owner,
};
use crate::{
    basket::Basket,
    held::{HELD_MAX, Held, HeldChange},
    journal::{self, Commit},
    till::{
        command::{HoldRequest, Pressed},
        held::HeldView,
        problem::Refused,
    },
};

impl Owner {
    pub(super) fn held_views(&self) -> Vec<HeldView> {
        let mut aside: Vec<_> = self.held_aside.values().collect();
        aside.sort_by_key(|held| (held.held_at, held.number));
        aside.into_iter().map(HeldView::of).collect()
    }

    /// `POST /api/held`. The same press again shows what it put aside, while that is there.
    ///
    /// # Errors
    /// Those of the key, `Training`, of what was keyed, `HeldNotFound`, `BasketChanged`, `HeldFull`, `NoShift`, the journal's.
    pub(super) async fn hold(&mut self, pressed: Pressed, request: HoldRequest) -> Result<HeldView, Refused> {
        if self.seen(&pressed).await?.is_some() {
            let held = self.held_aside.values().find(|held| held.key == pressed.key);
            return held.map(HeldView::of).ok_or(Refused::HeldNotFound);
        }
        self.check_not_training()?;
        if request.basket.is_some() {
            self.check_basket_free()?;
        }
        let HoldRequest { amount_minor, basket: revision, reference, held, cashier, cashier_pin } = request;
        let amount: Amount = amount_of(amount_minor, self.identity.profile.currency)?;
        let (basket, instead_of) = match revision {
            None => {
                self.check_held(held, false)?;
                (None, held)
            }
            Some(revision) => {
                self.basket_goods(revision, amount, &[])?;
                let basket = self.filling.seen(revision)?.clone();
                let instead_of = basket.held;
                (Some(Basket { held: None, ..basket }), instead_of)
            }
        };
        let reference = reference_of(reference.as_deref())?;
        let cashier =
            self.named(&pressed.key, cashier, cashier_pin).await?.unwrap_or_else(|| self.cashier().to_owned());
        if !is_text(&cashier) {
            return Err(Refused::Cashier);
        }
        let held_at = match instead_of {
            Some(before) => self.held_aside.get(&before).ok_or(Refused::HeldNotFound)?.held_at,
            None if self.held_aside.len() >= HELD_MAX => return Err(Refused::HeldFull),
            None => now(),
        };
        // Also in the place of another: a page that still shows what that was cannot sell it.
        let number = self.held_last.next();
        self.check_shift(false)?;
        self.check_open_for_sales().await?;
        let held = Held { number, amount, reference, cashier, basket, held_at, key: pressed.key.clone() };
        let drops = instead_of.map(HeldChange::Drop);
        let changes = drops.into_iter().chain([HeldChange::Keep(held.clone())]).collect();
        self.commit_held(pressed, changes, revision.is_some()).await?;
        self.held_last = number;
        let view = HeldView::of(&held);
        if let Some(before) = instead_of {
            self.not_aside(before);
        }
        self.held_aside.insert(number, held);
        if revision.is_some() {
            self.filling.take(None);
        }
        Ok(view)
    }

    /// `POST /api/held/{number}/drop`. What is gone already stays gone.
    ///
    /// # Errors
    /// Those of the key, `Training`, `HeldNotFound`, the journal's.
    pub(super) async fn drop_held(&mut self, pressed: Pressed, number: Sequence) -> Result<(), Refused> {
        if self.seen(&pressed).await?.is_some() {
            return Ok(());
        }
        self.check_not_training()?;
        self.check_held(Some(number), true)?;
        self.commit_held(pressed, vec![HeldChange::Drop(number)], false).await?;
        self.not_aside(number);
        tracing::info!(held = number.0, "what was put aside was dropped");
        Ok(())
    }

    /// Whether what a sale is to be made of is still put aside: another page may have sold or dropped it. A basket is taken up as one
    /// (`of_basket`): sold as a mere amount it would lose its lines and taxes.
    ///
    /// # Errors
    /// `HeldNotFound`, `BasketChanged`.
    pub(super) fn check_held(&self, held: Option<Sequence>, of_basket: bool) -> Result<(), Refused> {
        let Some(number) = held else { return Ok(()) };
        match self.held_aside.get(&number) {
            None => Err(Refused::HeldNotFound),
            Some(aside) if aside.basket.is_some() && !of_basket => Err(Refused::BasketChanged),
            Some(_) => Ok(()),
        }
    }

    /// It was sold, dropped, or put aside under another number.
    pub(super) fn not_aside(&mut self, number: Sequence) {
        self.held_aside.remove(&number);
        self.filling.forget_held(number);
    }

    /// What goes with a batch that is closed: all that is put aside, if the cashier has seen each of them (`dropped`).
    ///
    /// # Errors
    /// `HeldLeft`.
    pub(super) fn held_to_drop(&self, dropped: &[Sequence]) -> Result<Vec<HeldChange>, Refused> {
        if self.held_aside.keys().all(|number| dropped.contains(number)) {
            return Ok(self.held_aside.keys().copied().map(HeldChange::Drop).collect());
        }
        let told = self.held_aside.values().map(|held| {
            let reference = held.reference.as_ref().map(|reference| format!(" ({reference})")).unwrap_or_default();
            format!("{} {}{reference}", held.number, held.amount)
        });
        Err(Refused::HeldLeft(told.collect()))
    }

    async fn commit_held(&mut self, pressed: Pressed, held: Vec<HeldChange>, basket_done: bool) -> Result<(), Refused> {
        let Pressed { key, fingerprint } = pressed;
        let shift_press = Some(journal::ShiftPress { key, fingerprint });
        self.commit(Commit { held, shift_press, basket_done, ..Commit::default() }).await?;
        Ok(())
    }
}
