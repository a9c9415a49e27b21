//! What no line of the table can say: the manifest against the script, settings that are wrong, secrets of somebody else, the same
//! bytes for the same inputs.

use saoma_domain::claim::ScannedCode;
use saoma_protocol::{Amount, ChannelAccountId};
use serde_json::Value;

use super::{
    bill,
    far_side::Heard,
    foreign,
    play::{PaysBy, Player, Stop, secrets_of},
    told::{self, Told},
    visit,
    world::fresh,
    wrong_settings,
};
use crate::manifest::Capability;

/// Enough in each currency: 1,000.00 where it has two decimals, and with no digit to spare.
const CURRENCY_MINOR: i64 = 100_001;

/// The checks that the table may name.
pub(super) const NAMES: &[&str] =
    &["manifest", "self-test", "settings", "foreign-secrets", "determinism", "currencies", "empty-day", "strangers"];

pub(super) async fn run(player: &mut Player<'_>, name: &str) -> Result<(), Stop> {
    match name {
        "manifest" => manifest(player),
        "self-test" => self_test(player).await,
        "settings" => wrong_settings::refused(player).await,
        "foreign-secrets" => foreign_secrets(player).await,
        "determinism" => determinism(player).await,
        "currencies" => currencies(player).await,
        "empty-day" => empty_day(player).await,
        "strangers" => visit::strangers(player).await,
        other => Err(Stop::failed("a check of that name", format!("{other}: mend the table"))),
    }
}

/// That the script of the far side fits the manifest; all else about a manifest is checked when it is installed.
fn manifest(player: &mut Player<'_>) -> Result<(), Stop> {
    let manifest = player.manifest;
    if let Err(error) = manifest.settings_schema.check(&player.account.settings_json) {
        return Err(Stop::failed("the script's settings to fit the manifest's settings-schema", error.to_string()));
    }
    for spec in &manifest.secrets {
        let Some(value) = player.script.secrets.get(&spec.name).and_then(Value::as_str) else {
            return Err(Stop::failed(
                format!("the script to have the secret {:?}", spec.name),
                "it has none of that name",
            ));
        };
        if let Err(fault) = spec.kind.check(value.as_bytes()) {
            return Err(Stop::failed(
                format!("the script's secret {:?} to be {:?}", spec.name, spec.kind),
                fault.to_string(),
            ));
        }
    }
    if let Some(name) =
        player.script.secrets.keys().find(|name| !manifest.secrets.iter().any(|spec| spec.name == **name))
    {
        return Err(Stop::failed(
            "a manifest that lists the secrets it is given",
            format!("{name:?} is not in `secrets`"),
        ));
    }
    if let (Some(code), true) = (&player.script.code, manifest.can(Capability::CustomerPresented)) {
        let claimed = ScannedCode::read(code).map(|code| manifest.claims.iter().any(|claim| code.fits(claim)));
        match claimed {
            Ok(true) => {}
            Ok(false) => return Err(Stop::failed("a claim in `claims` that the scheme's codes fit", "none does")),
            Err(error) => return Err(Stop::failed("a code that a scanner may read", error.to_string())),
        }
    }
    player.done.push(format!("{} {}: manifest and script fit", manifest.id, manifest.version));
    Ok(())
}

async fn self_test(player: &mut Player<'_>) -> Result<(), Stop> {
    let outcome = player.caller.self_test(&player.account).await;
    let told = match &outcome {
        Ok(text) if text.trim().is_empty() => Told::new("bad-answer", "a text without words"),
        Ok(text) => Told::new("works", text.clone()),
        Err(error) => told::failure(error),
    };
    player.said.push(told.sentence.clone());
    player.held_to("self-test", &told, &["works".to_owned()])
}

