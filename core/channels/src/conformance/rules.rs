//! A merchant's rules (the world `merchant-extension`) held to their contract: no far side, since they reach nobody.
//!
//! Each rule that is offered decides about each of the drafts below, once now and once in another instance a year later by the
//! machine's clock. A rule that gives no decision has failed, as core would see it; so has one that decides otherwise the second time.

use std::{fmt, path::PathBuf, sync::Arc, time::Instant};

use saoma_protocol::{Amount, ChannelAccountId, Currency, Millis, StoreId, TenantId, TerminalId, api::Goods};

use super::{
    kit::KitError,
    report::{CaseReport, Finding, Report, Verdict},
    world::KitClock,
};
use crate::{
    extension::{
        Adjustment, CANDIDATES_MAX, Draft, DraftMethod, Extension, Priced, Recent, RouteCandidate, Rule, RuleFailure,
    },
    host::{Host, HostConfig},
    versions::NEWEST,
};

const TENANT: TenantId = TenantId::from_bytes([2; 16]);
const YEAR_MS: i64 = 365 * 86_400_000;
/// The largest amount of a payment, in minor units.
const MOST_MINOR: i64 = 999_999_999_999;

/// A component with rules, and the settings that they are played under.
#[derive(Clone, Debug)]
pub struct RulesKit {
    pub component: Vec<u8>,
    /// A folder for compiled code: made if missing, closed to others.
    pub cache_dir: PathBuf,
    /// What each is called in the report, and the settings as JSON. None: `{}`.
    pub settings: Vec<(String, String)>,
    /// Only cases whose name contains this.
    pub only: Option<String>,
    /// Told of each case when it is over.
    pub progress: fn(&CaseReport),
}

/// A sale that rules are asked about.
struct Row {
    name: &'static str,
    why: &'static str,
    minor: i64,
    currency: &'static str,
    goods: fn() -> Vec<Goods>,
    seller: Option<&'static str>,
    method: DraftMethod,
    at: Millis,
    utc_offset_minutes: i32,
}

/// 14:00 of a day in China, and what most tills send.
const USUAL: Row = Row {
    name: "usual",
    why: "the sale that most tills send",
    minor: 1_250,
    currency: "CNY",
    goods: two_goods,
    seller: Some("李娜"),
    method: DraftMethod::CustomerPresented,
    at: Millis(1_700_028_000_000),
    utc_offset_minutes: 480,
};

const ROWS: [Row; 16] = [
    USUAL,
    Row { name: "least", why: "an amount may be one minor unit, and no rule makes it nothing", minor: 1, ..USUAL },
    Row { name: "most", why: "an amount may be 999,999,999,999 minor units", minor: MOST_MINOR, ..USUAL },
    Row { name: "no-digits", why: "a currency may have no digits behind the point", currency: "JPY", ..USUAL },
    Row { name: "three-digits", why: "a currency may have three digits behind the point", currency: "KWD", ..USUAL },
    Row { name: "no-goods", why: "a till need not name goods", goods: Vec::new, ..USUAL },
    Row { name: "many-goods", why: "a till may name 200 goods, each at its bounds", goods: many_goods, ..USUAL },
    Row { name: "odd-names", why: "a name is of any script, 1 to 128 characters", goods: odd_goods, ..USUAL },
    Row { name: "other-sum", why: "goods need not come to the amount", minor: 77, ..USUAL },
    Row { name: "nobody", why: "a sale need not have a cashier or a terminal", seller: None, ..USUAL },
    Row { name: "shown-by-the-shop", why: "the customer scans", method: DraftMethod::MerchantPresented, ..USUAL },
    Row { name: "by-card", why: "the customer pays by card", method: DraftMethod::Card, ..USUAL },
    Row { name: "undecided", why: "a price is asked for first", method: DraftMethod::Undecided, ..USUAL },
    Row { name: "far-west", why: "a clock may be 1,439 minutes behind UTC", utc_offset_minutes: -1_439, ..USUAL },
    Row { name: "far-east", why: "a clock may be 1,439 minutes ahead of UTC", utc_offset_minutes: 1_439, ..USUAL },
    Row { name: "epoch", why: "a till's clock may stand at its very beginning", at: Millis(0), ..USUAL },
];

