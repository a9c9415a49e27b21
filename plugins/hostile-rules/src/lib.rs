//! Rules that misbehave as their setting `mode` says. For tests, which show that they burn their own time slice and nothing else.

use saoma_channel_sdk::{
    extension::{
        Adjustment, Candidate, Description, Draft, Guest, Priced, Recent, Refusal, Rule, Verdict, priced, settings,
    },
    log,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Settings {
    mode: String,
}

struct HostileRules;

const SCHEMA: &str =
    r#"{"type":"object","properties":{"mode":{"type":"string"}},"required":["mode"],"additionalProperties":false}"#;

/// The mode, unless it ends the call in every rule.
fn mode(settings_json: &str) -> Result<String, String> {
    let mode = settings::<Settings>(settings_json)?.mode;
    match mode.as_str() {
        "loop" => loop {
            std::hint::spin_loop();
        },
        "trap" => panic!("as I was told"),
        // At once: filling it bit by bit would run past the deadline first.
        "memory" => {
            std::hint::black_box(vec![1_u8; 1 << 30]);
            Ok(mode)
        }
        "error" => Err("I do not want to".to_owned()),
        "log-flood" => {
            for _ in 0..1_000 {
                log::write(log::Level::Info, &"x".repeat(2_000));
            }
            Ok(mode)
        }
        _ => Ok(mode),
    }
}

impl Guest for HostileRules {
    fn describe() -> Description {
        Description {
            id: "hostile-rules".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: "Hostile rules".to_owned(),
            rules: vec![Rule::Price, Rule::Route, Rule::Risk, Rule::ReceiptLines],
            settings_schema: SCHEMA.to_owned(),
        }
    }

    fn price(settings_json: String, draft: Draft) -> Result<Priced, String> {
        let by = |name: &str, minor| Adjustment { name: name.to_owned(), minor };
        let adjusted = |adjustments| Ok(priced(draft.amount_minor, adjustments));
        match mode(&settings_json)?.as_str() {
            "negative" => adjusted(vec![by("gift", -draft.amount_minor - 1)]),
            "free" => adjusted(vec![by("gift", -draft.amount_minor)]),
            "usury" => adjusted(vec![by("tip", draft.amount_minor + 1)]),
            "wrong-sum" => Ok(Priced { amount_minor: 1, adjustments: vec![by("some", -1)] }),
            "overflow" => Ok(Priced { amount_minor: 1, adjustments: vec![by("much", i64::MAX), by("more", i64::MAX)] }),
            "nothing" => Ok(Priced { amount_minor: draft.amount_minor, adjustments: vec![by("nothing", 0)] }),
            "huge" => adjusted((0..9).map(|_| by("tiny", 1)).collect()),
            "control" => adjusted(vec![by("a\u{1b}[2Jb", 1)]),
            // By the machine's clock, of all things.
            "moody" => {
                let days = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs() / 86_400);
                adjusted(vec![by("mood", i64::try_from(days % 300).unwrap_or(0) + 1)])
            }
            _ => adjusted(Vec::new()),
        }
    }

    fn route(settings_json: String, _: Draft, candidates: Vec<Candidate>) -> Result<Vec<String>, String> {
        let first = candidates.first().map(|candidate| candidate.id.clone()).unwrap_or_default();
        Ok(match mode(&settings_json)?.as_str() {
            "foreign" => vec!["cha_00000000000000000000000000".to_owned()],
            "twice" => vec![first.clone(), first],
            "reverse" => candidates.into_iter().rev().map(|candidate| candidate.id).collect(),
            _ => Vec::new(),
        })
    }

    fn risk(settings_json: String, _: Draft, _: Recent) -> Result<Verdict, String> {
        let refuse = |code: &str, sentence: &str| {
            Verdict::Refuse(Refusal { code: code.to_owned(), sentence: sentence.to_owned() })
        };
        Ok(match mode(&settings_json)?.as_str() {
            "refuse" => refuse("told_so", "I was told so."),
            "bad-code" => refuse("Not A Code", "words"),
            "no-words" => refuse("code", ""),
            _ => Verdict::Allow,
        })
    }

    fn receipt_lines(settings_json: String, _: Draft, _: Priced) -> Result<Vec<String>, String> {
        Ok(match mode(&settings_json)?.as_str() {
            "huge" => vec!["x".to_owned(); 9],
            "wide" => vec!["宽".repeat(49)],
            "control" => vec!["a\nb".to_owned()],
            "giant" => vec!["x".repeat(8 << 20)],
            _ => vec!["宽".repeat(48)],
        })
    }
}

saoma_channel_sdk::extension::export!(HostileRules);
