//! What a call is about, and what it needs.

use std::sync::Arc;

use saoma_protocol::{Currency, PaymentId};

use crate::{
    card::{Card, CardFault, KeptCard, OpenCard},
    failure::Failure,
    host::http::{self, Reach},
    manifest::{Capability, Manifest},
    message::Account,
    places::Cause,
    registry::Plugin,
};

/// The function that people test an account by.
pub(super) const SELF_TEST: &str = "self-test";

/// The function that strangers can have called.
pub(super) const NOTIFICATION: &str = "parse-notification";

/// Which function, about which payment, and what the manifest must offer for it.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) function: &'static str,
    pub(super) payment: Option<PaymentId>,
    pub(super) needs: Option<Capability>,
    /// The customer's code, to be kept out of the log.
    pub(super) code: Option<&'a str>,
    pub(super) card: Option<About<'a>>,
    /// What the manifest must list for it.
    pub(super) currency: Option<Currency>,
    /// Of each HTTP answer within it.
    pub(super) answer_bytes_max: u32,
}

/// The card that a call is about.
#[derive(Clone, Copy)]
pub(super) enum About<'a> {
    Presented(&'a Card),
    Kept(&'a KeptCard),
}

impl<'a> Call<'a> {
    pub(super) const fn new(function: &'static str, payment: Option<PaymentId>, needs: Option<Capability>) -> Self {
        Self {
            function,
            payment,
            needs,
            code: None,
            card: None,
            currency: None,
            answer_bytes_max: http::BODY_BYTES_MAX,
        }
    }

    pub(super) fn cause(&self) -> Cause {
        if self.function == NOTIFICATION { Cause::Notification } else { Cause::Core }
    }

    pub(super) fn about(self, card: Option<&'a KeptCard>) -> Self {
        Self { card: card.map(About::Kept), ..self }
    }

    /// The card in the clear. A kept one that does not open any more (the account got another base key) is none to a question, a
    /// reversal or a row of a batch: what was sent must be undone or named whatever became of the key, and is known by the sale, not the
    /// card.
    pub(super) fn opened(&self, account: &Account, manifest: &Manifest) -> Result<Option<Arc<OpenCard>>, CardFault> {
        let opened = match self.card {
            Some(About::Presented(card)) => OpenCard::of(card, manifest, &account.secrets)?,
            Some(About::Kept(card)) => match OpenCard::of_kept(card, manifest, &account.secrets) {
                Err(fault) if matches!(self.function, "query" | "cancel" | "upload") => {
                    tracing::warn!(error = %fault, "the card of a payment does not open any more");
                    return Ok(None);
                }
                opened => opened?,
            },
            None => return Ok(None),
        };
        Ok(Some(Arc::new(opened)))
    }
}

/// Where the account's calls may go; the settings are not kept for longer than that takes.
///
/// # Errors
/// `Misconfigured`.
pub(super) fn reach_of(plugin: &Plugin, account: &Account, function: &str) -> Result<Reach, Failure> {
    let schema = &plugin.manifest.settings_schema;
    // Payments go on under what was stored; whoever tests the account hears what nobody would be let type now.
    let checked = match function {
        SELF_TEST => schema.check_typed(&account.settings_json),
        _ => schema.check(&account.settings_json),
    };
    let settings =
        checked.map_err(|error| Failure::Misconfigured { why: format!("the settings do not fit: {error}") })?;
    Ok(Reach::of(&plugin.manifest, &settings))
}
