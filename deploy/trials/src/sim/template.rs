//! One merchant with two terminals, made once and copied for every run: a copy costs microseconds, the migrations do not.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use saoma_domain::fee::{BasisPoints, FeePlan};
use saoma_edge::{journal, link::certificate::signing_request};
use saoma_protocol::{ChannelAccountId, Currency, Millis, StoreId, TenantId, TerminalId, code::offline::SignedGrant};
use saoma_server::{
    config::Config,
    fleet::ca::{Ca, CheckedRequest},
    own_keys,
    secrets::Vault,
};
use saoma_store::{
    Principal, Store, StoreError, TenantScope, access,
    channel_accounts::{self, ChannelAccount},
    stores::{self, Shop},
    tenants::{self, LatePolicy, Tenant},
    terminals::{self, Certificate, NewTerminal},
};

use super::{issuer, wires::BEGIN};

pub const TENANT: TenantId = TenantId::from_bytes([1; 16]);
pub const SHOP: StoreId = StoreId::from_bytes([2; 16]);
pub const ACCOUNT: ChannelAccountId = ChannelAccountId::from_bytes([3; 16]);
pub const TERMINALS: [TerminalId; 2] = [TerminalId::from_bytes([10; 16]), TerminalId::from_bytes([11; 16])];
/// What the scheme keeps, in hundredths of a per cent.
pub const FEE: u16 = 38;

/// What a terminal signs its journal with, in PEM.
#[derive(Clone)]
pub struct Hand {
    pub chain: String,
    pub key: String,
}

pub struct Template {
    folder: tempfile::TempDir,
    core: Vec<u8>,
    /// The same, where terminals may sell without core; and the grant of a holder's phone.
    core_alone: Vec<u8>,
    pub grant: SignedGrant,
    journals: Vec<Vec<u8>>,
    /// Each terminal's certificate and key.
    pub hands: Vec<Hand>,
    pub ca: Arc<Ca>,
    pub vault: Vault,
    pub config: Config,
    pub scope: TenantScope,
}

impl Template {
    /// # Errors
    /// If there is no room for its files, or the database cannot be made.
    pub fn make() -> Result<Self> {
        // Memory where the machine has a folder of it: a run writes a lot and keeps nothing.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
            .context("make a folder")?;
        let now = Millis(BEGIN - 3_600_000);
        let path = folder.path().join("template.db");
        let store = Store::open(&path.to_string_lossy(), 2)?;
        let scope = store.write_blocking(|tx| merchant(tx, now))?;
        let vault = own_keys::open(&store, &folder.path().join("master.key"), now)?;
        drop(store);
        let mut journals = Vec::new();
        for (idx, terminal) in TERMINALS.into_iter().enumerate() {
            let path = folder.path().join(format!("template-{idx}.db"));
            let settings = journal::Settings { path: path.clone(), free_bytes_min: 0, pages_max: 0 };
            drop(journal::Store::open(&settings, terminal, now)?);
            journals.push(fs::read(path)?);
        }
        let (certificate, key) = Ca::draw(now)?;
        let ca = Arc::new(Ca::open(folder.path(), &certificate, &key)?);
        let config = Config::read(None, std::iter::empty())?;
        let store = Store::open(&path.to_string_lossy(), 2)?;
        let hands = TERMINALS.map(|terminal| enrol(&store, scope, &ca, terminal, now));
        let hands = hands.into_iter().collect::<Result<_>>()?;
        drop(store);
        let core = fs::read(&path)?;
        let store = Store::open(&path.to_string_lossy(), 2)?;
        let grant = store.write_blocking(|tx| issuer::open(tx, &scope, &vault, now))?;
        drop(store);
        let core_alone = fs::read(&path)?;
        Ok(Self { folder, core, core_alone, grant, journals, hands, ca, vault, config, scope })
    }

