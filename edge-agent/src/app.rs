//! The running agent: one task owns all state; everything else (the till's door, devices, MQTT, requests to core, timers)
//! sends it what happened and waits for nothing it holds.
//!
//! The order is always the same: decide, write to the journal, and only then act (send, print, open the drawer, answer).
//! Survives: being killed at any moment (the next start goes on from the journal), core or the broker gone, a device that
//! hangs, a full disk (no new sale; what is under way ends). Does not survive, and says so: a journal that was altered.

mod alarms;
mod basket;
mod cards;
mod cashiers;
mod catalogue;
mod command;
mod devices;
mod elsewhere;
mod happen;
mod held;
mod keyed;
mod last_word;
mod line;
mod offline;
mod owner;
mod paper;
mod phone;
mod press;
mod quotes;
mod received;
mod renew;
mod shift;
mod show;
mod split;
mod stored;
mod training;
pub mod update;

use std::{
    fs, io,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use saoma_protocol::Millis;
use tokio::sync::{mpsc, oneshot};

use crate::{
    config::{Config, ConfigError, source::Source},
    counter::{Counter, REPORTS_MAX},
    journal::{Beside, Journal, JournalError, Settings},
    link::{
        https::Core,
        identity::{DataDir, Identity, IdentityError},
        mqtt::{self, Mqtt},
        tls::{self, TlsError},
    },
    paired::keeper::Paired,
    peripherals::{Devices, PeripheralError, registry},
    private_file::GROUP_AND_OTHERS,
    signer::{Signer, SignerError},
    till::{
        self, Room, Till,
        command::{Command, Commands},
    },
    update::{disk::DiskError, trial::Updates},
};
pub(crate) use offline::{TIME_UNKEPT, moment};
use owner::Owner;

/// Messages of the broker that may wait for the owner; behind it, MQTT's own flow control holds.
const NEWS_MAX: usize = 64;
/// How long the agent may take to stop before what is left is dropped; all of it is on the disk. What the owner waits for, and
/// its goodbyes.
const STOP_MAX: Duration = Duration::from_secs(owner::PAYMENTS_MAX.as_secs() + 8);
/// How long closing the journal's file may take: it is folded into one, and the disk may be slow.
const JOURNAL_MAX: Duration = Duration::from_secs(5);
/// Longest that [`Running::stop`] takes. Whoever starts the agent gives it more before killing it.
pub const STOPPED_WITHIN: Duration =
    Duration::from_secs(STOP_MAX.as_secs() + till::SHUTDOWN_SECONDS + JOURNAL_MAX.as_secs());

/// Why the agent does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("prepare requests to core")]
    Https(#[from] reqwest::Error),
    #[error("prepare the connection to the broker")]
    Mqtt(#[from] saoma_protocol::message::MessageError),
    #[error("use the configuration of the devices: {0}; `saoma-edge config --explain` lists the drivers")]
    Devices(PeripheralError),
    #[error("listen on {address}: is another agent running? Set till.listen to another port, or stop it")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("start a thread")]
    Thread(#[source] io::Error),
    #[error(transparent)]
    Update(#[from] DiskError),
    #[error(transparent)]
    Signer(#[from] SignerError),
}

/// What the agent is made of.
pub struct Parts {
    pub config: Config,
    pub folder: DataDir,
    pub identity: Identity,
    /// With the identity's key.
    pub signer: Signer,
    pub core: Core,
    /// Without it, everything goes over HTTPS.
    pub mqtt: Option<Mqtt>,
    pub devices: Devices,
    /// Where the configuration came from, for the page that changes the devices.
    pub source: Source,
    /// If the boot program started this agent.
    pub updates: Option<Updates>,
}

impl Parts {
    /// From the configuration, and from what enrolment left in the data directory.
    ///
    /// # Errors
    /// `Identity` if this terminal is not enrolled, then `Tls`, `Signer`, `Https`, `Mqtt`, `Devices`.
    pub fn from_config(config: Config) -> Result<Self, StartError> {
        let folder = DataDir::open(&config.data_dir)?;
        let identity = folder.identity()?;
        let key_pem = folder.key_pem(&identity, GROUP_AND_OTHERS)?;
        let tls = tls::enrolled(&identity.ca_pem, &identity.certificate_chain_pem, &key_pem)?;
        let signer = Signer::new(identity.tenant, identity.terminal, &identity.certificate_chain_pem, &key_pem)?;
        let answer_max = Duration::from_millis(config.link.answer_timeout_ms);
        let core = Core::new(&identity.core_url, tls.clone(), answer_max)?;
        let mqtt = Mqtt::new(&identity, mqtt::options(&identity, tls, &config.link)?);
        let devices = registry::open(&config.peripherals).map_err(StartError::Devices)?;
        let (mqtt, source) = (Some(mqtt), Source::default());
        Ok(Self { config, folder, identity, signer, core, mqtt, devices, source, updates: None })
    }
}

/// An agent that runs. Dropping it is as good as pulling the plug: nothing is finished, nothing is lost.
pub struct Running {
    till: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    commands: Commands,
    journal: Journal,
    owner: tokio::task::JoinHandle<()>,
    door: Till,
    mqtt: Option<tokio::task::JoinHandle<()>>,
    paired: tokio::task::JoinHandle<()>,
}

/// Starts the agent; when this returns, the till answers.
///
/// # Errors
/// `Identity` if another agent runs on this data directory, then `Journal`, `Listen`, `Thread`.
pub async fn start(parts: Parts) -> Result<Running, StartError> {
    let Parts { config, folder, identity, signer, core, mqtt, devices, source, updates } = parts;
    let lock = folder.lock()?;
    folder.forget_other_keys(&identity);
    let settings = Settings {
        path: folder.journal(),
        free_bytes_min: config.journal.free_bytes_min,
        pages_max: config.journal.pages_max,
    };
    let (journal, opened) = Journal::open(&settings, identity.terminal, signer, now())?;
    if let Some(updates) = &updates {
        updates.before_open(&core).await?;
    }
    let (reports_in, reports) = mpsc::channel(REPORTS_MAX);
    let counter = Counter::start(devices, reports_in).map_err(StartError::Thread)?;
    let (commands, asked) = Commands::new();
    let address = config.till.listen;
    let place = config.paired.place()?;
    // Where nobody is or can be let in, the journal's key is not read a second time.
    let kept = (place.is_some() || Beside::is_there(&settings)).then(|| Beside::of(&settings)).transpose()?;
    let paired = Arc::new(Paired::open(kept));
    let room = Room {
        commands: commands.clone(),
        journal: journal.clone(),
        core: core.clone(),
        last_receipt: counter.last_receipt(),
        source: Arc::new(source),
        found: Mutex::default(),
        port: 0,
        paired: Arc::clone(&paired),
        lan: OnceLock::new(),
    };
    let door = Till::open(address, room).map_err(|source| StartError::Listen { address, source })?;
    let asks_time = place.is_some().then(|| core.clone());
    if let Some(place) = place {
        door.open_in_network(place, config.data_dir.clone());
    }
    let till = door.address();
    let (news_in, news) = mpsc::channel(NEWS_MAX);
    let connection = mqtt.clone().map(|mqtt| tokio::spawn(mqtt.run(config.link.reconnect_ms_max, news_in)));
    let (stop, stopping) = oneshot::channel();
    let held = Held { _lock: lock, folder };
    let kept = journal.clone();
    let owner = Owner::new(
        owner::Means { config, held, identity, journal, core, mqtt, counter, updates: updates.clone() },
        opened,
    )
    .await?;
    if let Some(updates) = updates {
        updates.open()?;
    }
    let owner = tokio::spawn(owner.run(owner::Inputs { asked, reports, news, stopping }));
    let paired = tokio::spawn(paired.tend(asks_time));
    Ok(Running { till, stop: Some(stop), commands, journal: kept, owner, door, mqtt: connection, paired })
}

/// The data directory, for this process alone as long as this lives.
pub(crate) struct Held {
    _lock: fs::File,
    pub(crate) folder: DataDir,
}

impl Running {
    /// Where the till's pages are.
    #[must_use]
    pub const fn till(&self) -> SocketAddr {
        self.till
    }

    /// Waits until the agent ends by itself, which it only does by a mistake of its own.
    pub async fn ended(&mut self) {
        let _ = (&mut self.owner).await;
    }

    /// Whoever asks it learns whether the agent is alive: its state's owner answers, and is not stuck in a disk or a mistake.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        Pulse(self.commands.clone())
    }

    /// Stops in order: no new sales, the end of the payments that are under way (but not for ever), the printer's last slip,
    /// goodbye to the broker, the journal's file closed.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            // The owner may have ended by itself; then there is nobody to tell.
            let _ = stop.send(());
        }
        // One that ended by itself was waited for already.
        if !self.owner.is_finished() && tokio::time::timeout(STOP_MAX, &mut self.owner).await.is_err() {
            tracing::warn!("the agent did not stop in time; what is left is in the journal");
        }
        self.door.close().await;
        if tokio::time::timeout(JOURNAL_MAX, self.journal.close()).await.is_err() {
            tracing::warn!("the journal's file was not closed in time; the next start repairs it");
        }
    }
}

/// See [`Running::pulse`].
pub struct Pulse(Commands);

impl Pulse {
    /// Comes back with true when the agent has answered, with false if it has ended.
    pub async fn beats(&self) -> bool {
        self.0.ask(|reply| Command::State { reply }).await.is_ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.owner.abort();
        self.paired.abort();
        if let Some(mqtt) = &self.mqtt {
            mqtt.abort();
        }
    }
}

/// The machine's clock. Read here alone; everything below is given the time.
pub(crate) fn now() -> Millis {
    let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}
