//! `saoma-edge release`: what those who make releases do, on their machine. A repository is a folder that any web server shows.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, Subcommand};
use saoma_protocol::Millis;
use serde_json::json;

use crate::{
    app::now,
    journal, private_file,
    update::{
        Version,
        keys::{PublicKey, SigningKey},
        metadata::{self, Envelope, Keys, Role, Root, Signed, Targets, TargetsMark, Timestamp, Trusted},
    },
};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum Release {
    /// Draw a key that signs, into a file for its owner alone, and print its public half. One for each person and role.
    Keygen {
        /// PEM; it must not be there yet.
        file: PathBuf,
    },
    /// Say whose keys are believed: the first root of a repository, or the one after its last.
    ///
    /// A following root must be signed by enough keys of the one before and of its own: `release sign` adds signatures.
    Root(MakeRoot),
    /// Add a program to the repository, as a release of that version.
    Add(Add),
    /// Say which list of releases is the newest. To be done after each change, and before the last one expires.
    Timestamp(MakeTimestamp),
    /// Sign the list of releases anew before it expires, as it is. Then `release timestamp`.
    Renew(Renew),
    /// Take a release out of the list: terminals that do not have it yet do not fetch it. Then `release timestamp`.
    Withdraw(Withdraw),
    /// Print what this program makes of the journal; `release add` asks the program that it adds.
    #[command(hide = true)]
    About,
    /// Add a signature to a file of the repository that needs several.
    Sign {
        /// For example REPO/2.root.json.
        file: PathBuf,
        /// A private key; may be given several times.
        #[arg(long, value_name = "FILE", required = true)]
        key: Vec<PathBuf>,
    },
    /// Print what a file of the repository says. It is not checked.
    Inspect { file: PathBuf },
}

#[derive(Debug, Args)]
pub(super) struct MakeRoot {
    /// The folder.
    repository: PathBuf,
    /// Who says whose keys are believed: how many of them must sign, and their public keys.
    #[arg(long, value_parser = keys, value_name = "2:HEX,HEX,…")]
    root: Keys,
    /// Who says which releases there are.
    #[arg(long, value_parser = keys, value_name = "1:HEX,…")]
    targets: Keys,
    /// Who says which list of them is the newest.
    #[arg(long, value_parser = keys, value_name = "1:HEX,…")]
    timestamp: Keys,
    /// A private key of the root; may be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// Until it expires.
    #[arg(long, default_value_t = 365)]
    days: u16,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The folder.
    repository: PathBuf,
    /// The program, as terminals start it.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// The release's version, as 1.2.3.
    #[arg(long = "as", value_name = "VERSION")]
    version: Version,
    /// As Rust names it (x86_64, aarch64); this machine's without it.
    #[arg(long, default_value = std::env::consts::ARCH, hide_default_value = true)]
    architecture: String,
    /// The newest migration of the program's journal. The program is asked without it, if it is of this machine's architecture.
    #[arg(long)]
    journal: Option<String>,
    /// The oldest journal that it opens.
    #[arg(long, default_value = "20260131000000")]
    journal_min: String,
    /// A private key of the targets; may be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// Until the list expires.
    #[arg(long, default_value_t = 90)]
    days: u16,
}

#[derive(Debug, Args)]
pub(super) struct Renew {
    /// The folder.
    repository: PathBuf,
    /// A private key of the targets; may be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// Until the list expires.
    #[arg(long, default_value_t = 90)]
    days: u16,
}

#[derive(Debug, Args)]
pub(super) struct Withdraw {
    #[command(flatten)]
    list: Renew,
    /// The release's version, as 1.2.3, for every architecture. It is given to no other program.
    version: Version,
}

#[derive(Debug, Args)]
pub(super) struct MakeTimestamp {
    /// The folder.
    repository: PathBuf,
    /// A private key of the timestamp; may be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// How long a terminal may be kept from newer releases without noticing.
    #[arg(long, default_value_t = 7)]
    days: u16,
}

fn keys(text: &str) -> Result<Keys, String> {
    let parsed = || -> Result<Keys> {
        let (threshold, keys) = text.split_once(':').context("it is written as 1:HEX,HEX")?;
        let keys = keys.split(',').map(|key| Ok(PublicKey::try_from(key.to_owned())?)).collect::<Result<_>>()?;
        Ok(Keys { keys, threshold: threshold.parse()? })
    };
    parsed().map_err(|error| format!("{error:#}"))
}

impl Release {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Keygen { file } => {
                println!("{}", String::from(SigningKey::generate(&file)?.public()));
                Ok(())
            }
            Self::Root(root) => root.run(),
            Self::Add(add) => add.run(),
            Self::Timestamp(timestamp) => timestamp.run(),
            Self::Renew(list) => list.publish(|_| true),
            Self::Withdraw(Withdraw { version, list }) => {
                let (_, releases) = releases(&list.repository)?;
                ensure!(
                    releases.iter().any(|held| held.version == version),
                    "withdraw {version}: it is not in the list"
                );
                list.publish(|held| held.version != version)
            }
            Self::About => {
                println!("{}", serde_json::to_string(&About { journal: journal::version() })?);
                Ok(())
            }
            Self::Sign { file, key } => {
                let mut envelope = read(&file)?;
                sign(&mut envelope, &key)?;
                write(&file, &envelope)
            }
            Self::Inspect { file } => {
                let envelope = read(&file)?;
                let content = match envelope.role() {
                    Some(Role::Root) => serde_json::to_value(envelope.content::<Root>()?)?,
                    Some(Role::Targets) => serde_json::to_value(envelope.content::<Targets>()?)?,
                    Some(Role::Timestamp) => serde_json::to_value(envelope.content::<Timestamp>()?)?,
                    None => bail!("understand {}: it is of no role", file.display()),
                };
                let role = envelope.role();
                println!("{}", serde_json::to_string_pretty(&json!({"role": role, "says": content}))?);
                Ok(())
            }
        }
    }
}

