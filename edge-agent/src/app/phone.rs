//! Codes that the customer's phone carries to core: a sale begins by one, and core's word on it comes back on that phone.

use saoma_protocol::{Amount, Millis, PaymentId, api::PhoneLimits, code::phone::read_confirmation};

use super::{happen::Beside, now, offline::moment, owner::Owner};
use crate::{
    offline::Untimely,
    phone::{PhoneRefusal, PhoneShown, open},
    sale::{Event, Sale, ScannedCode, Tender},
    till::{
        problem::Refused,
        view::{OfflineView, ScanView},
    },
};

impl Owner {
    /// Core's terms, if it lets this terminal show such codes.
    fn phone_limits(&self) -> Option<&PhoneLimits> {
        self.offline.known()?.list.phone.as_ref()
    }

    /// Whether a sale by code is one that the customer's phone carries: core was looked for, and is not there.
    pub(super) fn phone_carries(&self) -> bool {
        self.line.is_lost() && self.phone_limits().is_some()
    }

    /// Whether nobody knows yet who carries a code to core: the line broke just now, or only blinked.
    pub(super) fn may_phone_carry(&self) -> bool {
        !self.line.is_online() && !self.line.is_lost() && self.phone_limits().is_some()
    }

    fn check_phone(&self, amount: Amount) -> Result<(PhoneLimits, Millis), Refused> {
        // Core takes none of what is written down here: what this sale was would never be told.
        let stopped = || PhoneRefusal::from(Untimely::Stopped);
        if self.sync.stopped().is_some() {
            return Err(stopped().into());
        }
        let (known, limits) = self.offline.known().zip(self.phone_limits()).ok_or_else(stopped)?;
        let moment = moment();
        let (limits, at) = open(known, limits, amount, (moment.as_ref(), now()))?;
        // Core begins nothing by what a certificate signed that is over.
        if self.renewal.is_over_at(at.plus(i64::from(limits.code_seconds) * 1_000)) {
            return Err(PhoneRefusal::Certificate.into());
        }
        Ok((limits.clone(), at))
    }

    /// What the sale that is keyed next is paid by: a code with its number, signed. Nothing is written yet, and nobody has seen it.
    ///
    /// # Errors
    /// `Phone`, with what is wrong; the journal's.
    pub(super) async fn phone_tender(&self, amount: Amount, is_part: bool) -> Result<Tender, Refused> {
        if is_part {
            return Err(PhoneRefusal::Split.into());
        }
        let checked = self.check_phone(amount);
        let (limits, at) = checked.inspect_err(|refused| tracing::info!(code = refused.code(), "no code is shown"))?;
        let (counter, seconds) = (self.counted.next(), limits.code_seconds);
        let code = self.journal.run(move |store| store.sign_phone(counter, amount, at, seconds)).await?;
        // What core would show the customer then, this till would not know again.
        if code.sale.certificate.hex() != limits.certificate {
            return Err(PhoneRefusal::Renewed.into());
        }
        Ok(Tender::Phone(Box::new(PhoneShown::of(&code, &limits))))
    }

    /// Core's clock, however old its list is; none if it is not surely known.
    pub(super) fn cores_time(&self) -> Option<Millis> {
        let clock = self.offline.known()?.clock.as_ref()?;
        clock.at(&moment()?, now()).ok()
    }

    /// Whether the sale may still come to core by the customer's phone.
    pub(super) fn may_be_opened_yet(&self, sale: &Sale) -> bool {
        let phone = sale.kept.phone.as_ref().filter(|_| sale.awaits_phone());
        phone.is_some_and(|phone| !phone.is_over(self.cores_time()))
    }

    /// A customer who was told that nothing is sold must not pay it: it can be cancelled once that is not possible any more, or where core can be
    /// asked, which then lets no code begin it.
    ///
    /// # Errors
    /// `SaleNotFound`, `Phone`, the journal's.
    pub(super) async fn check_may_cancel(&self, payment: PaymentId) -> Result<(), Refused> {
        let held = self.sale(payment).await?.ok_or(Refused::SaleNotFound)?;
        let is_refused = !self.line.is_online() && self.may_be_opened_yet(&held.sale);
        if is_refused { Err(PhoneRefusal::NotOver.into()) } else { Ok(()) }
    }

    /// Whether these letters are core's word that the sale is paid.
    ///
    /// # Errors
    /// `SaleNotFound`, `Phone`, the journal's.
    pub(super) async fn check_confirmation(
        &self,
        payment: PaymentId,
        confirmation: saoma_protocol::code::phone::Confirmation,
    ) -> Result<(), Refused> {
        let held = self.sale(payment).await?.ok_or(Refused::SaleNotFound)?;
        let is_it = held.sale.kept.phone.is_some_and(|phone| phone.confirmation == confirmation);
        if is_it { Ok(()) } else { Err(PhoneRefusal::Wrong.into()) }
    }

    /// A confirmation was scanned, whatever is waited for: that goes on waiting.
    pub(super) async fn scan_confirmation(&mut self, text: &ScannedCode) -> Result<ScanView, Refused> {
        let (counter, confirmation) = read_confirmation(text.expose()).map_err(|_| PhoneRefusal::Unread)?;
        let found = self.journal.run(move |store| store.sale_numbered(counter)).await?;
        let payment = found.map(|(kept, _)| kept.payment).ok_or(PhoneRefusal::Elsewhere)?;
        self.check_confirmation(payment, confirmation).await?;
        // Of one that is paid nothing follows.
        self.happen(payment, Event::Confirmed, Beside::default()).await?;
        Ok(ScanView::Found { sale: Box::new(self.view(payment).await?) })
    }

    /// How such codes stand; none where there are none.
    pub(super) fn phone_view(&self) -> Option<OfflineView> {
        let limits = self.phone_limits()?;
        let least = Amount::new(1, limits.currency).ok()?;
        let refused = self.check_phone(least).err();
        let (why, detail) = match refused {
            Some(Refused::Phone(refusal)) => (Some(refusal.code()), Some(refusal.to_string())),
            _ => (None, None),
        };
        Some(OfflineView { why, detail })
    }
}
