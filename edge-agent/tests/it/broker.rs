//! A broker with core behind it, as one terminal sees them: it acknowledges what is published and hands it to core.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{ConnAck, ConnectReturnCode, Packet, PingResp, PubAck, Publish, SubAck, SubscribeReasonCode},
};
use saoma_protocol::{
    PaymentId,
    message::{Envelope, Health, JournalBatch, Presence, PushAck},
    topic::{Leaf, Topic},
};
use serde::Serialize;
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::{Notify, broadcast},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use crate::core::{FakeCore, Known, listener_kept_for_us};

#[derive(Default)]
pub struct Heard {
    pub health: Vec<Health>,
    pub presence: Vec<bool>,
    pub batches: usize,
    /// Subscriptions that were not taken.
    pub refused: usize,
}

pub struct Broker {
    pub address: SocketAddr,
    known: Arc<Mutex<Known>>,
    pub heard: Arc<Mutex<Heard>>,
    /// Batches of the journal are acknowledged by the broker and never reach core.
    pub swallows: Arc<AtomicBool>,
    /// No subscription is taken.
    pub deaf: Arc<AtomicBool>,
    hangs_up: Arc<Notify>,
    down: broadcast::Sender<(Leaf, Vec<u8>)>,
    acceptor: Option<TlsAcceptor>,
    task: Option<JoinHandle<()>>,
}

struct Line {
    known: Arc<Mutex<Known>>,
    heard: Arc<Mutex<Heard>>,
    swallows: Arc<AtomicBool>,
    deaf: Arc<AtomicBool>,
    down: broadcast::Receiver<(Leaf, Vec<u8>)>,
}

impl Broker {
    pub async fn open(core: &FakeCore) -> Self {
        let listener = listener_kept_for_us();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let (down, _) = broadcast::channel(16);
        let known = core.known();
        let acceptor = core.is_secured().then(|| {
            let authority = core.authority();
            TlsAcceptor::from(Arc::new(authority.door(&authority.mqtt)))
        });
        let mut broker = Self {
            address,
            known,
            heard: Arc::default(),
            swallows: Arc::default(),
            deaf: Arc::default(),
            hangs_up: Arc::default(),
            down,
            acceptor,
            task: None,
        };
        broker.serve(listener);
        core.set_broker(address.port());
        broker
    }

    fn serve(&mut self, listener: TcpListener) {
        let (known, heard, swallows, deaf) =
            (Arc::clone(&self.known), Arc::clone(&self.heard), Arc::clone(&self.swallows), Arc::clone(&self.deaf));
        let (down, acceptor, hangs_up) = (self.down.clone(), self.acceptor.clone(), Arc::clone(&self.hangs_up));
        // Connections end with the task.
        self.task = Some(tokio::spawn(async move {
            let mut lines = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let line = Line {
                    known: Arc::clone(&known),
                    heard: Arc::clone(&heard),
                    swallows: Arc::clone(&swallows),
                    deaf: Arc::clone(&deaf),
                    down: down.subscribe(),
                };
                let (acceptor, hangs_up) = (acceptor.clone(), Arc::clone(&hangs_up));
                let serving = async move {
                    match &acceptor {
                        None => line.serve(stream).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                line.serve(stream).await;
                            }
                        }
                    }
                };
                lines.spawn(async move {
                    tokio::select! {
                        () = serving => {}
                        () = hangs_up.notified() => {}
                    }
                });
            }
        }));
    }

    pub async fn switch_off(&mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }

    pub async fn switch_on(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serve(listener);
    }

    /// Ends the connections that there are; the next one is served.
    pub fn hang_up(&self) {
        self.hangs_up.notify_waiters();
    }

    /// Core's newest push about a payment, twice: an acknowledgement was lost.
    pub fn tell(&self, payment: PaymentId) {
        let push = self.known.lock().unwrap().pushes_about(payment).pop().unwrap();
        for _ in 0..2 {
            self.down.send((Leaf::Push, encoded(&push))).unwrap();
        }
    }

    pub fn heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&self.heard.lock().unwrap())
    }
}

