//! The components, a host to run them in, and accounts and orders to call them with.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use saoma_channels::{Account, CallsMax, Host, HostConfig, KnownOrder, Order, Presenter, Secrets};
use saoma_protocol::{Amount, ChannelAccountId, Currency, Millis, PaymentId, StoreId, TenantId, TerminalId};

/// A component's bytes: from `SAOMA_PLUGINS_DIR` (`sandbox.wasm`, `hostile.wasm`) or the folder `channels` beside it, where those
/// are that cores do not start with; without it built here, once.
pub fn component(name: &str) -> Vec<u8> {
    let path = match std::env::var_os("SAOMA_PLUGINS_DIR").map(PathBuf::from) {
        Some(dir) => {
            let file = format!("{name}.wasm");
            let found = [dir.join(&file), dir.with_file_name("channels").join(&file)];
            found.iter().find(|path| path.exists()).unwrap_or(&found[0]).clone()
        }
        None => built().join(format!("saoma_{}.wasm", name.replace('-', "_"))),
    };
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A component that is kept as it was built.
pub fn stored_component(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/components/{name}.wasm.gz"));
    let packed = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).expect("it is unpacked");
    bytes
}

fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--profile", "guest", "--target", "wasm32-wasip2"])
            .args(["-p", "saoma-sandbox", "-p", "saoma-hostile", "-p", "saoma-frozen", "-p", "saoma-card"])
            .args(["-p", "saoma-canteen-rules", "-p", "saoma-hostile-rules"])
            .args(["-p", "saoma-alipay", "-p", "saoma-wechatpay", "-p", "saoma-unionpay", "-p", "saoma-pix"])
            .args(["-p", "saoma-lightning"])
            .arg("--target-dir")
            .arg(&target_dir)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the plugins do not build; is the target there? `rustup target add wasm32-wasip2`");
        target_dir.join("wasm32-wasip2").join("guest")
    })
}

/// A folder for compiled code that all tests share: each component is compiled once a run.
fn shared_cache() -> &'static Path {
    static CACHE: OnceLock<tempfile::TempDir> = OnceLock::new();
    CACHE.get_or_init(|| tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")).path()
}

/// Small, and open to this machine, where the tests' schemes are.
pub fn config() -> HostConfig {
    HostConfig {
        allow_private_addresses: true,
        calls_max: CallsMax { in_all: 16, per_plugin: 8, per_tenant: 8, per_tenant_of_plugin: 8 },
        ..HostConfig::new(shared_cache().join("cache"))
    }
}

/// A host with both plugins.
pub async fn host(config: HostConfig) -> Host {
    let host = Host::new(config).expect("the host starts");
    host.install(&component("sandbox")).await.expect("sandbox installs");
    host.install(&component("hostile")).await.expect("hostile installs");
    host
}

pub const MERCHANT: &str = "m-1";
pub const TOKEN: &str = "token-that-nobody-may-see";
pub const KEY: &str = "correct horse battery staple";

pub fn sandbox_account(base_url: &str) -> Account {
    Account {
        id: ChannelAccountId::from_bytes([1; 16]),
        tenant: TenantId::from_bytes([2; 16]),
        channel: "sandbox".to_owned(),
        package: None,
        settings_json: format!(r#"{{"base_url":"{base_url}","merchant_id":"{MERCHANT}"}}"#),
        secrets: Secrets::none().with("merchant-key", KEY),
        notify_url: "http://127.0.0.1:1/notify".to_owned(),
    }
}

/// The account of a channel that was built against the contract 0.1.0.
pub fn frozen_account(base_url: &str) -> Account {
    Account {
        id: ChannelAccountId::from_bytes([5; 16]),
        channel: "frozen".to_owned(),
        settings_json: format!(r#"{{"base_url":"{base_url}"}}"#),
        ..sandbox_account("")
    }
}

pub fn hostile_account(mode: &str) -> Account {
    Account {
        id: ChannelAccountId::from_bytes([3; 16]),
        tenant: TenantId::from_bytes([4; 16]),
        channel: "hostile".to_owned(),
        package: None,
        settings_json: format!(r#"{{"mode":"{mode}"}}"#),
        secrets: Secrets::none()
            // It has one, and must not come by it: its manifest does not list it.
            .with("merchant-key", KEY)
            .with("signing-key", include_str!("../keys/merchant-pkcs8.pem"))
            .with("api-token", TOKEN)
            .with("seal-key", "0123456789abcdef0123456789abcdef")
            .with("terminals", BASE_KEY)
            .with("pins", BASE_KEY)
            .with("master", "11223344556677889900AABBCCDDEEFF"),
        notify_url: String::new(),
    }
}

pub fn number(n: u8) -> PaymentId {
    PaymentId::from_bytes([n; 16])
}

/// Order `n`, as core asks about it.
pub fn known(n: u8) -> KnownOrder {
    KnownOrder {
        number: number(n),
        reference: String::new(),
        amount: cny(1_000),
        presented_by: Presenter::Customer,
        created_at: Millis(1_700_000_000_000),
        card: None,
    }
}

pub fn cny(minor: i64) -> Amount {
    Amount::new(minor, Currency::CNY).expect("an amount")
}

pub fn order(n: u8, minor: i64) -> Order {
    Order {
        number: number(n),
        amount: cny(minor),
        subject: "大杯 coffee".to_owned(),
        merchant_name: "Corner Shop".to_owned(),
        store_name: "Main Street".to_owned(),
        store: StoreId::from_bytes([6; 16]),
        terminal: Some(TerminalId::from_bytes([7; 16])),
        terminal_name: "till 1".to_owned(),
        created_at: Millis(1_700_000_000_000),
        expires_at: Millis(1_700_000_120_000),
    }
}

/// Of the keys that terminals derive (ANSI X9.24-1, annex A.4).
pub const BASE_KEY: &str = "0123456789ABCDEFFEDCBA9876543210";

pub const CODE: &str = "881234567890123456";
