//! Baskets in rows: what is in them, and what they cost; then the laws that hold for all of them.

use proptest::{prelude::*, sample::select, test_runner::TestCaseError};

use super::*;

fn tax(name: &str, basis_points: u16, included: bool) -> Option<GoodsTax> {
    Some(GoodsTax { name: name.to_owned(), basis_points, included })
}

/// `-10%`, `-300` or nothing.
fn discount(text: &str) -> Option<Discount> {
    let text = text.strip_prefix('-')?;
    Some(match text.strip_suffix('%') {
        Some(percent) => Discount::BasisPoints(percent.parse::<u16>().expect("a rate") * 100),
        None => Discount::Minor(text.parse().expect("minor units")),
    })
}

/// `2x1250 -10% in13`: quantity (or `456g`, a weight), price, its discount, and a tax that prices contain (`in`) or not (`on`), in percent.
fn line(text: &str) -> Line {
    let mut words = text.split_whitespace();
    let (quantity, price) = words.next().and_then(|word| word.split_once('x')).expect("quantity x price");
    let weight = quantity.strip_suffix('g').map(|grams| Grams(grams.parse().expect("grams")));
    let mut line = Line {
        name: "goods".to_owned(),
        quantity: weight.map_or_else(|| quantity.parse().expect("a quantity"), |_| 1),
        price_minor: price.parse().expect("a price"),
        weight_grams: weight,
        discount: None,
        tax: None,
    };
    for word in words {
        match word.split_at(2) {
            (kind @ ("in" | "on"), rate) => {
                line.tax = tax(word, rate.parse::<u16>().expect("a rate") * 100, kind == "in");
            }
            _ => line.discount = discount(word),
        }
    }
    line
}

