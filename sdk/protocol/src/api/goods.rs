//! Goods: as a line of a sale, and as the catalogue that core keeps and terminals hold.

use serde::{Deserialize, Serialize};

use crate::{GoodsId, Grams, Money, Sequence, TaxRateId};

/// One line of what is sold.
///
/// What it costs is `quantity × price_minor − discount_minor − sale_discount_minor`, and of what was weighed the weight in kilograms stands
/// in the place of the quantity; see [`crate::pricing`] for rounding and for the tax on it.
/// The fields after the price came later and are left out where they say nothing: a core that does not know them takes every
/// line that has none. Lines with a discount or a tax are made from a catalogue alone, which only a core that knows them gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Goods {
    /// 1 to [`super::TEXT_LEN_MAX`] characters.
    pub name: String,
    /// 1 to 9,999.
    pub quantity: u32,
    /// Price of one, or of a kilogram of what was weighed, in minor units of the order's currency; 0 or more.
    pub price_minor: i64,
    /// Taken off this line by itself, 0 to what it costs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub discount_minor: i64,
    /// Its share of what is taken off the whole sale.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sale_discount_minor: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<GoodsTax>,
    /// It was weighed: 1 to [`crate::pricing::WEIGHT_MAX`] grams, without the tare. The quantity is 1 then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_grams: Option<Grams>,
}

/// The tax on a line, as it was when it was sold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GoodsTax {
    /// As it stands on receipts.
    pub name: String,
    /// In hundredths of a percent, 0 to 10,000.
    pub basis_points: u16,
    /// Whether prices contain it; else it comes on top.
    pub included: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_zero(minor: &i64) -> bool {
    *minor == 0
}

impl Goods {
    /// A line of pieces without discount and tax.
    #[must_use]
    pub const fn plain(name: String, quantity: u32, price_minor: i64) -> Self {
        Self { name, quantity, price_minor, discount_minor: 0, sale_discount_minor: 0, tax: None, weight_grams: None }
    }

    /// Whether a reader that knows neither discounts, taxes nor weights can read it.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.discount_minor == 0 && self.sale_discount_minor == 0 && self.tax.is_none() && self.weight_grams.is_none()
    }
}

/// `GET /v1/terminal/goods?since=N`: what changed in the catalogue, for one terminal's store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GoodsChanges {
    /// The version up to which this page goes: the `since` of the next request.
    pub through: Sequence,
    /// Whether there is more now.
    pub more: bool,
    /// The catalogue begins with this page: what was held before goes.
    pub afresh: bool,
    /// New, or in the place of what was held of them.
    pub goods: Vec<CatalogueGoods>,
    /// The same of what is sold by weight, at the price of a kilogram. A terminal that knows no weights passes over it; all of these are in
    /// `removed` as well, so that it sells none of them by the piece.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weighed: Vec<CatalogueGoods>,
    /// Not sold here any more; some may never have been held. What is told beside it comes after it.
    pub removed: Vec<GoodsId>,
    /// All of the merchant's, in the place of those held.
    pub tax_rates: Vec<CatalogueRate>,
}

/// Something that is sold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogueGoods {
    pub id: GoodsId,
    pub name: String,
    /// As [`crate::barcode::Barcode`] holds them.
    pub barcodes: Vec<String>,
    /// Of one, or of a kilogram of what is weighed; 0 or more.
    pub price: Money,
    /// None: it is not taxed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rate: Option<TaxRateId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogueRate {
    pub id: TaxRateId,
    pub tax: GoodsTax,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_says_no_more_is_written_as_it_always_was() {
        let text = r#"{"name":"奶茶","quantity":2,"price_minor":1250}"#;
        let plain: Goods = serde_json::from_str(text).expect("a line of before");
        assert_eq!(plain, Goods::plain("奶茶".to_owned(), 2, 1250));
        assert_eq!(serde_json::to_string(&plain).expect("JSON"), text);
        let tax = Some(GoodsTax { name: "VAT".to_owned(), basis_points: 1_300, included: true });
        for more in [
            Goods { discount_minor: 1, ..plain.clone() },
            Goods { sale_discount_minor: 1, ..plain.clone() },
            Goods { tax, ..plain.clone() },
            Goods { weight_grams: Some(Grams(456)), ..plain.clone() },
        ] {
            assert!(!more.is_plain());
            let text = serde_json::to_string(&more).expect("JSON");
            assert_eq!(serde_json::from_str::<Goods>(&text).expect("its own line"), more);
        }
    }
}
