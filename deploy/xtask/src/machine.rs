//! What the machine must have, and installing it.

use anyhow::{Result, bail};

use crate::stage::{command, execute, execute_quietly, is_installed, output, say};

/// Something from Debian's packages.
pub struct Package {
    pub name: &'static str,
    /// A program that shows that it is there.
    pub program: &'static str,
    pub why: &'static str,
}

pub const C_COMPILER: Package = Package { name: "build-essential", program: "cc", why: "links Rust, builds SQLite" };
pub const ZBAR: Package = Package { name: "zbar-tools", program: "zbarimg", why: "reads our codes back" };
pub const RSVG: Package =
    Package { name: "librsvg2-bin", program: "rsvg-convert", why: "turns the display's image into pixels" };
pub const CHROMIUM: Package = Package { name: "chromium", program: "chromium", why: "runs the browser tests" };
pub const CJK_FONT: Package = Package {
    name: "fonts-noto-cjk",
    program: "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    why: "shows Chinese in the browser tests",
};
pub const POSTGRESQL: Package = Package {
    name: "postgresql",
    program: "/usr/lib/postgresql/15/bin/postgres",
    why: "runs the repository tests on PostgreSQL",
};

impl Package {
    fn is_there(&self) -> bool {
        if self.program.starts_with('/') {
            std::path::Path::new(self.program).exists()
        } else {
            is_installed(self.program)
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
    let root = output(&mut command("id", &["-u"]))?.trim() == "0";
    let apt = |arguments: &[&str]| {
        let mut apt =
            if root { command("apt-get", arguments) } else { command("sudo", &[&["apt-get"], arguments].concat()) };
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        execute_quietly(&mut apt)
    };
    apt(&["update"])?;
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    apt(&[&["install", "--yes", "--no-install-recommends"], names.as_slice()].concat())
}

/// The compilation target of the plugins.
pub fn wasm_target() -> Result<()> {
    let installed = output(&mut command("rustup", &["target", "list", "--installed"]))?;
    if installed.lines().any(|target| target == "wasm32-wasip2") {
        return Ok(());
    }
    say("Adding Rust's target wasm32-wasip2 (channel plugins)");
    execute(&mut command("rustup", &["target", "add", "wasm32-wasip2"]))
}

/// Node and npm, which build the pages. They cannot be had from Debian in the version needed.
pub fn node() -> Result<()> {
    let version = output(&mut command("node", &["--version"])).unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(20..) if is_installed("npm") => Ok(()),
        Some(_) => bail!("node {} is too old, or npm is missing: install Node 20 or newer", version.trim()),
        None => bail!("node is missing: install Node 20 or newer"),
    }
}
