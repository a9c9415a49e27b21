//! Plugins from bytes: named by content hash, compiled once per machine, kept as native code that only we wrote.
//!
//! Native code runs with the host's own rights, so a file of it is believed only if it carries our MAC under a key that
//! lies beside it in a folder closed to everyone else. A file that fails the check is ignored, reported and replaced.

use std::{
    collections::HashSet,
    fmt, fs,
    hash::{Hash as _, Hasher as _},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ring::{hmac, rand::SystemRandom};
pub use saoma_domain::package::ContentHash;
use wasmtime::{Engine, component::Component};

use crate::{
    failure::{CacheError, InstallError},
    manifest::Manifest,
    places::Places,
    versions::Pre,
};

/// Largest component taken: a Python one has 18 MB.
pub const PLUGIN_BYTES_MAX: usize = 64 << 20;

/// Where a plugin's native code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Compiled,
    Cache,
}

/// For whom a package is here, and so with whom its calls share places and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The platform's: all tenants have it, and its calls are one plugin's.
    Everybodys,
    /// A tenant's own. Others may have one of the same name, or of the same bytes: theirs are theirs.
    Tenants,
}

/// Compiled code and what it says of itself. Holds no instance: every call makes its own.
pub struct Plugin {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) content_hash: ContentHash,
    pub(crate) origin: Origin,
    pub(crate) pre: Arc<Pre>,
    /// All packages of one plugin have them together: neither one plugin nor many versions of it can take everything.
    pub(crate) places: Arc<Places>,
}

impl Plugin {
    #[must_use]
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        self.content_hash
    }

    /// The version of `saoma:channel` that it was built for.
    #[must_use]
    pub fn contract(&self) -> &'static str {
        self.pre.version()
    }

    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} ({})", self.manifest.id, self.manifest.version, self.content_hash)
    }
}

/// The component, from the cache if it is there and ours, else compiled. Blocks for as long as compiling takes.
pub(crate) fn load(engine: &Engine, cache: &CodeCache, bytes: &[u8]) -> Result<(Component, Origin), InstallError> {
    if bytes.len() > PLUGIN_BYTES_MAX {
        return Err(InstallError::TooLarge { given: bytes.len(), max: PLUGIN_BYTES_MAX });
    }
    // Native code must never come in as if it were a component.
    if Engine::detect_precompiled(bytes).is_some() {
        return Err(InstallError::NotAComponent("it is precompiled code; give the .wasm component".to_owned()));
    }
    let hash = ContentHash::of(bytes);
    if let Some(component) = cache.load(engine, hash) {
        return Ok((component, Origin::Cache));
    }
    let refused = |error: wasmtime::Error| InstallError::NotAComponent(format!("{error:#}"));
    let component = Component::from_binary(engine, bytes).map_err(refused)?;
    Ok((component, Origin::Compiled))
}

/// Puts what was compiled where the next start finds it. Only of what was accepted: nobody is to fill the disk with what is refused. A
/// full disk costs the next start its head start, and nothing else. Blocks.
pub(crate) fn keep(cache: &CodeCache, hash: ContentHash, component: &Component) {
    let serialized = component.serialize().map_err(|error| format!("{error:#}"));
    let kept = serialized.and_then(|code| cache.store(hash, &code).map_err(|error| error.to_string()));
    if let Err(error) = kept {
        tracing::warn!(%hash, error, "a plugin's compiled code is not kept: it is compiled again at the next start");
    }
}

const MAC_BYTES: usize = 32;
const KEY_FILE: &str = "cache.key";
const CODE_EXTENSION: &str = "cwasm";
const SCRATCH_EXTENSION: &str = "tmp";

/// A scratch file is written in seconds; one that is older is of a process that ended meanwhile.
const SCRATCH_AGE_MAX: Duration = Duration::from_secs(3_600);

/// The folder of compiled plugins.
pub(crate) struct CodeCache {
    dir: PathBuf,
    key: hmac::Key,
    /// Differs for every Wasmtime version, processor kind and engine setting.
    engine_tag: String,
}

