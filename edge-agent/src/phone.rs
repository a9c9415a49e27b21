//! Codes that the customer's phone carries to core, where this terminal has no network: whether one may be shown, from what core said last, and
//! what is kept of it. Pure: no I/O, no clock.
//!
//! Nothing is paid by showing one. It is paid by core's word alone: the letters that the customer's page shows, which core and this terminal alone
//! can make, or what core says itself once it is there. Letters are tried by hand: there are 2^40 of them.

use saoma_protocol::{
    Amount, Currency, Millis, Money,
    api::{PaymentView, PhoneLimits},
    code::phone::{Confirmation, GRACE_SECONDS, PhoneCode, SKEW_SECONDS},
};
use serde::{Deserialize, Serialize};

use crate::{
    offline::{Known, Untimely, clock::Moment},
    sale::Kept,
};

/// A code as it is shown, and how its sale is known to be paid. Moments are core's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneShown {
    pub link: String,
    pub made_at: Millis,
    pub expires_at: Millis,
    /// What core says once it is paid. It leaves this terminal by no way.
    pub confirmation: Confirmation,
}

impl PhoneShown {
    #[must_use]
    pub fn of(code: &PhoneCode, limits: &PhoneLimits) -> Self {
        Self {
            link: code.link(&limits.base_url),
            made_at: code.sale.made_at(),
            expires_at: code.sale.expires_at(),
            confirmation: code.sale.confirmation(&limits.confirm_key),
        }
    }

    /// Whether nobody can pay by it any more, but for what the scheme tells late. `at`: core's clock; none if it is not known.
    #[must_use]
    pub fn is_over(&self, at: Option<Millis>) -> bool {
        at.is_some_and(|at| at >= self.expires_at.plus((GRACE_SECONDS + SKEW_SECONDS) * 1_000))
    }
}

impl Kept {
    /// Whether core's word is on another sale than the one that the customer was shown a code for: before this disk was set back it may have
    /// sold something else under this number. By the code itself core begins a payment of its amount alone, and none before it was made.
    #[must_use]
    pub fn is_not_of_its_code(&self, view: &PaymentView) -> bool {
        let is_older = |phone: &PhoneShown| phone.made_at.since(view.created_at) > SKEW_SECONDS * 1_000;
        self.phone.as_ref().is_some_and(|phone| is_older(phone) || view.amount != self.amount)
    }
}

/// Why no code is shown, or a sale is not what is wished, in the order of the checks; each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneRefusal {
    #[error(
        "without a network a code pays a whole sale only: give back what was paid in parts, or take this part in another way"
    )]
    Split,
    #[error(transparent)]
    Untimely(#[from] Untimely),
    #[error("without a network codes are shown in {0} alone: take another way to pay")]
    Currency(Currency),
    #[error("without a network this till shows codes of {} at most: take another way to pay", .max.decimal())]
    SaleCap { max: Money },
    #[error("this till's certificate is over before the code would be: connect it, and it is renewed")]
    Certificate,
    #[error("core has not said yet how it confirms what is signed by this till's new certificate: connect it")]
    Renewed,
    #[error(
        "without a network it cannot be cancelled while the customer may still pay by this code: wait, or take the confirmation from their phone"
    )]
    NotOver,
    #[error("this was not read whole: scan the confirmation on the customer's phone again, or type its letters")]
    Unread,
    #[error("this is the confirmation of another till's sale, or of none: look at the number on the customer's page")]
    Elsewhere,
    #[error("this does not confirm that the sale is paid: look at the number and the letters on the customer's page")]
    Wrong,
}

impl PhoneRefusal {
    /// Stable, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Split => "phone_split",
            Self::Untimely(Untimely::Stopped) => "phone_stopped",
            Self::Untimely(Untimely::ClockUnheard) => "phone_clock_unheard",
            Self::Untimely(Untimely::ClockApart { .. }) => "phone_clock_wrong",
            Self::Untimely(Untimely::ListOld) => "phone_list_old",
            Self::Currency(_) => "phone_currency_other",
            Self::SaleCap { .. } => "phone_sale_cap",
            Self::Certificate => "phone_certificate_over",
            Self::Renewed => "phone_certificate_new",
            Self::NotOver => "phone_not_over",
            Self::Unread => "phone_confirmation_unread",
            Self::Elsewhere => "phone_confirmation_elsewhere",
            Self::Wrong => "phone_confirmation_wrong",
        }
    }
}

