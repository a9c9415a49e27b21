//! The rules themselves. Percentages are rounded to the merchant's loss (a discount is never less than it says), and no discount
//! makes a sale free: a payment of nothing is none.

use saoma_channel_sdk::extension::{
    Adjustment, Candidate, Draft, Priced, Recent, Refusal, Verdict, local_hour, priced,
};
use serde::Deserialize;

/// As `settings.schema.json` has them; a rule without its settings changes nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub staff_marker: String,
    pub staff_percent: i64,
    pub happy_from_hour: u8,
    pub happy_to_hour: u8,
    pub happy_percent: i64,
    pub success_percent_min: u32,
    pub cashier_hour_minor_max: Option<i64>,
    pub receipt_line: String,
}

/// The larger of the discounts that apply: they do not add up.
pub fn price(settings: &Settings, draft: &Draft) -> Priced {
    let is_staff = !settings.staff_marker.is_empty()
        && draft.goods.iter().any(|goods| goods.name.starts_with(&settings.staff_marker));
    let is_happy = (settings.happy_from_hour..settings.happy_to_hour).contains(&local_hour(draft));
    let staff = ("Staff discount", if is_staff { settings.staff_percent } else { 0 });
    let happy = ("Afternoon discount", if is_happy { settings.happy_percent } else { 0 });
    let (name, percent) = if happy.1 > staff.1 { happy } else { staff };
    // At most 90 of 10^12: far from the end of an i64.
    let discount = (draft.amount_minor * percent).div_euclid(100) + i64::from((draft.amount_minor * percent) % 100 > 0);
    let minor = -discount.min(draft.amount_minor - 1);
    priced(draft.amount_minor, vec![Adjustment { name: name.to_owned(), minor }])
}

/// The cheapest first; those whose payments fail too often after all others, however cheap.
pub fn route(settings: &Settings, mut candidates: Vec<Candidate>) -> Vec<String> {
    let least = settings.success_percent_min.saturating_mul(100);
    // Stable: what is alike keeps the merchant's own order.
    candidates.sort_by_key(|candidate| (candidate.success_per_10000 < least, candidate.fee_minor));
    candidates.into_iter().map(|candidate| candidate.id).collect()
}

pub fn risk(settings: &Settings, draft: &Draft, recent: Recent) -> Verdict {
    match settings.cashier_hour_minor_max {
        Some(most) if recent.amount_minor.saturating_add(draft.amount_minor) > most => Verdict::Refuse(Refusal {
            code: "cashier_hour_limit".to_owned(),
            sentence: "This till has reached its limit for the hour; call a manager.".to_owned(),
        }),
        _ => Verdict::Allow,
    }
}

pub fn receipt_lines(settings: &Settings, draft: &Draft, priced: &Priced) -> Vec<String> {
    let saved = draft.amount_minor - priced.amount_minor;
    let mut lines = Vec::new();
    if saved > 0 {
        lines.push(format!("You saved {} {}", decimal(saved, draft.minor_digits), draft.currency));
    }
    if !settings.receipt_line.is_empty() {
        lines.push(settings.receipt_line.clone());
    }
    lines
}

/// Of an amount of 0 or more.
fn decimal(minor: i64, digits: u8) -> String {
    let one = 10_i64.pow(u32::from(digits));
    let (whole, rest) = (minor / one, minor % one);
    if digits == 0 { whole.to_string() } else { format!("{whole}.{rest:0width$}", width = usize::from(digits)) }
}

#[cfg(test)]
mod tests {
    use saoma_channel_sdk::extension::{Goods, Method};

    use super::*;

    fn draft(amount_minor: i64, goods: &str, hour: i64) -> Draft {
        Draft {
            amount_minor,
            currency: "CNY".to_owned(),
            minor_digits: 2,
            goods: vec![Goods { name: goods.to_owned(), quantity: 1, price_minor: amount_minor }],
            store_id: "sto_1".to_owned(),
            terminal_id: String::new(),
            cashier: "li".to_owned(),
            method: Method::CustomerPresented,
            at: hour * 3_600_000,
            utc_offset_minutes: 0,
        }
    }

    fn settings() -> Settings {
        Settings {
            staff_marker: "职工".to_owned(),
            staff_percent: 20,
            happy_from_hour: 14,
            happy_to_hour: 16,
            happy_percent: 10,
            success_percent_min: 90,
            cashier_hour_minor_max: Some(10_000),
            receipt_line: "谢谢".to_owned(),
        }
    }

    #[test]
    fn the_larger_discount_applies_and_nothing_becomes_free() {
        for (amount, goods, hour, paid) in [
            (1_000, "rice", 12, 1_000),
            (1_000, "rice", 14, 900),
            (1_000, "rice", 16, 1_000),
            (1_000, "职工餐", 12, 800),
            (1_000, "职工餐", 15, 800),
            (1_001, "职工餐", 12, 800),
            (1, "职工餐", 12, 1),
            (2, "职工餐", 12, 1),
            (999_999_999_999, "职工餐", 12, 799_999_999_999),
        ] {
            let priced = price(&settings(), &draft(amount, goods, hour));
            assert_eq!(priced.amount_minor, paid, "{amount} {goods} {hour}");
            let sum: i64 = priced.adjustments.iter().map(|adjustment| adjustment.minor).sum();
            assert_eq!(amount + sum, paid);
            assert!(priced.adjustments.iter().all(|adjustment| adjustment.minor != 0));
        }
    }

    #[test]
    fn the_cheapest_account_whose_payments_succeed_comes_first() {
        let candidate = |id: &str, fee_minor, success_per_10000| Candidate {
            id: id.to_owned(),
            channel: "any".to_owned(),
            fee_minor,
            outcomes: 100,
            success_per_10000,
        };
        let accounts = vec![candidate("a", 9, 10_000), candidate("b", 3, 8_999), candidate("c", 5, 9_000)];
        assert_eq!(route(&settings(), accounts), ["c", "a", "b"]);
        assert!(route(&settings(), Vec::new()).is_empty());
    }

    #[test]
    fn a_cashier_has_a_limit_for_the_hour() {
        let taken = |amount_minor| Recent { payments: 1, amount_minor };
        assert_eq!(risk(&settings(), &draft(1_000, "", 0), taken(9_000)), Verdict::Allow);
        assert!(matches!(risk(&settings(), &draft(1_000, "", 0), taken(9_001)), Verdict::Refuse(_)));
        assert_eq!(risk(&Settings::default(), &draft(1_000, "", 0), taken(i64::MAX)), Verdict::Allow);
    }

    #[test]
    fn the_receipt_says_what_was_saved_in_the_currencys_digits() {
        for (digits, text) in [(0, "You saved 200 CNY"), (2, "You saved 2.00 CNY"), (3, "You saved 0.200 CNY")] {
            let draft = Draft { minor_digits: digits, ..draft(1_000, "职工餐", 12) };
            let priced = price(&settings(), &draft);
            assert_eq!(receipt_lines(&settings(), &draft, &priced), [text, "谢谢"]);
        }
        let draft = draft(1_000, "", 0);
        assert!(receipt_lines(&Settings::default(), &draft, &priced(1_000, Vec::new())).is_empty());
    }
}
