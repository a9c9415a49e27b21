//! Codes that a terminal with no network shows and the customer's phone carries here: who signed one, the payment that it begins, and the word
//! by which the terminal knows that it is paid.
//!
//! Which account collects them the merchant says (`store::phone_policies`): one whose channel is declared to be paid by a code that any browser
//! can be shown, since a phone's browser is all that the customer has. A code is checked by the key of a certificate that core gave that terminal
//! and has not withdrawn. It begins one payment, that of the sale's own number, however often and on however many phones it is opened; so what the
//! terminal hears of that number, now or when its network is back, is of this sale. Afterwards a code shows how its payment stands, and no more.

use std::time::Duration;

use ring::hmac;
use saoma_channels::Capability;
use saoma_protocol::{
    Currency, Millis, PaymentId, StoreId, TenantId, TerminalId,
    api::PhoneLimits,
    code::phone::{ConfirmKey, Confirmation, GRACE_SECONDS, PhoneCode, PhoneCodeError, PhoneSale},
};
use saoma_store::{
    StoreError, TenantScope, Tx, access,
    channel_accounts::{self, ChannelAccount},
    idempotency::Fingerprint,
    payments::{self, Sale},
    phone_policies::{self, Policy},
    stores, tenants,
};

use crate::{
    app::App,
    payments::{Collect, How, PaymentError, collect, repeated},
    static_codes::Place,
};

/// Who does what the customer asks for.
const ACTOR: &str = "customer";
/// In front of what the key of a terminal's confirmations is made of.
const KEY_DOMAIN: &[u8] = b"saoma phone confirmation key 1";

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
    store: StoreId,
    is_open: bool,
    policy: Option<Policy>,
    currency: Currency,
    pub merchant: String,
    pub store_name: String,
    pub time_zone: String,
}

/// Whether what is served of the account's plugin can be paid by a code that any browser is shown.
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
    let Some(policy) = phone_policies::load(tx, scope)?.filter(|policy| policy.enabled) else { return Ok(None) };
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

/// The code in the path of a link, if a terminal signed it that may sell.
///
/// # Errors
/// `Unknown`, `Keyless`, `Payment` (of the store).
pub async fn find(app: &App, text: &str) -> Result<Found, PhoneError> {
    let code = PhoneCode::parse(text).map_err(|_| PhoneError::Unknown)?;
    let (of, serial, now) = ((code.sale.tenant, code.sale.terminal), code.sale.certificate.hex(), app.now());
    let found = app.store().read(move |tx| {
        let (scope, store, key) = access::by_terminals_key(tx, of, &serial, now)?;
        let (tenant, shop) = (tenants::load(tx, &scope)?, stores::load(tx, &scope, store)?);
        let policy = phone_policies::load(tx, &scope)?.filter(|policy| policy.enabled);
        let found = Found {
            scope,
            code,
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
        Err(StoreError::NotFound { .. } | StoreError::Revoked { .. } | StoreError::Expired { .. }) => {
            return Err(PhoneError::Unknown);
        }
        Err(error) => return Err(error.into()),
    };
    let key = key.ok_or(PhoneError::Keyless)?;
    if code.is_signed_by(&key) { Ok(found) } else { Err(PhoneError::Unknown) }
}

/// The payment that this very code has begun, if it has.
///
/// # Errors
/// `NumberTaken`, `Payment` (of the store).
pub async fn shown(app: &App, found: &Found) -> Result<Option<Sale>, PhoneError> {
    match repeated(app, found.scope, found.code.sale.payment(), fingerprint(app, &found.code.sale)).await {
        Ok(sale) => Ok(sale),
        Err(PaymentError::ExistsDifferently(_)) => Err(PhoneError::NumberTaken),
        Err(error) => Err(error.into()),
    }
}

/// Whether a payment may be begun by it now.
///
/// # Errors
/// `Time`, `NotTaken`.
pub fn check(found: &Found, now: Millis) -> Result<ToCollect, PhoneError> {
    let sale = &found.code.sale;
    found.code.check_time(now).map_err(PhoneError::Time)?;
    let policy = found.policy.as_ref().filter(|policy| {
        found.is_open && sale.amount.currency() == found.currency && sale.amount.minor() <= policy.sale_minor_max
    });
    let account = policy.ok_or(PhoneError::NotTaken)?.channel_account;
    // Whoever opens it late has a minute, and nobody has more: from then on the terminal may call it over.
    let left_ms = sale.expires_at().since(now) + GRACE_SECONDS * 1_000;
    Ok(ToCollect { account, lives: Duration::from_millis(left_ms.unsigned_abs()) })
}

/// Through whom, and how long the customer has. Made by [`check`] alone.
pub struct ToCollect {
    account: saoma_protocol::ChannelAccountId,
    lives: Duration,
}

/// Asks for the money, or finds what was asked for before.
///
/// # Errors
/// `NumberTaken`, `Payment`: as [`collect`].
pub async fn begin(app: &App, found: &Found, to: ToCollect, place: Place) -> Result<Sale, PhoneError> {
    let sale = &found.code.sale;
    let (scope, ToCollect { account, lives }) = (found.scope, to);
    let wish = Collect {
        id: sale.payment(),
        fingerprint: fingerprint(app, sale),
        amount: sale.amount,
        how: How::Present { lives },
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
    // A customer who leaves takes no place of theirs along before the scheme has answered.
    let task_app = app.clone();
    let work = async move {
        let _place = place;
        collect(&task_app, scope, wish).await
    };
    match app.in_flight().spawn(work).await.map_err(|error| PaymentError::CutOff(error.to_string()))? {
        Ok((sale, _)) => Ok(sale),
        Err(PaymentError::ExistsDifferently(_)) => Err(PhoneError::NumberTaken),
        Err(error) => Err(error.into()),
    }
}

/// Of all that was signed, and not of the signature: each of two is as good.
fn fingerprint(app: &App, sale: &PhoneSale) -> Fingerprint {
    let asked = [b"POST /m ".as_slice(), &sale.bytes()].concat();
    let mut fingerprint = Fingerprint::default();
    let tag = hmac::sign(&app.vault().own().fingerprint, &asked);
    fingerprint.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    fingerprint
}

/// One more opening of the code on show; past its limit it is dead for everybody, as any.
///
/// # Errors
/// Of the store.
pub async fn count_opening(app: &App, scope: TenantScope, payment: PaymentId) -> Result<bool, StoreError> {
    let count = move |tx: &mut Tx<'_>| {
        let Some(code) = payments::load_sale(tx, &scope, payment)?.code else { return Ok(false) };
        let code = saoma_store::pay_codes::count_scan(tx, &scope, code.id)?;
        Ok::<_, StoreError>(code.scans > code.scan_limit)
    };
    app.store().write(count).await
}
