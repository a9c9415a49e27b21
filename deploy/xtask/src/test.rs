//! `cargo xtask test`: every test there is, cheapest first, so that a mistake shows soon.

use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::{
    channels, crash, demo, guests, machine, simulate,
    stage::{cargo, execute, timed},
    tidy, walk, web,
};

type Stage = (&'static str, fn() -> Result<()>);

const STAGES: &[Stage] = &[
    ("format", format),
    ("tidy", tidy::run),
    ("plugins", || guests::build().map(drop)),
    ("web", web_tests),
    ("lints", lints),
    ("rust", rust_tests),
    // Before `channels`, which installs tools into the SDK's own folder: a newcomer's copy has none there to take by mistake.
    ("walk", walk::test),
    ("channels", channels::test),
    ("simulator", simulate::test),
    ("scenarios", demo::scenarios),
    ("nodes", demo::nodes),
    ("crashes", crash::test),
    ("browser", demo::browser),
];

pub fn run(only: Option<&str>) -> Result<()> {
    if only == Some("list") {
        for (name, _) in STAGES {
            println!("{name}");
        }
        return Ok(());
    }
    if let Some(only) = only
        && !STAGES.iter().any(|(name, _)| name.contains(only))
    {
        bail!("no stage is called {only:?}; `cargo xtask test --only list` names them");
    }
    let started = Instant::now();
    let mut took = Vec::new();
    for (name, stage) in STAGES.iter().filter(|(name, _)| only.is_none_or(|only| name.contains(only))) {
        let began = Instant::now();
        stage().with_context(|| format!("stage {name} (again with: cargo xtask test --only {name})"))?;
        took.push((name, began.elapsed()));
    }
    println!();
    for (name, took) in &took {
        println!("{name:<12} {:>7.1} s", took.as_secs_f64());
    }
    println!("{:<12} {:>7.1} s", "all", started.elapsed().as_secs_f64());
    Ok(())
}

fn format() -> Result<()> {
    machine::rust_tools()?;
    timed("Formatting", || execute(&mut cargo(&["fmt", "--all", "--check"])))
}

fn web_tests() -> Result<()> {
    web::build()?;
    web::test()
}

fn lints() -> Result<()> {
    machine::rust_tools()?;
    machine::packages(&[&machine::C_COMPILER])?;
    timed("Lints", || {
        execute(&mut cargo(&[
            "clippy",
            "--quiet",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ]))
    })
}

/// A printer that others wrote, which draws our receipts in the terminal's tests. Of its package only that is used, which runs on an older
/// Python, and without the rest of what the package asks for.
fn receipt_printer() -> Result<()> {
    let requirements = crate::root().join("edge-agent/oracle/requirements.txt");
    machine::python_with(&requirements, "printer", &["--no-deps", "--ignore-requires-python"]).map(drop)
}

/// Stories of hostile timing, told on SQLite and once more on PostgreSQL, which isolates transactions in another way.
const ON_BOTH_DATABASES: [&str; 10] = [
    "batches_money::",
    "by_hand::",
    "fleet_journal::",
    "given_up::",
    "money::",
    "notifications::",
    "offline_losses::",
    "repeats::",
    "stored_cards",
    "unknown::",
];

/// At once, on the two processors of the machine that all is tested on: stories wait more than they compute.
const TEST_THREADS: &str = "3";

fn rust_tests() -> Result<()> {
    machine::packages(&[
        &machine::OPENSSL,
        &machine::ZBAR,
        &machine::RSVG,
        &machine::POSTGRESQL,
        &machine::REDIS,
        &machine::OPENPYXL,
        &machine::ESPEAK,
        &machine::PCSCD,
        &machine::VPCD,
        &machine::SYSTEMD,
        &machine::PYTHON_VENV,
    ])?;
    receipt_printer()?;
    let plugins = guests::build()?;
    timed("Rust tests", || {
        execute(
            cargo(&["test", "--quiet", "--locked", "--workspace"])
                .env("SAOMA_PLUGINS_DIR", &plugins)
                .env("RUST_TEST_THREADS", TEST_THREADS)
                .env("INSTA_UPDATE", "no"),
        )
    })?;
    timed("Stories on PostgreSQL", || {
        execute(
            cargo(&["test", "--quiet", "--locked", "--workspace", "--test", "it", "--"])
                .args(ON_BOTH_DATABASES)
                .env("SAOMA_PLUGINS_DIR", &plugins)
                .env("RUST_TEST_THREADS", TEST_THREADS)
                .env("SAOMA_STORIES_ON_POSTGRESQL", "1"),
        )
    })
}
