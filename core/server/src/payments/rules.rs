//! A merchant's own rules: asked before anything of a sale is written or sent, and what becomes of it if they give no answer.

use std::sync::Arc;

use saoma_channels::extension::{
    Draft, DraftMethod, Extension, Priced, Recent, RouteCandidate, Rule, RuleFailure, Verdict,
};
use saoma_protocol::{Amount, ChannelAccountId, Millis, StoreId, TerminalId, api::Goods};
use saoma_store::{
    StoreError, TenantScope,
    channel_accounts::{self, ChannelAccount},
    merchant_rules::{self, MerchantRules},
    payment_figures::{self, Whose},
    tenants,
};
use tracing::Instrument as _;

use super::PaymentError;
use crate::{app::App, day, packages};

/// The contract's hour of takings.
const TAKINGS_MS: i64 = 3_600_000;
/// How far back an account's outcomes count.
const OUTCOMES_MS: i64 = 24 * 3_600_000;

/// What rules are asked about.
#[derive(Clone, Debug)]
pub struct Wish {
    pub amount: Amount,
    pub goods: Vec<Goods>,
    pub store: StoreId,
    pub terminal: Option<TerminalId>,
    pub cashier: Option<String>,
    pub method: DraftMethod,
}

/// What to ask for a sale, and what the receipt says besides.
#[derive(Clone, Debug)]
pub struct Quote {
    pub priced: Priced,
    pub receipt_lines: Vec<String>,
    /// In words, the rules that gave no answer and were passed over.
    pub failed: Vec<String>,
    /// Rules are in force, whatever they said.
    pub by_rules: bool,
}

/// A merchant's rules in one sale.
pub(super) struct Rules {
    scope: TenantScope,
    stored: MerchantRules,
    /// `None`: not installed on this node.
    extension: Option<Arc<Extension>>,
    draft: Draft,
    decided: Vec<String>,
    failed: Vec<String>,
}

impl Rules {
    /// `None` for a merchant without rules, or whose rules are switched off.
    ///
    /// # Errors
    /// `Store`.
    pub(super) async fn of(
        app: &App,
        scope: TenantScope,
        stored: Option<MerchantRules>,
        wish: impl FnOnce() -> Wish,
    ) -> Result<Option<Self>, PaymentError> {
        let Some(stored) = stored.filter(|stored| stored.enabled) else { return Ok(None) };
        let zone = app.store().read(move |tx| tenants::load(tx, &scope)).await?.time_zone;
        let at = app.now();
        let Wish { amount, goods, store, terminal, cashier, method } = wish();
        let utc_offset_minutes = day::utc_offset_minutes(at, &zone).unwrap_or_default();
        let draft = Draft { amount, goods, store, terminal, cashier, method, at, utc_offset_minutes };
        let extension = served(app, scope, &stored).await?;
        Ok(Some(Self { scope, stored, extension, draft, decided: Vec::new(), failed: Vec::new() }))
    }