impl Line {
    async fn serve(mut self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let (mut unread, mut filter) = (BytesMut::new(), None::<String>);
        loop {
            while let Ok(packet) = Packet::read(&mut unread, None) {
                let mut answers = Vec::new();
                match packet {
                    Packet::Connect(..) => answers.push(Packet::ConnAck(ConnAck {
                        session_present: false,
                        code: ConnectReturnCode::Success,
                        properties: None,
                    })),
                    Packet::Subscribe(subscribe) if self.deaf.load(Ordering::SeqCst) => {
                        self.heard.lock().unwrap().refused += 1;
                        answers.push(Packet::SubAck(SubAck {
                            pkid: subscribe.pkid,
                            return_codes: vec![SubscribeReasonCode::NotAuthorized],
                            properties: None,
                        }));
                    }
                    Packet::Subscribe(subscribe) => {
                        filter = Some(subscribe.filters[0].path.clone());
                        answers.push(Packet::SubAck(SubAck {
                            pkid: subscribe.pkid,
                            return_codes: vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)],
                            properties: None,
                        }));
                    }
                    Packet::Publish(message) => {
                        answers.push(Packet::PubAck(PubAck::new(message.pkid, None)));
                        answers.extend(self.take(&message));
                    }
                    Packet::PingReq(_) => answers.push(Packet::PingResp(PingResp)),
                    Packet::Disconnect(_) => return,
                    _ => {}
                }
                for answer in answers {
                    write(&mut stream, &answer).await;
                }
            }
            tokio::select! {
                read = stream.read_buf(&mut unread) => if !read.is_ok_and(|len| len > 0) { return },
                Ok((leaf, bytes)) = self.down.recv(), if filter.is_some() => {
                    let topic = filter.clone().unwrap().replace("down/#", leaf_text(leaf)).replace("down/+", leaf_text(leaf));
                    write(&mut stream, &publish(&topic, bytes)).await;
                }
            }
        }
    }

    /// What core makes of a message; its answer.
    fn take(&self, message: &Publish) -> Option<Packet> {
        let topic: Topic = std::str::from_utf8(&message.topic).unwrap().parse().unwrap();
        let payload = &message.payload;
        let mut heard = self.heard.lock().unwrap();
        match topic.leaf {
            Leaf::Journal => {
                heard.batches += 1;
                if self.swallows.load(Ordering::SeqCst) {
                    return None;
                }
                let batch = Envelope::<JournalBatch>::decode(payload).unwrap().body;
                let ack = self.known.lock().unwrap().take_batch(&batch);
                let answer = Topic { leaf: Leaf::JournalAck, ..topic }.to_string();
                return Some(publish(&answer, encoded(ack)));
            }
            Leaf::Ack => {
                let ack = Envelope::<PushAck>::decode(payload).unwrap().body;
                self.known.lock().unwrap().take_ack(&ack);
            }
            Leaf::Health => heard.health.push(Envelope::decode(payload).unwrap().body),
            Leaf::Presence => heard.presence.push(Envelope::<Presence>::decode(payload).unwrap().body.online),
            Leaf::Push | Leaf::JournalAck => panic!("terminals do not publish there"),
        }
        None
    }
}

fn leaf_text(leaf: Leaf) -> &'static str {
    match leaf {
        Leaf::Push => "down/push",
        _ => panic!("{}", json!({"not told from here": format!("{leaf:?}")})),
    }
}

fn encoded<T: Serialize>(body: T) -> Vec<u8> {
    Envelope::new(body, None).encode().unwrap()
}

fn publish(topic: &str, payload: Vec<u8>) -> Packet {
    let mut message = Publish::new(topic, QoS::AtLeastOnce, payload, None);
    message.pkid = 1;
    Packet::Publish(message)
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), packet: &Packet) {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, None).unwrap();
    // A terminal that went away is noticed when reading.
    let _ = stream.write_all(&bytes).await;
    let _ = stream.flush().await;
}
