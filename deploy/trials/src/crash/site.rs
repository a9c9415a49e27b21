//! The shop of a trial with everything that can be taken from it: its lines, its disks, its database, its fsync.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::{
    disk::Disk,
    fault::{Library, Switch},
    mishap::{Database, Line, Mishap, Round},
    power::Power,
};
use crate::{
    servers::Postgres,
    shop::{ADMIN_EMAIL, Premises, Shop},
    wire::{Mood, Wire, Wires},
};

/// Room for plugins, certificates and some thousand payments.
const CORE_DISK_MIB: u32 = 160;
/// The journal wants 16 MiB free for each sale.
const TERMINAL_DISK_MIB: u32 = 32;
/// A new cluster has 40 MB, and its write-ahead log grows by 16.
const POSTGRES_DISK_MIB: u32 = 320;

/// A terminal that finds back to core within a second or so, and shows codes that die soon.
const TERMINAL_SETTINGS: [(&str, &str); 4] = [
    ("SAOMA_EDGE_LINK__RECONNECT_MS_MAX", "1000"),
    ("SAOMA_EDGE_LINK__KEEP_ALIVE_SECONDS", "5"),
    ("SAOMA_EDGE_LINK__ANSWER_TIMEOUT_MS", "5000"),
    ("SAOMA_EDGE_TILL__CODE_EXPIRES_IN_SECONDS", "6"),
];

pub struct Site {
    shop: Option<Shop>,
    postgres: Option<Postgres>,
    wires: Wires,
    database_wire: Wire,
    core_fsync: Switch,
    terminal_fsync: Switch,
    core_power: Power,
    terminal_power: Power,
    /// What is under core's database, and under the terminal. Unmounted last.
    disks: BTreeMap<&'static str, Disk>,
    folder: PathBuf,
}

/// A program that says by its exit code whether some book is whole: who, program, arguments, environment.
type Proof = (&'static str, PathBuf, [&'static str; 2], Vec<(String, String)>);

impl Site {
    /// Whether this user may have disks that get full.
    pub fn has_disks() -> Result<bool> {
        let probe = tempfile::tempdir()?;
        Ok(Disk::mount(probe.path(), 1)?.is_some())
    }