fn two_goods() -> Vec<Goods> {
    vec![Goods::plain("牛肉面 Noodles".to_owned(), 1, 950), Goods::plain("茶 Tea".to_owned(), 1, 300)]
}

fn many_goods() -> Vec<Goods> {
    (0..200).map(|_| Goods::plain("面".repeat(128), 9_999, MOST_MINOR)).collect()
}

fn odd_goods() -> Vec<Goods> {
    ["🍚", "نودلز", "e\u{301}", "\"},{\"", "' OR 1=1 --", "0"].map(|name| Goods::plain(name.to_owned(), 1, 0)).to_vec()
}

impl Row {
    fn draft(&self) -> Result<Draft, KitError> {
        let unfit = |error: &dyn fmt::Display| KitError::Table(format!("{}: {error}", self.name));
        let currency: Currency = self.currency.parse().map_err(|error| unfit(&error))?;
        Ok(Draft {
            amount: Amount::new(self.minor, currency).map_err(|error| unfit(&error))?,
            goods: (self.goods)(),
            store: StoreId::from_bytes([6; 16]),
            terminal: self.seller.map(|_| TerminalId::from_bytes([7; 16])),
            cashier: self.seller.map(str::to_owned),
            method: self.method,
            at: self.at,
            utc_offset_minutes: self.utc_offset_minutes,
        })
    }
}

/// The names of all cases, of rules that offer everything and have one set of settings.
#[must_use]
pub fn rule_names() -> Vec<String> {
    Rule::ALL.into_iter().flat_map(|rule| ROWS.iter().map(move |row| case_name(rule, row, None))).collect()
}

/// The rule that a case is about.
pub(super) fn rule_of(case: &str) -> Option<Rule> {
    Rule::ALL.into_iter().find(|rule| case.strip_prefix(rule.text()).is_some_and(|rest| rest.starts_with('-')))
}

fn case_name(rule: Rule, row: &Row, settings: Option<&str>) -> String {
    let settings = settings.map(|name| format!("-{name}")).unwrap_or_default();
    format!("{}-{}{settings}", rule.text(), row.name)
}

impl RulesKit {
    #[must_use]
    pub fn new(component: Vec<u8>, cache_dir: PathBuf) -> Self {
        Self { component, cache_dir, settings: Vec::new(), only: None, progress: |_| {} }
    }

    /// Plays every case.
    ///
    /// # Errors
    /// The host does not start, the component holds no rules or none that can be taken in, settings do not fit the schema, or no case
    /// has the name that is asked for. What fails later fails its case.
    pub async fn run(self) -> Result<Report, KitError> {
        let (now, later) = (self.extension(0).await?, self.extension(YEAR_MS).await?);
        let description = now.description();
        let is_alone = self.settings.len() < 2;
        let all = if self.settings.is_empty() { vec![("none".to_owned(), "{}".to_owned())] } else { self.settings };
        for (name, settings) in &all {
            description
                .settings_schema
                .check(settings)
                .map_err(|error| KitError::Settings { name: name.clone(), why: error.to_string() })?;
        }
        let mut cases = Vec::new();
        for (settings_name, settings) in &all {
            for (rule, row) in description.rules.iter().flat_map(|rule| ROWS.iter().map(|row| (*rule, row))) {
                let name = case_name(rule, row, (!is_alone).then_some(settings_name));
                if self.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
                    continue;
                }
                let began = Instant::now();
                let mut report = CaseReport::of(name, row.why);
                let draft = row.draft()?;
                for (what, asked) in asked_of(rule, draft.amount) {
                    let first = asked.answer(&now, settings, &draft).await;
                    let again = asked.answer(&later, settings, &draft).await;
                    report.done.push(format!("{} {what}: {}", rule.text(), told(&first)));
                    if let Some(finding) = finding(&first, &again) {
                        (report.verdict, report.finding) = (Verdict::Failed, Some(finding));
                        break;
                    }
                }
                report.duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                (self.progress)(&report);
                cases.push(report);
            }
        }
        if cases.is_empty() {
            return Err(KitError::NoCase(self.only.unwrap_or_default()));
        }
        Ok(Report::of(&description.id, &description.version, now.content_hash(), NEWEST, cases))
    }

    /// The rules in a host whose clock is so far ahead.
    async fn extension(&self, ahead_ms: i64) -> Result<Arc<Extension>, KitError> {
        let clock = Arc::new(KitClock::default());
        clock.set_ahead(ahead_ms);
        let host = Host::new(HostConfig { instances_max: 1, clock, ..HostConfig::new(&self.cache_dir) })?;
        Ok(host.install_extension(&self.component).await?)
    }
}

