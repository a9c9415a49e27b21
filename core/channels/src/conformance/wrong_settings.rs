//! Settings that are wrong, each in one way: refused in words that name the field and say what it must be, and nothing is sent.
//!
//! What breaks the schema the host refuses, so that there it is the schema that is tried. What the far side's script calls unusable the
//! schema takes, and the component has to refuse it.

use serde_json::{Map, Value, json};

use super::{
    play::{Player, Stop},
    told::{self, Told},
};
use crate::message::Account;

/// How a refusal says what to do: what a value must be, or that the field must go.
const FIXES: [&str; 2] = ["must", "take it out"];
/// What nobody types on purpose, around a value and within it.
const STRAY: [&str; 3] = [" ", "\n", "\u{7}"];
/// A scheme's host, by an address that anybody in between can read.
const IN_THE_CLEAR: &str = "http://pay.example.com/api";

/// Each way in which a value can be wrong under its schema, with what its refusal has to name.
fn wrong_values(schema: &Value, good: &Map<String, Value>) -> Vec<(String, Map<String, Value>)> {
    let mut wrong = Vec::new();
    let mut with = |name: &str, value: Value| {
        let mut settings = good.clone();
        settings.insert(name.to_owned(), value);
        wrong.push((name.to_owned(), settings));
    };
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        for value in [Value::Null, json!([]), json!({})] {
            with(name, value);
        }
        match property["type"].as_str() {
            Some("string") => wrong_texts(property, good.get(name)).into_iter().for_each(|text| with(name, text)),
            Some("integer") => {
                with(name, json!("many"));
                with(name, json!(1.5));
                for (bound, step) in [("minimum", -1), ("maximum", 1)] {
                    if let Some(beyond) = property[bound].as_i64().and_then(|bound| bound.checked_add(step)) {
                        with(name, json!(beyond));
                    }
                }
            }
            _ => with(name, json!("yes")),
        }
    }
    if schema["additionalProperties"] == false {
        with("no_such_setting", json!("x"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let mut settings = good.clone();
        settings.remove(name);
        wrong.push((name.to_owned(), settings));
    }
    wrong
}

fn wrong_texts(property: &Value, good: Option<&Value>) -> Vec<Value> {
    let mut wrong = vec![json!(7)];
    if property["format"] == "uri" {
        wrong.extend([json!("not a web address"), json!(IN_THE_CLEAR)]);
    }
    if property["enum"].is_array() {
        wrong.push(json!("no-such-choice"));
    }
    if property["minLength"].as_u64().is_some_and(|min| min > 0) {
        wrong.push(json!(""));
    }
    if let Some(max) = property["maxLength"].as_u64().and_then(|max| usize::try_from(max).ok()) {
        wrong.push(json!("x".repeat(max.min(8_000) + 1)));
    }
    let good = good.and_then(Value::as_str).unwrap_or("x");
    wrong.extend([json!(format!(" {good}")), json!(format!("{good} "))]);
    let (first, rest) = good.split_at(good.chars().next().map_or(0, char::len_utf8));
    // Within, a space may be meant.
    wrong.extend(STRAY.iter().filter(|stray| **stray != " ").map(|stray| json!(format!("{first}{stray}{rest}"))));
    wrong
}

/// `check settings`
pub(super) async fn refused(player: &mut Player<'_>) -> Result<(), Stop> {
    let schema: Value = serde_json::from_str(player.manifest.settings_schema.text())
        .map_err(|error| Stop::failed("a settings-schema", error.to_string()))?;
    let mut wrong = wrong_values(&schema, &player.script.settings);
    for (name, value) in &player.script.unusable {
        let mut settings = player.script.settings.clone();
        settings.insert(name.clone(), value.clone());
        if let Err(error) = player.manifest.settings_schema.check_typed(&Value::Object(settings.clone()).to_string()) {
            return Err(Stop::failed(format!("an unusable {name:?} that the schema takes"), error.to_string()).aside());
        }
        wrong.push((name.clone(), settings));
    }
    for (name, settings) in wrong {
        let settings_json = Value::Object(settings).to_string();
        let shown: String = settings_json.chars().take(200).collect();
        let account = Account { settings_json, ..player.account.clone() };
        let told = match player.caller.self_test(&account).await {
            Ok(text) => Told::new("works", text),
            Err(error) => told::failure(&error),
        };
        if told.word != "misconfigured" || !told.sentence.contains(&name) {
            return Err(Stop::failed(format!("`misconfigured` that names {name:?}, of {shown}"), told.sentence));
        }
        if !FIXES.iter().any(|fix| told.sentence.contains(fix)) {
            return Err(Stop::failed(
                format!("words that say what {name:?} must be (\"must\"), of {shown}"),
                told.sentence,
            ));
        }
        player.done.push(format!("self-test with a wrong {name:?} -> {}", told.sentence));
    }
    match player.far_side.heard().await?.first() {
        None => Ok(()),
        Some(heard) => {
            Err(Stop::failed("nothing to be sent with wrong settings", format!("{} {}", heard.method, heard.path)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SettingsSchema;

    #[test]
    fn wrong_values_are_wrong_and_the_refusal_names_the_field_and_the_fix() {
        let text = json!({
            "type": "object", "additionalProperties": false, "required": ["base_url"],
            "properties": {
                "base_url": {"type": "string", "format": "uri", "maxLength": 40},
                "mode": {"type": "string", "enum": ["live", "test"]},
                "name": {"type": "string", "minLength": 1, "maxLength": 5},
                "retries": {"type": "integer", "minimum": 0, "maximum": 3},
                "debug": {"type": "boolean"},
            }
        });
        let Value::Object(good) =
            json!({"base_url": "https://x.example", "mode": "test", "name": "n", "retries": 1, "debug": true})
        else {
            unreachable!()
        };
        let schema = SettingsSchema::parse(&text.to_string()).expect("sound");
        schema.check_typed(&Value::Object(good.clone()).to_string()).expect("good settings");
        let wrong = wrong_values(&text, &good);
        let of = |name: &str| wrong.iter().filter(|(wrong, _)| wrong == name).count();
        let counted = ["base_url", "mode", "name", "retries", "debug", "no_such_setting"].map(of);
        assert_eq!(counted, [12, 9, 10, 7, 4, 1]);
        for (name, settings) in wrong {
            let error = schema.check_typed(&Value::Object(settings).to_string()).expect_err(&name).to_string();
            assert!(error.contains(&name) && FIXES.iter().any(|fix| error.contains(fix)), "{error}");
        }
    }
}
