//! Codes that a terminal with no network shows and the customer's phone carries here: who signed one, the payment that it begins, and the word
//! by which the terminal knows that it is paid.
//!
//! Which account collects them the merchant says (`store::phone_policies`): one whose channel gives a link to pay by, since a phone's browser is
//! all that the customer has, and it cannot scan its own screen. No contract lets a channel declare that, so a payment whose code turns out to be
//! none is ended before anybody has seen that code. A code is checked by the key of a certificate that core gave that terminal and has not
//! withdrawn. It begins one payment, that of the sale's own number, however often and on however many phones it is opened; so what the terminal
//! hears of that number, now or when its network is back, is of this sale. Afterwards a code shows how its payment stands, and no more: also when
//! the terminal's certificate is over or withdrawn since. Once the terminal has called off a number that has no payment, no code begins one.

use ring::hmac;
use saoma_channels::Capability;
use saoma_domain::payment::State;
use saoma_protocol::{
    ChannelAccountId, Currency, Millis, PaymentId, StoreId, TenantId, TerminalId,
    api::PhoneLimits,
    code::phone::{ConfirmKey, Confirmation, GRACE_SECONDS, PhoneCode, PhoneCodeError, PhoneSale},
};
use saoma_store::{
    StoreError, TenantScope, Tx,
    access::{self, KeyHolder, KeyStanding},
    channel_accounts::{self, ChannelAccount},
    idempotency::{self, Fingerprint, Kind},
    payments::{self, Sale},
    phone_policies::{self, Policy},
    stores, tenants,
};

use crate::{
    app::App,
    payments::{Collect, How, PaymentError, collect, expire, repeated},
    static_codes::Place,
    stored_value::offline::announce,
};

/// Who does what the customer asks for.
const ACTOR: &str = "customer";
/// In front of what the key of a terminal's confirmations is made of.
const KEY_DOMAIN: &[u8] = b"saoma phone confirmation key 1";
/// Kept where a payment has its request's fingerprint: the number was called off before it had one. No request has this.
const CALLED_OFF: Fingerprint = [0; 32];

/// Why a code leads to no payment.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// No code, or none that a terminal of ours signed which may sell: a stranger does not learn which.
    #[error("no terminal that may sell has signed this code")]
    Unknown,
    /// Core does not have the certificate's key yet.
    #[error("the key of this code is not known yet")]
    Keyless,
    #[error(transparent)]
    Time(PhoneCodeError),
    #[error("this merchant takes no such codes, or not of so much")]
    NotTaken,
    /// The sale's number is another payment's.
    #[error("the number of this code is another payment's")]
    NumberTaken,
    /// The terminal asked for it, and nobody had begun to pay.
    #[error("the terminal has called off this code")]
    CalledOff,
    /// The channel's code can be scanned from another screen alone. Nobody has seen it, and the payment is ended.
    #[error("the channel gives no link to pay by")]
    NoLink,
    #[error(transparent)]
    Payment(#[from] PaymentError),
}

impl From<StoreError> for PhoneError {
    fn from(error: StoreError) -> Self {
        Self::Payment(error.into())
    }
}

/// A code whose signature fits, and whose it is.
pub struct Found {
    pub scope: TenantScope,
    pub code: PhoneCode,
    /// Of the key that signed it.
    pub standing: KeyStanding,
    store: StoreId,
    is_open: bool,
    policy: Option<Policy>,
    currency: Currency,
    pub merchant: String,
    pub store_name: String,
    pub time_zone: String,
}

/// Whether what is served of the account's plugin shows codes. Whether these are links only they tell ([`is_link`]).
#[must_use]
pub fn is_served(app: &App, tenant: TenantId, account: &ChannelAccount, currency: Currency) -> bool {
    let served = app.served(tenant, &account.plugin).filter(|_| account.enabled);
    served.is_some_and(|served| {
        served.manifest.can(Capability::MerchantPresented) && served.manifest.currencies.contains(&currency)
    })
}

/// What a terminal is told of such codes; `None`: it shows none. `serial`: of the certificate that it showed.
///
/// # Errors
/// Of the store.
pub fn limits(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    (terminal, serial): (TerminalId, &str),
) -> Result<Option<PhoneLimits>, StoreError> {
    let Some(policy) = phone_policies::load(tx, scope)?.filter(Policy::is_in_force) else { return Ok(None) };
    let currency = tenants::load(tx, scope)?.currency;
    let account = channel_accounts::load(tx, scope, policy.channel_account)?;
    if !is_served(app, scope.tenant(), &account, currency) {
        return Ok(None);
    }
    Ok(Some(PhoneLimits {
        currency,
        sale_minor_max: policy.sale_minor_max,
        code_seconds: policy.code_seconds,
        list_hours_max: policy.list_hours_max,
        base_url: app.config().server.public_url.clone(),
        certificate: serial.to_owned(),
        confirm_key: confirm_key(app, (scope.tenant(), terminal), serial),
    }))
}