/// Each secret in turn is somebody else's. At least one of the channel's acts must notice, and none may take that for success.
async fn foreign_secrets(player: &mut Player<'_>) -> Result<(), Stop> {
    let manifest = player.manifest;
    let refusals =
        ["misconfigured", "not-sent", "unclear", "card-unreadable", "forged", "malformed"].map(str::to_owned);
    for spec in &manifest.secrets {
        player.account.secrets = secrets_of(&player.script);
        player.paid().await?;
        let has_message = manifest.can(Capability::Notifications) && player.has_notification().await?;
        let genuine = player.script.secrets.get(&spec.name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let foreign = foreign::instead_of(&genuine, spec.kind);
        player.account.secrets = secrets_of(&player.script).with(spec.name.clone(), foreign.into_bytes());
        let mut acts = Vec::new();
        if has_message {
            acts.push(("read-notification", player.read_notification(None).await?));
        }
        acts.push(("query", player.query().await?));
        if manifest.can(Capability::InApp) {
            acts.push(("payer", visit::comes_back(player).await?));
        }
        player.open(player.way(), None).await?;
        acts.push(("asking for money", player.ask().await?));
        let self_test = player.caller.self_test(&player.account).await;
        acts.push((
            "self-test",
            self_test.as_ref().map_or_else(told::failure, |text| Told::new("works", text.clone())),
        ));
        if !acts.iter().any(|(_, told)| told.is_one_of(&refusals)) {
            // What was learnt by the genuine key stands in for this one; an account that begins with it has learnt nothing.
            player.world.kv.empty();
            player.open(player.way(), None).await?;
            acts.push(("asking for money anew", player.ask().await?));
            // Nor does the genuine one have to bear with what was kept of that.
            player.world.kv.empty();
        }
        for (act, told) in &acts {
            player.done.push(format!("{act} with a foreign {:?} -> {}", spec.name, told.sentence));
        }
        if !acts.iter().any(|(_, told)| told.is_one_of(&refusals)) {
            return Err(Stop::failed(
                format!("one of the acts to notice that {:?} is somebody else's key", spec.name),
                "all went on as if nothing were wrong: nothing uses it, or nothing checks what it is for",
            ));
        }
        if let Some((act, told)) =
            acts.iter().find(|(_, told)| told.word.starts_with("failed:") || told.word == "trapped")
        {
            return Err(Stop::failed(
                format!("{act} with a foreign {:?} to be misconfigured or without answer", spec.name),
                told.sentence.clone(),
            ));
        }
    }
    Ok(())
}

/// The same call twice, in a store that is empty, under a clock that stands still and with the same random bytes.
async fn determinism(player: &mut Player<'_>) -> Result<(), Stop> {
    player.account.id = ChannelAccountId::from_bytes(fresh()?);
    player.world.clock.stand_still();
    player.open(player.way(), None).await?;
    let mut heard = Vec::new();
    for _ in 0..2 {
        player.world.kv.empty();
        player.world.chance.begin(b"determinism");
        player.far_side.forget().await?;
        let sale = player.sale()?;
        // What comes of the second is no matter: a scheme may refuse a nonce that it has seen.
        let outcome = match &sale.pays_by {
            PaysBy::Shown => player.caller.create(&player.account, &sale.order).await.map(drop),
            PaysBy::Code(code) => player.caller.charge(&player.account, &sale.order, code).await.map(drop),
            PaysBy::Card(card) => player.caller.charge_card(&player.account, &sale.order, card).await.map(drop),
            // No check opens an order of that way.
            PaysBy::Stored(_) => return Ok(()),
            PaysBy::InApp { app, payer } => {
                player.caller.open_in_app(&player.account, app, &sale.order, payer).await.map(drop)
            }
        };
        player.done.push(outcome.map_or_else(|error| error.to_string(), |()| "answered".to_owned()));
        heard.push(player.far_side.heard().await?);
    }
    let [first, second] = heard.as_slice() else { return Ok(()) };
    // What is asked first depends on nothing that the scheme said; what comes later may.
    match (first.first(), second.first()) {
        (Some(one), Some(other)) => same(one, other),
        _ => Err(Stop::failed("a request", "the far side heard none")),
    }
}

fn same(one: &Heard, other: &Heard) -> Result<(), Stop> {
    let headers = |heard: &Heard| {
        let kept = heard.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "traceparent" | "tracestate"));
        let mut kept: Vec<_> = kept.cloned().collect();
        kept.sort();
        kept
    };
    let differs = |what: &str, one: String, other: String| {
        Err(Stop::failed(
            format!("the same {what} for the same inputs, time and random bytes"),
            format!("{one}, then {other}"),
        ))
    };
    if (&one.method, &one.path) != (&other.method, &other.path) {
        return differs("request", format!("{} {}", one.method, one.path), format!("{} {}", other.method, other.path));
    }
    if let Some((one, other)) = headers(one).into_iter().zip(headers(other)).find(|(one, other)| one != other) {
        return differs("headers", format!("{one:?}"), format!("{other:?}"));
    }
    if one.raw != other.raw {
        return differs("body", one.body.clone(), other.body.clone());
    }
    Ok(())
}

/// An order in each currency that the manifest declares, and the scheme has the very amount. Where a setting says which of them the
/// account takes, the others are refused unsent.
async fn currencies(player: &mut Player<'_>) -> Result<(), Stop> {
    let currencies = player.manifest.currencies.clone();
    let settings = player.script.settings.values().filter_map(Value::as_str);
    let taken: Vec<String> =
        settings.filter(|set| currencies.iter().any(|offered| offered.code() == *set)).map(str::to_owned).collect();
    for currency in currencies {
        player.open(player.way(), None).await?;
        let amount =
            Amount::new(CURRENCY_MINOR, currency).map_err(|error| Stop::failed("an amount", error.to_string()))?;
        if let Some(sale) = player.sales.last_mut() {
            sale.order.amount = amount;
        }
        let told = player.ask().await?;
        let is_taken = taken.is_empty() || taken.iter().any(|code| code == currency.code());
        let allowed: &[&str] = if is_taken { &["succeeded", "pending", "created"] } else { &["not-sent"] };
        let allowed: Vec<String> = allowed.iter().map(|word| (*word).to_owned()).collect();
        player.held_to(&format!("an order of {amount}"), &told, &allowed)?;
    }
    Ok(())
}

/// A day on which nothing can have happened.
async fn empty_day(player: &mut Player<'_>) -> Result<(), Stop> {
    let told = match bill::fetched(player, "2020-01-05").await? {
        Ok(lines) if lines.is_empty() => Told::new("empty", "no lines"),
        Ok(lines) => Told::new("lines", format!("{} lines", lines.len())),
        Err(told) => told,
    };
    player.held_to("bill of 2020-01-05", &told, &["empty".to_owned(), "not-sent".to_owned()])
}
