//! MQTT 5 to core's broker: what core says comes in, journal and health go out.
//!
//! The broker is never the source of truth, so nothing here waits or remembers: a message that is lost is sent again by
//! [`crate::sync`] or by core's outbox. Each connection gets a new client: what an old one still held would only arrive twice,
//! and its packet numbers could collide with a session that the broker forgot.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ring::rand::{SecureRandom as _, SystemRandom};
use rumqttc::{
    Outgoing, TlsConfiguration, Transport,
    v5::{
        AsyncClient, ConnectionError, Event, EventLoop, Incoming, MqttOptions,
        mqttbytes::{
            QoS,
            v5::{LastWill, Publish, SubscribeReasonCode},
        },
    },
};
use saoma_protocol::{
    TenantId, TerminalId,
    message::{Envelope, JournalAck, MESSAGE_LEN_MAX, MessageError, Presence, Push},
    topic::{Leaf, Topic},
};
use serde::Serialize;
use tokio::sync::{Notify, mpsc, watch};

use super::identity::Identity;
use crate::{config::LinkConfig, telemetry};

/// Unacknowledged messages to the broker at once. rumqttc allocates 200 bytes for each, 13 MB by default.
const INFLIGHT_MAX: u16 = 100;
/// Messages that wait for the client's turn; what does not fit is dropped and sent again by whoever made it.
const QUEUE_LEN_MAX: usize = 64;
/// How long the broker keeps this terminal's session.
const SESSION_SECONDS: u32 = 15 * 60;
/// How long a goodbye may take before a connection is just dropped.
const LEAVE_MAX: Duration = Duration::from_secs(1);
/// First pause before connecting again.
const RECONNECT_MS_MIN: u64 = 250;
/// Room for topic and properties around the longest message.
const PACKET_OVERHEAD: usize = 1024;

/// What comes from the broker.
#[derive(Debug)]
pub enum News {
    Up,
    Down,
    Push { push: Box<Push>, traceparent: Option<String> },
    JournalAck { ack: JournalAck, traceparent: Option<String> },
}

/// The way to the broker. Cheap to clone.
#[derive(Clone)]
pub struct Mqtt {
    tenant: TenantId,
    terminal: TerminalId,
    /// The client of the connection that is up, if one is.
    client: Arc<Mutex<Option<AsyncClient>>>,
    /// How to connect; another certificate ends the connection that showed the one before.
    options: Arc<watch::Sender<MqttOptions>>,
    hurry: Arc<Notify>,
}

impl Mqtt {
    #[must_use]
    pub fn new(identity: &Identity, options: MqttOptions) -> Self {
        Self {
            tenant: identity.tenant,
            terminal: identity.terminal,
            client: Arc::default(),
            options: Arc::new(watch::Sender::new(options)),
            hurry: Arc::new(Notify::new()),
        }
    }

    fn topic(&self, leaf: Leaf) -> Topic {
        Topic { tenant: self.tenant, terminal: self.terminal, leaf }
    }

    fn client(&self) -> Option<AsyncClient> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_client(&self, client: Option<AsyncClient>) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client;
    }

    /// Hands a message to the connection, if there is one. Whether it arrives shows only in core's answer.
    ///
    /// # Errors
    /// If it cannot be written as a message.
    pub fn publish<T: Serialize>(&self, leaf: Leaf, body: T) -> Result<bool, MessageError> {
        let bytes = Envelope::new(body, telemetry::traceparent()).encode()?;
        let Some(client) = self.client() else { return Ok(false) };
        Ok(client.try_publish(self.topic(leaf).to_string(), QoS::AtLeastOnce, false, bytes).is_ok())
    }

    /// Core was reached in another way: try the broker now instead of at the end of the pause.
    pub fn hurry(&self) {
        self.hurry.notify_waiters();
    }

    /// From now on connects by `options`.
    pub fn switch_to(&self, options: MqttOptions) {
        self.options.send_replace(options);
    }

    /// Says goodbye, so that the broker does not have to find out.
    pub async fn close(&self) {
        let Some(client) = self.client() else { return };
        let _ = self.publish(Leaf::Presence, Presence { online: false });
        // The queue is in order: the disconnect leaves after the presence.
        let _ = client.disconnect().await;
    }

    /// Connects, and connects again, for ever. Ends when nobody listens to `news` any more.
    pub async fn run(self, reconnect_ms_max: u64, news: mpsc::Sender<News>) {
        let random = SystemRandom::new();
        let mut options = self.options.subscribe();
        let mut failures = 0_u32;
        loop {
            match self.connection(&mut options, &news).await {
                Ended::Listener => return,
                Ended::Switched { was_up } => {
                    self.set_client(None);
                    if was_up && news.send(News::Down).await.is_err() {
                        return;
                    }
                    continue;
                }
                Ended::Connection { was_up, why } => {
                    self.set_client(None);
                    failures = if was_up { 1 } else { failures.saturating_add(1) };
                    tracing::info!(failures, why, "the connection to the broker ended");
                    if was_up && news.send(News::Down).await.is_err() {
                        return;
                    }
                }
            }
            let pause = pause(failures, reconnect_ms_max, &random);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.hurry.notified() => {}
                () = news.closed() => return,
            }
        }
    }

    async fn connection(&self, options: &mut watch::Receiver<MqttOptions>, news: &mpsc::Sender<News>) -> Ended {
        let (client, mut events) = AsyncClient::new(options.borrow_and_update().clone(), QUEUE_LEN_MAX);
        let mut was_up = false;
        loop {
            let incoming = tokio::select! {
                incoming = next(&mut events) => incoming,
                // The sender lives as long as this.
                _ = options.changed() => {
                    leave(&client, &mut events).await;
                    return Ended::Switched { was_up };
                }
            };
            match incoming {
                Ok(Incoming::ConnAck(_)) => {
                    let filter = Topic::down_filter(self.tenant, self.terminal);
                    if client.try_subscribe(filter, QoS::AtLeastOnce).is_err() {
                        return Ended::Connection { was_up, why: "it took no subscription".to_owned() };
                    }
                }
                Ok(Incoming::SubAck(ack)) if !was_up => {
                    let refused = ack.return_codes.iter().find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
                    if let Some(code) = refused {
                        // Up without ears would be worse than down: nobody would ask core over HTTPS.
                        return Ended::Connection {
                            was_up,
                            why: format!("the broker refuses the subscription: {code:?}"),
                        };
                    }
                    // Only now does what core sends arrive.
                    was_up = true;
                    self.set_client(Some(client.clone()));
                    if let Err(error) = self.publish(Leaf::Presence, Presence { online: true }) {
                        tracing::error!(%error, "presence cannot be written");
                    }
                    if news.send(News::Up).await.is_err() {
                        return Ended::Listener;
                    }
                }
                Ok(Incoming::Publish(message)) => {
                    let Some(told) = self.read(&message) else { continue };
                    if news.send(told).await.is_err() {
                        return Ended::Listener;
                    }
                }
                Ok(Incoming::Disconnect(_)) => {
                    return Ended::Connection { was_up, why: "the broker ended it".to_owned() };
                }
                Ok(_) => {}
                Err(error) => return Ended::Connection { was_up, why: error.to_string() },
            }
        }
    }

    fn read(&self, message: &Publish) -> Option<News> {
        let topic = std::str::from_utf8(&message.topic).ok().and_then(|text| text.parse::<Topic>().ok());
        let told = match topic {
            Some(topic) if topic == self.topic(Leaf::Push) => Envelope::<Push>::decode(&message.payload)
                .map(|Envelope { body, traceparent, .. }| News::Push { push: Box::new(body), traceparent }),
            Some(topic) if topic == self.topic(Leaf::JournalAck) => Envelope::<JournalAck>::decode(&message.payload)
                .map(|Envelope { body, traceparent, .. }| News::JournalAck { ack: body, traceparent }),
            _ => {
                tracing::warn!("a message on a topic that is not ours was dropped");
                return None;
            }
        };
        // Not acknowledged by us, it stays in core's outbox; a newer agent may read it.
        told.inspect_err(|error| tracing::error!(%error, "a message of core cannot be read")).ok()
    }
}

