//! A line between two programs that can be cut, stalled or swallow what is sent: a TCP proxy of our own.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use anyhow::Result;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::servers::free_port;

/// Bytes on their way at once.
const BUFFER_BYTES: usize = 16 * 1024;

/// How a line treats those who use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Whole,
    /// Every connection is closed, and every new one at once.
    Cut,
    /// Nothing arrives, and nothing is lost: it arrives later.
    Stalled,
    /// What is asked arrives, what is answered is lost, and nobody is told.
    Deaf,
    /// What is sent is lost either way, and nobody is told.
    Hole,
}

/// The line. It is gone when this is dropped with its last clone.
#[derive(Clone)]
pub struct Wire {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: AtomicU16,
    mood: watch::Sender<Mood>,
}

/// The lines of a shop, named by where they lead.
#[derive(Clone)]
pub struct Wires {
    pub scheme: Wire,
    /// Core's API, for people, customers and the scheme's notifications.
    pub core: Wire,
    pub terminals: Wire,
    pub mqtt: Wire,
}

impl Wires {
    pub async fn open() -> Result<Self> {
        Ok(Self {
            scheme: Wire::open().await?,
            core: Wire::open().await?,
            terminals: Wire::open().await?,
            mqtt: Wire::open().await?,
        })
    }

    pub fn lead_to(&self, scheme: u16, core: u16, terminals: u16, mqtt: u16) {
        self.scheme.lead_to(scheme);
        self.core.lead_to(core);
        self.terminals.lead_to(terminals);
        self.mqtt.lead_to(mqtt);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    There,
    Back,
}

/// Why a half of a connection ended.
enum End {
    Closed,
    /// Something was lost on it, so what would come now makes no sense.
    Torn,
}

impl Wire {
    /// Its port stays the same for as long as it lives; it leads nowhere yet.
    pub async fn open() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", free_port()?)).await?;
        let shared = Arc::new(Shared { target: AtomicU16::new(0), mood: watch::Sender::new(Mood::Whole) });
        let wire = Self { port: listener.local_addr()?.port(), shared: Arc::clone(&shared) };
        let mut mood = shared.mood.subscribe();
        let shared = Arc::downgrade(&shared);
        tokio::spawn(async move {
            loop {
                let near = tokio::select! {
                    Ok((near, _)) = listener.accept() => near,
                    changed = mood.changed() => match changed {
                        Ok(()) => continue,
                        Err(_) => return,
                    },
                };
                let Some(shared) = shared.upgrade() else { return };
                let (target, mood) = (shared.target.load(Ordering::Relaxed), shared.mood.subscribe());
                tokio::spawn(join(near, target, mood));
            }
        });
        Ok(wire)
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on new connections go to that port.
    pub fn lead_to(&self, target: u16) {
        self.shared.target.store(target, Ordering::Relaxed);
    }

    pub fn set(&self, mood: Mood) {
        self.shared.mood.send_replace(mood);
    }
}

/// One connection, until either side or the mood ends it.
async fn join(mut near: TcpStream, target: u16, mood: watch::Receiver<Mood>) {
    if *mood.borrow() == Mood::Cut {
        return;
    }
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    // A proxy must not make small messages wait for each other.
    if near.set_nodelay(true).and(far.set_nodelay(true)).is_err() {
        return;
    }
    let (from_near, to_near) = near.split();
    let (from_far, to_far) = far.split();
    tokio::select! {
        () = both(carry(from_near, to_far, Direction::There, mood.clone()), carry(from_far, to_near, Direction::Back, mood.clone())) => {}
        () = cut(mood) => {}
    }
}

/// One side may have said all and still listen; a connection that lost something ends at once.
async fn both(there: impl Future<Output = End>, back: impl Future<Output = End>) {
    tokio::pin!(there, back);
    tokio::select! {
        end = &mut there => if matches!(end, End::Closed) { back.await; },
        end = &mut back => if matches!(end, End::Closed) { there.await; },
    }
}

async fn cut(mut mood: watch::Receiver<Mood>) {
    // Without its sender the line is gone as well.
    drop(mood.wait_for(|mood| *mood == Mood::Cut).await);
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    direction: Direction,
    mut mood: watch::Receiver<Mood>,
) -> End {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut lost = false;
    loop {
        let length = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            healed = mood.wait_for(|mood| *mood == Mood::Whole), if lost => {
                drop(healed);
                return End::Torn;
            }
        };
        let now = match mood.wait_for(|mood| *mood != Mood::Stalled).await {
            Ok(now) => *now,
            Err(_) => return End::Closed,
        };
        lost |= now == Mood::Hole || (now == Mood::Deaf && direction == Direction::Back);
        if lost && length == 0 {
            // Whoever closed is gone; that news is lost too.
            drop(mood.wait_for(|mood| *mood == Mood::Whole).await);
            return End::Torn;
        }
        if lost {
            continue;
        }
        if length == 0 {
            drop(to.shutdown().await);
            return End::Closed;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return End::Closed;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// A far side that answers each byte with the next one.
    async fn answering() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while let Ok(byte) = stream.read_u8().await {
                        stream.write_u8(byte + 1).await.unwrap();
                    }
                });
            }
        });
        port
    }

    async fn asked(stream: &mut TcpStream, byte: u8) -> Option<u8> {
        stream.write_u8(byte).await.ok()?;
        timeout(Duration::from_millis(300), stream.read_u8()).await.ok()?.ok()
    }

    #[tokio::test]
    async fn each_mood_does_what_it_says() {
        let wire = Wire::open().await.unwrap();
        wire.lead_to(answering().await);
        let dial = || TcpStream::connect(("127.0.0.1", wire.port()));
        let mut stream = dial().await.unwrap();
        assert_eq!(asked(&mut stream, 1).await, Some(2));
        wire.set(Mood::Stalled);
        assert_eq!(asked(&mut stream, 3).await, None);
        wire.set(Mood::Whole);
        assert_eq!(stream.read_u8().await.unwrap(), 4, "it comes later");
        for mood in [Mood::Deaf, Mood::Hole] {
            let mut stream = dial().await.unwrap();
            assert_eq!(asked(&mut stream, 1).await, Some(2));
            wire.set(mood);
            assert_eq!(asked(&mut stream, 5).await, None, "{mood:?}");
            wire.set(Mood::Whole);
            assert!(stream.read_u8().await.is_err(), "{mood:?}: torn, not mended");
            assert_eq!(asked(&mut dial().await.unwrap(), 7).await, Some(8), "{mood:?}");
        }
        wire.set(Mood::Cut);
        assert!(stream.read_u8().await.is_err());
        assert_eq!(asked(&mut dial().await.unwrap(), 1).await, None);
        wire.set(Mood::Whole);
        assert_eq!(asked(&mut dial().await.unwrap(), 1).await, Some(2));
    }
}
