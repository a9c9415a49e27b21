//! Signing a component, and what an envelope beside one says.

use std::{
    fmt, fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail, ensure};
use saoma_channels::{
    SystemChance,
    conformance::{Inspected, Report},
    package::{self, ENVELOPE_BYTES_MAX, Publisher, PublisherKey, Said, Vetted},
};
use serde_json::{Value, json};

pub(super) const KEYGEN_EXAMPLE: &str = "Example:
  saoma plugin keygen ~/.saoma-publisher.pem > publisher.pub.pem

The private key (Ed25519, PKCS#8 in PEM) is written for you alone: keep it, and keep a copy where nobody else comes. What is printed
is public: send it to whoever is to trust you, and compare the key id with them by another way, such as the telephone.
`openssl genpkey -algorithm ed25519` makes such a key as well.";

pub(super) const SIGN_EXAMPLE: &str = "Examples:
  saoma plugin test my.wasm --far-side './my-far-side' --json report.json
  saoma plugin sign my.wasm --report report.json --key ~/.saoma-publisher.pem

  saoma plugin test my-rules.wasm --settings settings.json --json report.json
  saoma plugin sign my-rules.wasm --report report.json --key ~/.saoma-publisher.pem

Writes my.wasm.saoma.json beside the component: a DSSE envelope in which you state what the component is and how it stood every case
of the kit. A component that failed a case, or was not played whole, is not signed, since no core would take it.

Exit code 0: signed. 2: not signed, and nothing was written.";

/// A private key's file, its bytes, and a report's: more is another file by mistake.
const KEY_FILE_BYTES_MAX: u64 = 16 << 10;
const REPORT_BYTES_MAX: u64 = 64 << 20;
/// For whom a private key may be readable: its owner.
const OTHERS: u32 = 0o077;

pub(super) fn keygen(file: &Path) -> Result<ExitCode> {
    let key = PublisherKey::generate(&SystemChance)?;
    let mut open = fs::OpenOptions::new();
    let mut opened = match open.write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} is there already, and a key that is lost cannot be made again: give another name", file.display())
        }
        opened => opened.with_context(|| format!("write {}", file.display()))?,
    };
    opened.write_all(key.to_pem().as_bytes()).with_context(|| format!("write {}", file.display()))?;
    opened.sync_all().with_context(|| format!("write {}", file.display()))?;
    print!("Key-Id: {}\n{}", key.publisher().key_id(), key.publisher().to_pem());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn sign(path: &Path, report: &Path, key: &Path) -> Result<ExitCode> {
    let component = super::read(path)?;
    let text = limited(report, REPORT_BYTES_MAX)?;
    let report: Report = serde_json::from_slice(&text)
        .with_context(|| format!("read {}: is it what `saoma plugin test --json` wrote?", report.display()))?;
    let key = private_key(key)?;
    let inspected = super::inspected(&component)?;
    let envelope = package::sign(&component, &inspected, &report, &key)?;
    let written = envelope_of(path);
    let json = serde_json::to_string_pretty(&envelope).context("write the envelope")?;
    fs::write(&written, json + "\n").with_context(|| format!("write {}", written.display()))?;
    eprintln!("signed {} {} as {}", inspected.id(), inspected.version(), key.publisher().key_id());
    println!("{}", written.display());
    Ok(ExitCode::SUCCESS)
}

fn private_key(file: &Path) -> Result<PublisherKey> {
    let within = || format!("read the key {}", file.display());
    let mode = fs::metadata(file).with_context(within)?.permissions().mode();
    ensure!(
        mode & OTHERS == 0,
        "the key {0} can be read by others, who can sign as you: run `chmod 600 {0}`, or make another",
        file.display()
    );
    let text = zeroize::Zeroizing::new(limited(file, KEY_FILE_BYTES_MAX)?);
    PublisherKey::from_pem(&text).with_context(within)
}

pub(super) fn public_key(file: &Path) -> Result<Publisher> {
    let text = limited(file, KEY_FILE_BYTES_MAX)?;
    Publisher::from_pem(&text).with_context(|| format!("read the key {}", file.display()))
}

/// Where the envelope of a component lies: its name and `.saoma.json`.
pub(super) fn envelope_of(component: &Path) -> PathBuf {
    let mut name = component.as_os_str().to_owned();
    name.push(".saoma.json");
    PathBuf::from(name)
}

pub(super) fn limited(file: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let within = || format!("read {}", file.display());
    let bytes = fs::metadata(file).with_context(within)?.len();
    ensure!(bytes <= bytes_max, "{} has {bytes} bytes, and at most {bytes_max} are read", file.display());
    fs::read(file).with_context(within)
}

/// The envelope beside a component, checked if a key was given.
pub(super) struct Package {
    said: Said,
    vetted: Option<Vetted>,
}

/// `None` if there is no envelope.
///
/// # Errors
/// The envelope cannot be read; with a publisher's key: core would refuse it.
pub(super) fn beside(
    path: &Path,
    component: &[u8],
    inspected: &Inspected,
    publisher: Option<&Path>,
) -> Result<Option<Package>> {
    let file = envelope_of(path);
    if !file.exists() {
        ensure!(publisher.is_none(), "{} is not there: the component is not signed", file.display());
        return Ok(None);
    }
    let json = limited(&file, ENVELOPE_BYTES_MAX as u64)?;
    let within = || format!("vet {}", file.display());
    let said = Said::read(&json).with_context(within)?;
    let vetted = match publisher {
        None => None,
        Some(key) => {
            let vetted = package::vet(component, &json, &[public_key(key)?]).with_context(within)?;
            vetted.fits(inspected).with_context(within)?;
            Some(vetted)
        }
    };
    Ok(Some(Package { said, vetted }))
}

impl Package {
    pub(super) fn to_json(&self) -> Value {
        let left_out = self.said.left_out.iter().map(|case| json!({"case": case.case, "why": case.why}));
        json!({
            "is_vetted": self.vetted.is_some(),
            "kind": self.said.kind.text(),
            "plugin": self.said.plugin,
            "version": self.said.version,
            "component": self.said.component,
            "key_ids": self.said.key_ids,
            "kit": self.said.kit,
            "passed": self.said.passed,
            "left_out": left_out.collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Said { kind, plugin, version, component, key_ids, kit, passed, left_out } = &self.said;
        let checked = if self.vetted.is_some() { "vetted: core would take it" } else { "unchecked: give --publisher" };
        writeln!(f, "\npackage ({checked})")?;
        let mut row = |what: &str, text: &str| writeln!(f, "  {what:<14} {text}");
        row("of", &format!("the {kind} {plugin} {version}, sha256 {component}"))?;
        for id in key_ids {
            row("signed by", id)?;
        }
        row("kit", &format!("{kit}: {passed} cases passed, {} left out", left_out.len()))?;
        for case in left_out {
            row("left out", &format!("{}: {}", case.case, case.why))?;
        }
        Ok(())
    }
}