    /// A folder of one thread's own.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn room(&self) -> Result<tempfile::TempDir> {
        tempfile::tempdir_in(self.folder.path()).context("make a folder")
    }

    /// Lays fresh copies into `room`: core's database (where terminals may sell without core, or not) and the terminals' journals.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn lay(&self, room: &Path, alone: bool) -> Result<(Store, Vec<PathBuf>)> {
        for entry in fs::read_dir(room)? {
            fs::remove_file(entry?.path())?;
        }
        let core = room.join("core.db");
        fs::write(&core, if alone { &self.core_alone } else { &self.core })?;
        let mut journals = Vec::new();
        for (idx, bytes) in self.journals.iter().enumerate() {
            let path = room.join(format!("journal-{idx}.db"));
            fs::write(&path, bytes)?;
            // It opens under its own key alone. Copied with its mode: one that others may read is refused.
            fs::copy(self.folder.path().join(format!("template-{idx}.key")), path.with_extension("key"))?;
            journals.push(path);
        }
        Ok((Store::inline(&core)?, journals))
    }
}

/// The terminals of this run; nobody would ever fetch what core tells the others.
///
/// # Errors
/// Of the store.
pub fn keep_terminals(store: &Store, scope: TenantScope, count: usize) -> Result<(), StoreError> {
    store.write_blocking(|tx| {
        TERMINALS.iter().skip(count).try_for_each(|terminal| terminals::revoke(tx, &scope, *terminal, Millis(BEGIN)))
    })
}

/// The merchant's late policy for this run.
///
/// # Errors
/// Of the store.
pub fn set_late_policy(store: &Store, scope: TenantScope, keeps_late: bool) -> Result<(), StoreError> {
    store.write_blocking(|tx| {
        let late_policy = if keeps_late { LatePolicy::Accept } else { LatePolicy::Refund };
        let tenant = Tenant { late_policy, ..tenants::load(tx, &scope)? };
        tenants::update(tx, &access::process(), &tenant)
    })
}

/// As a terminal does it at its first start.
fn enrol(store: &Store, scope: TenantScope, ca: &Ca, terminal: TerminalId, now: Millis) -> Result<Hand> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let issued = ca.issue(terminal, &CheckedRequest::read(&signing_request(&key)?)?, now)?;
    let certificate =
        Certificate { serial: issued.serial, not_after: issued.not_after, issued_at: now, revoked_at: None };
    store.write_blocking(|tx| terminals::add_certificate(tx, &scope, terminal, &certificate))?;
    Ok(Hand { chain: issued.chain_pem, key: key.serialize_pem() })
}

fn merchant(tx: &mut saoma_store::Tx<'_>, now: Millis) -> Result<TenantScope> {
    let tenant = Tenant {
        id: TENANT,
        name: "Shop".to_owned(),
        currency: Currency::CNY,
        late_policy: LatePolicy::Refund,
        // Midnight, which voids are bound to, falls into every run.
        time_zone: "UTC".to_owned(),
        active: true,
        created_at: now,
    };
    let scope = tenants::create(tx, &access::process(), &tenant)?;
    stores::create(tx, &scope, &Shop { id: SHOP, name: "Shop".to_owned(), active: true, created_at: now })?;
    let account = ChannelAccount {
        id: ACCOUNT,
        plugin: "model".to_owned(),
        name: "Wallet".to_owned(),
        enabled: true,
        settings_json: "{}".to_owned(),
        fee: FeePlan::flat(BasisPoints::new(FEE)?),
        fee_version: 1,
        priority: 0,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    channel_accounts::create(tx, &scope, &account)?;
    for terminal in TERMINALS {
        let new = NewTerminal { id: terminal, store: SHOP, name: "Till".to_owned(), created_at: now };
        terminals::create(tx, &scope, &new)?;
    }
    let serial = "1".to_owned();
    let certificate =
        Certificate { serial: serial.clone(), not_after: now.plus(86_400_000), issued_at: now, revoked_at: None };
    terminals::add_certificate(tx, &scope, TERMINALS[0], &certificate)?;
    match access::by_terminal(tx, TERMINALS[0], &serial, now)? {
        Principal::Terminal { scope, .. } => Ok(scope),
        _ => bail!("a terminal's certificate is somebody else's"),
    }
}
