//! Fetching: metadata until it is believed, then the program that it names, into a part that is nothing until its hash is right.
//!
//! The repository is any web server with files: `timestamp.json`, `<n>.root.json`, `<n>.targets.json` and `<sha256>.saoma-edge`
//! (TUF's consistent snapshots). It need not be trusted, nor the way to it: http will do.

use std::{
    fs,
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use reqwest::{StatusCode, header::RANGE};
use saoma_protocol::Millis;

use super::{
    Version,
    disk::{Disk as _, DiskError, RealDisk, Slots},
    metadata::{METADATA_BYTES_MAX, MetadataError, PROGRAM_BYTES_MAX, ROOTS_MAX, Release, Targets, Trusted},
    slots::{Program, State, TRIALS_MAX},
    trial::Updates,
};
use crate::{app::now, config::UpdateConfig, journal, link::https::Core, private_file};

/// How long a connection may take, and how long nothing may come. A whole program may take hours on a thin line.
const CONNECT_MAX: Duration = Duration::from_secs(10);
const SILENT_MAX: Duration = Duration::from_secs(60);
/// How long all metadata may take together: a server that gives a byte a minute would hide for ever that it stands still.
const METADATA_MAX: Duration = Duration::from_secs(120);
/// What must come of a program in each of these times. A server that gives a byte a minute would keep the terminal from looking for what
/// is newer; what has come is kept, and the next look goes on from there.
const PACE_WINDOW: Duration = Duration::from_secs(10 * 60);
const PACE_BYTES_MIN: u64 = 256 << 10;
/// How long a look in need may take; a program that is longer on its way goes on from there the next time.
const NEED_MAX: Duration = Duration::from_secs(5 * 60);
/// How long one in need waits until it looks again.
const NEED_EVERY: Duration = Duration::from_secs(30);
/// How long after the start of the agent a release whose trial failed is tried once more.
const AGAIN_AFTER: Duration = Duration::from_secs(6 * 60 * 60);

/// Why nothing newer was fetched; what runs goes on.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("reach the repository for {what}: {why}")]
    Unreachable { what: String, why: String },
    #[error("find {0} in the repository")]
    Missing(String),
    #[error("fetch {what}: it is longer than the {max} bytes that it may have")]
    TooLong { what: String, max: u64 },
    #[error("find the root of trust {0}; it is put there when the terminal is set up (update.root)")]
    NoRoot(std::path::PathBuf),
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Root(#[from] private_file::PrivateFileError),
    #[error("use release {0}: another program was signed under that version before")]
    OtherProgram(Version),
    #[error("reach the repository: it gave its metadata for {METADATA_MAX:?} and was not done")]
    Slow,
    #[error(
        "fetch {what}: less than {PACE_BYTES_MIN} bytes came in {PACE_WINDOW:?}; it goes on from there the next time"
    )]
    Trickle { what: String },
    #[error("prepare requests to the repository")]
    Client(#[from] reqwest::Error),
}

/// Where releases are.
pub struct Repository {
    client: reqwest::Client,
    base: String,
    window: Duration,
}

