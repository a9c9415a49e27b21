//! Magic amounts: what the scheme does wrong on purpose, by the last two digits of the minor units (`PROTOCOL.md`).

/// What goes wrong with an order of some amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 91: declined for insufficient funds, whatever the balance.
    Declines,
    /// 92: the customer takes a while to confirm.
    Slow,
    /// 93: carried out, but neither answered nor notified.
    SilentAfter,
    /// 94: notified three times.
    NotifiesThrice,
    /// 95: the answer and the first notification carry a wrong signature.
    WrongSignature,
    /// 96: the answer is garbage bytes.
    Garbage,
    /// 97: not carried out and never answered.
    SilentBefore,
    /// 98: a close is answered `CLOSED`, and the customer can pay all the same.
    CloseRaces,
    /// 99: the answer and the notification state 0.01 too much.
    Overstates,
}

/// What goes wrong with a refund of some amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundFault {
    /// 81: `PROCESSING` for a while.
    Slow,
    /// 82: carried out, but never answered.
    SilentAfter,
}

/// How an answer of the merchant API goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Plain,
    /// The connection is held, then cut without a byte.
    Never,
    WrongSignature,
    /// On the stage alone.
    Unsigned,
    Garbage,
}

/// The fault of an order or charge of `minor` units.
#[must_use]
pub fn of_order(minor: i64) -> Option<Fault> {
    match minor % 100 {
        91 => Some(Fault::Declines),
        92 => Some(Fault::Slow),
        93 => Some(Fault::SilentAfter),
        94 => Some(Fault::NotifiesThrice),
        95 => Some(Fault::WrongSignature),
        96 => Some(Fault::Garbage),
        97 => Some(Fault::SilentBefore),
        98 => Some(Fault::CloseRaces),
        99 => Some(Fault::Overstates),
        _ => None,
    }
}

/// The fault of a refund of `minor` units: the refund's own amount counts, not the order's.
#[must_use]
pub fn of_refund(minor: i64) -> Option<RefundFault> {
    match minor % 100 {
        81 => Some(RefundFault::Slow),
        82 => Some(RefundFault::SilentAfter),
        _ => None,
    }
}

impl Fault {
    /// How the first answer to a charge goes out; a repetition of the same charge is always answered plainly.
    #[must_use]
    pub const fn charge_manner(self) -> Manner {
        match self {
            Self::SilentAfter | Self::SilentBefore => Manner::Never,
            Self::WrongSignature => Manner::WrongSignature,
            Self::Garbage => Manner::Garbage,
            Self::Declines | Self::Slow | Self::NotifiesThrice | Self::CloseRaces | Self::Overstates => Manner::Plain,
        }
    }

    /// How often one event is notified, each with its own repetitions until the merchant answers `OK`.
    #[must_use]
    pub const fn notifications(self) -> u8 {
        match self {
            Self::SilentAfter => 0,
            Self::NotifiesThrice => 3,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_digits_decide() {
        for minor in [1, 12, 80, 81, 82, 90, 100, 1250, 9_900] {
            assert_eq!(of_order(minor), None, "{minor}");
        }
        for (minor, fault) in [
            (91, Fault::Declines),
            (1_292, Fault::Slow),
            (93, Fault::SilentAfter),
            (10_094, Fault::NotifiesThrice),
            (95, Fault::WrongSignature),
            (96, Fault::Garbage),
            (97, Fault::SilentBefore),
            (98, Fault::CloseRaces),
            (999_999_999_999, Fault::Overstates),
        ] {
            assert_eq!(of_order(minor), Some(fault), "{minor}");
            assert_eq!(of_refund(minor), None, "{minor}");
        }
        assert_eq!(of_refund(581), Some(RefundFault::Slow));
        assert_eq!(of_refund(82), Some(RefundFault::SilentAfter));
    }
}
