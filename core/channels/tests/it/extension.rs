//! A merchant's rules: what they may decide, and that rules which crash, loop or lie cost their own time slice alone.

use std::time::{Duration, Instant};

use saoma_channels::{
    Host, InstallError,
    extension::{
        Draft, DraftMethod, Extension, Priced, RULE_RUNNING_MS_MAX, Recent, RouteCandidate, Rule, RuleFailure, Verdict,
    },
};
use saoma_protocol::{Amount, ChannelAccountId, Currency, Millis, StoreId, TenantId, TerminalId, api::Goods};

use super::guests::{component, config};

const TENANT: TenantId = TenantId::from_bytes([2; 16]);

fn amount(minor: i64, currency: &str) -> Amount {
    Amount::new(minor, currency.parse::<Currency>().expect("a currency")).expect("an amount")
}

fn draft(minor: i64, currency: &str, goods: &str) -> Draft {
    Draft {
        amount: amount(minor, currency),
        goods: vec![Goods::plain(goods.to_owned(), 1, minor)],
        store: StoreId::from_bytes([6; 16]),
        terminal: Some(TerminalId::from_bytes([7; 16])),
        cashier: Some("李".to_owned()),
        method: DraftMethod::CustomerPresented,
        // 06:00 UTC, 14:00 in China.
        at: Millis(1_700_028_000_000),
        utc_offset_minutes: 480,
    }
}

fn candidate(n: u8, fee_minor: i64, success_per_10000: u32) -> RouteCandidate {
    let id = ChannelAccountId::from_bytes([n; 16]);
    RouteCandidate { id, channel: "any".to_owned(), fee_minor, outcomes: 50, success_per_10000 }
}

async fn rules(name: &str) -> std::sync::Arc<Extension> {
    let host = Host::new(config()).expect("the host starts");
    host.install_extension(&component(name)).await.expect("the rules install")
}

const CANTEEN: &str = r#"{"staff_marker":"职工","staff_percent":20,"happy_from_hour":14,"happy_to_hour":15,"happy_percent":10,
    "success_percent_min":90,"cashier_hour_minor_max":10000,"receipt_line":"谢谢"}"#;

