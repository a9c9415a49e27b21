//! Why money moved, by name.

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// Why money moved. With what it was about it names a movement once and for all.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $name,)+
        }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable text of this kind, as stored and sent.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

kinds! {
    Captured = "captured";
    Undone = "undone";
    RefundReserved = "refund_reserved";
    RefundSucceeded = "refund_succeeded";
    RefundFailed = "refund_failed";
    /// It had been called not paid, and is set aside once more: the channel has paid it.
    RefundReopened = "refund_reopened";
    FeeCorrected = "fee_corrected";
    BillCorrected = "bill_corrected";
    WrittenOff = "written_off";
    DrawerFloat = "drawer_float";
    PaidIn = "paid_in";
    PaidOut = "paid_out";
    DrawerCounted = "drawer_counted";
    StoredValueToppedUp = "stored_value_topped_up";
    /// The top-up was a mistake.
    StoredValueTopUpReversed = "stored_value_top_up_reversed";
    StoredValueCharged = "stored_value_charged";
    /// A charge was cancelled, or refunded in whole or in part.
    StoredValueReturned = "stored_value_returned";
    /// The account was closed.
    StoredValuePaidOut = "stored_value_paid_out";
    DoubleSpent = "double_spent";
    /// A sale that an offline code had paid too often was given back.
    DoubleSpentReturned = "double_spent_returned";
    /// A person had the holder's account pay for what the issuer bore.
    LossRecovered = "loss_recovered";
    DisputeOpened = "dispute_opened";
    DisputeWon = "dispute_won";
    DisputeLost = "dispute_lost";
    PayoutReceived = "payout_received";
    PayoutReversed = "payout_reversed";
}

impl Kind {
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.text() == text)
    }

    /// Whether the state of a payment's disputes follows from it ([`super::disagreements`]).
    #[must_use]
    pub const fn is_of_dispute(self) -> bool {
        matches!(self, Self::DisputeOpened | Self::DisputeWon | Self::DisputeLost)
    }

    /// Whether the state of a payment and of its refunds follows from it ([`super::disagreements`]). The others can happen
    /// to a payment without changing its state.
    #[must_use]
    pub const fn moves_payment(self) -> bool {
        matches!(
            self,
            Self::Captured
                | Self::Undone
                | Self::RefundReserved
                | Self::RefundSucceeded
                | Self::RefundFailed
                | Self::RefundReopened
        )
    }
}