/// Core's terms and core's clock, if a code of `amount` may be shown now. `moment`: none if this machine does not tell how long it runs.
///
/// # Errors
/// The first that is wrong, of `Untimely`, `Currency`, `SaleCap`.
pub fn open<'a>(
    known: &Known,
    limits: &'a PhoneLimits,
    amount: Amount,
    (moment, machine): (Option<&Moment>, Millis),
) -> Result<(&'a PhoneLimits, Millis), PhoneRefusal> {
    let at = known.time(limits.list_hours_max, moment, machine)?;
    if amount.currency() != limits.currency {
        return Err(PhoneRefusal::Currency(limits.currency));
    }
    if amount.minor() > limits.sale_minor_max {
        return Err(PhoneRefusal::SaleCap { max: Money::new(limits.sale_minor_max, limits.currency) });
    }
    Ok((limits, at))
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{api::OfflineList, code::phone::ConfirmKey};

    use super::*;
    use crate::offline::clock::Anchor;

    const NOW: Millis = Millis(1_790_000_000_000);

    fn moment(up_ms: i64, boot: &str) -> Moment {
        Moment { boot: boot.to_owned(), up_ms }
    }

    fn limits() -> PhoneLimits {
        PhoneLimits {
            currency: Currency::CNY,
            sale_minor_max: 20_000,
            code_seconds: 300,
            list_hours_max: 24,
            base_url: "https://pay.example".to_owned(),
            certificate: "1f".to_owned(),
            confirm_key: ConfirmKey::new([7; 32]),
        }
    }

    fn known() -> Known {
        let here = moment(1_000, "this start");
        let (issuers, denied) = (Vec::new(), Vec::new());
        let list = OfflineList { issued_at: NOW, limits: None, issuers, denied, cards: None, phone: Some(limits()) };
        Known { list, clock: Anchor::between(&here, &here, NOW, NOW), stopped: false }
    }

    /// What becomes of an amount so many seconds after core was heard.
    fn told(known: &Known, minor: i64, seconds: i64, boot: Option<&str>) -> String {
        let moment = boot.map(|boot| moment(1_000 + seconds * 1_000, boot));
        let amount = Amount::new(minor, Currency::CNY).unwrap();
        match open(known, &limits(), amount, (moment.as_ref(), NOW.plus(seconds * 1_000))) {
            Ok((_, at)) => format!("{}", at.since(NOW)),
            Err(refusal) => refusal.code().to_owned(),
        }
    }

    #[test]
    fn a_code_is_shown_at_a_time_that_is_surely_cores_and_within_its_terms() {
        let here = Some("this start");
        let stopped = Known { stopped: true, ..known() };
        let unheard = Known { clock: None, ..known() };
        for (what, known, minor, seconds, boot, expected) in [
            ("at once", known(), 1_250, 0, here, "0"),
            ("at the limit, a day later", known(), 20_000, 86_400, here, "86400000"),
            ("past the day", known(), 1, 86_401, here, "phone_list_old"),
            ("too much", known(), 20_001, 0, here, "phone_sale_cap"),
            ("the machine was restarted", known(), 1, 1, Some("the next start"), "phone_clock_unheard"),
            ("it does not tell how long it runs", known(), 1, 1, None, "phone_clock_unheard"),
            ("core was not heard in time", unheard, 1, 1, here, "phone_clock_unheard"),
            ("core has locked the terminal", stopped, 1, 1, here, "phone_stopped"),
        ] {
            assert_eq!(told(&known, minor, seconds, boot), expected, "{what}");
        }
        let dollars = Amount::new(1, Currency::USD).unwrap();
        let now = moment(1_000, "this start");
        assert_eq!(
            open(&known(), &limits(), dollars, (Some(&now), NOW)).unwrap_err(),
            PhoneRefusal::Currency(Currency::CNY)
        );
        let (terms, one) = (limits(), Amount::new(1, Currency::CNY).unwrap());
        let apart = open(&known(), &terms, one, (Some(&now), NOW.plus(60_000)));
        assert_eq!(apart.unwrap_err().code(), "phone_clock_wrong");
    }

    #[test]
    fn a_code_is_over_a_minute_and_a_half_after_its_end_and_never_while_nobody_knows_the_time() {
        let confirmation = "ABCD2345".parse().unwrap();
        let shown = PhoneShown { link: String::new(), made_at: NOW, expires_at: NOW.plus(300_000), confirmation };
        for (at, is_over) in [
            (Some(NOW), false),
            (Some(NOW.plus(300_000)), false),
            (Some(NOW.plus(389_999)), false),
            (Some(NOW.plus(390_000)), true),
            (None, false),
        ] {
            assert_eq!(shown.is_over(at), is_over, "{at:?}");
        }
    }
}
