//! What a plugin says of itself when it is taken in: with no account, and nothing to call.

use std::sync::Arc;

use super::{Ask, DESCRIBE_TIMEOUT_MS, Running};
use crate::{
    bindings::{in_app::exports::saoma::channel::in_app::App, settlement as wit_settlement, types},
    failure::Failure,
    guests::Source,
    host::Host,
    places::Held,
    versions::Pre,
};

impl Host {
    /// Asks a plugin for its manifest, with nothing to call.
    pub(crate) async fn describe(&self, pre: &Arc<Pre>, source: Source) -> Result<types::Manifest, Failure> {
        self.ask_of_nobody(pre, source, |guest: &_, store: &mut _, _: &_| -> Running<'_, _> {
            Box::pin(async move { guest.describe(store).await })
        })
        .await
    }

    /// Asks what its settlement has room for, with nothing to call; `None` if it does not settle.
    pub(crate) async fn settlement_terms(
        &self,
        pre: &Arc<Pre>,
        source: Source,
    ) -> Result<Option<wit_settlement::SettlementTerms>, Failure> {
        self.ask_of_nobody(pre, source, |guest: &_, store: &mut _, _: &_| -> Running<'_, _> {
            Box::pin(async move { guest.settlement_terms(store).await })
        })
        .await
    }

    /// What a plugin says of itself: no account, no capability.
    async fn ask_of_nobody<T: Send + 'static>(
        &self,
        pre: &Arc<Pre>,
        source: Source,
        ask: impl Ask<T>,
    ) -> Result<T, Failure> {
        let nobody = types::Account { id: String::new(), settings_json: String::new(), notify_url: String::new() };
        let state = self.state(Vec::new(), None);
        let held = Held::no_place(self.guests.describing(source));
        Ok(self.run_fresh(pre, state, DESCRIBE_TIMEOUT_MS, nobody, held, ask).await?.words)
    }

    /// Asks it which apps it serves, in the same way.
    pub(crate) async fn apps(&self, pre: &Arc<Pre>, source: Source) -> Result<Vec<App>, Failure> {
        self.ask_of_nobody(pre, source, |guest: &_, store: &mut _, _: &_| -> Running<'_, _> {
            Box::pin(async move { guest.apps(store).await })
        })
        .await
    }
}
