//! Slips for which there was no paper: printed when there is, whole, and marked as copies if a part of them may be out.
//!
//! Only for what a person puts right at the printer (paper, cover): that person stands there, and the printer said itself that
//! the slip did not come out whole. After any other failure nobody knows what is on the paper, and the cashier decides.

use crate::{
    counter::{About, PRINT_QUEUE_MAX, Unprinted},
    peripherals::PeripheralError,
    sale::Slip,
};

/// A printer that says after every slip that it has no paper is believed this often.
const TRIES_MAX: u8 = 3;

/// The slips that are owed, oldest first.
#[derive(Debug, Default)]
pub(super) struct Paper(Vec<Owed>);

#[derive(Debug)]
struct Owed {
    about: About,
    /// A part of it may be out.
    begun: bool,
    tries: u8,
    /// Given to the printer again.
    at_printer: bool,
}

/// What becomes of a slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Printed,
    /// It waits for paper.
    Owed,
    /// The cashier may reprint it.
    Failed,
}

impl Paper {
    /// A slip came back from the printer.
    pub(super) fn came_back(&mut self, about: About, failure: Option<&Unprinted>) -> Fate {
        let held = self.0.iter().position(|owed| owed.about.is_same_slip(about)).map(|at| self.0.remove(at));
        let Some(Unprinted { error, begun }) = failure else { return Fate::Printed };
        let (begun_before, tries) = held.map_or((false, 0), |held| (held.begun, held.tries));
        let tries = tries.saturating_add(1);
        let waits = matches!(error, PeripheralError::PaperOut | PeripheralError::CoverOpen);
        if !waits || tries > TRIES_MAX || self.0.len() == PRINT_QUEUE_MAX {
            return Fate::Failed;
        }
        self.0.push(Owed { about, begun: begun_before || *begun, tries, at_printer: false });
        Fate::Owed
    }

    /// There is paper again: what is to be printed now.
    pub(super) fn is_there(&mut self) -> Vec<About> {
        let owed = self.0.iter_mut().filter(|owed| !owed.at_printer);
        owed.map(|owed| {
            owed.at_printer = true;
            if owed.begun { owed.about.copy() } else { owed.about }
        })
        .collect()
    }

    /// The printer did not take it: the cashier decides.
    pub(super) fn forget(&mut self, about: About) {
        self.0.retain(|owed| !owed.about.is_same_slip(about));
    }

    /// Whether that slip waits for paper.
    pub(super) fn waits(&self, is_it: impl Fn(About) -> bool) -> bool {
        self.0.iter().any(|owed| !owed.at_printer && is_it(owed.about))
    }
}

impl About {
    /// A slip and its copy are one for whoever waits for it.
    fn is_same_slip(self, other: Self) -> bool {
        self.copy() == other.copy()
    }

    const fn copy(self) -> Self {
        match self {
            Self::Sale(payment, Slip::Sale | Slip::Copy) => Self::Sale(payment, Slip::Copy),
            Self::Sale(payment, Slip::Refund(refund) | Slip::RefundCopy(refund)) => {
                Self::Sale(payment, Slip::RefundCopy(refund))
            }
            Self::Batch { batch, .. } => Self::Batch { batch, is_copy: true },
            Self::Split { number, .. } => Self::Split { number, is_copy: true },
            // Never owed: nobody waits for it.
            Self::Training(_) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{PaymentId, RefundId, Sequence};

    use super::*;

    const PAYMENT: PaymentId = PaymentId::from_bytes([1; 16]);
    const SALE: About = About::Sale(PAYMENT, Slip::Sale);
    const COPY: About = About::Sale(PAYMENT, Slip::Copy);

    fn no_paper(begun: bool) -> Unprinted {
        Unprinted { error: PeripheralError::PaperOut, begun }
    }

    #[test]
    fn a_slip_that_was_begun_is_printed_again_as_a_copy() {
        let refund = RefundId::from_bytes([2; 16]);
        let batch = Sequence(3);
        for (about, copy) in [
            (SALE, COPY),
            (COPY, COPY),
            (About::Sale(PAYMENT, Slip::Refund(refund)), About::Sale(PAYMENT, Slip::RefundCopy(refund))),
            (About::Batch { batch, is_copy: false }, About::Batch { batch, is_copy: true }),
        ] {
            for begun in [false, true] {
                let mut paper = Paper::default();
                assert_eq!(paper.came_back(about, Some(&no_paper(begun))), Fate::Owed);
                assert!(paper.waits(|owed| owed == about));
                assert_eq!(paper.is_there(), [if begun { copy } else { about }]);
                assert!(!paper.waits(|_| true), "it is at the printer");
                assert_eq!(paper.is_there(), [], "not twice");
                assert_eq!(paper.came_back(copy, None), Fate::Printed);
                assert_eq!(paper.is_there(), []);
            }
        }
    }

    #[test]
    fn what_was_begun_once_stays_begun() {
        let mut paper = Paper::default();
        paper.came_back(SALE, Some(&no_paper(true)));
        assert_eq!(paper.is_there(), [COPY]);
        paper.came_back(COPY, Some(&no_paper(false)));
        assert_eq!(paper.is_there(), [COPY]);
    }

    #[test]
    fn what_nobody_knows_is_left_to_the_cashier() {
        let silent = Unprinted { error: PeripheralError::Silent { device: "it".to_owned() }, begun: true };
        let mut paper = Paper::default();
        assert_eq!(paper.came_back(SALE, Some(&silent)), Fate::Failed);
        assert_eq!(paper.is_there(), []);
        // Neither is one that says so after every slip.
        for _ in 0..TRIES_MAX {
            assert_eq!(paper.came_back(SALE, Some(&no_paper(true))), Fate::Owed);
            paper.is_there();
        }
        assert_eq!(paper.came_back(COPY, Some(&no_paper(true))), Fate::Failed);
        // Nor is a day's stack of slips printed at once.
        for number in 0..=PRINT_QUEUE_MAX {
            let about = About::Batch { batch: Sequence(number as u64), is_copy: false };
            let fate = if number < PRINT_QUEUE_MAX { Fate::Owed } else { Fate::Failed };
            assert_eq!(paper.came_back(about, Some(&no_paper(false))), fate, "{number}");
        }
    }
}