/// One question, with all that it is asked with besides the draft.
enum Asked {
    Price,
    Route(Vec<RouteCandidate>),
    Risk(Recent),
    ReceiptLines(Priced),
}

/// What a rule decided, in words that are the same if the decision is.
type Decided = Result<String, RuleFailure>;

impl Asked {
    async fn answer(&self, rules: &Extension, settings: &str, draft: &Draft) -> Decided {
        fn words<T: fmt::Debug>(decision: T) -> String {
            format!("{decision:?}")
        }
        match self {
            Self::Price => rules.price(TENANT, settings, draft).await.map(words),
            Self::Route(candidates) => rules.route(TENANT, settings, draft, candidates).await.map(words),
            Self::Risk(recent) => rules.risk(TENANT, settings, draft, *recent).await.map(words),
            Self::ReceiptLines(priced) => rules.receipt_lines(TENANT, settings, draft, priced).await.map(words),
        }
    }
}

/// What a rule is asked about one draft, each with its name.
fn asked_of(rule: Rule, amount: Amount) -> Vec<(&'static str, Asked)> {
    match rule {
        Rule::Price => vec![("of the draft", Asked::Price)],
        Rule::Route => vec![
            ("of two that are alike", Asked::Route(vec![candidate(1, 5, 50, 9_900), candidate(2, 5, 50, 9_900)])),
            (
                "of a new one and a dead one",
                Asked::Route(vec![candidate(1, 0, 0, 10_000), candidate(2, i64::MAX, u32::MAX, 0)]),
            ),
            (
                "of 64",
                Asked::Route(
                    (1..=CANDIDATES_MAX)
                        .map_while(|n| u8::try_from(n).ok())
                        .map(|n| candidate(n, i64::from(n % 7), u32::from(n), 10_000 - u32::from(n % 5) * 100))
                        .collect(),
                ),
            ),
        ],
        Rule::Risk => vec![
            ("after nothing", Asked::Risk(Recent::default())),
            ("after one", Asked::Risk(Recent { payments: 1, amount_minor: 1 })),
            ("after more than can be", Asked::Risk(Recent { payments: u32::MAX, amount_minor: i64::MAX })),
        ],
        Rule::ReceiptLines => {
            let off = amount.minor() - 1;
            let discount = Adjustment { name: "折".repeat(64), minor: -off };
            let least = Amount::new(1, amount.currency()).unwrap_or(amount);
            let adjustments = if off > 0 { vec![discount] } else { Vec::new() };
            vec![
                ("of the price as it was", Asked::ReceiptLines(Priced { amount, adjustments: Vec::new() })),
                ("of the lowest price", Asked::ReceiptLines(Priced { amount: least, adjustments })),
            ]
        }
    }
}

fn candidate(number: u8, fee_minor: i64, outcomes: u32, success_per_10000: u32) -> RouteCandidate {
    let id = ChannelAccountId::from_bytes([number; 16]);
    RouteCandidate { id, channel: "any".to_owned(), fee_minor, outcomes, success_per_10000 }
}

fn told(decided: &Decided) -> String {
    decided.clone().unwrap_or_else(|failure| format!("{} ({failure})", failure.code()))
}

fn finding(first: &Decided, again: &Decided) -> Option<Finding> {
    if first.is_err() {
        let expected = "a decision that core can carry out".to_owned();
        return Some(Finding { expected, came: told(first), aside: false });
    }
    let differs = || Finding {
        expected: format!("the same decision in another instance, a year later: {}", told(first)),
        came: told(again),
        aside: false,
    };
    (first != again).then(differs)
}