impl Repository {
    /// # Errors
    /// `Client`.
    pub fn new(base: &str) -> Result<Self, FetchError> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_MAX)
            .read_timeout(SILENT_MAX)
            .user_agent(concat!("saoma-edge/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned(), window: PACE_WINDOW })
    }

    async fn ask(&self, what: &str, from: u64) -> Result<Option<reqwest::Response>, FetchError> {
        let mut request = self.client.get(format!("{}/{what}", self.base));
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let response = request.send().await.map_err(|error| unreachable(what, error.to_string()))?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(response)),
            status => Err(unreachable(what, status.to_string())),
        }
    }

    async fn metadata(&self, what: &str) -> Result<Option<Vec<u8>>, FetchError> {
        let Some(mut response) = self.ask(what, 0).await? else { return Ok(None) };
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| unreachable(what, error.to_string()))? {
            if bytes.len() + part.len() > METADATA_BYTES_MAX {
                return Err(FetchError::TooLong { what: what.to_owned(), max: METADATA_BYTES_MAX as u64 });
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Some(bytes))
    }

    /// Follows the metadata to the newest list of releases. `keep`: what is believed by then is on the disk before more is.
    ///
    /// # Errors
    /// What was believed before is believed still.
    pub async fn refresh(
        &self,
        trusted: &mut Trusted,
        now: Millis,
        keep: impl Fn(&Trusted) -> Result<(), DiskError>,
    ) -> Result<(), FetchError> {
        for _ in 0..ROOTS_MAX {
            let Some(root) = self.metadata(&format!("{}.root.json", trusted.root.version + 1)).await? else { break };
            trusted.take_root(&root)?;
            keep(trusted)?;
        }
        let missing = |what: &str| FetchError::Missing(what.to_owned());
        let timestamp = self.metadata("timestamp.json").await?.ok_or_else(|| missing("timestamp.json"))?;
        trusted.take_timestamp(&timestamp, now)?;
        keep(trusted)?;
        let version = trusted.timestamp.as_ref().map_or(0, |timestamp| timestamp.targets.version);
        let name = format!("{version}.targets.json");
        let targets = self.metadata(&name).await?.ok_or_else(|| missing(&name))?;
        trusted.take_targets(&targets, now)?;
        Ok(keep(trusted)?)
    }

    /// Fetches a program into its part, from where it was cut off.
    ///
    /// # Errors
    /// What came of it is kept, but for too long a one.
    pub async fn program(&self, part: &Path, program: &Program) -> Result<(), FetchError> {
        let what = format!("{}.saoma-edge", program.sha256);
        let failed = |source| DiskError::File { path: part.to_owned(), source };
        let mut held = fs::metadata(part).map_or(0, |about| about.len());
        if held == program.length {
            return Ok(());
        }
        if held > program.length {
            held = 0;
        }
        let mut response = self.ask(&what, held).await?.ok_or_else(|| FetchError::Missing(what.clone()))?;
        if response.status() != StatusCode::PARTIAL_CONTENT {
            held = 0;
        }
        // A part that somebody made a link is not followed.
        if part.symlink_metadata().is_ok_and(|about| !about.is_file()) {
            RealDisk.remove(part)?;
        }
        let mut file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(part).map_err(failed)?;
        file.set_len(held).and_then(|()| file.seek(SeekFrom::Start(held))).map_err(failed)?;
        let mut pace = Pace { from: held, since: Instant::now(), window: self.window };
        while let Some(bytes) = response.chunk().await.map_err(|error| unreachable(&what, error.to_string()))? {
            held += bytes.len() as u64;
            if pace.is_too_slow(held, Instant::now()) {
                return Err(FetchError::Trickle { what });
            }
            if held > program.length {
                RealDisk.remove(part)?;
                return Err(FetchError::TooLong { what, max: program.length });
            }
            file.write_all(&bytes).map_err(failed)?;
        }
        if held < program.length {
            return Err(unreachable(&what, format!("it ended after {held} of {} bytes", program.length)));
        }
        Ok(file.sync_all().map_err(failed)?)
    }
}

/// How fast a program comes.
struct Pace {
    from: u64,
    since: Instant,
    window: Duration,
}

impl Pace {
    /// Whether too little came in the window that ends now.
    fn is_too_slow(&mut self, held: u64, now: Instant) -> bool {
        if now.duration_since(self.since) < self.window {
            return false;
        }
        let came = held.saturating_sub(self.from);
        (self.from, self.since) = (held, now);
        came < PACE_BYTES_MIN
    }
}

fn unreachable(what: &str, why: String) -> FetchError {
    FetchError::Unreachable { what: what.to_owned(), why }
}