    pub async fn open(mut premises: Premises, database: Database) -> Result<Self> {
        std::fs::create_dir_all(&premises.folder)?;
        premises.folder = premises.folder.canonicalize()?;
        let folder = premises.folder.clone();
        let mut disks = BTreeMap::new();
        let mut mount = |name: &'static str, mib: u32| -> Result<()> {
            disks.extend(Disk::mount(&folder.join(name), mib)?.map(|disk| (name, disk)));
            Ok(())
        };
        mount("terminal", TERMINAL_DISK_MIB)?;
        match database {
            Database::Sqlite => mount("core", CORE_DISK_MIB)?,
            Database::Postgres => mount("postgres", POSTGRES_DISK_MIB)?,
        }
        let library = Library::build(&folder)?;
        let (core_fsync, terminal_fsync) = (library.switch("core"), library.switch("terminal"));
        let core_power = library.power(&folder.join("core"), "core")?;
        let terminal_power = library.power(&folder.join("terminal"), "terminal")?;
        let (wires, database_wire) = (Wires::open().await?, Wire::open().await?);
        let postgres = match database {
            Database::Sqlite => {
                premises.core_settings.extend(core_fsync.environment(Some(&core_power)));
                None
            }
            Database::Postgres => {
                let postgres = Postgres::start_with(&folder, core_fsync.environment(None)).await?;
                database_wire.lead_to(postgres.port());
                let url = postgres.url_at(database_wire.port());
                premises.core_settings.push(("SAOMA_DATABASE__URL".to_owned(), url));
                Some(postgres)
            }
        };
        premises.terminal_settings.extend(terminal_fsync.environment(Some(&terminal_power)));
        let settings = TERMINAL_SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        premises.terminal_settings.extend(settings);
        premises.wires = Some(wires.clone());
        let shop = Some(Shop::open(premises).await?);
        Ok(Self {
            shop,
            postgres,
            wires,
            database_wire,
            core_fsync,
            terminal_fsync,
            core_power,
            terminal_power,
            disks,
            folder,
        })
    }

    /// Forgets the shop of that folder, with the disks that a killed run may have left in it.
    pub fn forget(premises: &Premises) -> Result<()> {
        for name in ["core", "terminal", "postgres"] {
            Disk::forget(&premises.folder.join(name))?;
        }
        Shop::forget(premises)
    }

    pub fn shop(&self) -> Result<&Shop> {
        self.shop.as_ref().context("the shop is closed")
    }

    fn shop_mut(&mut self) -> Result<&mut Shop> {
        self.shop.as_mut().context("the shop is closed")
    }

    /// Core's address for whoever comes by the line that can be cut.
    pub fn core_by_line(&self) -> String {
        format!("http://127.0.0.1:{}", self.wires.core.port())
    }

    pub fn proofs(&self) -> Vec<Proof> {
        let Some(shop) = &self.shop else { return Vec::new() };
        let own = |name: &str, value: String| (name.to_owned(), value);
        let mut core = vec![own("SAOMA_DATA_DIR", self.folder.join("core").display().to_string())];
        core.extend(self.postgres.as_ref().map(|postgres| own("SAOMA_DATABASE__URL", postgres.url())));
        let terminal = vec![own("SAOMA_EDGE_DATA_DIR", self.folder.join("terminal").display().to_string())];
        let program = |name: &str| shop.premises.programs.join(name);
        vec![
            ("saoma ledger check", program("saoma"), ["ledger", "check"], core),
            ("saoma-edge journal verify", program("saoma-edge"), ["journal", "verify"], terminal),
        ]
    }

    fn database_disk(&self) -> Result<&Disk> {
        let name = if self.postgres.is_some() { "postgres" } else { "core" };
        self.disks.get(name).context("there is no disk of core's own")
    }

    fn terminal_disk(&self) -> Result<&Disk> {
        self.disks.get("terminal").context("there is no disk of the terminal's own")
    }

    fn postgres(&mut self) -> Result<&mut Postgres> {
        self.postgres.as_mut().context("there is no PostgreSQL here")
    }

    fn wires(&self, line: Line) -> Vec<&Wire> {
        match line {
            Line::Terminals => vec![&self.wires.terminals],
            Line::Mqtt => vec![&self.wires.mqtt],
            Line::Till => vec![&self.wires.terminals, &self.wires.mqtt],
            Line::Scheme => vec![&self.wires.scheme],
            Line::Api => vec![&self.wires.core],
            Line::Database => vec![&self.database_wire],
        }
    }

    async fn broker(&self, what: &str) -> Result<()> {
        let admin = self.shop()?.signed_in(ADMIN_EMAIL).await?;
        let key = format!("{what}-{:?}", std::time::SystemTime::UNIX_EPOCH.elapsed()?);
        admin.post(&format!("/v1/fleet/broker/{what}"), &json!({}), &key).await.map(drop)
    }

    /// Lets it happen, for as long as the round says, and puts everything right again. The answer: how often fsync failed, if
    /// that was it.
    pub async fn befalls(&mut self, round: &Round) -> Result<Option<u64>> {
        self.strike(round.mishap).await?;
        tokio::time::sleep(Duration::from_millis(round.for_ms)).await;
        if let Some(ended) = self.shop_mut()?.ended_by_itself()? {
            bail!("{ended} ended by itself");
        }
        if round.then_killed {
            self.kill_what_is_struck(round.mishap).await?;
        }
        let struck = self.heal(round.mishap).await?;
        self.start_what_is_down().await?;
        Ok(struck)
    }

    pub async fn strike(&mut self, mishap: Mishap) -> Result<()> {
        match mishap {
            Mishap::CoreKilled => self.shop_mut()?.kill_core().await,
            Mishap::TerminalKilled => self.shop_mut()?.kill_terminal().await,
            Mishap::BothKilled => {
                self.shop_mut()?.kill_core().await?;
                self.shop_mut()?.kill_terminal().await
            }
            Mishap::CorePowerCut => {
                self.shop_mut()?.kill_core().await?;
                Self::cut(&self.core_power)
            }
            Mishap::TerminalPowerCut => {
                self.shop_mut()?.kill_terminal().await?;
                Self::cut(&self.terminal_power)
            }
            Mishap::CoreStopped => self.shop_mut()?.stop_core().await,
            Mishap::BrokerStopped => self.broker("stop").await,
            Mishap::Line(line, mood) => {
                self.wires(line).into_iter().for_each(|wire| wire.set(mood));
                Ok(())
            }
            Mishap::CoreDiskFull => self.database_disk()?.fill(),
            Mishap::TerminalDiskFull => self.terminal_disk()?.fill(),
            Mishap::CoreFsyncFails => self.core_fsync.on(),
            Mishap::TerminalFsyncFails => self.terminal_fsync.on(),
            Mishap::PostgresKilled => self.postgres()?.kill(),
            Mishap::PostgresStopped => self.postgres()?.stop(),
        }
    }

    /// All that was not synced is lost, or what came after some write of it: as the machine's clock has it.
    fn cut(power: &Power) -> Result<()> {
        let drawn = std::time::SystemTime::UNIX_EPOCH.elapsed()?.subsec_nanos() as usize;
        let taken_back = power.cut(|writes| if drawn.is_multiple_of(2) { 0 } else { drawn / 2 % (writes + 1) })?;
        println!("     the power cut took back {taken_back} writes");
        Ok(())
    }

    /// kill -9 of whoever suffers from it and still runs.
    pub async fn kill_what_is_struck(&mut self, mishap: Mishap) -> Result<()> {
        let (core, terminal) = match mishap {
            Mishap::CoreKilled
            | Mishap::TerminalKilled
            | Mishap::BothKilled
            | Mishap::CorePowerCut
            | Mishap::TerminalPowerCut
            | Mishap::CoreStopped => (false, false),
            Mishap::TerminalDiskFull | Mishap::TerminalFsyncFails => (false, true),
            Mishap::Line(Line::Terminals | Line::Mqtt | Line::Till, _) => (true, true),
            _ => (true, false),
        };
        let shop = self.shop_mut()?;
        if core && shop.is_core_running() {
            shop.kill_core().await?;
        }
        if terminal && shop.is_terminal_running() {
            shop.kill_terminal().await?;
        }
        Ok(())
    }

    pub async fn heal(&mut self, mishap: Mishap) -> Result<Option<u64>> {
        match mishap {
            Mishap::CoreKilled
            | Mishap::TerminalKilled
            | Mishap::BothKilled
            | Mishap::CorePowerCut
            | Mishap::TerminalPowerCut
            | Mishap::CoreStopped => {}
            // A core that starts brings its broker.
            Mishap::BrokerStopped if !self.shop()?.is_core_running() => {}
            Mishap::BrokerStopped => self.broker("start").await?,
            Mishap::Line(line, _) => self.wires(line).into_iter().for_each(|wire| wire.set(Mood::Whole)),
            Mishap::CoreDiskFull => self.database_disk()?.empty()?,
            Mishap::TerminalDiskFull => self.terminal_disk()?.empty()?,
            Mishap::CoreFsyncFails => return self.core_fsync.off().map(Some),
            Mishap::TerminalFsyncFails => return self.terminal_fsync.off().map(Some),
            Mishap::PostgresKilled | Mishap::PostgresStopped => {}
        }
        Ok(None)
    }

    pub async fn start_what_is_down(&mut self) -> Result<()> {
        if let Some(postgres) = &mut self.postgres {
            postgres.up_again().await?;
        }
        let shop = self.shop_mut()?;
        if !shop.is_core_running() {
            shop.start_core().await?;
        }
        if !shop.is_terminal_running() {
            shop.start_terminal().await?;
        }
        Ok(())
    }

    /// Stops everything; what lies on disks of our own is copied beside them first if it is to be kept.
    pub async fn close(mut self, keep: bool) -> Result<()> {
        let closed = match self.shop.take() {
            Some(shop) => shop.close().await,
            None => Ok(()),
        };
        drop(self.postgres.take());
        if keep {
            self.disks.values().try_for_each(Disk::keep)?;
        }
        closed
    }
}