impl CodeCache {
    /// Opens the folder, making it (mode 0700) and its key (mode 0600) if they are missing.
    pub(crate) fn open(dir: &Path, engine: &Engine) -> Result<Self, CacheError> {
        let io_error = |source| CacheError::Io { path: dir.display().to_string(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io_error)?;
        let key_bytes = our_key(dir).map_err(io_error)?;
        let key = fs::metadata(dir.join(KEY_FILE)).map_err(io_error)?;
        let folder = fs::metadata(dir).map_err(io_error)?;
        // A scratch file of ours tells our user id without asking the C library.
        let scratch = Scratch::create(dir).map_err(io_error)?;
        let ours = scratch.file.metadata().map_err(io_error)?.uid();
        if folder.uid() != ours || key.uid() != ours || folder.permissions().mode() & 0o077 != 0 {
            return Err(CacheError::NotPrivate { path: dir.display().to_string() });
        }
        if key_bytes.len() != MAC_BYTES {
            return Err(CacheError::BadKey { path: dir.display().to_string() });
        }
        let mut hasher = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self {
            dir: dir.to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &key_bytes),
            engine_tag: format!("{:016x}", hasher.finish()),
        })
    }

    fn file_name(&self, hash: ContentHash) -> String {
        format!("{hash}-{}.{CODE_EXTENSION}", self.engine_tag)
    }

    /// Deletes the code of all but these, what another Wasmtime or engine wrote, and what was left half written. Returns how many files.
    pub(crate) fn sweep(&self, known: &HashSet<ContentHash>) -> io::Result<usize> {
        let known: HashSet<String> = known.iter().map(|hash| self.file_name(*hash)).collect();
        let mut n_deleted = 0;
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_left = match path.extension().and_then(|extension| extension.to_str()) {
                Some(CODE_EXTENSION) => !known.contains(&name),
                Some(SCRATCH_EXTENSION) => is_older(&path, SCRATCH_AGE_MAX),
                _ => false,
            };
            if is_left {
                fs::remove_file(&path)?;
                n_deleted += 1;
            }
        }
        Ok(n_deleted)
    }

    /// Deletes the code of one; it is no error that there is none.
    pub(crate) fn remove(&self, hash: ContentHash) -> io::Result<()> {
        match fs::remove_file(self.dir.join(self.file_name(hash))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) fn has(&self, hash: ContentHash) -> bool {
        self.dir.join(self.file_name(hash)).exists()
    }

    fn load(&self, engine: &Engine, hash: ContentHash) -> Option<Component> {
        let name = self.file_name(hash);
        let bytes = fs::read(self.dir.join(&name)).ok()?;
        let (mac, code) = bytes.split_at_checked(MAC_BYTES)?;
        if hmac::verify(&self.key, &signed(&name, code), mac).is_err() {
            tracing::warn!(file = %name, "the compiled plugin is not as we wrote it: it is compiled again");
            return None;
        }
        match deserialize(engine, code) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(file = %name, error = %format!("{error:#}"), "the compiled plugin does not load: it is compiled again");
                None
            }
        }
    }

    fn store(&self, hash: ContentHash, code: &[u8]) -> Result<(), CacheError> {
        let name = self.file_name(hash);
        let mac = hmac::sign(&self.key, &signed(&name, code));
        let write = || {
            let mut scratch = Scratch::create(&self.dir)?;
            scratch.file.write_all(mac.as_ref())?;
            scratch.file.write_all(code)?;
            fs::rename(&scratch.path, self.dir.join(&name))
        };
        write().map_err(|source| CacheError::Io { path: self.dir.display().to_string(), source })
    }
}

fn is_older(path: &Path, age: Duration) -> bool {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.ok().and_then(|modified| modified.elapsed().ok()).is_some_and(|elapsed| elapsed > age)
}

/// The text under the MAC: the name too, so that one plugin's code cannot be put in another's place.
fn signed(name: &str, code: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(name.len() + 1 + code.len());
    text.extend_from_slice(name.as_bytes());
    text.push(0);
    text.extend_from_slice(code);
    text
}

#[expect(unsafe_code, reason = "the one place where native code is taken from a file")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes must be what `Component::serialize` gave, unchanged. They are held in memory here (the file cannot
    // change under us) and have just passed our MAC, whose key only this user can read.
    unsafe { Component::deserialize(engine, code) }
}

/// Reads the folder's key, or draws one. Two processes that start at once end up with the same.
fn our_key(dir: &Path) -> io::Result<Vec<u8>> {
    let path = dir.join(KEY_FILE);
    if !path.exists() {
        let key: [u8; MAC_BYTES] = ring::rand::generate(&SystemRandom::new())
            .map_err(|_| io::Error::other("the machine gives no random bytes"))?
            .expose();
        let mut scratch = Scratch::create(dir)?;
        scratch.file.write_all(&key)?;
        scratch.file.sync_all()?;
        // A link appears whole or not at all, and fails if another process was quicker: then that key is the key.
        match fs::hard_link(&scratch.path, &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    fs::read(path)
}

/// A file of our own under a name nobody else has, deleted when dropped (unless renamed).
struct Scratch {
    path: PathBuf,
    file: fs::File,
}

impl Scratch {
    fn create(dir: &Path) -> io::Result<Self> {
        let name: [u8; 8] = ring::rand::generate(&SystemRandom::new())
            .map_err(|_| io::Error::other("the machine gives no random bytes"))?
            .expose();
        let path = dir.join(format!("{}.{SCRATCH_EXTENSION}", hex::encode(name)));
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path, file })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Gone already if it was renamed.
        let _ = fs::remove_file(&self.path);
    }
}
