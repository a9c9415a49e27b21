//! What a basket costs: line totals, discounts, taxes and the sum. Pure, in whole minor units of the one currency that the caller
//! sells in; what does not fit is an error and never wraps.
//!
//! - What is weighed costs its price for a kilogram times its grams, through a thousand, rounded half up: the line is a whole number of
//!   minor units before anything is taken off it.
//! - A discount in percent is rounded half up, for the line (or the whole) that it is of. None is more than that costs.
//! - A discount on the whole sale is shared by the lines in proportion to what each costs after its own discount, by largest
//!   remainder: the shares sum to it to the cent. Between equal remainders the dearer line goes first, then the order of the
//!   taxes: so the sum does not depend on the order of the lines.
//! - Tax is counted once for each tax, on the sum of its lines after all discounts, and rounded half up there, not line by line.
//!   A tax that prices contain is `sum × rate ÷ (1 + rate)` and changes nothing of what is paid; one that they do not is
//!   `sum × rate`, and comes on top.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Grams,
    api::{GOODS_LINES_MAX, Goods, GoodsTax},
    money::AMOUNT_MINOR_MAX,
};

/// Most of one line.
pub const QUANTITY_MAX: u32 = 9_999;
/// Heaviest of one line, 999.999 kg: more than retail scales weigh.
pub const WEIGHT_MAX: Grams = Grams(999_999);
/// A hundred percent.
pub const BASIS_POINTS_MAX: u16 = 10_000;

/// What is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discount {
    /// In hundredths of a percent, 1 to [`BASIS_POINTS_MAX`].
    BasisPoints(u16),
    /// In minor units, 1 or more.
    Minor(i64),
}

/// What is sold, before it is priced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub name: String,
    pub quantity: u32,
    /// Of one, or of a kilogram of what was weighed.
    pub price_minor: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_grams: Option<Grams>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<GoodsTax>,
}

/// What is wrong with one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("a quantity must be 1 to {QUANTITY_MAX}")]
    Quantity,
    #[error("a weight must be 1 to {} grams, of a quantity of one", WEIGHT_MAX.0)]
    Weight,
    #[error("a price must be 0 to {AMOUNT_MINOR_MAX} minor units")]
    Price,
    #[error("a tax must be 0 to {BASIS_POINTS_MAX} hundredths of a percent")]
    Rate,
    #[error(transparent)]
    Discount(#[from] DiscountError),
    #[error("a line may cost at most {AMOUNT_MINOR_MAX} minor units")]
    TooLarge,
}

/// What is wrong with a discount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscountError {
    #[error("a discount must be 1 to {BASIS_POINTS_MAX} hundredths of a percent")]
    Percent,
    #[error("a discount must be at least 1 minor unit, and at most what it is taken off")]
    Amount,
}

/// Why a basket has no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PricingError {
    #[error("at most {GOODS_LINES_MAX} lines of goods")]
    TooManyLines,
    #[error("line {}: {why}", .line + 1)]
    Line { line: usize, why: LineError },
    #[error("the whole sale: {0}")]
    Discount(DiscountError),
    #[error("a sale may be at most {AMOUNT_MINOR_MAX} minor units")]
    TooLarge,
}

/// Why lines are not what was paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTheAmount {
    #[error(transparent)]
    NoPrice(#[from] PricingError),
    #[error("the lines come to {lines_minor} minor units, and the sale is of {amount_minor}")]
    Other { lines_minor: i64, amount_minor: i64 },
}

/// A basket with its price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// The lines in their order, as a sale has them.
    pub goods: Vec<Goods>,
    pub totals: Totals,
}

/// The sums of a basket. `gross − discount − sale_discount + added taxes = total`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Prices by quantities, before any discount.
    pub gross_minor: i64,
    /// The lines' own discounts.
    pub discount_minor: i64,
    /// What is taken off the whole.
    pub sale_discount_minor: i64,
    /// In the order of their names.
    pub taxes: Vec<TaxPart>,
    /// What is paid: 0 to [`AMOUNT_MINOR_MAX`].
    pub total_minor: i64,
}

/// One tax of a basket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaxPart {
    pub tax: GoodsTax,
    /// The sum of its lines, as they are priced: with the tax in it, if prices contain it.
    pub base_minor: i64,
    pub tax_minor: i64,
}

