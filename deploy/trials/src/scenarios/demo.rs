//! The demo itself, as a person starts it.

use std::{net::TcpStream, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    api::{Door, text},
    shop::Shop,
};

/// Three programs may each take 90 s to say that they are ready.
const OPEN_MAX: Duration = Duration::from_secs(300);
/// Three programs may each take 20 s to stop.
const STOP_MAX: Duration = Duration::from_secs(70);
/// The last line that it prints when everything is up.
const LAST_WORDS: &str = "Ctrl-C stops everything";

struct Demo {
    child: Child,
    printed: String,
}

impl Demo {
    async fn start(shop: &Shop, folder: &Path) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--programs")
            .arg(shop.premises.programs.canonicalize()?)
            .arg("--plugins")
            .arg(shop.premises.plugins.canonicalize()?)
            .arg("run")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let printed = timeout(OPEN_MAX, async {
            let mut printed = String::new();
            while let Some(line) = lines.next_line().await? {
                printed = format!("{printed}{line}\n");
                if line.contains(LAST_WORDS) {
                    return Ok(printed);
                }
            }
            bail!("the demo ended early; it printed:\n{printed}")
        });
        let printed = printed.await.context("the demo does not open")??;
        Ok(Self { child, printed })
    }

    /// What stands behind a name in the table of addresses.
    fn address(&self, name: &str) -> Result<String> {
        let line = self.printed.lines().find(|line| line.trim_start().starts_with(name));
        let address = line.and_then(|line| line.split_whitespace().last());
        Ok(address.with_context(|| format!("no {name} in:\n{}", self.printed))?.trim_end_matches('/').to_owned())
    }

    /// The seconds that it says it took.
    fn took(&self) -> Result<f64> {
        let text = self.printed.split("running (").nth(1).and_then(|rest| rest.split(' ').next());
        Ok(text.context("it does not say how long it took")?.parse()?)
    }

    /// Every address answers, and the printed sign-in opens the dashboard's API.
    async fn is_as_printed(&self) -> Result<()> {
        for name in ["Dashboard", "API, browsable", "Till", "Customer display", "Metrics", "Customer's wallet"] {
            let address = self.address(name)?;
            let (status, body) = Door::new(&address)?.bytes("").await?;
            ensure!(status.is_success() && !body.is_empty(), "{name} at {address} answers {status}");
        }
        let words: Vec<&str> = self.printed.split_whitespace().collect();
        let email = words.iter().find(|word| word.contains('@')).context("no sign-in is printed")?;
        let password = words.iter().skip_while(|word| **word != "password").nth(1).context("no password is printed")?;
        let core = Door::new(self.address("Dashboard")?)?;
        let session = core.post("/v1/auth/sign-in", &json!({"email": email, "password": password}), "-").await?;
        text(&session, "/access_token").map(drop)
    }

    fn till(&self) -> Result<Door> {
        Ok(Door::new(self.address("Till")?)?.with("x-saoma-till", "1"))
    }

    /// Ctrl-C. It ends with success, and nothing of it goes on.
    async fn interrupt(mut self) -> Result<()> {
        let id = self.child.id().context("the demo has ended by itself")?;
        kill(Pid::from_raw(i32::try_from(id)?), Signal::SIGINT)?;
        let status = timeout(STOP_MAX, self.child.wait()).await.context("the demo does not stop")??;
        ensure!(status.success(), "the demo stopped with {status}");
        for name in ["Dashboard", "Till", "Metrics", "Customer's wallet"] {
            let address = self.address(name)?;
            let host = address.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned();
            ensure!(TcpStream::connect(&host).is_err(), "{name} still listens at {host}");
        }
        Ok(())
    }
}

pub async fn twice(shop: &mut Shop) -> Result<()> {
    let folder = shop.premises.folder.join("street");
    std::fs::create_dir_all(&folder)?;
    let first = Demo::start(shop, &folder).await?;
    first.is_as_printed().await?;
    let cash = json!({"amount_minor": 700, "method": "cash"});
    let sale = text(&first.till()?.post("/api/sales", &cash, "demo").await?, "/payment")?;
    let cold = first.took()?;
    first.interrupt().await?;

    let second = Demo::start(shop, &folder).await?;
    second.is_as_printed().await?;
    let kept = second.till()?.get(&format!("/api/sales/{sale}")).await?;
    ensure!(kept["state"] == "succeeded", "the second start forgot the first: {kept}");
    let warm = second.took()?;
    ensure!(warm < cold, "the second start took {warm} s, the first {cold} s");
    second.interrupt().await
}