/// What this terminal believes: as it was kept, or from the root that was put there with it.
///
/// # Errors
/// `NoRoot`, `Metadata`, `Root`.
pub fn trusted(slots: &Slots, root: &Path) -> Result<Trusted, FetchError> {
    let installed =
        private_file::read(root, private_file::NOBODY)?.ok_or_else(|| FetchError::NoRoot(root.to_owned()))?;
    let installed = Trusted::installed(&installed)?;
    let kept = private_file::read(&slots.trusted_path(), private_file::NOBODY)?;
    let kept = kept.and_then(|kept| {
        let kept = serde_json::from_slice::<Trusted>(&kept);
        // Older lists would be believed again: whoever reads the log should know.
        kept.inspect_err(
            |error| tracing::warn!(%error, "what was believed of releases is damaged; the installed root is gone by"),
        )
        .ok()
    });
    Ok(kept.filter(|kept| kept.root.version >= installed.root.version).unwrap_or(installed))
}

/// The release that this terminal should have: newer than the one that runs, for this machine and this journal. `known`: the
/// programs that are here. A release whose trial failed is asked for `again` once.
///
/// # Errors
/// `OtherProgram`.
pub fn choose(
    targets: &Targets,
    running: Version,
    state: &State,
    (architecture, journal): (&str, &str),
    again: bool,
) -> Result<Option<Program>, FetchError> {
    let of_here = |release: &&Release| release.architecture == architecture;
    for release in targets.releases.iter().filter(of_here) {
        let known = [&state.a, &state.b].into_iter().flatten().find(|known| known.version == release.version);
        let failed = state.failed.iter().find(|failed| failed.version == release.version);
        let known = known.map(|known| &known.sha256).or(failed.map(|failed| &failed.sha256));
        if known.is_some_and(|sha256| *sha256 != release.sha256) {
            return Err(FetchError::OtherProgram(release.version));
        }
    }
    let is_wanted = |release: &&Release| {
        let failures = state.failures(&release.sha256);
        release.version > running
            && release.length <= PROGRAM_BYTES_MAX
            && is_sha256(&release.sha256)
            && release.journal_min.as_str() <= journal
            && release.journal.as_str() >= journal
            && (failures == 0 || (again && failures < TRIALS_MAX))
    };
    let newest = targets.releases.iter().filter(of_here).filter(is_wanted).max_by_key(|release| release.version);
    Ok(newest.map(|Release { version, sha256, length, journal, .. }| Program {
        version: *version,
        sha256: sha256.clone(),
        length: *length,
        journal: journal.clone(),
    }))
}

