//! From a stored payment to a call of its channel, and from the channel's answer to the domain's.

use std::sync::Arc;

use saoma_channels::{
    Account, Capability, DeclineCode, Failure as CallFailure, KeptCard, KnownOrder, Manifest, Order, PaymentAnswer,
    PaymentStatus, Presenter, RefundOrder,
};
use saoma_domain::{
    package::Choice,
    payment::{Amounts, AnswerStatus, Method},
};
use saoma_protocol::{ChannelAccountId, Millis, api::Failure};
use saoma_store::{
    StoreError, TenantScope, cards,
    channel_accounts::{self, ChannelAccount},
    payments::{Sale, StoredPayment},
    plugin_packages,
    refunds::StoredRefund,
    stores, tenants, terminals,
};

use super::{PaymentError, cards::of_stored};
use crate::{
    app::App,
    packages::{self, PackageError, Served},
};

/// The channel that collects a payment, ready to be called, by one package of its plugin.
pub struct Channel {
    pub account: Account,
    pub manifest: Arc<Manifest>,
    /// Of the payment, if a card paid and is still kept.
    card: Option<KeptCard>,
}

impl Channel {
    /// Whether the card that paid is still kept.
    pub(super) const fn has_card(&self) -> bool {
        self.card.is_some()
    }

    pub(super) fn kept_card(&self) -> Option<KeptCard> {
        self.card.clone()
    }
}

/// The package that began the payment: whatever is asked about it, and whatever is given back of it, goes through that one (or the
/// one that it was handed on to). Another version may number or sign differently, and its "no such payment" would be believed.
/// A refund is its payment's in this too, so it has no package of its own.
///
/// # Errors
/// `NoChannel` if the payment has no channel (cash) or its plugin is not installed, `PackageNotHere`, `Store`, `Secrets`.
pub async fn channel_of(app: &App, scope: TenantScope, sale: &Sale) -> Result<Channel, PaymentError> {
    let Some(id) = sale.payment.channel_account else {
        return Err(PaymentError::NoChannel("it was paid in cash".to_owned()));
    };
    let (payment, method) = (sale.payment.payment.id, sale.payment.payment.method);
    let read = app.store().read(move |tx| {
        let card = if method == Method::Card { cards::of_payment(tx, &scope, payment)? } else { None };
        Ok::<_, StoreError>((
            channel_accounts::load(tx, &scope, id)?,
            plugin_packages::of_payment(tx, &scope, payment)?,
            card,
        ))
    });
    let (stored, choice, card) = read.await?;
    let served = match choice {
        Choice::BuiltIn => {
            let manifest = app.channels().manifest(&stored.plugin).ok_or_else(|| not_installed(&stored.plugin))?;
            Served { package: None, manifest }
        }
        // Also one that no rollout names any more, and one that another node took up first.
        Choice::Package(hash) => match packages::load_channel(app, hash).await {
            Ok(plugin) => Served { package: Some(hash), manifest: Arc::clone(plugin.manifest()) },
            Err(PackageError::Store(error)) => return Err(error.into()),
            Err(error) => {
                tracing::error!(payment.id = %payment, %error, "a payment's package cannot be loaded here");
                return Err(PaymentError::PackageNotHere(error.to_string()));
            }
        },
    };
    Ok(Channel { card: card.map(of_stored), ..through(app, scope, &stored, served).await? })
}

/// What new payments of an account go through.
///
/// # Errors
/// `NoChannel` if the account's plugin is not installed, `Secrets`.
pub(crate) async fn ready(app: &App, scope: TenantScope, stored: &ChannelAccount) -> Result<Channel, PaymentError> {
    let served = served(app, scope, &stored.plugin)?;
    through(app, scope, stored, served).await
}

/// # Errors
/// `NoChannel` if nothing serves the plugin here.
pub(crate) fn served(app: &App, scope: TenantScope, plugin: &str) -> Result<Served, PaymentError> {
    app.served(scope.tenant(), plugin).ok_or_else(|| not_installed(plugin))
}

fn not_installed(plugin: &str) -> PaymentError {
    PaymentError::NoChannel(format!("the plugin {plugin} is not installed"))
}

async fn through(
    app: &App,
    scope: TenantScope,
    stored: &ChannelAccount,
    served: Served,
) -> Result<Channel, PaymentError> {
    let Served { package, manifest } = served;
    let account = Account {
        id: stored.id,
        tenant: scope.tenant(),
        channel: stored.plugin.clone(),
        package,
        settings_json: stored.settings_json.clone(),
        secrets: app.secrets_of(scope, stored.id).await?,
        notify_url: notify_url(app, stored.id),
    };
    Ok(Channel { account, manifest, card: None })
}

/// The order as the channel hears of it.
///
/// # Errors
/// Of the store alone.
pub(super) async fn order_of(
    app: &App,
    scope: TenantScope,
    sale: &Sale,
    expires_at: Millis,
) -> Result<Order, PaymentError> {
    let (store, terminal) = (sale.payment.store, sale.payment.terminal);
    let (merchant_name, store_name, terminal_name) = app
        .store()
        .read(move |tx| {
            let terminal = terminal.map(|terminal| terminals::load(tx, &scope, terminal)).transpose()?;
            let names = (tenants::load(tx, &scope)?.name, stores::load(tx, &scope, store)?.name);
            Ok::<_, StoreError>((names.0, names.1, terminal.map(|terminal| terminal.name).unwrap_or_default()))
        })
        .await?;
    let goods = sale.order.goods.first().map(|goods| goods.name.clone());
    Ok(Order {
        number: sale.payment.payment.id,
        amount: sale.payment.payment.amount,
        subject: sale.order.reference.clone().or(goods).unwrap_or_else(|| merchant_name.clone()),
        merchant_name,
        store,
        store_name,
        terminal,
        terminal_name,
        created_at: sale.payment.created_at,
        expires_at,
    })
}

