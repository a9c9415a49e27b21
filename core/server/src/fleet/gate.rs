//! The broker's door: who gets in, and which topics are theirs.
//!
//! Traps of rmqtt 0.24 that this file closes, each with a test in `tests/it/fleet_broker.rs`:
//! the user name is only the certificate's when there is a common name, so the certificate itself is read; the client id is
//! free, so it must be the common name; a last will is published without asking, so its topic is checked at connect; the
//! hook `MessagePublish` runs before the one that checks rights, so messages are taken in where rights are checked.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use rmqtt::{
    codec::v5::SubscribeAckReason,
    hook::{Handler, HookResult, Parameter, ReturnType},
    types::{AuthResult, ConnectInfo, LastWill, PublishAclResult, SubscribeAclResult},
};
use saoma_protocol::{
    TenantId, TerminalId,
    topic::{Leaf, Topic},
};

use super::{Fleet, ca::normal_serial};

/// MQTT 5, as the CONNECT packet writes it.
const MQTT_5: u8 = 5;

/// Asked by the broker at each step.
pub struct Gate {
    fleet: Fleet,
    open: Arc<AtomicBool>,
}

impl Gate {
    #[must_use]
    pub const fn new(fleet: Fleet, open: Arc<AtomicBool>) -> Self {
        Self { fleet, open }
    }

    /// Whether the connection may be: MQTT 5, a certificate of a terminal that exists and is not revoked, that
    /// terminal's id as client id, and no last will but its own presence.
    async fn admit(&self, connect: &ConnectInfo) -> Result<(), Refused> {
        if !self.open.load(Ordering::SeqCst) {
            return Err(Refused::Closed);
        }
        if connect.proto_ver() != MQTT_5 {
            return Err(Refused::Protocol);
        }
        let certificate = connect.cert().ok_or(Refused::Certificate)?;
        let (Some(name), Some(serial)) = (&certificate.common_name, &certificate.serial) else {
            return Err(Refused::Certificate);
        };
        let terminal: TerminalId = name.parse().map_err(|_| Refused::Certificate)?;
        if **connect.client_id() != *name.as_str() {
            return Err(Refused::ClientId);
        }
        let scope = self.fleet.admit(terminal, &normal_serial(serial)).await.ok_or(Refused::Revoked)?;
        match connect.last_will() {
            Some(LastWill::V5(will)) if !is_presence(scope.tenant(), terminal, &will.topic) => Err(Refused::LastWill),
            Some(LastWill::V3(_)) => Err(Refused::Protocol),
            _ => Ok(()),
        }
    }
}

/// Why a connection is refused. The peer learns no more than "not authorised".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("the broker is stopping")]
    Closed,
    #[error("only MQTT 5 is spoken here")]
    Protocol,
    #[error("the certificate names no terminal")]
    Certificate,
    #[error("the client id is not the terminal of the certificate")]
    ClientId,
    #[error("the terminal is unknown, or its certificate was revoked or replaced")]
    Revoked,
    #[error("the last will is not the terminal's own presence")]
    LastWill,
}

fn is_presence(tenant: TenantId, terminal: TerminalId, topic: &str) -> bool {
    topic.parse() == Ok(Topic { tenant, terminal, leaf: Leaf::Presence })
}

#[async_trait]
impl Handler for Gate {
    async fn hook(&self, step: &Parameter, so_far: Option<HookResult>) -> ReturnType {
        match step {
            Parameter::ClientAuthenticate(connect) => {
                let result = match self.admit(connect).await {
                    Ok(()) => AuthResult::Allow(false, None),
                    Err(reason) => {
                        tracing::warn!(client.id = %connect.client_id(), peer = ?connect.ipaddress(), %reason,
                            "refused a connection to the broker");
                        AuthResult::NotAuthorized
                    }
                };
                (false, Some(HookResult::AuthResult(result)))
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
                let peer = self.fleet.peer(&session.id.client_id);
                let allowed = peer.is_some_and(|(scope, terminal)| {
                    Topic::may_subscribe(scope.tenant(), terminal, &subscribe.topic_filter)
                });
                let result = if allowed {
                    SubscribeAclResult::new_success(subscribe.opts.qos(), None)
                } else {
                    tracing::warn!(client.id = %session.id.client_id, filter = %subscribe.topic_filter,
                        "refused a subscription");
                    SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized)
                };
                (false, Some(HookResult::SubscribeAclResult(result)))
            }
            Parameter::MessagePublishCheckAcl(session, publish) => {
                let own = self.fleet.peer(&session.id.client_id).and_then(|(scope, terminal)| {
                    let own = Topic::may_publish(scope.tenant(), terminal, &publish.topic);
                    own.then(|| publish.topic.parse::<Topic>().ok()).flatten()
                });
                let result = if let Some(topic) = own {
                    // Awaited here: the next message of this terminal waits, so its journal is taken in order.
                    self.fleet.take(topic, &session.id, &publish.payload).await;
                    PublishAclResult::allow()
                } else {
                    tracing::warn!(client.id = %session.id.client_id, topic = %publish.topic, "refused a message");
                    PublishAclResult::rejected(false, None)
                };
                (false, Some(HookResult::PublishAclResult(result)))
            }
            Parameter::ClientConnected(session) => {
                self.fleet.connected(&session.id);
                (true, so_far)
            }
            Parameter::ClientDisconnected(session, _) => {
                self.fleet.disconnected(&session.id);
                (true, so_far)
            }
            Parameter::SessionSubscribed(session, _) => {
                self.fleet.subscribed(&session.id);
                (true, so_far)
            }
            _ => (true, so_far),
        }
    }
}
