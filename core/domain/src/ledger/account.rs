//! The accounts of a tenant's books.
//!
//! Sign rule: a positive posting is a debit, a negative one a credit. What the tenant is owed or holds (clearing, drawer)
//! grows by debits; what it has earned or owes (payable, refunds under way) grows by credits.

/// An account. Each exists once per tenant and currency (clearing: per channel account as well, through the posting).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// Asset: what channels have collected and not yet paid out.
    ChannelClearing,
    /// Liability: what is due to the merchant.
    MerchantPayable,
    /// Expense: what channels keep.
    Fees,
    /// Liability: set aside for refunds that are under way.
    RefundsInTransit,
    /// Asset: cash in the drawers.
    CashInDrawer,
    /// Liability: stored value that customers hold.
    WalletLiability,
}

impl Account {
    pub const ALL: [Self; 6] = [
        Self::ChannelClearing,
        Self::MerchantPayable,
        Self::Fees,
        Self::RefundsInTransit,
        Self::CashInDrawer,
        Self::WalletLiability,
    ];

    /// The stable text of this account, as stored and sent.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::ChannelClearing => "channel_clearing",
            Self::MerchantPayable => "merchant_payable",
            Self::Fees => "fees",
            Self::RefundsInTransit => "refunds_in_transit",
            Self::CashInDrawer => "cash_in_drawer",
            Self::WalletLiability => "wallet_liability",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|account| account.text() == text)
    }
}