/// Core's and that terminal's alone, for as long as it signs by that certificate: a machine that was shut out makes no word for the one that took
/// its place. It tells nothing of the key that it is made by, nor of any other.
fn confirm_key(app: &App, (tenant, terminal): (TenantId, TerminalId), serial: &str) -> ConfirmKey {
    let made = [KEY_DOMAIN, tenant.as_bytes(), terminal.as_bytes(), serial.as_bytes()].concat();
    let tag = hmac::sign(app.pay_code_key(), &made);
    let mut key = [0; 32];
    key.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    ConfirmKey::new(key)
}

/// Core's word that the sale is paid, for the terminal that asked for it. The caller has seen that it is.
#[must_use]
pub fn confirmation(app: &App, sale: &PhoneSale) -> Confirmation {
    sale.confirmation(&confirm_key(app, (sale.tenant, sale.terminal), &sale.certificate.hex()))
}

/// Whether a phone's browser can go on by a channel's code.
#[must_use]
pub fn is_link(channel_code: &str) -> bool {
    url::Url::parse(channel_code).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}

/// The code in the path of a link, if a terminal of ours signed it, whatever became of that since.
///
/// # Errors
/// `Unknown`, `Keyless`, `Payment` (of the store).
pub async fn find(app: &App, text: &str) -> Result<Found, PhoneError> {
    let code = PhoneCode::parse(text).map_err(|_| PhoneError::Unknown)?;
    let (of, serial, now) = ((code.sale.tenant, code.sale.terminal), code.sale.certificate.hex(), app.now());
    let found = app.store().read(move |tx| {
        let KeyHolder { scope, store, key, standing } = access::by_terminals_key(tx, of, &serial, now)?;
        let (tenant, shop) = (tenants::load(tx, &scope)?, stores::load(tx, &scope, store)?);
        let policy = phone_policies::load(tx, &scope)?.filter(Policy::is_in_force);
        let found = Found {
            scope,
            code,
            standing,
            store,
            is_open: shop.active,
            policy,
            currency: tenant.currency,
            merchant: tenant.name,
            store_name: shop.name,
            time_zone: tenant.time_zone,
        };
        Ok::<_, StoreError>((found, key))
    });
    let (found, key) = match found.await {
        Ok(found) => found,
        Err(StoreError::NotFound { .. }) => return Err(PhoneError::Unknown),
        Err(error) => return Err(error.into()),
    };
    let key = key.ok_or(PhoneError::Keyless)?;
    if code.is_signed_by(&key) { Ok(found) } else { Err(PhoneError::Unknown) }
}

/// The payment that this very code has begun, if it has. Whoever paid sees it also when the terminal may not sell any more.
///
/// # Errors
/// `Unknown` of a code that has begun nothing and may not any more, `NumberTaken`, `CalledOff`, `Payment` (of the store).
pub async fn shown(app: &App, found: &Found) -> Result<Option<Sale>, PhoneError> {
    let (scope, payment) = (found.scope, found.code.sale.payment());
    match repeated(app, scope, payment, fingerprint(app, &found.code.sale)).await {
        Ok(Some(sale)) => return Ok(Some(sale)),
        Ok(None) | Err(PaymentError::ExistsDifferently(_)) if found.standing != KeyStanding::InForce => {
            return Err(PhoneError::Unknown);
        }
        Ok(None) => {}
        Err(PaymentError::ExistsDifferently(_)) => return Err(PhoneError::NumberTaken),
        Err(error) => return Err(error.into()),
    }
    let kept = move |tx: &mut Tx<'_>| idempotency::kept(tx, &scope, Kind::Payment, &payment.to_string());
    // One that has been begun since is found by the next look.
    if app.store().read(kept).await? == Some(CALLED_OFF) { Err(PhoneError::CalledOff) } else { Ok(None) }
}

/// A terminal gives up a number of its own: whether no payment has it, so that none will have it from now on.
///
/// # Errors
/// Of the store.
pub async fn call_off(app: &App, scope: TenantScope, payment: PaymentId) -> Result<bool, StoreError> {
    let now = app.now();
    let keep = move |tx: &mut Tx<'_>| {
        match payments::load(tx, &scope, payment) {
            Ok(_) => return Ok(false),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        let number = payment.to_string();
        match idempotency::keep(tx, &scope, Kind::Payment, &number, &CALLED_OFF, now) {
            Ok(()) => Ok(true),
            // It was called off before, or begun at this very moment.
            Err(StoreError::Conflict { .. }) => {
                Ok(idempotency::kept(tx, &scope, Kind::Payment, &number)? == Some(CALLED_OFF))
            }
            Err(error) => Err(error),
        }
    };
    app.store().write(keep).await
}