impl MakeRoot {
    fn run(self) -> Result<()> {
        let Self { repository, root, targets, timestamp, key, days } = self;
        let version = newest(&repository, Role::Root)?.unwrap_or(0) + 1;
        let content = Root { version, expires_at: after(days), root, targets, timestamp };
        content.check()?;
        publish(&repository.join(format!("{version}.root.json")), &content, &key)
    }
}

impl Add {
    fn run(self) -> Result<()> {
        let Self { repository, program, version, architecture, journal, journal_min, key, days } = self;
        let bytes = fs::read(&program).with_context(|| format!("read the program {}", program.display()))?;
        let (before, mut releases) = releases(&repository)?;
        let is_there = releases.iter().any(|held| held.version == version && held.architecture == architecture);
        ensure!(
            !is_there,
            "add {version}: it is there already for {architecture}, and a version is one program for ever"
        );
        let sha256 = metadata::sha256(&bytes);
        let journal = match journal {
            Some(journal) => journal,
            None if architecture == std::env::consts::ARCH => about(&program)?.journal,
            None => bail!(
                "add {version}: this machine cannot ask a program for {architecture} what it makes of the journal; give --journal"
            ),
        };
        let length = bytes.len() as u64;
        put(&repository.join(format!("{sha256}.saoma-edge")), &bytes)?;
        releases.push(metadata::Release { version, architecture, length, sha256, journal, journal_min });
        let version = before + 1;
        let content = Targets { version, expires_at: after(days), releases };
        publish(&repository.join(format!("{version}.targets.json")), &content, &key)
    }
}

impl Renew {
    fn publish(self, keep: impl Fn(&metadata::Release) -> bool) -> Result<()> {
        let (before, mut releases) = releases(&self.repository)?;
        ensure!(before > 0, "find a list of releases: `release add` makes one");
        releases.retain(keep);
        let version = before + 1;
        let content = Targets { version, expires_at: after(self.days), releases };
        publish(&self.repository.join(format!("{version}.targets.json")), &content, &self.key)
    }
}

/// What a program says of itself.
#[derive(serde::Serialize, serde::Deserialize)]
struct About {
    journal: String,
}

fn about(program: &Path) -> Result<About> {
    let asked = || format!("ask {} what it makes of the journal; else give --journal", program.display());
    let program = program.canonicalize().with_context(asked)?;
    let told = Command::new(program).args(["release", "about"]).output().with_context(asked)?;
    serde_json::from_slice(&told.stdout).with_context(asked)
}

/// The newest list, and its version: 0 if there is none.
fn releases(repository: &Path) -> Result<(u64, Vec<metadata::Release>)> {
    match newest(repository, Role::Targets)? {
        Some(newest) => {
            let list = read(&repository.join(format!("{newest}.targets.json")))?;
            Ok((newest, list.content::<Targets>()?.releases))
        }
        None => Ok((0, Vec::new())),
    }
}

impl MakeTimestamp {
    fn run(self) -> Result<()> {
        let Self { repository, key, days } = self;
        let version =
            newest(&repository, Role::Targets)?.context("find a list of releases: `release add` makes one")?;
        let targets = repository.join(format!("{version}.targets.json"));
        let bytes = fs::read(&targets).with_context(|| format!("read {}", targets.display()))?;
        // Signed once more it is another file, and what terminals kept of this one would not fit it.
        let root = newest(&repository, Role::Root)?.context("find a root: `release root` makes one")?;
        let root = fs::read(repository.join(format!("{root}.root.json")))?;
        Trusted::installed(&root)?.root.believe::<Targets>(&bytes).context("wait for `release sign`")?;
        let mark = TargetsMark { version, length: bytes.len() as u64, sha256: metadata::sha256(&bytes) };
        let path = repository.join("timestamp.json");
        let before = if path.exists() { read(&path)?.content::<Timestamp>()?.version } else { 0 };
        publish(&path, &Timestamp { version: before + 1, expires_at: after(days), targets: mark }, &key)
    }
}

fn after(days: u16) -> Millis {
    now().plus(i64::from(days) * DAY_MS)
}

/// The highest version of that role in the folder.
fn newest(repository: &Path, role: Role) -> Result<Option<u64>> {
    let suffix = format!(".{}.json", role.name());
    let files = fs::read_dir(repository).with_context(|| format!("read the folder {}", repository.display()))?;
    let version = |file: fs::DirEntry| file.file_name().to_str()?.strip_suffix(&suffix)?.parse().ok();
    Ok(files.flatten().filter_map(version).max())
}

fn read(path: &Path) -> Result<Envelope> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("understand {}: it is no envelope", path.display()))
}

fn sign(envelope: &mut Envelope, keys: &[PathBuf]) -> Result<()> {
    for key in keys {
        envelope.sign(&SigningKey::read(key)?);
    }
    Ok(())
}

fn publish<T: Signed>(path: &Path, content: &T, keys: &[PathBuf]) -> Result<()> {
    let mut envelope = Envelope::unsigned(content)?;
    sign(&mut envelope, keys)?;
    write(path, &envelope)
}

fn write(path: &Path, envelope: &Envelope) -> Result<()> {
    put(path, &serde_json::to_vec_pretty(envelope)?)?;
    println!("{}", path.display());
    Ok(())
}

/// For everybody to read: a web server may be another user.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    private_file::write(path, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).with_context(|| format!("show {}", path.display()))
}
