//! A canteen's own rules, the worked example of the world `merchant-extension`: a discount for staff and one for the quiet hours,
//! the cheapest account unless its payments fail, a limit on what one cashier takes in an hour, a line on the receipt.
//!
//! All of it is `rules.rs`, plain functions that are tested natively; here they are put under the contract.

mod rules;

use rules::Settings;
use saoma_channel_sdk::extension::{Candidate, Description, Draft, Guest, Priced, Recent, Rule, Verdict, settings};

struct CanteenRules;

impl Guest for CanteenRules {
    fn describe() -> Description {
        Description {
            id: "canteen-rules".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: "Canteen rules".to_owned(),
            rules: vec![Rule::Price, Rule::Route, Rule::Risk, Rule::ReceiptLines],
            settings_schema: include_str!("../settings.schema.json").to_owned(),
        }
    }

    fn price(settings_json: String, draft: Draft) -> Result<Priced, String> {
        Ok(rules::price(&settings::<Settings>(&settings_json)?, &draft))
    }

    fn route(settings_json: String, _: Draft, candidates: Vec<Candidate>) -> Result<Vec<String>, String> {
        Ok(rules::route(&settings::<Settings>(&settings_json)?, candidates))
    }

    fn risk(settings_json: String, draft: Draft, recent: Recent) -> Result<Verdict, String> {
        Ok(rules::risk(&settings::<Settings>(&settings_json)?, &draft, recent))
    }

    fn receipt_lines(settings_json: String, draft: Draft, priced: Priced) -> Result<Vec<String>, String> {
        Ok(rules::receipt_lines(&settings::<Settings>(&settings_json)?, &draft, &priced))
    }
}

saoma_channel_sdk::extension::export!(CanteenRules);
