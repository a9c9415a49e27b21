//! What became of a slip, as the till's pages hear it.

use saoma_protocol::PaymentId;
use serde::Serialize;

use crate::peripherals::Trouble;

/// What a `receipt` event says.
#[derive(Clone, Debug, Serialize)]
pub struct ReceiptView<N = PaymentId> {
    pub payment: N,
    pub printed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What is wrong with the printer, for pages that say it in words of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
}

impl<N> ReceiptView<N> {
    /// `why`: why it was not printed, if it was not.
    #[must_use]
    pub fn new(payment: N, why: Option<String>) -> Self {
        Self { payment, printed: why.is_none(), trouble: why.as_deref().and_then(Trouble::told_in), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_slip_was_not_printed_is_told_for_pages_of_any_language() {
        let of = |why: Option<&str>| ReceiptView::new((), why.map(str::to_owned));
        assert_eq!((of(None).printed, of(None).trouble), (true, None));
        let empty = of(Some("the printer is out of paper; put in a new roll"));
        assert_eq!((empty.printed, empty.trouble), (false, Some(Trouble::PaperOut)));
        assert_eq!(of(Some("it is possessed")).trouble, None);
    }
}