#[tokio::test]
async fn a_canteen_has_its_own_prices_limits_accounts_and_receipts() {
    let canteen = rules("canteen-rules").await;
    assert_eq!(canteen.description().rules.len(), 4);
    // Currencies of two digits behind the point, of none, of three.
    for (currency, goods, paid, first_line) in [
        ("CNY", "职工餐 🍚", 800, "You saved 2.00 CNY"),
        ("JPY", "rice", 900, "You saved 100 JPY"),
        ("KWD", "职工餐", 800, "You saved 0.200 KWD"),
    ] {
        let draft = draft(1_000, currency, goods);
        let priced = canteen.price(TENANT, CANTEEN, &draft).await.expect("a price");
        assert_eq!(priced.amount, amount(paid, currency), "{goods}");
        assert_eq!(priced, canteen.price(TENANT, CANTEEN, &draft).await.expect("a price"), "the same again");
        let lines = canteen.receipt_lines(TENANT, CANTEEN, &draft, &priced).await.expect("lines");
        assert_eq!(lines, [first_line, "谢谢"]);
    }
    let draft = draft(1_000, "CNY", "rice");
    let taken = |amount_minor| Recent { payments: 3, amount_minor };
    assert_eq!(canteen.risk(TENANT, CANTEEN, &draft, taken(9_000)).await, Ok(Verdict::Allow));
    let refused = canteen.risk(TENANT, CANTEEN, &draft, taken(9_001)).await.expect("a verdict");
    assert!(matches!(refused, Verdict::Refuse { code, .. } if code == "cashier_hour_limit"));
    let accounts = [candidate(1, 9, 10_000), candidate(2, 3, 8_999), candidate(3, 5, 9_000)];
    let chosen = canteen.route(TENANT, CANTEEN, &draft, &accounts).await.expect("a choice");
    assert_eq!(chosen, [accounts[2].id, accounts[0].id, accounts[1].id]);
    // Without settings no rule changes anything.
    let as_it_was = Priced { amount: draft.amount, adjustments: Vec::new() };
    assert_eq!(canteen.price(TENANT, "{}", &draft).await, Ok(as_it_was));
    let unknown = canteen.price(TENANT, r#"{"staff_procent":1}"#, &draft).await.expect_err("refused");
    assert!(matches!(unknown, RuleFailure::Settings { .. }), "{unknown}");
}

#[tokio::test]
async fn rules_that_misbehave_end_in_their_failure_and_cost_nobody_else() {
    let hostile = rules("hostile-rules").await;
    let (draft, accounts) = (draft(1_000, "CNY", "rice"), [candidate(1, 0, 0), candidate(2, 0, 0)]);
    let told = |failure: Option<RuleFailure>| failure.as_ref().map_or("answered", RuleFailure::code);
    for (rule, mode, code) in [
        (Rule::Price, "honest", "answered"),
        (Rule::Price, "loop", "timed_out"),
        (Rule::Price, "trap", "trapped"),
        (Rule::Price, "memory", "out_of_memory"),
        (Rule::Price, "error", "undecided"),
        (Rule::Price, "log-flood", "answered"),
        (Rule::Price, "negative", "bad_answer"),
        (Rule::Price, "free", "bad_answer"),
        (Rule::Price, "usury", "bad_answer"),
        (Rule::Price, "wrong-sum", "bad_answer"),
        (Rule::Price, "overflow", "bad_answer"),
        (Rule::Price, "nothing", "bad_answer"),
        (Rule::Price, "huge", "bad_answer"),
        (Rule::Price, "control", "bad_answer"),
        (Rule::Route, "honest", "answered"),
        (Rule::Route, "reverse", "answered"),
        (Rule::Route, "loop", "timed_out"),
        (Rule::Route, "trap", "trapped"),
        (Rule::Route, "foreign", "bad_answer"),
        (Rule::Route, "twice", "bad_answer"),
        (Rule::Risk, "honest", "answered"),
        (Rule::Risk, "refuse", "answered"),
        (Rule::Risk, "loop", "timed_out"),
        (Rule::Risk, "trap", "trapped"),
        (Rule::Risk, "bad-code", "bad_answer"),
        (Rule::Risk, "no-words", "bad_answer"),
        (Rule::ReceiptLines, "honest", "answered"),
        (Rule::ReceiptLines, "loop", "timed_out"),
        (Rule::ReceiptLines, "trap", "trapped"),
        (Rule::ReceiptLines, "huge", "bad_answer"),
        (Rule::ReceiptLines, "wide", "bad_answer"),
        (Rule::ReceiptLines, "control", "bad_answer"),
        (Rule::ReceiptLines, "giant", "bad_answer"),
    ] {
        let (began, settings) = (Instant::now(), format!(r#"{{"mode":"{mode}"}}"#));
        let failure = match rule {
            Rule::Price => hostile.price(TENANT, &settings, &draft).await.err(),
            Rule::Route => hostile.route(TENANT, &settings, &draft, &accounts).await.err(),
            Rule::Risk => hostile.risk(TENANT, &settings, &draft, Recent::default()).await.err(),
            Rule::ReceiptLines => {
                let priced = Priced { amount: draft.amount, adjustments: Vec::new() };
                hostile.receipt_lines(TENANT, &settings, &draft, &priced).await.err()
            }
        };
        // Fifty milliseconds of its own, and what a busy machine may add.
        assert!(began.elapsed() < Duration::from_secs(3), "{rule:?} {mode} took {:?}", began.elapsed());
        assert_eq!(told(failure.clone()), code, "{rule:?} {mode}: {failure:?}");
        if mode == "loop" {
            assert_eq!(failure, Some(RuleFailure::TimedOut { after_ms: RULE_RUNNING_MS_MAX }), "by its own running");
        }
        let honest = hostile.price(TENANT, r#"{"mode":"honest"}"#, &draft).await;
        assert_eq!(honest.map(|priced| priced.amount), Ok(draft.amount), "after {rule:?} {mode}");
    }
}

#[tokio::test]
async fn a_component_of_the_other_world_is_refused_by_name() {
    let host = Host::new(config()).expect("the host starts");
    let rules = component("canteen-rules");
    let error = host.install(&rules).await.expect_err("no channel");
    assert!(matches!(error, InstallError::IsExtension), "{error}");
    assert!(error.to_string().contains("merchant-extension"), "{error}");
    let error = host.install_extension(&component("sandbox")).await.expect_err("no rules");
    assert!(matches!(error, InstallError::IsChannel), "{error}");
    assert!(host.plugins().is_empty() && host.extension("canteen-rules").is_none());
    host.install_extension(&rules).await.expect("rules");
    assert!(host.extension("canteen-rules").is_some());
}