/// `total = gross − own − whole; tax base tax, …; shares`, or what is wrong.
fn told(basket: &str) -> String {
    let mut parts = basket.split(" / ");
    let lines: Vec<Line> = parts.next().into_iter().flat_map(|part| part.split(", ")).map(line).collect();
    match price(&lines, parts.next().and_then(discount)) {
        Ok(Priced { goods, totals }) => {
            let Totals { gross_minor, discount_minor, sale_discount_minor, taxes, total_minor } = totals;
            let taxes: String = taxes
                .iter()
                .map(|part| format!("; {} {} {}", part.tax.name, part.base_minor, part.tax_minor))
                .collect();
            let shares: Vec<String> = goods.iter().map(|line| line.sale_discount_minor.to_string()).collect();
            let shares = if sale_discount_minor == 0 { String::new() } else { format!("; {}", shares.join("+")) };
            format!("{total_minor} = {gross_minor} - {discount_minor} - {sale_discount_minor}{taxes}{shares}")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn baskets_and_what_they_cost() {
    for (basket, cost) in [
        ("1x1250", "1250 = 1250 - 0 - 0"),
        ("3x333, 1x1", "1000 = 1000 - 0 - 0"),
        ("1x0", "0 = 0 - 0 - 0"),
        // A discount in percent of a line: half a cent goes up.
        ("1x1250 -10%", "1125 = 1250 - 125 - 0"),
        ("1x5 -10%", "4 = 5 - 1 - 0"),
        ("1x4 -10%", "4 = 4 - 0 - 0"),
        ("3x333 -100%", "0 = 999 - 999 - 0"),
        ("2x1000 -300, 1x500", "2200 = 2500 - 300 - 0"),
        // The whole: shares by largest remainder, the dearer line first.
        ("1x1000, 1x1000, 1x1000 / -1000", "2000 = 3000 - 0 - 1000; 334+333+333"),
        ("1x100, 1x200 / -100", "200 = 300 - 0 - 100; 33+67"),
        ("1x0, 1x1 / -1", "0 = 1 - 0 - 1; 0+1"),
        ("1x999 -99, 1x100 / -10%", "900 = 1099 - 99 - 100; 90+10"),
        ("1x0 / -50%", "0 = 0 - 0 - 0"),
        // Taxes that prices contain: 13% in 1130 is 130; 6% in 100 is 5.66.
        ("1x1130 in13", "1130 = 1130 - 0 - 0; in13 1130 130"),
        ("1x100 in6", "100 = 100 - 0 - 0; in6 100 6"),
        ("1x113 in13, 2x106 in6, 1x5", "330 = 330 - 0 - 0; in13 113 13; in6 212 12"),
        // And on top of them, once for all lines of the tax: 3 × 10% of 5 is 1.5, which is 2, and not 3 × 1.
        ("1x1000 on8", "1080 = 1000 - 0 - 0; on8 1000 80"),
        ("1x5 on10, 1x5 on10, 1x5 on10", "17 = 15 - 0 - 0; on10 15 2"),
        ("1x100 on0", "100 = 100 - 0 - 0; on0 100 0"),
        // After the discounts; both kinds in one basket.
        ("1x1000 -10% on8, 1x1130 in13 / -203", "1892 = 2130 - 100 - 203; in13 1017 117; on8 810 65; 90+113"),
        // Between equal remainders of equal lines the tax decides, and not the order.
        ("1x100 in13, 1x100 on8, 1x100 / -100", "205 = 300 - 0 - 100; in13 67 8; on8 67 5; 33+33+34"),
        ("1x100, 1x100 on8, 1x100 in13 / -100", "205 = 300 - 0 - 100; in13 67 8; on8 67 5; 34+33+33"),
        ("1x100 on8, 1x100 in13, 1x100 in13 / -100", "205 = 300 - 0 - 100; in13 133 15; on8 67 5; 33+34+33"),
        ("1x100 in13, 1x100 in13, 1x100 on8 / -100", "205 = 300 - 0 - 100; in13 133 15; on8 67 5; 34+33+33"),
        // What is wrong.
        ("0x5", "line 1: a quantity must be 1 to 9999"),
        ("1x5, 10000x5", "line 2: a quantity must be 1 to 9999"),
        ("1x-1", "line 1: a price must be 0 to 999999999999 minor units"),
        ("1x5 -6", "line 1: a discount must be at least 1 minor unit, and at most what it is taken off"),
        ("1x5 -0", "line 1: a discount must be at least 1 minor unit, and at most what it is taken off"),
        ("1x5 -0%", "line 1: a discount must be 1 to 10000 hundredths of a percent"),
        ("1x5 -101%", "line 1: a discount must be 1 to 10000 hundredths of a percent"),
        ("1x5 in101", "line 1: a tax must be 0 to 10000 hundredths of a percent"),
        ("1x5 / -6", "the whole sale: a discount must be at least 1 minor unit, and at most what it is taken off"),
        ("2x999999999999", "line 1: a line may cost at most 999999999999 minor units"),
        ("1x999999999999, 1x1", "a sale may be at most 999999999999 minor units"),
        ("1x999999999999 on1", "a sale may be at most 999999999999 minor units"),
        // Half of an odd sum goes up, and what is left is the smaller half.
        (
            "1x999999999999 in13 / -50%",
            "499999999999 = 999999999999 - 0 - 500000000000; in13 499999999999 57522123894; 500000000000",
        ),
    ] {
        assert_eq!(told(basket), cost, "{basket}");
    }
    let many = vec![line("1x1"); GOODS_LINES_MAX + 1];
    assert_eq!(price(&many, None), Err(PricingError::TooManyLines));
}

fn discounts() -> impl Strategy<Value = Option<Discount>> {
    prop_oneof![
        Just(None),
        (1_u16..=BASIS_POINTS_MAX).prop_map(|rate| Some(Discount::BasisPoints(rate))),
        (1_i64..2_000).prop_map(|minor| Some(Discount::Minor(minor))),
    ]
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let taxes =
        select(vec![None, tax("a", 1_300, true), tax("b", 600, true), tax("c", 825, false), tax("d", 0, false)]);
    // Few prices and quantities often cost the same, and the ties are what the order must not decide.
    let prices = prop_oneof![select(vec![100_i64, 333, 1_000]), 0_i64..2_000, 0_i64..5_000_000_000];
    let quantities = prop_oneof![1_u32..=2, 1_u32..=20];
    let weights = prop_oneof![3 => Just(None), 1 => (1_u32..30_000).prop_map(|grams| Some(Grams(grams)))];
    let line = (quantities, weights, prices, discounts(), taxes).prop_map(
        |(quantity, weight_grams, price_minor, discount, tax)| {
            let quantity = if weight_grams.is_some() { 1 } else { quantity };
            let gross = weight_grams.map_or(price_minor * i64::from(quantity), |Grams(grams)| {
                (price_minor * i64::from(grams) + 500) / 1_000
            });
            let discount = match discount {
                Some(Discount::Minor(minor)) => Some(minor.min(gross)).filter(|minor| *minor > 0).map(Discount::Minor),
                other => other,
            };
            Line { name: format!("{quantity}-{price_minor}"), quantity, price_minor, weight_grams, discount, tax }
        },
    );
    prop::collection::vec(line, 1..12)
}

/// A basket with a price. One without is no case: if there are too many of those, the test fails.
fn priced(lines: &[Line], discount: Option<Discount>) -> Result<Priced, TestCaseError> {
    price(lines, discount).map_err(|error| TestCaseError::reject(error.to_string()))
}

#[test]
fn what_is_weighed_costs_its_weight_rounded_half_up() {
    for (basket, expected) in [
        // 5.8368 and 6.4575.
        ("456gx1280", "584 = 584 - 0 - 0"),
        ("315gx2050", "646 = 646 - 0 - 0"),
        ("1000gx1280, 1x1280", "2560 = 2560 - 0 - 0"),
        ("5gx100", "1 = 1 - 0 - 0"),
        ("4gx100", "0 = 0 - 0 - 0"),
        // The discount is of the rounded line, and the tax of what is left.
        ("456gx1280 -10% in13 / -26", "500 = 584 - 58 - 26; in13 500 58; 26"),
        ("999999gx1000", "999999 = 999999 - 0 - 0"),
        ("0gx1000", "line 1: a weight must be 1 to 999999 grams, of a quantity of one"),
        ("1000000gx1", "line 1: a weight must be 1 to 999999 grams, of a quantity of one"),
        ("999999gx999999999999", "line 1: a line may cost at most 999999999999 minor units"),
    ] {
        assert_eq!(told(basket), expected, "{basket}");
    }
    let mut two = price(&[line("456gx1280")], None).expect("a price").goods;
    two[0].quantity = 2;
    assert_eq!(net_minor(&two[0]), Err(LineError::Weight));
}

#[test]
fn what_was_paid_is_what_the_lines_come_to() {
    let goods = |basket: &str| {
        let lines: Vec<Line> = basket.split(", ").map(line).collect();
        price(&lines, None).expect("a price").goods
    };
    for (basket, amount, expected) in [
        ("1x1000 -100, 1x5", 905, Ok(())),
        ("1x1000 on8", 1_080, Ok(())),
        ("1x1000 on8", 1_000, Err(NotTheAmount::Other { lines_minor: 1_080, amount_minor: 1_000 })),
        ("1x1000 -100, 1x5", 1_005, Err(NotTheAmount::Other { lines_minor: 905, amount_minor: 1_005 })),
        ("456gx1280", 584, Ok(())),
        ("456gx1280", 1_280, Err(NotTheAmount::Other { lines_minor: 584, amount_minor: 1_280 })),
        // Plain lines may stand beside any amount, as they always could.
        ("1x1000", 1, Ok(())),
    ] {
        assert_eq!(check_amount(&goods(basket), amount), expected, "{basket}");
    }
    assert_eq!(check_amount(&[], 5), Ok(()));
    let mut wrong = goods("1x1000 -100");
    wrong[0].discount_minor = 1_001;
    assert!(matches!(check_amount(&wrong, 0), Err(NotTheAmount::NoPrice(PricingError::Line { line: 0, .. }))));
}

proptest! {
    #[test]
    fn the_sums_agree(lines in lines(), discount in discounts()) {
        let Priced { goods, totals } = priced(&lines, discount)?;
        let nets: Vec<i64> = goods.iter().map(|line| net_minor(line).expect("priced")).collect();
        let added: i64 = totals.taxes.iter().filter(|part| !part.tax.included).map(|part| part.tax_minor).sum();
        prop_assert_eq!(nets.iter().sum::<i64>() + added, totals.total_minor);
        prop_assert_eq!(
            totals.gross_minor - totals.discount_minor - totals.sale_discount_minor + added,
            totals.total_minor
        );
        prop_assert!((0..=AMOUNT_MINOR_MAX).contains(&totals.total_minor));
        prop_assert_eq!(goods.iter().map(|line| line.sale_discount_minor).sum::<i64>(), totals.sale_discount_minor);
        if let Some(Discount::Minor(minor)) = discount {
            prop_assert_eq!(totals.sale_discount_minor, minor);
        }
        // Every taxed line is in one part, and no tax is more than what it is in or on.
        let taxed: i64 = goods.iter().zip(&nets).filter(|(line, _)| line.tax.is_some()).map(|(_, net)| net).sum();
        prop_assert_eq!(totals.taxes.iter().map(|part| part.base_minor).sum::<i64>(), taxed);
        for TaxPart { tax, base_minor, tax_minor } in &totals.taxes {
            prop_assert!((0..=*base_minor).contains(tax_minor));
            // The nearest whole number to what the rate says.
            let rate = i128::from(tax.basis_points);
            let of = 10_000 + if tax.included { rate } else { 0 };
            let apart = i128::from(*tax_minor) * of - i128::from(*base_minor) * rate;
            prop_assert!(apart.abs() * 2 <= of, "{tax_minor} of {base_minor}");
        }
        // What was sold gives the same sums when they are counted again, as a receipt does.
        prop_assert_eq!(super::totals(&goods), Ok(totals));
    }

    #[test]
    fn no_discount_is_more_than_its_line(lines in lines(), discount in discounts()) {
        let Priced { goods, .. } = priced(&lines, discount)?;
        for line in goods {
            let gross = gross_minor(&line).expect("priced");
            prop_assert!(line.discount_minor >= 0 && line.sale_discount_minor >= 0);
            prop_assert!(line.discount_minor + line.sale_discount_minor <= gross);
        }
    }

    #[test]
    fn the_order_of_the_lines_changes_nothing(
        (lines, other) in lines().prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
        discount in discounts(),
    ) {
        let one = priced(&lines, discount)?.totals;
        prop_assert_eq!(Ok(one), price(&other, discount).map(|priced| priced.totals));
    }

    /// Each share is the exact one, rounded up or down.
    #[test]
    fn shares_are_next_to_the_exact_ones(lines in lines(), discount in discounts()) {
        let Priced { goods, totals } = priced(&lines, discount)?;
        let whole = i128::from(totals.gross_minor - totals.discount_minor);
        for line in goods {
            let before = i128::from(gross_minor(&line).expect("priced") - line.discount_minor);
            let exact = i128::from(totals.sale_discount_minor) * before;
            let share = i128::from(line.sale_discount_minor) * whole;
            prop_assert!((exact - share).abs() < whole.max(1), "{share} for {exact}");
        }
    }
}