/// Whether a payment may be begun by it now.
///
/// # Errors
/// `Unknown`, `Time`, `NotTaken`.
pub fn check(found: &Found, now: Millis) -> Result<ToCollect, PhoneError> {
    let sale = &found.code.sale;
    if found.standing != KeyStanding::InForce {
        return Err(PhoneError::Unknown);
    }
    found.code.check_time(now).map_err(PhoneError::Time)?;
    let policy = found.policy.as_ref().filter(|policy| {
        found.is_open && sale.amount.currency() == found.currency && sale.amount.minor() <= policy.sale_minor_max
    });
    let policy = policy.ok_or(PhoneError::NotTaken)?;
    // A terminal that has heard nothing since may give its codes longer than the merchant does now.
    let wanted = sale.made_at().plus(i64::from(policy.code_seconds) * 1_000);
    let begins_before = wanted.min(sale.expires_at());
    if now >= begins_before {
        return Err(PhoneError::Time(PhoneCodeError::Over));
    }
    // Whoever opens it late has a minute, and nobody has more: from then on the terminal may call it over.
    let ends_at = begins_before.plus(GRACE_SECONDS * 1_000);
    Ok(ToCollect { account: policy.channel_account, begins_before, ends_at })
}

/// Through whom, and by when. Made by [`check`] alone.
pub struct ToCollect {
    account: ChannelAccountId,
    begins_before: Millis,
    ends_at: Millis,
}

/// Asks for the money, or finds what was asked for before.
///
/// # Errors
/// `Time`, `NumberTaken`, `CalledOff`, `NoLink`, `Payment`: as [`collect`].
pub async fn begin(app: &App, found: &Found, to: ToCollect, place: Place) -> Result<Sale, PhoneError> {
    let sale = &found.code.sale;
    let (scope, ToCollect { account, begins_before, ends_at }) = (found.scope, to);
    let wish = Collect {
        id: sale.payment(),
        fingerprint: fingerprint(app, sale),
        amount: sale.amount,
        how: How::Carried { begins_before, ends_at },
        account: Some(account),
        order: None,
        store: found.store,
        terminal: Some(sale.terminal),
        counter: Some(sale.counter),
        // What was sold, and by whom, is in the terminal's journal.
        cashier: None,
        reference: None,
        goods: Vec::new(),
        quote: None,
        origin: None,
        actor: ACTOR.to_owned(),
    };
    // A customer who leaves takes no place of theirs along before the scheme has answered, and leaves no code by which no phone can pay.
    let task_app = app.clone();
    let work = async move {
        let _place = place;
        let (sale, _) = collect(&task_app, scope, wish).await?;
        if leads_on(&sale) {
            Ok((sale, true))
        } else {
            end_linkless(&task_app, scope, &sale).await.map(|sale| (sale, false))
        }
    };
    let begun = app.in_flight().spawn(work).await.map_err(|error| PaymentError::CutOff(error.to_string()))?;
    let (sale, is_payable) = match begun {
        Ok(begun) => begun,
        Err(PaymentError::ExistsDifferently(_)) => return Err(PhoneError::NumberTaken),
        Err(PaymentError::CodeOver) => return Err(PhoneError::Time(PhoneCodeError::Over)),
        // Called off since it was looked up, or something else is odd.
        Err(PaymentError::Store(conflict @ StoreError::Conflict { .. })) => {
            shown(app, found).await?;
            return Err(conflict.into());
        }
        Err(error) => return Err(error.into()),
    };
    // What a channel confirms is not contradicted.
    let is_captured = matches!(sale.payment.payment.state, State::Captured(_));
    if is_payable || is_captured { Ok(sale) } else { Err(PhoneError::NoLink) }
}

/// Ends what no phone can pay by what is on show: nobody has seen that.
async fn end_linkless(app: &App, scope: TenantScope, sale: &Sale) -> Result<Sale, PaymentError> {
    let (payment, channel) = (sale.payment.payment.id, &sale.payment.channel);
    tracing::warn!(payment.id = %payment, channel, "a channel gives no link to a customer's phone: name another account in the policy");
    let ended = expire(app, scope, payment).await;
    if let Some(account) = sale.payment.channel_account {
        suspend(app, scope, account).await?;
    }
    ended
}

/// The next customer is not sent the same way: no codes are shown until the merchant has set the policy again, where it sees why.
async fn suspend(app: &App, scope: TenantScope, account: ChannelAccountId) -> Result<(), StoreError> {
    let now = app.now();
    let note = move |tx: &mut Tx<'_>| {
        if phone_policies::note_no_link(tx, &scope, account, now)? {
            announce(tx, &scope, now)?;
        }
        Ok::<_, StoreError>(())
    };
    app.store().write(note).await?;
    app.wake_outbox();
    Ok(())
}

/// Whether a phone can pay it by what is on show, as far as anything is.
#[must_use]
pub fn leads_on(sale: &Sale) -> bool {
    let is_on_show = matches!(sale.payment.payment.state, State::Presenting { .. });
    !is_on_show || sale.code.as_ref().is_some_and(|code| is_link(&code.channel_code))
}

/// Of all that was signed, and not of the signature: each of two is as good.
fn fingerprint(app: &App, sale: &PhoneSale) -> Fingerprint {
    let asked = [b"POST /m ".as_slice(), &sale.bytes()].concat();
    let mut fingerprint = Fingerprint::default();
    let tag = hmac::sign(&app.vault().own().fingerprint, &asked);
    fingerprint.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    fingerprint
}
