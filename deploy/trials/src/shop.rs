//! A whole shop on this machine: a scheme, core, one terminal, and the people who own and run it.

mod beside;
mod line;
mod merchant;

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::merchant::Merchant;
use crate::{
    api::{Door, text},
    collector::Collector,
    process::{Process, Program},
    servers::free_port,
    wait::until,
    wire::{Wire, Wires},
};

/// Everyone of the demo signs in with this; it never leaves this machine.
pub const DEMO_PASSWORD: &str = "saoma-demo-2026";
pub const ADMIN_EMAIL: &str = "admin@saoma.local";
pub const OWNER_EMAIL: &str = "owner@demo.local";
/// The merchant that the scheme knows us as.
const MERCHANT_ID: &str = "demo-merchant";

/// Where the programs are and where the shop keeps its things.
#[derive(Clone)]
pub struct Premises {
    /// Folder that holds `saoma`, `saoma-edge` and `saoma-schemes`.
    pub programs: PathBuf,
    /// Folder of `<name>.wasm`.
    pub plugins: PathBuf,
    /// Everything the shop writes lies in here.
    pub folder: PathBuf,
    /// Where core and terminal send their traces and figures; they then log all they have to say as well.
    pub collector: Option<Collector>,
    /// More of core's environment, for example another database.
    pub core_settings: Vec<(String, String)>,
    /// More of the terminal's environment.
    pub terminal_settings: Vec<(String, String)>,
    /// Lines by which the programs reach each other, for whoever wants to cut them.
    pub wires: Option<Wires>,
}

/// What outlives a restart of the shop; `shop.json` in its folder.
#[derive(Clone, Serialize, Deserialize)]
struct Deeds {
    ports: Ports,
    merchant_key: String,
    /// What the set-up made; `None` until it is through.
    made: Option<Made>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Ports {
    scheme: u16,
    core: u16,
    terminals: u16,
    mqtt: u16,
    till: u16,
    #[serde(default)]
    metrics: u16,
}

/// Ids and keys of the demo tenant.
#[derive(Clone, Serialize, Deserialize)]
pub struct Made {
    pub tenant: String,
    pub store: String,
    pub terminal: String,
    /// The channel account that people pay through.
    pub sandbox: String,
    /// Channel accounts whose plugin traps, loops, and answers at once.
    pub trapping: String,
    pub looping: String,
    pub honest: String,
    pub api_key: String,
}

pub struct Shop {
    pub premises: Premises,
    deeds: Deeds,
    programs: Programs,
    scheme_process: Option<Process>,
    core_process: Option<Process>,
    terminal_process: Option<Process>,
    /// Dropped last: the folder is ours until then.
    _lock: File,
}

struct Programs {
    scheme: Program,
    core: Program,
    terminal: Program,
}

impl Shop {
    /// Starts everything; sets the demo tenant up if this folder has none yet.
    pub async fn open(premises: Premises) -> Result<Self> {
        std::fs::create_dir_all(&premises.folder)?;
        let premises = Premises { folder: premises.folder.canonicalize()?, ..premises };
        let lock = lock(&premises.folder)?;
        let deeds_file = premises.folder.join("shop.json");
        let known: Option<Deeds> = match std::fs::read(&deeds_file) {
            Ok(bytes) => Some(
                serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} cannot be read; start again with --fresh", deeds_file.display()))?,
            ),
            Err(_) => None,
        };
        let deeds = match known {
            Some(deeds) if deeds.made.is_some() => deeds,
            half_made => {
                if half_made.is_some() {
                    // Stopped in the middle of its set-up: one-time passwords are used up, so it is begun from nothing.
                    for left in ["core", "terminal"] {
                        remove_folder(&premises.folder.join(left))?;
                    }
                }
                Deeds { ports: Ports::free(premises.wires.is_none())?, merchant_key: random_key()?, made: None }
            }
        };
        deeds.ports.are_free()?;
        if let Some(wires) = &premises.wires {
            let Ports { scheme, core, terminals, mqtt, .. } = deeds.ports;
            wires.lead_to(scheme, core, terminals, mqtt);
        }
        let programs = Programs::of(&premises, &deeds);
        let mut shop = Self {
            premises,
            deeds,
            programs,
            scheme_process: None,
            core_process: None,
            terminal_process: None,
            _lock: lock,
        };
        shop.keep()?;
        shop.start_scheme().await?;
        shop.start_core().await?;
        if shop.deeds.made.is_none() {
            let made = shop.set_up().await.context("setting up the demo shop")?;
            shop.deeds.made = Some(made);
            shop.keep()?;
        }
        shop.start_terminal().await?;
        Ok(shop)
    }

