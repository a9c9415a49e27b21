//! Runs the cases: some at once, each in a host's account of its own against a far side of its own.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::timeout};
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::{Registry, layer::SubscriberExt as _};

use super::{
    coverage,
    far_side::{Command, FarSide, FarSideError},
    play::{Player, Stop},
    report::{CaseReport, Report, Verdict},
    table::{self, Case, Verb},
    world::{KitChance, KitClock, KitKv, Lines},
};
use crate::{
    failure::{HostError, InstallError},
    host::{Host, HostConfig},
    manifest::Manifest,
    ports::ChannelCaller,
    registry::Plugin,
};

/// Longest that one case may take: the slowest waits for four calls of the longest time that a manifest may allow.
const CASE_MAX: Duration = Duration::from_secs(300);
/// A host of the kit makes one call at a time; a few places more are for the calls that a deadline left behind.
const INSTANCES: u32 = 4;

/// Puts something between the kit and the host: how the kit's own tests make a channel that lies.
pub type Wrap = fn(Arc<Host>) -> Arc<dyn ChannelCaller>;

/// Which cases are played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Only {
    #[default]
    All,
    /// Those whose name contains this.
    Containing(String),
    Named(Vec<String>),
}

impl Only {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Containing(part) => name.contains(part.as_str()),
            Self::Named(names) => names.iter().any(|named| named == name),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::All => String::new(),
            Self::Containing(part) => part.clone(),
            Self::Named(names) => names.join(", "),
        }
    }
}

/// A component, a far side, and how to play them.
#[derive(Clone, Debug)]
pub struct Kit {
    pub component: Vec<u8>,
    pub far_side: Command,
    /// A folder for compiled code: made if missing, closed to others.
    pub cache_dir: PathBuf,
    pub only: Only,
    /// How many cases at once, at least 1. Most of them wait for a scheme that does not answer.
    pub jobs: usize,
    pub wrap: Wrap,
    /// Told of each case when it is over.
    pub progress: fn(&CaseReport),
}

/// Why nothing could be played.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    #[error("the component cannot be installed")]
    Install(#[from] InstallError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    FarSide(#[from] FarSideError),
    #[error("the table of cases cannot be read: {0}")]
    Table(String),
    #[error("the settings {name} do not fit: {why}")]
    Settings { name: String, why: String },
    #[error("no case has {0:?} in its name; `saoma plugin test --list` prints the names")]
    NoCase(String),
}

impl Kit {
    #[must_use]
    pub fn new(component: Vec<u8>, far_side: Command, cache_dir: PathBuf) -> Self {
        Self { component, far_side, cache_dir, only: Only::All, jobs: 4, wrap: |host| host, progress: |_| {} }
    }

    /// Plays every case.
    ///
    /// # Errors
    /// The table, the host, the component or the far side is of no use at all: see [`KitError`]. What fails later fails its case.
    pub async fn run(self) -> Result<Report, KitError> {
        let mut cases = table::cases().map_err(KitError::Table)?;
        cases.retain(|case| self.only.has(&case.name));
        if cases.is_empty() {
            return Err(KitError::NoCase(self.only.words()));
        }
        // The first bench compiles; the others find the code compiled.
        let first = Bench::new(&self).await?;
        let plugin = Arc::clone(&first.plugin);
        // A far side that cannot be started is told once, not once for each case. The first case is played against it.
        let started = FarSide::start(&self.far_side).await?;
        started.script().await?;
        let n_cases = cases.len();
        let queue: Arc<Mutex<VecDeque<(usize, Case)>>> = Arc::new(Mutex::new(cases.into_iter().enumerate().collect()));
        let mut workers = JoinSet::new();
        let (mut bench, mut started) = (Some(first), Some(started));
        for _ in 0..self.jobs.clamp(1, n_cases) {
            let bench = match bench.take() {
                Some(first) => first,
                None => Bench::new(&self).await?,
            };
            let (queue, far_side, progress) = (Arc::clone(&queue), self.far_side.clone(), self.progress);
            let mut started = started.take();
            workers.spawn(async move {
                let mut reports = Vec::new();
                while let Some((idx, case)) = next_of(&queue) {
                    let report = bench.play(&case, &far_side, &mut started).await;
                    progress(&report);
                    reports.push((idx, report));
                }
                reports
            });
        }
        let mut reports: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
        reports.sort_by_key(|(idx, _)| *idx);
        let manifest = &plugin.manifest;
        let cases = reports.into_iter().map(|(_, report)| report).collect();
        Ok(Report::of(&manifest.id, &manifest.version, plugin.content_hash, plugin.pre.version(), cases))
    }
}

