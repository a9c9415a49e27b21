//! Typed identities. One list, so that two kinds can never be mixed and a new one is a line here.
//!
//! On every wire an id is its prefix, an underscore and 26 characters of lower-case RFC 4648 base32 without padding
//! (128 bits): `pay_` ids are 30 characters of `[a-z0-9_]`, which fits the order-number field of every channel we know
//! (WeChat Pay, the tightest, allows 32).

use std::{fmt, str::FromStr};

use data_encoding::{Encoding, Specification};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};

use crate::Millis;

/// Length of the part after `prefix_`: 128 bits, 5 a character.
const TEXT_LEN: usize = 26;

fn base32() -> &'static Encoding {
    static ENCODING: std::sync::OnceLock<Encoding> = std::sync::OnceLock::new();
    ENCODING.get_or_init(|| {
        let mut spec = Specification::new();
        spec.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
        #[expect(clippy::expect_used, reason = "a constant specification, covered by every test that prints an id")]
        spec.encoding().expect("a valid base32 alphabet")
    })
}

/// Why a text is not an id of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not an id of the form {prefix}_ and {TEXT_LEN} characters a-z or 2-7")]
pub struct IdError {
    pub prefix: &'static str,
    /// What was given, cut to 40 characters.
    pub given: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// An id from 128 bits that the caller drew (or derived); nothing is random here.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, base32().encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let refused = || IdError { prefix: $prefix, given: text.chars().take(40).collect() };
                let tail = text.strip_prefix(concat!($prefix, "_")).ok_or_else(refused)?;
                let bytes = base32().decode(tail.as_bytes()).map_err(|_| refused())?;
                bytes.try_into().map(Self).map_err(|_| refused())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[a-z2-7]{26}$")))
                    .into()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )+

        /// Every prefix in use, for the test that none is used twice.
        #[cfg(test)]
        const PREFIXES: &[&str] = &[$($prefix),+];
    };
}

ids! {
    /// A merchant organisation; every row and every topic carries one.
    TenantId = "ten";
    /// A shop of a tenant.
    StoreId = "sto";
    /// A till; the common name of its client certificate.
    TerminalId = "ter";
    /// A person who signs in.
    UserId = "usr";
    /// One sign-in of a person, until it ends or is revoked.
    SessionId = "ses";
    /// A printed code of a stall's, the same for every customer.
    StaticCodeId = "stc";
    /// A key for machines, scoped and hashed.
    ApiKeyId = "key";
    /// A tenant's contract with one payment channel.
    ChannelAccountId = "cha";
    /// What a merchant's rules made of a sale. Nobody can make one but core: it is the proof of what was quoted.
    QuoteId = "quo";
    /// What is being sold.
    OrderId = "ord";
    /// One attempt to collect an order; also the order number that the channel sees.
    PaymentId = "pay";
    /// One attempt to give money back, by refund or by void.
    RefundId = "rfd";
    /// A customer's dispute of a payment, as the channel carries it out.
    DisputeId = "dsp";
    /// How two persons say that a stuck payment or refund ended.
    HandSettlementId = "hst";
    /// A URL of a merchant's that hears of events.
    WebhookEndpointId = "whe";
    /// Something that happened, as webhooks tell it: the `webhook-id` by which a receiver knows a repeat.
    WebhookEventId = "evt";
    /// One event on its way to one endpoint.
    WebhookDeliveryId = "whd";
    /// One comparison of a channel account's books with its bill of a day.
    ReconciliationId = "rec";
    /// What did not agree in one.
    DiscrepancyId = "dsc";
    /// What a channel paid out at once, as it arrived at the bank.
    PayoutId = "pyo";
    /// What a terminal keyed between signing on and closing the batch.
    BatchId = "bat";
    /// What a channel account comes to between two settlements at the scheme; also the batch's number there.
    SettlementBatchId = "stb";
    /// What a holder has paid in and not spent, at the tenant that issues it.
    StoredValueAccountId = "sva";
    /// One change of such an account's balance.
    StoredValueMovementId = "svm";
    /// A person who signs on at tills.
    CashierId = "csh";
    /// Something that a merchant sells, as its catalogue has it.
    GoodsId = "gds";
    /// A tax on what a merchant sells.
    TaxRateId = "txr";
}