    /// # Errors
    /// `RefusedByRules`; `RuleFailed`, `Store`.
    pub(super) async fn risk(&mut self, app: &App) -> Result<(), PaymentError> {
        let Some(extension) = self.with(Rule::Risk)? else { return Ok(()) };
        let whose = self.draft.cashier.clone().map_or(Whose::Store(self.draft.store), Whose::Cashier);
        let (scope, currency, since) = (self.scope, self.draft.amount.currency(), before(&self.draft, TAKINGS_MS));
        let (payments, amount_minor) =
            app.store().read(move |tx| payment_figures::takings(tx, &scope, &whose, currency, since)).await?;
        let recent = Recent { payments: u32::try_from(payments).unwrap_or(u32::MAX), amount_minor };
        let asked = extension.risk(self.scope.tenant(), &self.stored.settings_json, &self.draft, recent);
        let told = asked.instrument(self.span(Rule::Risk)).await;
        match self.heard(Rule::Risk, told)? {
            Some(Verdict::Refuse { code, sentence }) => {
                tracing::info!(code, extension = self.stored.extension, "a merchant's rules refuse a sale");
                Err(PaymentError::RefusedByRules { code, sentence })
            }
            Some(Verdict::Allow) => {
                self.decided.push("risk: allowed".to_owned());
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The accounts that come first, the best first; empty if the rules leave the order as it is.
    ///
    /// # Errors
    /// `RuleFailed`, `Store`.
    pub(super) async fn route(
        &mut self,
        app: &App,
        fit: &[ChannelAccount],
    ) -> Result<Vec<ChannelAccountId>, PaymentError> {
        let Some(extension) = self.with(Rule::Route)? else { return Ok(Vec::new()) };
        let (scope, since) = (self.scope, before(&self.draft, OUTCOMES_MS));
        let outcomes = app.store().read(move |tx| payment_figures::outcomes(tx, &scope, since)).await?;
        let candidates: Vec<RouteCandidate> = fit
            .iter()
            .map(|account| {
                let (outcomes, taken) = outcomes.get(&account.id).copied().unwrap_or_default();
                RouteCandidate {
                    id: account.id,
                    channel: account.plugin.clone(),
                    fee_minor: account.fee.fee(self.draft.amount).minor(),
                    outcomes,
                    success_per_10000: (taken * 10_000).checked_div(outcomes).unwrap_or(10_000),
                }
            })
            .collect();
        let asked = extension.route(self.scope.tenant(), &self.stored.settings_json, &self.draft, &candidates);
        let told = asked.instrument(self.span(Rule::Route)).await;
        let first = self.heard(Rule::Route, told)?.unwrap_or_default();
        if !first.is_empty() {
            let names: Vec<String> = first.iter().map(ToString::to_string).collect();
            self.decided.push(format!("route: {}", names.join(", ")));
        }
        Ok(first)
    }

    async fn quote(mut self) -> Result<Quote, PaymentError> {
        let (tenant, as_asked) = (self.scope.tenant(), Priced { amount: self.draft.amount, adjustments: Vec::new() });
        let priced = match self.with(Rule::Price)? {
            None => None,
            Some(extension) => {
                let asked = extension.price(tenant, &self.stored.settings_json, &self.draft);
                let told = asked.instrument(self.span(Rule::Price)).await;
                self.heard(Rule::Price, told)?
            }
        };
        let priced = priced.unwrap_or(as_asked);
        let receipt_lines = match self.with(Rule::ReceiptLines)? {
            None => None,
            Some(extension) => {
                let asked = extension.receipt_lines(tenant, &self.stored.settings_json, &self.draft, &priced);
                let told = asked.instrument(self.span(Rule::ReceiptLines)).await;
                self.heard(Rule::ReceiptLines, told)?
            }
        };
        Ok(Quote { priced, receipt_lines: receipt_lines.unwrap_or_default(), failed: self.failed, by_rules: true })
    }

    /// What they decided, in words for the payment's timeline.
    pub(super) fn told(&self) -> String {
        let version = self.extension.as_ref().map_or("?", |extension| extension.description().version.as_str());
        let all: Vec<&str> = self.decided.iter().chain(&self.failed).map(String::as_str).collect();
        format!(
            "{} {version}: {}",
            self.stored.extension,
            if all.is_empty() { "no rule".to_owned() } else { all.join("; ") }
        )
    }

    fn span(&self, rule: Rule) -> tracing::Span {
        tracing::info_span!("rule", rule = rule.text(), extension = self.stored.extension)
    }

    /// The extension if it has this rule.
    fn with(&mut self, rule: Rule) -> Result<Option<Arc<Extension>>, PaymentError> {
        match &self.extension {
            Some(extension) => {
                let offers = extension.description().rules.contains(&rule);
                Ok(offers.then(|| Arc::clone(extension)))
            }
            None => {
                let why = format!("{} is not installed here", self.stored.extension);
                self.fails(rule, "not_installed", why).map(|()| None)
            }
        }
    }

    fn heard<T>(&mut self, rule: Rule, told: Result<T, RuleFailure>) -> Result<Option<T>, PaymentError> {
        match told {
            Ok(told) => Ok(Some(told)),
            Err(failure) => self.fails(rule, failure.code(), failure.to_string()).map(|()| None),
        }
    }

    /// Whether the sale goes on without the rule.
    fn fails(&mut self, rule: Rule, code: &'static str, why: String) -> Result<(), PaymentError> {
        tracing::warn!(
            rule = rule.text(),
            extension = self.stored.extension,
            code,
            why,
            "a merchant's rule gave no decision"
        );
        if self.stored.refuse_on_failure.iter().any(|name| name == rule.text()) {
            return Err(PaymentError::RuleFailed { rule: rule.text(), code });
        }
        self.failed.push(format!("{} failed ({code})", rule.text()));
        Ok(())
    }
}

/// The merchant's rules as this node has them; if they are not there, or refuse the settings, as they are rolled out by now: another
/// node may have taken both.
async fn served(app: &App, scope: TenantScope, stored: &MerchantRules) -> Result<Option<Arc<Extension>>, StoreError> {
    let found = app.rules(scope.tenant(), &stored.extension);
    if found.as_ref().is_some_and(|rules| rules.description().settings_schema.check(&stored.settings_json).is_ok()) {
        return Ok(found);
    }
    packages::catch_up(app, scope, &stored.extension).await?;
    Ok(app.rules(scope.tenant(), &stored.extension))
}

fn before(draft: &Draft, ms: i64) -> Millis {
    Millis(draft.at.0.saturating_sub(ms))
}

/// What the merchant's rules would have asked for this sale. Writes nothing.
///
/// # Errors
/// `RuleFailed`, `Store`.
pub async fn quote(app: &App, scope: TenantScope, wish: Wish) -> Result<Quote, PaymentError> {
    let amount = wish.amount;
    let stored = app.store().read(move |tx| merchant_rules::load(tx, &scope)).await?;
    match Rules::of(app, scope, stored, || wish).await? {
        Some(rules) => rules.quote().await,
        None => Ok(Quote {
            priced: Priced { amount, adjustments: Vec::new() },
            receipt_lines: Vec::new(),
            failed: Vec::new(),
            by_rules: false,
        }),
    }
}

/// What a merchant's sales stand on before they are decided: the accounts that take payments, and the rules.
///
/// # Errors
/// `Store`.
pub(super) async fn ground(
    app: &App,
    scope: TenantScope,
) -> Result<(Vec<ChannelAccount>, Option<MerchantRules>), StoreError> {
    let found = app
        .store()
        .read(move |tx| Ok((channel_accounts::list_enabled(tx, &scope)?, merchant_rules::load(tx, &scope)?)));
    found.await
}