    /// Forgets the shop of that folder, unless it is open: nothing may vanish under running programs.
    pub fn forget(premises: &Premises) -> Result<()> {
        if !premises.folder.exists() {
            return Ok(());
        }
        let _lock = lock(&premises.folder)?;
        remove_folder(&premises.folder)
    }

    fn keep(&self) -> Result<()> {
        Ok(std::fs::write(self.premises.folder.join("shop.json"), serde_json::to_vec_pretty(&self.deeds)?)?)
    }

    pub fn made(&self) -> Result<&Made> {
        self.deeds.made.as_ref().context("the shop is not set up")
    }

    /// The scheme's own door: the wallet's pages, and the far side's books.
    pub fn scheme(&self) -> Result<Door> {
        Door::new(format!("http://127.0.0.1:{}", self.deeds.ports.scheme))
    }

    /// Core's API with nothing to show.
    pub fn core(&self) -> Result<Door> {
        Door::new(format!("http://127.0.0.1:{}", self.deeds.ports.core))
    }

    /// Under which port the others find what listens on `port`, given its line if there are lines.
    fn reached(&self, port: u16, line: impl FnOnce(&Wires) -> &Wire) -> u16 {
        self.premises.wires.as_ref().map_or(port, |wires| line(wires).port())
    }

    /// Core's API as the tenant's own back office.
    pub fn office(&self) -> Result<Door> {
        Ok(self.core()?.with("authorization", format!("Bearer {}", self.made()?.api_key)))
    }

    /// The key that the scheme and our channel account share.
    pub fn merchant_key(&self) -> String {
        self.deeds.merchant_key.clone()
    }

    /// Where core's figures are.
    pub fn metrics(&self) -> Result<Door> {
        let address = self.core_process.as_ref().context("core is not running")?.ready_text("metrics")?;
        Door::new(address.trim_end_matches("/metrics"))
    }

    /// The till's local API, as its page uses it.
    pub fn till(&self) -> Result<Door> {
        Ok(Door::new(format!("http://127.0.0.1:{}", self.deeds.ports.till))?.with("x-saoma-till", "1"))
    }

    /// Core's API as a person.
    pub async fn signed_in(&self, email: &str) -> Result<Door> {
        let core = self.core()?;
        let session = core.post("/v1/auth/sign-in", &json!({"email": email, "password": DEMO_PASSWORD}), "-").await?;
        Ok(core.with("authorization", format!("Bearer {}", text(&session, "/access_token")?)))
    }

    pub async fn start_scheme(&mut self) -> Result<()> {
        self.scheme_process = Some(self.programs.scheme.start().await?);
        Ok(())
    }

    pub async fn start_core(&mut self) -> Result<()> {
        self.core_process = Some(self.programs.core.start().await?);
        Ok(())
    }

    pub async fn start_terminal(&mut self) -> Result<()> {
        self.terminal_process = Some(self.programs.terminal.start().await?);
        Ok(())
    }

    /// More of the terminal's environment, from its next start on.
    pub fn terminal_gets(&mut self, settings: &[(&str, &str)]) {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.programs.terminal.environment.extend(settings);
    }

    /// kill -9.
    pub async fn kill_core(&mut self) -> Result<()> {
        self.core_process.take().context("core is not running")?.kill().await.map(drop)
    }

    pub async fn stop_core(&mut self) -> Result<()> {
        self.core_process.take().context("core is not running")?.stop().await.map(drop)
    }

    /// kill -9.
    pub async fn kill_terminal(&mut self) -> Result<()> {
        self.terminal_process.take().context("the terminal is not running")?.kill().await.map(drop)
    }

    pub async fn stop_terminal(&mut self) -> Result<()> {
        self.terminal_process.take().context("the terminal is not running")?.stop().await.map(drop)
    }