/// What these lines cost together.
///
/// # Errors
/// In this order: `TooManyLines`, `Line` (the first that is wrong), `TooLarge` (before taxes), `Discount`, `TooLarge`.
pub fn price(lines: &[Line], discount: Option<Discount>) -> Result<Priced, PricingError> {
    if lines.len() > GOODS_LINES_MAX {
        return Err(PricingError::TooManyLines);
    }
    let priced = lines.iter().enumerate();
    let mut goods: Vec<Goods> = priced
        .map(|(line, one)| goods_of(one).map_err(|why| PricingError::Line { line, why }))
        .collect::<Result<_, _>>()?;
    if let Some(discount) = discount {
        let nets = nets(&goods)?;
        let whole = sum(&nets)?;
        let off = discount.of(whole).map_err(PricingError::Discount)?;
        let shares = shares(off, whole, &nets, &goods);
        for (line, share) in goods.iter_mut().zip(shares) {
            line.sale_discount_minor = share;
        }
    }
    let totals = totals(&goods)?;
    Ok(Priced { goods, totals })
}

/// The sums of lines that are priced already.
///
/// # Errors
/// As [`price`].
pub fn totals(goods: &[Goods]) -> Result<Totals, PricingError> {
    if goods.len() > GOODS_LINES_MAX {
        return Err(PricingError::TooManyLines);
    }
    let nets = nets(goods)?;
    let net = sum(&nets)?;
    let mut bases = BTreeMap::<&GoodsTax, i64>::new();
    for (line, net) in goods.iter().zip(&nets) {
        if let Some(tax) = &line.tax {
            // No part is more than the whole, which fits.
            *bases.entry(tax).or_default() += net;
        }
    }
    let taxes: Vec<TaxPart> = bases
        .into_iter()
        .map(|(tax, base_minor)| TaxPart { tax: tax.clone(), base_minor, tax_minor: tax.on(base_minor) })
        .collect();
    let added: i64 = taxes.iter().filter(|part| !part.tax.included).map(|part| part.tax_minor).sum();
    let total_minor = net.checked_add(added).filter(|total| *total <= AMOUNT_MINOR_MAX);
    let (discount_minor, sale_discount_minor) =
        goods.iter().fold((0, 0), |(own, whole), line| (own + line.discount_minor, whole + line.sale_discount_minor));
    Ok(Totals {
        // Within an i64: each line is at most 10^12 and there are at most 200.
        gross_minor: net + discount_minor + sale_discount_minor,
        discount_minor,
        sale_discount_minor,
        taxes,
        total_minor: total_minor.ok_or(PricingError::TooLarge)?,
    })
}

/// The taxes that are in what is paid. If that is what the lines come to, those that prices contain: the others came on top, and were
/// said before the sum. If it is not, all of them: everything shrinks or grows alike, as by a discount on the whole, and each part is
/// rounded half up with its tax in it, whichever way that came to the list price.
#[must_use]
pub fn contained(totals: &Totals, paid_minor: i64) -> Vec<TaxPart> {
    if paid_minor == totals.total_minor {
        return totals.taxes.iter().filter(|part| part.tax.included).cloned().collect();
    }
    let scaled = |part: &TaxPart| {
        let tax = GoodsTax { included: true, ..part.tax.clone() };
        let added_minor = if part.tax.included { 0 } else { part.tax_minor };
        let with_tax = i128::from(part.base_minor) + i128::from(added_minor);
        let base_minor = half_up(with_tax * i128::from(paid_minor.max(0)), i128::from(totals.total_minor.max(1)));
        TaxPart { tax_minor: tax.on(base_minor), tax, base_minor }
    };
    totals.taxes.iter().map(scaled).collect()
}

/// Whether the lines come to what is paid for them. Lines that are all plain are not counted: they may stand beside an amount that
/// was agreed otherwise, as they could before there were discounts.
///
/// # Errors
/// `NoPrice`, `Other`.
pub fn check_amount(goods: &[Goods], amount_minor: i64) -> Result<(), NotTheAmount> {
    if goods.iter().all(Goods::is_plain) {
        return Ok(());
    }
    let lines_minor = totals(goods)?.total_minor;
    if lines_minor == amount_minor { Ok(()) } else { Err(NotTheAmount::Other { lines_minor, amount_minor }) }
}

/// What a line costs before its discounts, 0 to [`AMOUNT_MINOR_MAX`].
///
/// # Errors
/// `Quantity`, `Weight`, `Price`, `TooLarge`.
pub fn gross_minor(line: &Goods) -> Result<i64, LineError> {
    if !(1..=QUANTITY_MAX).contains(&line.quantity) {
        return Err(LineError::Quantity);
    }
    if line.weight_grams.is_some_and(|weight| !(Grams(1)..=WEIGHT_MAX).contains(&weight) || line.quantity != 1) {
        return Err(LineError::Weight);
    }
    if !(0..=AMOUNT_MINOR_MAX).contains(&line.price_minor) {
        return Err(LineError::Price);
    }
    let gross = match line.weight_grams {
        Some(weight) => Some(half_up(i128::from(line.price_minor) * i128::from(weight.0), 1_000)),
        None => line.price_minor.checked_mul(i64::from(line.quantity)),
    };
    gross.filter(|gross| *gross <= AMOUNT_MINOR_MAX).ok_or(LineError::TooLarge)
}

