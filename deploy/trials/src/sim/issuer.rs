//! What the merchant lets terminals sell without core: offline codes of stored value that it issues itself, and cards. One holder has a
//! phone with a grant.

use anyhow::Result;
use ring::signature::Ed25519KeyPair;
use saoma_domain::{
    fee::{BasisPoints, FeePlan},
    stored_value::{Account, Limits, State},
};
use saoma_protocol::{
    Amount, ChannelAccountId, Currency, Millis, StoredValueAccountId, StoredValueMovementId,
    api::{CardLimits, OfflineLimits},
    code::offline::{SignedGrant, Token, public_key},
};
use saoma_server::{
    secrets::Vault,
    stored_value::{Deed, offline, top_up},
};
use saoma_store::{
    TenantScope, Tx,
    channel_accounts::{self, ChannelAccount},
    stored_cards,
    stored_value::{self, StoredAccount, offline as codes},
};

use super::template::FEE;

pub const HOLDER: StoredValueAccountId = StoredValueAccountId::from_bytes([7; 16]);
/// What the holder has at first, in minor units.
pub const TOP_UP: i64 = 100_000;
/// What a terminal may have sold that core does not know of: by codes, and by cards as much again.
pub const UNSENT_MINOR: i64 = 2_000;
pub const UNSENT_COUNT: u32 = 3;
const SALE_MINOR: i64 = 1_000;
pub const FIRST_6: &str = "622848";
const CODE_SECONDS: u8 = 60;
const BY_CODE: ChannelAccountId = ChannelAccountId::from_bytes([5; 16]);
const BY_CARD: ChannelAccountId = ChannelAccountId::from_bytes([6; 16]);

/// The phone's key.
#[must_use]
pub fn phone() -> Option<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(&[9; 32]).ok()
}

/// Sets all of it up; the phone's grant.
///
/// # Errors
/// Of the store, or of the use-cases.
pub fn open(tx: &mut Tx<'_>, scope: &TenantScope, vault: &Vault, now: Millis) -> Result<SignedGrant> {
    for (id, plugin) in [(BY_CODE, "value"), (BY_CARD, "cards")] {
        let account = ChannelAccount {
            id,
            plugin: plugin.to_owned(),
            name: plugin.to_owned(),
            enabled: true,
            settings_json: "{}".to_owned(),
            fee: FeePlan::flat(BasisPoints::new(FEE)?),
            fee_version: 1,
            priority: 0,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        channel_accounts::create(tx, scope, &account)?;
    }
    let limits = Limits { charge_minor_max: None, day_minor_max: None, balance_minor_max: None };
    let account = Account { currency: Currency::CNY, state: State::Active, balance_minor: 0, limits };
    let holder = StoredAccount {
        id: HOLDER,
        holder: "Mei".to_owned(),
        reference: None,
        account,
        movements: 0,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    stored_value::open(tx, scope, &holder)?;
    let deed = Deed { id: StoredValueMovementId::from_bytes([8; 16]), actor: "the desk".to_owned(), at: now };
    let whole = Amount::new(TOP_UP, Currency::CNY)?;
    top_up(tx, scope, &deed, HOLDER, whole)?;
    policies(tx, scope, now)?;
    let device_key = phone().as_ref().map(public_key).unwrap_or_default();
    let wanted = offline::Wanted {
        account: HOLDER,
        token: Token([7; 8]),
        device_key,
        cap: whole,
        cap_minor: u32::try_from(TOP_UP)?,
        cap_single_minor: u32::try_from(SALE_MINOR)?,
        valid_hours: offline::GRANT_HOURS_MAX,
        code_seconds: CODE_SECONDS,
    };
    Ok(offline::grant(tx, scope, vault, &wanted, "the desk", now)?.1)
}

fn policies(tx: &mut Tx<'_>, scope: &TenantScope, now: Millis) -> Result<()> {
    let limits = OfflineLimits {
        sale_minor_max: SALE_MINOR,
        grant_day_count_max: 50,
        unsent_minor_max: UNSENT_MINOR,
        unsent_count_max: UNSENT_COUNT,
        unsent_hours_max: 24,
        list_hours_max: 24,
    };
    let mut by_code = codes::Policy {
        enabled: true,
        channel_account: BY_CODE,
        acceptor: "shop".to_owned(),
        limits,
        version: 0,
        updated_at: now,
    };
    codes::set_policy(tx, scope, &mut by_code)?;
    let limits = CardLimits {
        channel_account: BY_CARD,
        currency: Currency::CNY,
        sale_minor_max: SALE_MINOR,
        card_day_count_max: 20,
        card_day_minor_max: 20_000,
        unsent_minor_max: UNSENT_MINOR,
        unsent_count_max: UNSENT_COUNT,
        unsent_hours_max: 24,
        list_hours_max: 24,
        stripe: false,
        prefixes: vec![FIRST_6.to_owned()],
        blocked: Vec::new(),
    };
    let mut by_card = stored_cards::Policy { enabled: true, limits, version: 0, updated_at: now };
    Ok(stored_cards::set_policy(tx, scope, &mut by_card)?)
}
