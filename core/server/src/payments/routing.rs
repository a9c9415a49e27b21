//! Which channel account collects a payment: the one that was named, the one that claims the customer's code, or the first that can
//! show one or take the card; and past those where nobody answers, or that are held for their batch.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use saoma_channels::{Failure, Manifest};
use saoma_domain::routing::{Candidate, Choice, Silence, choose};
use saoma_protocol::{ChannelAccountId, Millis};
use saoma_store::{StoreError, TenantScope, channel_accounts::ChannelAccount, settlement_batches};

use super::{Collect, How, PaymentError, call::served, rules::Rules};
use crate::app::App;

/// Accounts that fail at once; past it those that have rested are forgotten, and further ones are not remembered.
const ACCOUNTS_MAX: usize = 4_096;

/// The accounts whose last call nobody answered. What this node found out by itself, lost when it ends: a hint for payments that
/// are not begun yet, of which nothing else may depend.
#[derive(Debug, Default)]
pub struct Silences(Mutex<HashMap<ChannelAccountId, Silence>>);

impl Silences {
    /// After a call that was to collect: what asks about a payment, or undoes it, says little of those to come. Whatever kept it from
    /// an answer counts (the line, the scheme, the plugin, wrong settings), since the next payment would meet the same; that the
    /// channel does not offer it, that a terminal's card cannot be read, or that others have taken all places, does not.
    pub fn heard<T>(&self, account: ChannelAccountId, reply: &Result<T, Failure>, now: Millis) {
        let mut silences = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match reply {
            Ok(_) => drop(silences.remove(&account)),
            Err(Failure::Unsupported | Failure::CardUnreadable { .. } | Failure::Overloaded) => {}
            Err(_) => {
                let silence = Silence::again(silences.get(&account).copied(), now);
                if silences.len() >= ACCOUNTS_MAX {
                    silences.retain(|_, silence| silence.is_recent(now));
                }
                if silences.len() < ACCOUNTS_MAX || silences.contains_key(&account) {
                    silences.insert(account, silence);
                }
            }
        }
    }

    fn is_passed_over(&self, account: ChannelAccountId, now: Millis) -> bool {
        let silences = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        silences.get(&account).is_some_and(|silence| silence.is_passed_over(now))
    }

    fn tried(&self, account: ChannelAccountId, now: Millis) {
        let mut silences = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(silence) = silences.get_mut(&account) {
            *silence = silence.tried(now);
        }
    }
}

/// Where a payment goes.
pub(super) struct Route {
    pub account: ChannelAccount,
    /// In words, what stood before it and was passed over; empty if nothing was.
    pub passed_over: String,
}

/// `enabled`: the merchant's accounts that take payments, by priority. `rules` are asked where there is a choice.
///
/// # Errors
/// `NoChannel`, `ChannelCannot`, `CodeNotRecognised`, `Ambiguous`, `RuleFailed`, `Store`.
pub(super) async fn route(
    app: &App,
    scope: TenantScope,
    collect: &Collect,
    enabled: Vec<ChannelAccount>,
    rules: Option<&mut Rules>,
) -> Result<Route, PaymentError> {
    let currency = collect.amount.currency();
    let can = |manifest: &Manifest| manifest.can(collect.how.capability()) && manifest.currencies.contains(&currency);
    if let Some(id) = collect.account {
        let account = enabled
            .into_iter()
            .find(|account| account.id == id)
            .ok_or_else(|| PaymentError::NoChannel(format!("{id} is not an enabled account of this merchant")))?;
        let manifest = served(app, scope, &account.plugin)?.manifest;
        if !can(&manifest) {
            let why = format!("it offers no {} payments in {currency}", collect.how.capability().text());
            return Err(PaymentError::ChannelCannot { channel: account.plugin, why });
        }
        return Ok(Route { account, passed_over: String::new() });
    }
    let able = enabled
        .into_iter()
        .filter_map(|account| Some((app.served(scope.tenant(), &account.plugin)?.manifest, account)))
        .filter(|(manifest, _)| can(manifest));
    let mut fit: Vec<ChannelAccount> = match &collect.how {
        How::Present { .. } | How::Carried { .. } | How::InApp { .. } | How::Card { .. } => {
            able.map(|(_, account)| account).collect()
        }
        How::Charge { code } => able
            .filter(|(manifest, _)| manifest.claims.iter().any(|claim| code.fits(claim)))
            .map(|(_, account)| account)
            .collect(),
    };
    let ranked = match rules {
        Some(rules) if fit.len() > 1 => rules.route(app, &fit).await?,
        _ => Vec::new(),
    };
    // Stable: those that the rules leave out stay behind in their old order. Priorities stay: whose code it is that two wallets
    // claim alike is no question of cost, and a person's to answer.
    fit.sort_by_key(|account| ranked.iter().position(|id| *id == account.id).unwrap_or(usize::MAX));
    let held = if fit.len() > 1 { held(app, scope, &fit).await? } else { Vec::new() };
    first_that_answers(app, &collect.how, currency.code(), fit, &held)
}

/// Those of `fit` that take nothing new just now, for the sake of their batch.
async fn held(app: &App, scope: TenantScope, fit: &[ChannelAccount]) -> Result<Vec<ChannelAccountId>, StoreError> {
    let (now, accounts) = (app.now(), fit.iter().map(|account| account.id).collect::<Vec<_>>());
    app.store()
        .read(move |tx| {
            let mut held = Vec::new();
            for account in &accounts {
                if settlement_batches::holds(tx, &scope, *account, now)? {
                    held.push(*account);
                }
            }
            Ok(held)
        })
        .await
}

fn first_that_answers(
    app: &App,
    how: &How,
    currency: &str,
    mut fit: Vec<ChannelAccount>,
    held: &[ChannelAccountId],
) -> Result<Route, PaymentError> {
    let now = app.now();
    let candidates: Vec<Candidate<'_>> = fit
        .iter()
        .map(|account| Candidate {
            plugin: &account.plugin,
            priority: account.priority,
            is_passed_over: held.contains(&account.id) || app.silences().is_passed_over(account.id, now),
        })
        .collect();
    match choose(&candidates, matches!(how, How::Charge { .. })) {
        Choice::Nobody => Err(match how {
            How::Present { .. } | How::Carried { .. } | How::InApp { .. } => {
                PaymentError::NoChannel(format!("none can show a code for {currency}"))
            }
            How::Card { .. } => PaymentError::NoChannel(format!("none takes cards in {currency}")),
            How::Charge { .. } => PaymentError::CodeNotRecognised,
        }),
        Choice::Ambiguous(places) => {
            Err(PaymentError::Ambiguous(places.into_iter().map(|place| fit[place].id).collect()))
        }
        Choice::One(place) => {
            let names: Vec<&str> = fit[..place].iter().map(|account| account.name.as_str()).collect();
            let passed_over =
                if names.is_empty() { String::new() } else { format!("passed over: {}", names.join(", ")) };
            for account in &fit[..place] {
                let is_held = held.contains(&account.id);
                tracing::info!(channel_account.id = %account.id, channel = account.plugin, is_held, "passed over");
                if !is_held {
                    app.metrics().passed_over(&account.plugin);
                }
            }
            let account = fit.swap_remove(place);
            app.silences().tried(account.id, now);
            Ok(Route { account, passed_over })
        }
    }
}