/// Where the scheme of this account reaches us.
fn notify_url(app: &App, account: ChannelAccountId) -> String {
    format!("{}/v1/notify/{account}", app.config().server.public_url)
}

/// A payment that the channel may have heard of, as it is asked about it.
pub(super) fn known_order(payment: &StoredPayment, channel: &Channel) -> KnownOrder {
    KnownOrder {
        number: payment.payment.id,
        reference: payment.channel_reference.clone().unwrap_or_default(),
        amount: payment.payment.amount,
        presented_by: match payment.payment.method {
            // A card is what its customer shows.
            Method::CustomerPresented | Method::Card => Presenter::Customer,
            // Cash has no channel to be asked.
            Method::MerchantPresented | Method::Cash => Presenter::Merchant,
        },
        created_at: payment.created_at,
        card: channel.card.clone(),
    }
}

pub(super) fn refund_order(payment: &StoredPayment, refund: &StoredRefund, channel: &Channel) -> RefundOrder {
    RefundOrder {
        number: payment.payment.id,
        reference: payment.channel_reference.clone().unwrap_or_default(),
        refund_number: refund.refund.id,
        amount: refund.refund.amount,
        total: payment.payment.amount,
        reason: refund.reason.clone().unwrap_or_default(),
        created_at: refund.created_at,
        card: channel.card.clone(),
    }
}

/// How far from ours the clock of a scheme or of another node may be.
pub(crate) const CLOCKS_APART_MS: i64 = 3_600_000;

/// The channel's status in the domain's words. When it was paid is the channel's word, on whose bill of that day it stands, as
/// far as that can be: not ahead of now, and not before the payment was. Some channels do not say when.
pub(super) fn status_of(answer: &PaymentAnswer, stored: &StoredPayment, now: Millis) -> AnswerStatus {
    let began_at = stored.created_at.plus(-CLOCKS_APART_MS).min(now);
    let (paid_at, method) = (answer.paid_at.unwrap_or(now).clamp(began_at, now), stored.payment.method);
    match &answer.status {
        PaymentStatus::Succeeded => AnswerStatus::Succeeded { paid_at },
        PaymentStatus::Pending => AnswerStatus::Pending,
        PaymentStatus::Failed(decline) if method == Method::Card => {
            AnswerStatus::Failed { failure: card_failure(decline.code) }
        }
        PaymentStatus::Failed(decline) => AnswerStatus::Failed { failure: failure(decline.code) },
        PaymentStatus::NotFound => AnswerStatus::NotFound,
        PaymentStatus::Closed => AnswerStatus::Closed,
        PaymentStatus::Refunded => AnswerStatus::Refunded { paid_at },
    }
}

/// Whether the channel's answers of success name an amount.
pub(super) fn amounts(manifest: &Manifest) -> Amounts {
    if manifest.can(Capability::AmountsNotNamed) { Amounts::NotNamed } else { Amounts::Named }
}

/// The scheme's own words in an answer, for the events.
pub(super) fn scheme_words(status: &PaymentStatus) -> String {
    match status {
        PaymentStatus::Failed(decline) => decline.message.clone(),
        PaymentStatus::Succeeded
        | PaymentStatus::Pending
        | PaymentStatus::NotFound
        | PaymentStatus::Closed
        | PaymentStatus::Refunded => String::new(),
    }
}

/// A decline in words for the cashier; the scheme's own words stay in the events.
pub(super) fn failure(code: DeclineCode) -> Failure {
    let message = match code {
        DeclineCode::InsufficientFunds => "The customer's balance is not enough.",
        DeclineCode::CodeInvalid => "The wallet does not know this code; ask the customer to show a new one.",
        DeclineCode::CodeExpired => "The code is too old; ask the customer to show a new one.",
        DeclineCode::LimitExceeded => "The amount is over the customer's limit.",
        DeclineCode::NotPermitted => "The wallet does not permit this payment.",
        DeclineCode::AmountInvalid => "The wallet does not take this amount.",
        DeclineCode::Declined | DeclineCode::Other => "The wallet declined the payment.",
    };
    Failure { code: code.text().to_owned(), message: message.to_owned() }
}

/// The same of a card.
fn card_failure(code: DeclineCode) -> Failure {
    let message = match code {
        DeclineCode::InsufficientFunds => "The card's balance or limit is not enough.",
        DeclineCode::CodeInvalid => "The bank does not know this card; ask the customer for another.",
        DeclineCode::CodeExpired => "The card has expired; ask the customer for another.",
        DeclineCode::LimitExceeded => "The amount is over the card's limit.",
        DeclineCode::NotPermitted => "The bank does not permit this payment with this card.",
        DeclineCode::AmountInvalid => "The bank does not take this amount.",
        DeclineCode::Declined | DeclineCode::Other => "The bank declined the card.",
    };
    Failure { code: code.text().to_owned(), message: message.to_owned() }
}

/// A call that certainly had no effect, in words for the cashier.
pub(super) fn not_sent(failure: &CallFailure) -> Failure {
    tracing::warn!(error = %failure, "a channel was not reached");
    let (code, message) = match failure {
        CallFailure::CardUnreadable { .. } => (
            "card_unreadable",
            "What this terminal encrypted cannot be read: its key is not that of the channel account, or the card was misread. \
             Nothing was sent.",
        ),
        _ => ("channel_unavailable", "The channel could not be reached; nothing was sent."),
    };
    Failure { code: code.to_owned(), message: message.to_owned() }
}