/// A number that only grows, from 1: a terminal's journal entries, a terminal's sales, core's outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The first 128 bits of SHA-256 over the parts, each preceded by its length, so that no two lists of parts collide.
fn derived(domain: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(domain.as_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes
}

impl PaymentId {
    /// The number of the `counter`-th sale keyed on a terminal.
    ///
    /// It follows from (tenant, terminal, counter) alone: a terminal that crashed between writing the sale down and
    /// sending it makes the same number again, so a retry can never become a second charge.
    #[must_use]
    pub fn for_sale(tenant: TenantId, terminal: TerminalId, counter: Sequence) -> Self {
        Self(derived("saoma sale 1", &[tenant.as_bytes(), terminal.as_bytes(), &counter.0.to_be_bytes()]))
    }

    /// The number of a sale that its terminal tells under one that it cannot have, by the hash of its journal's entry.
    #[must_use]
    pub fn for_entry(tenant: TenantId, terminal: TerminalId, entry: &[u8; 32]) -> Self {
        Self(derived("saoma stored sale 1", &[tenant.as_bytes(), terminal.as_bytes(), entry]))
    }

    /// The payment that an API caller's `Idempotency-Key` stands for: the same key of one tenant is the same payment.
    #[must_use]
    pub fn for_key(tenant: TenantId, idempotency_key: &str) -> Self {
        Self(derived("saoma payment key 1", &[tenant.as_bytes(), idempotency_key.as_bytes()]))
    }
}

impl TenantId {
    /// The merchant that an administrator's `Idempotency-Key` stands for: the same key is the same merchant.
    #[must_use]
    pub fn for_key(idempotency_key: &str) -> Self {
        Self(derived("saoma tenant key 1", &[idempotency_key.as_bytes()]))
    }
}

impl RefundId {
    /// The refund that an `Idempotency-Key` stands for: the same key on the same payment is the same refund.
    #[must_use]
    pub fn for_key(tenant: TenantId, payment: PaymentId, idempotency_key: &str) -> Self {
        Self(derived("saoma refund key 1", &[tenant.as_bytes(), payment.as_bytes(), idempotency_key.as_bytes()]))
    }
}

impl DisputeId {
    /// The dispute that an `Idempotency-Key` stands for: the same key on the same payment is the same dispute.
    #[must_use]
    pub fn for_key(tenant: TenantId, payment: PaymentId, idempotency_key: &str) -> Self {
        Self(derived("saoma dispute key 1", &[tenant.as_bytes(), payment.as_bytes(), idempotency_key.as_bytes()]))
    }
}

impl HandSettlementId {
    /// The settlement by hand that an `Idempotency-Key` stands for: the same key on the same payment is the same proposal.
    #[must_use]
    pub fn for_key(tenant: TenantId, payment: PaymentId, idempotency_key: &str) -> Self {
        Self(derived("saoma settlement key 1", &[tenant.as_bytes(), payment.as_bytes(), idempotency_key.as_bytes()]))
    }
}

impl BatchId {
    /// The batch that has this number on a terminal.
    #[must_use]
    pub fn of(tenant: TenantId, terminal: TerminalId, number: Sequence) -> Self {
        Self(derived("saoma batch 1", &[tenant.as_bytes(), terminal.as_bytes(), &number.0.to_be_bytes()]))
    }
}

impl PayoutId {
    /// The payout that an `Idempotency-Key` stands for: the same key of one tenant is the same payout.
    #[must_use]
    pub fn for_key(tenant: TenantId, idempotency_key: &str) -> Self {
        Self(derived("saoma payout key 1", &[tenant.as_bytes(), idempotency_key.as_bytes()]))
    }
}

impl WebhookEventId {
    /// The tenant's event with this number in core's outbox. The moment keeps it another after a database was restored to an
    /// earlier state and numbers come again.
    #[must_use]
    pub fn of(tenant: TenantId, number: Sequence, at: Millis) -> Self {
        let (number, at) = (number.0.to_be_bytes(), at.0.to_be_bytes());
        Self(derived("saoma webhook event 1", &[tenant.as_bytes(), &number, &at]))
    }
}

impl WebhookDeliveryId {
    /// An event goes to an endpoint once, however often the two are brought together.
    #[must_use]
    pub fn of(endpoint: WebhookEndpointId, event: WebhookEventId) -> Self {
        Self(derived("saoma webhook delivery 1", &[endpoint.as_bytes(), event.as_bytes()]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_prefix_is_used_twice() {
        let mut seen = std::collections::BTreeSet::new();
        assert!(PREFIXES.iter().all(|prefix| seen.insert(prefix)));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "pay_",
            "pay_abc",
            "ten_aaaaaaaaaaaaaaaaaaaaaaaaaa",
            "pay_AAAAAAAAAAAAAAAAAAAAAAAAAA",
            "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa\n",
        ] {
            assert!(text.parse::<PaymentId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn derived_ids_are_fixed_for_ever() {
        let tenant = TenantId::from_bytes([1; 16]);
        let terminal = TerminalId::from_bytes([2; 16]);
        let payment = PaymentId::for_sale(tenant, terminal, Sequence(7));
        insta::assert_snapshot!(payment, @"pay_lpgotadatwo6tslwumbgtvnmti");
        insta::assert_snapshot!(PaymentId::for_entry(tenant, terminal, &[3; 32]), @"pay_i7pkxnplr77ikbi5h6g2qxdgeu");
        insta::assert_snapshot!(PaymentId::for_key(tenant, "order-1"), @"pay_bcyehtv4si42dbhqzc5ogb55nq");
        insta::assert_snapshot!(RefundId::for_key(tenant, payment, "refund-1"), @"rfd_5orzkggzw2smusb3dgrw6fzq3i");
        insta::assert_snapshot!(HandSettlementId::for_key(tenant, payment, "settle-1"), @"hst_fwrv5hw6brzaltmx3r3equ6xpq");
        insta::assert_snapshot!(BatchId::of(tenant, terminal, Sequence(3)), @"bat_5fcce5qgo3g7fyavgj5zsnytai");
    }

    proptest! {
        #[test]
        fn text_and_back(bytes in any::<[u8; 16]>()) {
            let id = PaymentId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse::<PaymentId>(), Ok(id));
            prop_assert_eq!(id.to_string().len(), 30);
        }
    }
}