/// It becomes a file's name.
fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Keeps the free slot up with the repository, for as long as the agent runs. Sales know nothing of it.
pub async fn keep_up(updates: Updates, config: UpdateConfig, free_bytes_min: u64, core: Core) {
    let started = Instant::now();
    loop {
        let is_trying = {
            let standing = updates.standing();
            standing.on_trial && !standing.stays
        };
        if !is_trying {
            let again = started.elapsed() >= AGAIN_AFTER;
            let checked = check(&updates, &config, free_bytes_min, &core, (again, &journal::version())).await;
            let mut standing = updates.standing();
            match checked {
                Ok(ready) => (standing.ready, standing.trouble) = (ready, None),
                Err(error) => {
                    let told = format!("failed to {error}");
                    if standing.trouble.as_ref() != Some(&told) {
                        tracing::warn!(%error, "no newer release was fetched");
                    }
                    // What is not believed any more is not switched to either.
                    if matches!(error, FetchError::Metadata(_)) {
                        standing.ready = None;
                    }
                    standing.trouble = Some(told);
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(config.check_seconds)).await;
    }
}

/// The time that expiry is judged by: core's, where it is known. A terminal's own clock may be years off.
pub async fn time(core: &Core) -> Millis {
    core.clock().await.ok().flatten().unwrap_or_else(now)
}

async fn check(
    updates: &Updates,
    config: &UpdateConfig,
    free_bytes_min: u64,
    core: &Core,
    (again, journal): (bool, &str),
) -> Result<Option<Program>, FetchError> {
    let slots = updates.slots();
    slots.make()?;
    let mut trusted = trusted(slots, &config.root)?;
    let repository = Repository::new(&config.repository)?;
    let keep = |trusted: &Trusted| {
        let text = serde_json::to_vec_pretty(trusted)
            .map_err(|error| DiskError::Damaged { path: slots.trusted_path(), why: error.to_string() })?;
        RealDisk.put(&slots.trusted_path(), &text)
    };
    let refreshed = tokio::time::timeout(METADATA_MAX, repository.refresh(&mut trusted, time(core).await, keep)).await;
    refreshed.unwrap_or(Err(FetchError::Slow))?;
    let state = slots.state()?;
    let here = (std::env::consts::ARCH, journal);
    let chosen = match &trusted.targets {
        Some(targets) if state.is_open_to_another() => choose(targets, updates.version(), &state, here, again)?,
        _ => None,
    };
    let Some(program) = chosen else { return Ok(None) };
    let (free, held) = (state.free(), program.clone());
    let is_here =
        state.program(free) == Some(&program) && blocking(slots, move |slots| slots.check(free, &held)).await.is_ok();
    if !is_here {
        slots.forget_parts(&program.sha256);
        slots.room_for(&program, free_bytes_min)?;
        repository.program(&slots.part(&program.sha256), &program).await?;
        let held = program.clone();
        blocking(slots, move |slots| slots.install(&held)).await?;
        tracing::info!(version = %program.version, "a newer release is here");
    }
    Ok(Some(program))
}

/// Fetches the release that helps an agent that could not start, as long as one is to be had: the journal is a newer one's, or this
/// release cannot be gone back from. It waits a moment if there is none; whoever calls it is started again.
///
/// # Errors
/// What [`keep_up`] would say.
pub async fn in_need(
    updates: &Updates,
    config: &UpdateConfig,
    free_bytes_min: u64,
    core: &Core,
    journal: &Path,
) -> Result<Option<Program>, FetchError> {
    let made = journal::version_of(journal).map_err(DiskError::from)?;
    let look = check(updates, config, free_bytes_min, core, (true, &made));
    let found = tokio::time::timeout(NEED_MAX, look).await.unwrap_or(Err(FetchError::Slow));
    if !matches!(found, Ok(Some(_))) {
        tokio::time::sleep(NEED_EVERY).await;
    }
    found
}

/// A program is hashed and synced where waiting is allowed.
async fn blocking(
    slots: &Slots,
    work: impl FnOnce(&Slots) -> Result<(), DiskError> + Send + 'static,
) -> Result<(), DiskError> {
    let slots = slots.clone();
    let folder = slots.folder().to_owned();
    match tokio::task::spawn_blocking(move || work(&slots)).await {
        Ok(done) => done,
        Err(error) => Err(DiskError::Damaged { path: folder, why: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn a_program_that_trickles_is_given_up_and_a_thin_line_is_not() {
        let begun = Instant::now();
        let mut pace = Pace { from: 100, since: begun, window: PACE_WINDOW };
        let minutes = |minutes: u64| begun + Duration::from_secs(minutes * 60);
        for (held, at, too_slow) in [
            (101, 9, false),
            (100 + PACE_BYTES_MIN, 10, false),
            (100 + PACE_BYTES_MIN, 19, false),
            (99 + 2 * PACE_BYTES_MIN, 20, true),
        ] {
            assert_eq!(pace.is_too_slow(held, minutes(at)), too_slow, "{held} bytes by minute {at}");
        }
    }

    #[tokio::test]
    async fn a_repository_that_gives_a_byte_in_a_window_is_left() {
        crate::link::tls::install_provider();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let serves = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let _ = stream.read(&mut asked).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n#").await.unwrap();
            stream
        };
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("part");
        let program =
            Program { version: "1.0.0".parse().unwrap(), sha256: "00".to_owned(), length: 9, journal: String::new() };
        let repository = Repository { window: Duration::ZERO, ..Repository::new(&base).unwrap() };
        let (fetched, _stream) = tokio::join!(repository.program(&part, &program), serves);
        assert!(matches!(fetched, Err(FetchError::Trickle { .. })), "{fetched:?}");
    }
}