fn next_of(queue: &Mutex<VecDeque<(usize, Case)>>) -> Option<(usize, Case)> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// A host with the component, and what the kit controls around it.
struct Bench {
    plugin: Arc<Plugin>,
    manifest: Arc<Manifest>,
    caller: Arc<dyn ChannelCaller>,
    clock: Arc<KitClock>,
    chance: Arc<KitChance>,
    kv: Arc<KitKv>,
}

impl Bench {
    async fn new(kit: &Kit) -> Result<Self, KitError> {
        let (clock, chance, kv) = <(Arc<KitClock>, Arc<KitChance>, Arc<KitKv>)>::default();
        let host = Arc::new(Host::new(HostConfig {
            // The far side is on this machine.
            allow_private_addresses: true,
            instances_max: INSTANCES,
            instances_per_plugin_max: INSTANCES,
            instances_per_tenant_max: INSTANCES,
            kv: kv.clone(),
            clock: clock.clone(),
            chance: chance.clone(),
            ..HostConfig::new(&kit.cache_dir)
        })?);
        let plugin = host.install(&kit.component).await?;
        let caller = (kit.wrap)(host);
        // As whoever calls it sees it.
        let manifest = caller.manifest(&plugin.manifest.id).unwrap_or_else(|| Arc::clone(&plugin.manifest));
        Ok(Self { plugin, manifest, caller, clock, chance, kv })
    }

    async fn play(&self, case: &Case, far_side: &Command, started: &mut Option<FarSide>) -> CaseReport {
        let began = Instant::now();
        let lines = Lines::default();
        let mut report = CaseReport::of(case.name.clone(), &case.why);
        let playing = self.play_within(case, (far_side, started), &lines, &mut report);
        let subscriber = Registry::default().with(lines.clone());
        let stop = match timeout(CASE_MAX, playing.with_subscriber(subscriber)).await {
            Ok(Ok(())) => None,
            Ok(Err(stop)) => Some(stop),
            Err(_) => Some(Stop::failed("the case to end", "it took longer than 300 s").aside()),
        };
        match stop {
            None => {}
            Some(Stop::Failed(finding)) => (report.verdict, report.finding) = (Verdict::Failed, Some(finding)),
            Some(Stop::Skipped(why)) => {
                (report.verdict, report.skipped) = (Verdict::Skipped, Some(why));
                report.done.clear();
            }
        }
        if report.verdict != Verdict::Failed {
            (report.heard, report.logged) = (Vec::new(), Vec::new());
        }
        report.duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        report
    }

    async fn play_within(
        &self,
        case: &Case,
        (far_side, started): (&Command, &mut Option<FarSide>),
        lines: &Lines,
        report: &mut CaseReport,
    ) -> Result<(), Stop> {
        let manifest = &*self.manifest;
        if let Some(unmet) = coverage::unmet(&case.needs, &coverage::offers(manifest)) {
            return Err(Stop::Skipped(unmet));
        }
        let far_side = match started.take() {
            Some(started) => started,
            None => FarSide::start(far_side).await?,
        };
        let script = far_side.script().await?;
        for step in &case.steps {
            if let Verb::Next { fault, .. } = &step.verb
                && !script.faults.contains(fault)
            {
                return Err(Stop::Skipped(format!("this far side does not play {fault}")));
            }
        }
        self.clock.run_again();
        self.kv.empty();
        self.chance.begin(case.name.as_bytes());
        let mut player = Player::new(
            &*self.caller,
            manifest,
            &far_side,
            super::play::World { clock: &self.clock, chance: &self.chance, kv: &self.kv },
            script,
        )?;
        let outcome = player.play(case).await;
        report.done = std::mem::take(&mut player.done);
        report.logged = lines.take();
        report.heard = far_side.heard().await?;
        outcome?;
        player.took_nothing_else().await?;
        player.kept_secret(&report.logged, &report.heard)
    }
}

impl From<FarSideError> for Stop {
    fn from(error: FarSideError) -> Self {
        Self::failed("the far side to play its part", error.to_string()).aside()
    }
}
