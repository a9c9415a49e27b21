//! Who has a static code's page open, as a cookie of theirs keeps it: sealed, so that it can be neither read nor made elsewhere.
//!
//! AES-256-GCM under a key that follows from the one of pay codes (HMAC-SHA-256 as a key derivation function, NIST SP 800-108r1,
//! section 4.1); the code's number is the associated data, so that a cookie counts on the page of its own code alone.

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use saoma_channels::NoChance;
use saoma_protocol::{ChannelAccountId, Millis, StaticCodeId};
use serde::{Deserialize, Serialize};

use crate::app::App;

/// A cookie is of no use after so long: whoever comes again scans again.
const LIFE_MS: i64 = 30 * 60_000;
/// A visitor who was sent to their scheme is back in a second, or never.
const AWAY_MS_MAX: i64 = 10 * 60_000;

/// A visitor, and the attempt to pay that they are in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// What the payment's number follows from.
    pub attempt: [u8; 16],
    pub who: Who,
    pub at: Millis,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    /// Their browser is at the scheme of this account, and comes back with this `state`: with it alone, and this cookie.
    Sent {
        account: ChannelAccountId,
        app: String,
        state: String,
        /// How often in a row they have been sent there.
        times: u8,
    },
    /// The scheme told who they are; empty where it need not.
    Known { account: ChannelAccountId, app: String, payer: String },
    /// Any browser, which the account's code is shown to.
    Anyone { account: ChannelAccountId },
}

/// Without who they are.
impl std::fmt::Debug for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sent { .. } => "Sent",
            Self::Known { .. } => "Known",
            Self::Anyone { .. } => "Anyone",
        })
    }
}

impl Visitor {
    /// Somebody who begins anew.
    ///
    /// # Errors
    /// The machine has no randomness.
    pub fn begins(app: &App, who: Who) -> Result<Self, NoChance> {
        Ok(Self { attempt: app.random_16()?, who, at: app.now() })
    }

    /// What stands for a payer where payments are counted: not who it is.
    #[must_use]
    pub fn payer_mark(&self, app: &App) -> Option<String> {
        let Who::Known { account, payer, .. } = &self.who else { return None };
        let said = format!("saoma static code payer 1 {account} {payer}");
        (!payer.is_empty()).then(|| hex::encode(hmac::sign(app.pay_code_key(), said.as_bytes())))
    }

    /// As the cookie has it.
    ///
    /// # Errors
    /// The machine has no randomness.
    pub fn sealed(&self, app: &App, code: StaticCodeId) -> Result<String, NoChance> {
        let mut text = serde_json::to_vec(self).map_err(|_| NoChance)?;
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&app.random_16()?[..NONCE_LEN]);
        let aad = Aad::from(code.as_bytes());
        key(app)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text)
            .map_err(|_| NoChance)?;
        Ok(data_encoding::BASE64URL_NOPAD.encode(&[nonce.as_slice(), &text].concat()))
    }

    /// Whom a cookie is about, if it is ours, of this code, and not too old.
    #[must_use]
    pub fn read(app: &App, code: StaticCodeId, cookie: &str) -> Option<Self> {
        let bytes = data_encoding::BASE64URL_NOPAD.decode(cookie.as_bytes()).ok()?;
        let (nonce, text) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let aad = Aad::from(code.as_bytes());
        let opened = key(app).ok()?.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut text).ok()?;
        let visitor: Self = serde_json::from_slice(opened).ok()?;
        let life = if matches!(visitor.who, Who::Sent { .. }) { AWAY_MS_MAX } else { LIFE_MS };
        (0..=life).contains(&app.now().since(visitor.at)).then_some(visitor)
    }
}

fn key(app: &App) -> Result<LessSafeKey, NoChance> {
    let derived = hmac::sign(app.pay_code_key(), b"saoma static code visitor 1");
    UnboundKey::new(&AES_256_GCM, derived.as_ref()).map(LessSafeKey::new).map_err(|_| NoChance)
}
