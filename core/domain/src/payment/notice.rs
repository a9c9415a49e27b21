//! What persons should see of a payment, and whether they have to do something about it.

/// What a person should see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Paid after it had been closed here.
    PaidLate,
    /// The channel says failed or closed of a payment that it had confirmed before.
    ContradictsCapture,
    /// The channel gave part of the money back, or all of it, and we had not asked for it.
    RefundedElsewhere,
    /// The channel undid the payment, and we had not asked for it.
    UndoneElsewhere,
    /// The channel says otherwise than the persons who settled it by hand.
    ContradictsHand,
    /// The channel says paid of a payment that was undone.
    ContradictsVoid,
    /// The channel says otherwise of a refund than it said when the refund ended.
    ContradictsRefund,
    /// Another payment had paid the order before.
    SecondPayment,
    /// The customer disputes more than is left of it beside refunds and other disputes.
    DisputeExceeds,
}

impl Notice {
    const ALL: [Self; 9] = [
        Self::PaidLate,
        Self::ContradictsCapture,
        Self::RefundedElsewhere,
        Self::UndoneElsewhere,
        Self::ContradictsHand,
        Self::ContradictsVoid,
        Self::ContradictsRefund,
        Self::SecondPayment,
        Self::DisputeExceeds,
    ];

    /// The notice whose [`code`](Self::code) this is.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.code() == code)
    }

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::PaidLate => "paid_late",
            Self::ContradictsCapture => "contradicts_capture",
            Self::RefundedElsewhere => "refunded_elsewhere",
            Self::UndoneElsewhere => "undone_elsewhere",
            Self::ContradictsHand => "contradicts_hand",
            Self::ContradictsVoid => "contradicts_void",
            Self::ContradictsRefund => "contradicts_refund",
            Self::SecondPayment => "second_payment",
            Self::DisputeExceeds => "dispute_exceeds",
        }
    }

    /// Whether core has done all there is to do about it, or a person has to.
    #[must_use]
    pub const fn needs_person(self) -> bool {
        match self {
            Self::PaidLate | Self::SecondPayment => false,
            Self::ContradictsCapture
            | Self::RefundedElsewhere
            | Self::UndoneElsewhere
            | Self::ContradictsHand
            | Self::ContradictsVoid
            | Self::ContradictsRefund
            | Self::DisputeExceeds => true,
        }
    }
}
