//! The terminal's certificate: asked for in time, written down, and then shown on both ways to core.

use saoma_protocol::Millis;

use super::{
    now,
    owner::{Done, Owner},
};
use crate::{
    journal::Store,
    link::{
        certificate::Validity,
        mqtt,
        renew::{self, Next, RenewError},
    },
    signer::Signer,
};

/// What is known of the certificate in use.
pub(super) struct Renewal {
    /// None: there is no certificate, and nothing to renew.
    validity: Option<Validity>,
    tried_at: Option<Millis>,
    under_way: bool,
}

impl Renewal {
    pub(super) fn of(certificate_chain_pem: &str) -> Self {
        Self { validity: Validity::of_chain(certificate_chain_pem), tried_at: None, under_way: false }
    }

    /// Whether the certificate is over then.
    pub(super) fn is_over_at(&self, at: Millis) -> bool {
        self.validity.is_some_and(|validity| validity.is_over(at))
    }
}

impl Owner {
    pub(super) fn renewal_tick(&mut self, at: Millis) {
        let Some(validity) = self.renewal.validity else { return };
        // A clock from before its first day is behind for certain, and would never renew it: core's is gone by, where it is known. Else the
        // machine's is: a core whose clock runs ahead for an hour must not have a fleet renew to certificates that it does not take after.
        let by_core = self.stamp().at();
        let at = if at < validity.not_before { by_core } else { at };
        // A clock that is behind, and after that day, renews too late. A person is called by the later of both, which costs no certificate.
        let latest = at.max(by_core);
        let what_to_do = if validity.is_over(latest) {
            "the terminal's certificate is over: check the clock, then make a claim code on the dashboard and run \
             `saoma-edge enrol --again`"
        } else if validity.is_nearly_over(latest) {
            "the terminal's certificate is nearly over and core has not renewed it: check this machine's clock and the connection, the log \
             says why"
        } else {
            ""
        };
        if what_to_do.is_empty() {
            // The clock by which it rang was wrong.
            self.alarms.silence("certificate_ends");
        } else {
            self.alarm("certificate_ends", what_to_do.to_owned());
        }
        // Away from core an attempt would only be counted as one.
        let due = self.line.https_up && validity.is_due(self.identity.terminal, self.renewal.tried_at, at);
        if due && !self.renewal.under_way {
            self.renewal.under_way = true;
            self.renewal.tried_at = Some(at);
            let (core, identity) = (self.core.clone(), self.identity.clone());
            self.calls.spawn(async move { Done::Renewed(renew::next(&core, &identity).await.map(Box::new)) });
        }
    }

    pub(super) async fn renewed(&mut self, next: Result<Box<Next>, RenewError>) {
        self.renewal.under_way = false;
        let next = match next {
            Ok(next) => *next,
            Err(error) => {
                tracing::warn!(error = format!("{:#}", anyhow::Error::new(error)), "the certificate was not renewed");
                return;
            }
        };
        let Next { certificate_chain_pem, key_pem, validity, tls, core } = next;
        let (mut identity, folder) = (self.identity.clone(), self.held.folder.clone());
        let signer = Signer::new(identity.tenant, identity.terminal, &certificate_chain_pem, &key_pem);
        identity.certificate_chain_pem = certificate_chain_pem;
        let written = tokio::task::spawn_blocking(move || folder.switch_to(identity, &key_pem)).await;
        self.identity = match written {
            Ok(Ok(identity)) => identity,
            // The old one goes on; the new one, which nobody has, ends with core's next answer.
            Ok(Err(error)) => {
                tracing::error!(
                    error = format!("{:#}", anyhow::Error::new(error)),
                    "the new certificate is not on the disk"
                );
                return;
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate is not on the disk");
                return;
            }
        };
        let signed_on = match signer {
            Ok(signer) => {
                let switch = move |store: &mut Store| {
                    store.sign_by(signer);
                    Ok(())
                };
                self.journal.run(switch).await
            }
            Err(error) => Err(error.into()),
        };
        if let Err(error) = signed_on {
            // Core takes the old key's word until the next renewal, and the next start signs with the new one.
            tracing::error!(error = error.chain(), "the journal is signed with the old key");
        }
        self.core.switch_to(&core);
        // Core's word on what is paid by customers' phones is made for the new certificate from now on.
        self.offline.connected();
        if let Some(mqtt) = &self.mqtt {
            match mqtt::options(&self.identity, tls, &self.config.link) {
                Ok(options) => mqtt.switch_to(options),
                // The old one is good until the next renewal, and the next start has the new one.
                Err(error) => tracing::error!(%error, "MQTT goes on with the old certificate"),
            }
        }
        self.renewal = Renewal { validity: Some(validity), tried_at: None, under_way: false };
        self.alarms.silence("certificate_ends");
        tracing::info!(good_for_ms = validity.not_after.since(now()), "the certificate was renewed");
    }
}