/// What a line costs after its discounts, 0 to [`AMOUNT_MINOR_MAX`].
///
/// # Errors
/// `Quantity`, `Weight`, `Price`, `TooLarge`, `Rate`, `Discount`.
pub fn net_minor(line: &Goods) -> Result<i64, LineError> {
    let gross = gross_minor(line)?;
    if line.tax.as_ref().is_some_and(|tax| tax.basis_points > BASIS_POINTS_MAX) {
        return Err(LineError::Rate);
    }
    let (own, share) = (line.discount_minor, line.sale_discount_minor);
    let left = gross.checked_sub(own).and_then(|left| left.checked_sub(share));
    match left {
        Some(left) if left >= 0 && own >= 0 && share >= 0 => Ok(left),
        _ => Err(LineError::Discount(DiscountError::Amount)),
    }
}

fn goods_of(line: &Line) -> Result<Goods, LineError> {
    let Line { name, quantity, price_minor, weight_grams, discount, tax } = line;
    let mut goods =
        Goods { tax: tax.clone(), weight_grams: *weight_grams, ..Goods::plain(name.clone(), *quantity, *price_minor) };
    let gross = net_minor(&goods)?;
    goods.discount_minor = discount.map(|discount| discount.of(gross)).transpose()?.unwrap_or(0);
    Ok(goods)
}

fn nets(goods: &[Goods]) -> Result<Vec<i64>, PricingError> {
    let each = goods.iter().enumerate();
    each.map(|(line, one)| net_minor(one).map_err(|why| PricingError::Line { line, why })).collect()
}

/// The sum of at most [`GOODS_LINES_MAX`] lines, if it is an amount that can be sold.
fn sum(nets: &[i64]) -> Result<i64, PricingError> {
    Some(nets.iter().sum::<i64>()).filter(|sum| *sum <= AMOUNT_MINOR_MAX).ok_or(PricingError::TooLarge)
}

impl Discount {
    /// What it takes off `whole`.
    fn of(self, whole: i64) -> Result<i64, DiscountError> {
        match self {
            Self::BasisPoints(rate @ 1..=BASIS_POINTS_MAX) => {
                Ok(half_up(i128::from(whole) * i128::from(rate), i128::from(BASIS_POINTS_MAX)))
            }
            Self::BasisPoints(_) => Err(DiscountError::Percent),
            Self::Minor(minor) if (1..=whole).contains(&minor) => Ok(minor),
            Self::Minor(_) => Err(DiscountError::Amount),
        }
    }
}

impl GoodsTax {
    /// The tax in `base` minor units, or on top of them.
    fn on(&self, base_minor: i64) -> i64 {
        let whole = i128::from(BASIS_POINTS_MAX);
        let rate = i128::from(self.basis_points);
        half_up(i128::from(base_minor) * rate, if self.included { whole + rate } else { whole })
    }
}

/// A share of `off` for each line, in their order. `off` is at most `whole`, the sum of `nets`; then no share is more than its
/// line: a line with a remainder has room for one more, and there are more of these than units left.
fn shares(off: i64, whole: i64, nets: &[i64], goods: &[Goods]) -> Vec<i64> {
    if whole == 0 {
        return vec![0; nets.len()];
    }
    let (off, whole) = (i128::from(off), i128::from(whole));
    let exact: Vec<(i64, i128)> = nets
        .iter()
        .map(|net| {
            let part = off * i128::from(*net);
            (narrow(part / whole), part % whole)
        })
        .collect();
    let left = off - exact.iter().map(|(share, _)| i128::from(*share)).sum::<i128>();
    let mut order: Vec<usize> = (0..nets.len()).collect();
    order.sort_by(|&a, &b| {
        (exact[b].1, nets[b]).cmp(&(exact[a].1, nets[a])).then_with(|| goods[a].tax.cmp(&goods[b].tax))
    });
    let mut shares: Vec<i64> = exact.into_iter().map(|(share, _)| share).collect();
    for &line in order.iter().take(usize::try_from(left).unwrap_or(0)) {
        shares[line] += 1;
    }
    shares
}

/// `part ÷ of`, both not negative, to the nearest whole number; a half goes up.
fn half_up(part: i128, of: i128) -> i64 {
    narrow((2 * part + of) / (2 * of))
}

/// A part of an amount, which is at most that amount.
fn narrow(part: i128) -> i64 {
    i64::try_from(part).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
