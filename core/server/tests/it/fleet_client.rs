//! A terminal as the broker sees one: rumqttc (MQTT 5) with a certificate, and whatever it was told to do wrong.

use std::{sync::Arc, time::Duration};

use rumqttc::{
    TlsConfiguration, Transport,
    v5::{
        AsyncClient, ConnectionError, Event, MqttOptions,
        mqttbytes::{
            QoS,
            v5::{LastWill, Packet, PubAckReason, SubscribeReasonCode},
        },
    },
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
};
use tokio::sync::mpsc;

/// How long a test waits for anything before it fails.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A key with the certificate chain that core gave for it.
pub struct Identity {
    pub key: rcgen::KeyPair,
    pub chain_pem: String,
    pub ca_pem: String,
}

impl Identity {
    /// TLS as a terminal does it: trusts `ca_pem` alone, shows its certificate if `shown`.
    pub fn tls(&self, shown: bool) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        if !shown {
            return builder.with_no_client_auth();
        }
        let chain = CertificateDer::pem_slice_iter(self.chain_pem.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        builder.with_client_auth_cert(chain, key).unwrap()
    }
}

/// A signing request for `key`; the name in it is of no account.
pub fn csr(key: &rcgen::KeyPair) -> String {
    rcgen::CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
}

/// How to connect.
pub struct Connect {
    pub port: u16,
    pub client_id: String,
    pub tls: ClientConfig,
    pub will: Option<String>,
    pub clean_start: bool,
}

/// A connected client, driven by a task of its own.
pub struct Client {
    pub mqtt: AsyncClient,
    events: mpsc::UnboundedReceiver<Packet>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// Connects once. The error is what the broker (or TLS) answered.
    pub async fn connect(how: Connect) -> Result<Self, ConnectionError> {
        let mut options = MqttOptions::new(how.client_id, "127.0.0.1", how.port);
        options
            .set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::new(how.tls))))
            .set_keep_alive(Duration::from_secs(30))
            .set_clean_start(how.clean_start)
            .set_session_expiry_interval(Some(600))
            .set_max_packet_size(Some(4 * 1024 * 1024))
            .set_outgoing_inflight_upper_limit(50);
        if let Some(topic) = how.will {
            options.set_last_will(LastWill::new(topic, "{}", QoS::AtLeastOnce, false, None));
        }
        let (mqtt, mut eventloop) = AsyncClient::new(options, 100);
        loop {
            let event = tokio::time::timeout(DEADLINE, eventloop.poll()).await.expect("the broker answers in time")?;
            if matches!(event, Event::Incoming(Packet::ConnAck(_))) {
                break;
            }
        }
        let (sender, events) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            // It connects once: what comes after the end of the connection is the test's business.
            while let Ok(event) = eventloop.poll().await {
                if let Event::Incoming(packet) = event
                    && sender.send(packet).is_err()
                {
                    break;
                }
            }
        });
        Ok(Self { mqtt, events, task })
    }

    /// The next packet that `wanted` finds something in. Fails at the deadline, or when the connection ends.
    pub async fn next<T>(&mut self, mut wanted: impl FnMut(Packet) -> Option<T>) -> T {
        tokio::time::timeout(DEADLINE, async {
            loop {
                let packet = self.events.recv().await.expect("the connection is up");
                if let Some(found) = wanted(packet) {
                    return found;
                }
            }
        })
        .await
        .expect("it comes in time")
    }

    /// Waits for the broker to end the connection.
    pub async fn ended(&mut self) {
        tokio::time::timeout(DEADLINE, async { while self.events.recv().await.is_some() {} })
            .await
            .expect("the broker ends the connection");
    }

    /// Subscribes and returns what the broker said.
    pub async fn subscribe(&mut self, filter: &str) -> SubscribeReasonCode {
        self.mqtt.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        self.next(|packet| match packet {
            Packet::SubAck(ack) => ack.return_codes.first().copied(),
            _ => None,
        })
        .await
    }

    /// Publishes with QoS 1 and returns what the broker said.
    pub async fn publish(&mut self, topic: &str, payload: impl Into<Vec<u8>>) -> PubAckReason {
        let payload: Vec<u8> = payload.into();
        self.mqtt.publish(topic, QoS::AtLeastOnce, false, payload).await.unwrap();
        self.next(|packet| match packet {
            Packet::PubAck(ack) => Some(ack.reason),
            _ => None,
        })
        .await
    }

    /// The next message whose topic ends in `leaf`.
    pub async fn message(&mut self, leaf: &str) -> Vec<u8> {
        self.next(|packet| match packet {
            Packet::Publish(publish) if publish.topic.ends_with(leaf.as_bytes()) => Some(publish.payload.to_vec()),
            _ => None,
        })
        .await
    }
}
