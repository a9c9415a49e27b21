//! For authors of a merchant's own rules (the world `merchant-extension`): its types in Rust, and the rules that an extension does
//! not offer.
//!
//! An extension is a type that implements [`Guest`], and `saoma_channel_sdk::extension::export!(MyRules)`. Of the rules that its
//! [`Description`] does not name none is called; [`not_offered`] is what they answer.

/// The generated bindings.
#[allow(unsafe_code, clippy::all, clippy::unwrap_used, clippy::expect_used, missing_docs)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/0.2.0",
        world: "merchant-extension",
        with: { "saoma:channel/log@0.2.0": crate::bindings::saoma::channel::log },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "saoma_channel_sdk::extension::bindings",
    });
}

pub use bindings::{
    export,
    exports::saoma::channel::extension::{
        Adjustment, Candidate, Description, Draft, Goods, Guest, Method, Priced, Recent, Refusal, Rule, Verdict,
    },
};

/// The tenant's settings, which core has checked against the extension's schema.
///
/// # Errors
/// They do not read as `T`: then the type and the schema disagree.
pub fn settings<T: serde::de::DeserializeOwned>(settings_json: &str) -> Result<T, String> {
    serde_json::from_str(settings_json).map_err(|error| format!("the settings do not read: {error}"))
}

/// The answer of a rule that the extension's description does not name.
///
/// # Errors
/// Always.
pub fn not_offered<T>() -> Result<T, String> {
    Err("this extension has no such rule".to_owned())
}

/// `amount_minor` with these adjustments; those of 0 say nothing and are left out.
#[must_use]
pub fn priced(amount_minor: i64, adjustments: Vec<Adjustment>) -> Priced {
    let adjustments: Vec<Adjustment> = adjustments.into_iter().filter(|adjustment| adjustment.minor != 0).collect();
    let sum = adjustments.iter().fold(amount_minor, |sum, adjustment| sum.saturating_add(adjustment.minor));
    Priced { amount_minor: sum, adjustments }
}

/// The hour of the merchant's day, 0 to 23.
#[must_use]
pub fn local_hour(draft: &Draft) -> u8 {
    let minutes = draft.at.div_euclid(60_000).saturating_add(i64::from(draft.utc_offset_minutes));
    u8::try_from(minutes.div_euclid(60).rem_euclid(24)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_merchants_hour_is_not_that_of_utc() {
        let draft = |at, utc_offset_minutes| Draft {
            amount_minor: 1,
            currency: "CNY".to_owned(),
            minor_digits: 2,
            goods: Vec::new(),
            store_id: String::new(),
            terminal_id: String::new(),
            cashier: String::new(),
            method: Method::Card,
            at,
            utc_offset_minutes,
        };
        for (at, offset, hour) in
            [(0, 0, 0), (0, 480, 8), (0, -1, 23), (86_399_999, 0, 23), (86_399_999, 1, 0), (-1, 0, 23)]
        {
            assert_eq!(local_hour(&draft(at, offset)), hour, "{at} {offset}");
        }
    }
}