    /// Which of core, terminal and scheme has ended without being told to.
    pub fn ended_by_itself(&mut self) -> Result<Option<&'static str>> {
        for (name, process) in [
            ("core", &mut self.core_process),
            ("the terminal", &mut self.terminal_process),
            ("the scheme", &mut self.scheme_process),
        ] {
            if let Some(process) = process
                && process.has_ended()?
            {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    pub const fn is_core_running(&self) -> bool {
        self.core_process.is_some()
    }

    pub const fn is_terminal_running(&self) -> bool {
        self.terminal_process.is_some()
    }

    /// Process ids of core and terminal, for measuring.
    pub fn process_ids(&self) -> Result<(u32, u32)> {
        let id = |process: &Option<Process>| process.as_ref().and_then(Process::id).context("it is not running");
        Ok((id(&self.core_process)?, id(&self.terminal_process)?))
    }

    /// Stops everything in the order that loses nothing: terminal, core, scheme.
    pub async fn close(mut self) -> Result<()> {
        let running = [self.terminal_process.take(), self.core_process.take(), self.scheme_process.take()];
        for process in running.into_iter().flatten() {
            process.stop().await?;
        }
        Ok(())
    }

    /// The till's state once it says that it is connected to core.
    pub async fn till_is_online(&self) -> Result<Value> {
        let till = self.till()?;
        until("the till to be online", || async {
            let state = till.get("/api/state").await?;
            Ok((state["link"]["online"] == true).then_some(state))
        })
        .await
    }

    /// Makes the tenant, its people, its store, its terminal and its channel accounts, as a person would by the API.
    async fn set_up(&self) -> Result<Made> {
        let core_data = self.premises.folder.join("core");
        let one_time = std::fs::read_to_string(core_data.join("admin-one-time-password"))
            .context("core wrote no one-time password for its first administrator")?;
        let admin = self.first_sign_in(ADMIN_EMAIL, one_time.trim()).await?;
        let tenant = admin
            .post(
                "/v1/tenants",
                &json!({"name": "扫码茶饮 Saoma Tea", "currency": "CNY", "owner_name": "Li Na", "owner_email": OWNER_EMAIL}),
                "demo-tenant",
            )
            .await?;
        let owner = self.first_sign_in(OWNER_EMAIL, &text(&tenant, "/owner_one_time_password")?).await?;
        let store = owner.post("/v1/stores", &json!({"name": "中山路店 Zhongshan Road"}), "demo-store").await?;
        let store = text(&store, "/id")?;
        let sandbox = self.channel_account(&owner, "sandbox", "Sandbox Wallet", &self.sandbox_settings()).await?;
        // The worked example of a merchant's own rules: staff eat for less, no cashier takes too
        // much. Nothing in them depends on the time of day, so that a price is the same whenever a story is played.
        let rules = json!({
            "version": 0, "extension": "canteen-rules", "enabled": true, "settings": {
                "staff_marker": "员工", "staff_percent": 20,
                "cashier_hour_minor_max": 100_000_000, "receipt_line": "谢谢光临 Thank you",
            },
        });
        owner.call(Method::PUT, "/v1/merchant-rules", Some(&rules), None).await?.success("/v1/merchant-rules")?;
        let mut hostile = Vec::new();
        for mode in ["trap", "loop", "honest"] {
            let settings = json!({"settings": {"mode": mode}, "secrets": {}});
            hostile.push(self.channel_account(&owner, "hostile", &format!("Hostile ({mode})"), &settings).await?);
        }
        let [trapping, looping, honest] = <[String; 3]>::try_from(hostile).map_err(|_| anyhow::anyhow!("three"))?;
        let key = owner.post("/v1/api-keys", &json!({"name": "scenarios", "role": "owner"}), "demo-key").await?;
        let terminal = owner.post("/v1/terminals", &json!({"name": "Till 1", "store": store}), "demo-terminal").await?;
        let terminal = text(&terminal, "/id")?;
        let claim = owner
            .call(Method::POST, &format!("/v1/terminals/{terminal}/claim-code"), Some(&json!({})), Some("demo-claim"))
            .await?
            .body;
        self.enrol(&text(&claim, "/claim_code")?, &text(&claim, "/ca_fingerprint")?).await?;
        Ok(Made {
            tenant: text(&tenant, "/id")?,
            store,
            terminal,
            sandbox,
            trapping,
            looping,
            honest,
            api_key: text(&key, "/secret")?,
        })
    }

    async fn first_sign_in(&self, email: &str, one_time: &str) -> Result<Door> {
        let core = self.core()?;
        let session = core.post("/v1/auth/sign-in", &json!({"email": email, "password": one_time}), "-").await?;
        let signed_in = core.with("authorization", format!("Bearer {}", text(&session, "/access_token")?));
        let change = json!({"current_password": one_time, "new_password": DEMO_PASSWORD});
        signed_in.post("/v1/auth/password", &change, "-").await?;
        self.signed_in(email).await
    }

    pub fn sandbox_settings(&self) -> Value {
        let base_url = format!("http://127.0.0.1:{}", self.reached(self.deeds.ports.scheme, |wires| &wires.scheme));
        json!({
            "settings": {"base_url": base_url, "merchant_id": MERCHANT_ID},
            "secrets": {"merchant-key": self.deeds.merchant_key},
        })
    }

    pub async fn channel_account(&self, owner: &Door, plugin: &str, name: &str, settings: &Value) -> Result<String> {
        let mut body = settings.clone();
        body["plugin"] = json!(plugin);
        body["name"] = json!(name);
        body["fee_basis_points"] = json!(60);
        let account = owner.post("/v1/channel-accounts", &body, &format!("demo-{}", name.replace(' ', "-"))).await?;
        text(&account, "/id")
    }

    async fn enrol(&self, claim_code: &str, ca_fingerprint: &str) -> Result<()> {
        let mut enrol = tokio::process::Command::new(&self.programs.terminal.path);
        let terminals = self.reached(self.deeds.ports.terminals, |wires| &wires.terminals);
        enrol.args(["enrol", "--core", &format!("https://127.0.0.1:{terminals}")]);
        enrol.args(["--claim-code", claim_code, "--ca-fingerprint", ca_fingerprint]);
        enrol.envs(self.programs.terminal.environment.iter().cloned());
        let enrolled = enrol.output().await?;
        anyhow::ensure!(enrolled.status.success(), "enrolling: {}", String::from_utf8_lossy(&enrolled.stderr));
        if let Some(wires) = &self.premises.wires {
            // Core names the port on which its broker listens; where that is not the one to dial, a person corrects it.
            let file = self.premises.folder.join("terminal/identity.json");
            let mut identity: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
            identity["mqtt_port"] = json!(wires.mqtt.port());
            std::fs::write(&file, serde_json::to_vec(&identity)?)?;
        }
        Ok(())
    }
}

impl Programs {
    fn of(premises: &Premises, deeds: &Deeds) -> Self {
        let Ports { scheme, core, terminals, mqtt, till, metrics } = deeds.ports;
        let program = |name: &str, file: &str, arguments: &[&str], environment: &[(&str, String)]| Program {
            name: name.to_owned(),
            path: premises.programs.join(file),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            log: premises.folder.join(format!("{name}.log")),
        };
        let shown = |path: &Path| path.display().to_string();
        let scheme_listen = format!("127.0.0.1:{scheme}");
        let merchant = format!("{MERCHANT_ID}={}", deeds.merchant_key);
        let base_url = format!("http://{scheme_listen}");
        let public = premises.wires.as_ref().map_or(core, |wires| wires.core.port());
        let mut programs = Self {
            scheme: program(
                "scheme",
                "saoma-schemes",
                &["wallet", "--listen", &scheme_listen, "--merchant", &merchant, "--base-url", &base_url],
                &[],
            ),
            core: with(
                program(
                    "core",
                    "saoma",
                    &["serve"],
                    &[
                        ("SAOMA_DATA_DIR", shown(&premises.folder.join("core"))),
                        ("SAOMA_SERVER__LISTEN", format!("127.0.0.1:{core}")),
                        ("SAOMA_SERVER__PUBLIC_URL", format!("http://127.0.0.1:{public}")),
                        ("SAOMA_TERMINALS__HTTPS_LISTEN", format!("127.0.0.1:{terminals}")),
                        ("SAOMA_TERMINALS__MQTT_LISTEN", format!("127.0.0.1:{mqtt}")),
                        ("SAOMA_TERMINALS__ALLOW_BROKER_SWITCH", "true".to_owned()),
                        ("SAOMA_PLUGINS__DIR", shown(&premises.plugins)),
                        ("SAOMA_PLUGINS__ALLOW_PRIVATE_ADDRESSES", "true".to_owned()),
                        ("SAOMA_WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "true".to_owned()),
                        ("SAOMA_TELEMETRY__METRICS_LISTEN", format!("127.0.0.1:{metrics}")),
                    ],
                ),
                &premises.core_settings,
            ),
            terminal: with(
                program(
                    "terminal",
                    "saoma-edge",
                    &["run"],
                    &[
                        ("SAOMA_EDGE_DATA_DIR", shown(&premises.folder.join("terminal"))),
                        ("SAOMA_EDGE_TILL__LISTEN", format!("127.0.0.1:{till}")),
                    ],
                ),
                &premises.terminal_settings,
            ),
        };
        if let Some(collector) = &premises.collector {
            // Sent at once, so that nobody has to wait for what is looked at next.
            let at_once = [("OTEL_BSP_SCHEDULE_DELAY", "100"), ("OTEL_METRIC_EXPORT_INTERVAL", "1000")];
            for (program, level, endpoint) in [
                (&mut programs.core, "SAOMA_TELEMETRY__LEVEL", "SAOMA_TELEMETRY__OTLP_ENDPOINT"),
                (&mut programs.terminal, "SAOMA_EDGE_TELEMETRY__LOG", "SAOMA_EDGE_TELEMETRY__OTLP_ENDPOINT"),
            ] {
                let settings = [(level, "debug"), (endpoint, collector.endpoint.as_str())].into_iter().chain(at_once);
                program.environment.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
            }
        }
        programs
    }
}

fn with(mut program: Program, settings: &[(String, String)]) -> Program {
    program.environment.extend(settings.iter().cloned());
    program
}

impl Ports {
    /// A shop keeps its ports: its terminal and its codes name them. An error that says which one somebody else has.
    fn are_free(&self) -> Result<()> {
        let Self { scheme, core, terminals, mqtt, till, metrics } = *self;
        let named = [
            ("scheme", scheme),
            ("core", core),
            ("terminals", terminals),
            ("broker", mqtt),
            ("till", till),
            ("metrics", metrics),
        ];
        for (name, port) in named {
            TcpListener::bind(("127.0.0.1", port)).with_context(|| {
                format!(
                    "port {port}, where this shop has its {name}, is taken by another program: end that one, or start \
                     a new shop on free ports with --fresh"
                )
            })?;
        }
        Ok(())
    }

    /// The demo's own ports if they are wanted and free, else any that are.
    fn free(are_demos_wanted: bool) -> Result<Self> {
        let mut held = Vec::new();
        let mut port = |wished: u16| -> Result<u16> {
            // The ports stay the shop's while its programs are restarted.
            let listener = match TcpListener::bind(("127.0.0.1", wished)) {
                Ok(listener) if are_demos_wanted => listener,
                _ => TcpListener::bind(("127.0.0.1", free_port()?))?,
            };
            let port = listener.local_addr()?.port();
            held.push(listener);
            Ok(port)
        };
        Ok(Self {
            scheme: port(7900)?,
            core: port(7600)?,
            terminals: port(7643)?,
            mqtt: port(7683)?,
            till: port(7800)?,
            metrics: port(7690)?,
        })
    }
}

fn remove_folder(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Held by whoever has the shop open, and let go by the system when they die.
fn lock(folder: &Path) -> Result<File> {
    let file = File::create(folder.join("lock")).with_context(|| format!("cannot write in {}", folder.display()))?;
    if file.try_lock().is_err() {
        bail!("the shop in {} is open already: stop it in its own terminal with Ctrl-C", folder.display());
    }
    Ok(file)
}

/// 256 bits from the operating system, in hex.
fn random_key() -> Result<String> {
    let mut bytes = [0; 32];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn premises(folder: &Path) -> Premises {
        Premises {
            programs: PathBuf::new(),
            plugins: PathBuf::new(),
            folder: folder.to_owned(),
            collector: None,
            core_settings: Vec::new(),
            terminal_settings: Vec::new(),
            wires: None,
        }
    }

    #[test]
    fn an_open_shop_is_neither_opened_again_nor_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let open = lock(folder.path()).unwrap();
        assert!(lock(folder.path()).unwrap_err().to_string().contains("is open already"));
        assert!(Shop::forget(&premises(folder.path())).is_err());
        assert!(folder.path().join("lock").exists());
        drop(open);
        Shop::forget(&premises(folder.path())).unwrap();
        assert!(!folder.path().exists());
        Shop::forget(&premises(folder.path())).unwrap();
    }

    #[test]
    fn a_taken_port_is_named() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ports = Ports::free(true).unwrap();
        ports.till = other.local_addr().unwrap().port();
        let told = ports.are_free().unwrap_err().to_string();
        assert!(told.contains(&format!("port {}", ports.till)) && told.contains("till"), "{told}");
    }
}
