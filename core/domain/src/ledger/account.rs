//! The accounts of a tenant's books.
//!
//! Sign rule: a positive posting is a debit, a negative one a credit. What the tenant is owed or holds (clearing, drawer)
//! and what it has lost (fees, risk) grows by debits; what it owes (payable, refunds under way, stored value) grows by credits.

macro_rules! accounts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// An account. Each exists once per tenant and currency; those that [`Account::is_per_channel`] says so also once per
        /// channel account, through the posting.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Account {
            $($(#[$doc])* $name,)+
        }

        impl Account {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable text of this account, as stored and sent.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

accounts! {
    /// Asset: what channels have collected and not yet paid out.
    ChannelClearing = "channel_clearing";
    /// Asset: what channels have paid out.
    Bank = "bank";
    /// Asset: what a channel holds back while a customer disputes a payment.
    DisputesHeld = "disputes_held";
    /// Asset: cash in the drawers.
    CashInDrawer = "cash_in_drawer";
    /// Asset: cash elsewhere than in a drawer, from which floats come and to which money taken out goes (the safe).
    CashInSafe = "cash_in_safe";
    /// Liability: what is due to the merchant.
    MerchantPayable = "merchant_payable";
    /// Liability: set aside for refunds that are under way.
    RefundsInTransit = "refunds_in_transit";
    /// Liability: stored value that holders have paid in and not spent.
    StoredValue = "stored_value";
    /// Liability: stored value that was spent, until those who accepted it are paid.
    StoredValueDue = "stored_value_due";
    /// Expense: what channels keep.
    Fees = "fees";
    /// Expense: drawers counted short; a credit balance is what they were counted over.
    CashOverShort = "cash_over_short";
    /// Expense: codes spent twice offline, disputes lost, differences to a channel's bill that nobody makes good.
    RiskLoss = "risk_loss";
}

impl Account {
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|account| account.text() == text)
    }

    /// Whether its balance is also kept for each channel account.
    #[must_use]
    pub const fn is_per_channel(self) -> bool {
        matches!(self, Self::ChannelClearing | Self::DisputesHeld | Self::Fees)
    }
}
