//! What the machine must have, and installing it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

use crate::stage::{command, execute, execute_quietly, is_installed, output, say};

/// Something from Debian's packages.
pub struct Package {
    pub name: &'static str,
    /// What shows that it is there: a program's name, or a path with at most one `*` for a folder of any name.
    pub program: &'static str,
    pub why: &'static str,
}

pub const C_COMPILER: Package = Package { name: "build-essential", program: "cc", why: "links Rust, builds SQLite" };
pub const MUSL: Package =
    Package { name: "musl-tools", program: "musl-gcc", why: "builds SQLite into the terminal's static program" };
pub const OPENSSL: Package =
    Package { name: "openssl", program: "openssl", why: "reads our keys and verifies what we sign with them" };
pub const ZBAR: Package = Package { name: "zbar-tools", program: "zbarimg", why: "reads our codes back" };
pub const ESPEAK: Package =
    Package { name: "espeak-ng", program: "espeak-ng", why: "says the till's amounts in tests" };
pub const PCSCD: Package = Package {
    name: "pcscd",
    program: "/usr/sbin/pcscd",
    why: "serves the terminal's reader of chips in tests, in a namespace of its own",
};
pub const VPCD: Package = Package {
    name: "vsmartcard-vpcd",
    program: "/usr/lib/pcsc/drivers/serial/libifdvpcd.so",
    why: "is that reader, for cards made of software",
};
pub const SYSTEMD: Package =
    Package { name: "systemd", program: "systemd-analyze", why: "reads the terminal's unit as the terminal does" };
pub const RSVG: Package = Package {
    name: "librsvg2-bin",
    program: "rsvg-convert",
    why: "turns our codes and the display's image into pixels",
};
pub const CHROMIUM: Package = Package { name: "chromium", program: "chromium", why: "runs the browser tests" };
pub const CJK_FONT: Package = Package {
    name: "fonts-noto-cjk",
    program: "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    why: "shows Chinese in the browser tests",
};
pub const PROMETHEUS_PARSER: Package = Package {
    name: "python3-prometheus-client",
    program: "/usr/lib/python3/dist-packages/prometheus_client/openmetrics/parser.py",
    why: "reads /metrics as Prometheus does",
};
pub const OPENPYXL: Package = Package {
    name: "python3-openpyxl",
    program: "/usr/lib/python3/dist-packages/openpyxl/__init__.py",
    why: "reads our spreadsheets back",
};
pub const PYTHON_VENV: Package = Package {
    name: "python3-venv",
    program: "/usr/lib/python3.11/ensurepip/__init__.py",
    why: "builds the channel that is written in Python, and asks Python packages what they make of cards' messages and of receipts",
};
pub const PNGQUANT: Package =
    Package { name: "pngquant", program: "pngquant", why: "makes the README's pictures small" };
pub const POSTGRESQL: Package = Package {
    name: "postgresql",
    program: "/usr/lib/postgresql/*/bin/postgres",
    why: "runs the repository tests on PostgreSQL",
};
pub const REDIS: Package =
    Package { name: "redis-server", program: "redis-server", why: "wakes and counts between several cores in tests" };

impl Package {
    fn is_there(&self) -> bool {
        match self.program.split_once("/*/") {
            Some((above, below)) => fs::read_dir(above)
                .is_ok_and(|folders| folders.flatten().any(|folder| folder.path().join(below).exists())),
            None if self.program.starts_with('/') => Path::new(self.program).exists(),
            None => is_installed(self.program),
        }
    }
}

/// Installs those packages that are missing, through apt-get.
pub fn packages(wanted: &[&Package]) -> Result<()> {
    let missing: Vec<&&Package> = wanted.iter().filter(|package| !package.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for package in &missing {
        say(&format!("Installing Debian's package {} ({})", package.name, package.why));
    }
    if !is_installed("apt-get") {
        bail!(
            "this is not a Debian machine: install {} by hand, then run this again",
            missing.iter().map(|package| package.program).collect::<Vec<_>>().join(", ")
        );
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let root = output(&mut command("id", &["-u"]))?.trim() == "0";
    if !root && !is_installed("sudo") {
        bail!("there is no sudo here: run `apt-get install {}` as root, then this again", names.join(" "));
    }
    let apt = |arguments: &[&str]| {
        let mut apt =
            if root { command("apt-get", arguments) } else { command("sudo", &[&["apt-get"], arguments].concat()) };
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        execute_quietly(&mut apt)
    };
    apt(&["update"])?;
    apt(&[&["install", "--yes", "--no-install-recommends"], names.as_slice()].concat())
}

/// A Python that has the packages, each of the one version and hash that the file names, in a folder of its own. One whose file has changed
/// is made anew.
pub fn python_with(requirements: &Path, name: &str, options: &[&str]) -> Result<PathBuf> {
    let folder = crate::target().join("oracle").join(name);
    let (python, stamp) = (folder.join("bin/python"), folder.join("requirements.txt"));
    if fs::read(&stamp).ok() != Some(fs::read(requirements)?) {
        execute(command("python3", &["-m", "venv", "--clear"]).arg(&folder))?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"];
        execute(command(&python, &install).args(options).arg("-r").arg(requirements))?;
        fs::copy(requirements, &stamp)?;
    }
    Ok(python)
}

/// The compilation target of the plugins.
pub fn wasm_target() -> Result<()> {
    rust_target("wasm32-wasip2", "channel plugins")
}

pub fn rust_target(name: &str, why: &str) -> Result<()> {
    from_rustup("target", name, why)
}

/// What rustup's minimal profile leaves out and the tests need.
pub fn rust_tools() -> Result<()> {
    from_rustup("component", "rustfmt", "formatting")?;
    from_rustup("component", "clippy", "lints")
}

/// `kind` is `target` or `component`; components are listed with the machine's own target behind their name.
fn from_rustup(kind: &str, name: &str, why: &str) -> Result<()> {
    if !is_installed("rustup") {
        bail!("rustup is missing, which adds Rust's {kind} {name} ({why}): install Rust from https://rustup.rs");
    }
    let installed = output(&mut command("rustup", &[kind, "list", "--installed"]))?;
    let is_it = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    if installed.lines().any(is_it) {
        return Ok(());
    }
    say(&format!("Adding Rust's {kind} {name} ({why})"));
    execute(&mut command("rustup", &[kind, "add", name]))
}

/// Node and npm, which build the pages. They cannot be had from Debian in the version needed.
pub fn node() -> Result<()> {
    let version = if is_installed("node") { output(&mut command("node", &["--version"]))? } else { String::new() };
    let mut numbers = version.trim().trim_start_matches('v').split('.').map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= NODE_MIN && is_installed("npm") => Ok(()),
        (Some(_), _) => bail!("node {} is too old, or npm is missing: install {NODE_WANTED}", version.trim()),
        (None, _) => bail!("node is missing: install {NODE_WANTED}"),
    }
}

/// What the packages that build the pages ask for.
const NODE_MIN: (u32, u32) = (20, 19);
const NODE_WANTED: &str = "Node 20.19 or newer (https://nodejs.org, or NodeSource's packages)";