enum Ended {
    /// Nobody listens any more: the agent stops.
    Listener,
    /// It is to be made anew by other options.
    Switched {
        was_up: bool,
    },
    Connection {
        was_up: bool,
        why: String,
    },
}

async fn next(events: &mut EventLoop) -> Result<Incoming, ConnectionError> {
    loop {
        if let Event::Incoming(incoming) = events.poll().await? {
            return Ok(incoming);
        }
    }
}

/// With a goodbye the broker does not publish the last will, and the terminal does not seem to be gone in between.
async fn leave(client: &AsyncClient, events: &mut EventLoop) {
    if client.try_disconnect().is_err() {
        return;
    }
    let left = async {
        while let Ok(event) = events.poll().await {
            if matches!(event, Event::Outgoing(Outgoing::Disconnect)) {
                return;
            }
        }
    };
    if tokio::time::timeout(LEAVE_MAX, left).await.is_err() {
        tracing::debug!("the broker did not hear the goodbye");
    }
}

/// A pause that doubles with each failure, of which a random half is taken off: a fleet must not come back all at once.
fn pause(failures: u32, reconnect_ms_max: u64, random: &SystemRandom) -> Duration {
    let full = RECONNECT_MS_MIN.saturating_mul(1 << failures.min(16)).min(reconnect_ms_max);
    let mut byte = [0; 1];
    // Without chance the pause is just not spread.
    let _ = random.fill(&mut byte);
    Duration::from_millis(full - full * u64::from(byte[0]) / 512)
}

/// How to connect: as this terminal, with its certificate, and with a last will that says it is gone.
///
/// # Errors
/// If the last will cannot be written.
pub fn options(
    identity: &Identity,
    tls: rustls::ClientConfig,
    config: &LinkConfig,
) -> Result<MqttOptions, MessageError> {
    let mut options = MqttOptions::new(identity.terminal.to_string(), identity.mqtt_host.clone(), identity.mqtt_port);
    let presence = Topic { tenant: identity.tenant, terminal: identity.terminal, leaf: Leaf::Presence };
    let gone = Envelope::new(Presence { online: false }, None).encode()?;
    let packet_len_max = u32::try_from(MESSAGE_LEN_MAX + PACKET_OVERHEAD).unwrap_or(u32::MAX);
    options
        .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(tls))))
        .set_keep_alive(Duration::from_secs(config.keep_alive_seconds.max(5)))
        .set_clean_start(false)
        .set_session_expiry_interval(Some(SESSION_SECONDS))
        .set_max_packet_size(Some(packet_len_max))
        .set_receive_maximum(Some(INFLIGHT_MAX))
        .set_outgoing_inflight_upper_limit(INFLIGHT_MAX)
        .set_last_will(LastWill::new(presence.to_string(), gone, QoS::AtLeastOnce, false, None));
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_spread_and_bounded() {
        let random = SystemRandom::new();
        for failures in 0..70 {
            let full = RECONNECT_MS_MIN.saturating_mul(1 << failures.min(16)).min(30_000);
            let pause = u64::try_from(pause(failures, 30_000, &random).as_millis()).unwrap();
            assert!((full / 2..=full).contains(&pause), "{failures}: {pause}");
        }
    }
}
