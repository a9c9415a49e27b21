//! `cargo xtask bench`: the figures the project is held to. Each is a ratio of two things measured in the same run.

use anyhow::{Context as _, Result};

use crate::{
    channels, guests, machine,
    stage::{self, cargo, timed},
    terminal, web,
};

pub fn run() -> Result<()> {
    guests::build()?;
    // Its shop has rules of its own, and cards.
    let plugins = guests::demo_folder();
    let measured = guests::bench_folder(&channels::examples()?)?;
    timed(
        "A plugin call with a fresh instance, against the same code called natively, per channel and language",
        || {
            stage::execute(
                cargo(&["bench", "--quiet", "--locked", "--package", "saoma-channels"])
                    .env("SAOMA_PLUGINS_DIR", &measured),
            )
        },
    )?;
    let charges_per_s = timed("What the database takes when nothing else is in the way", || {
        let commits = stage::output(
            cargo(&["bench", "--quiet", "--locked", "--package", "saoma-store", "--bench", "commits"])
                .env("SAOMA_BENCH_DIR", crate::target()),
        )?;
        print!("{commits}");
        let rate = commits.split_whitespace().find_map(|word| word.strip_prefix("charges_per_s="));
        Ok(rate.context("the bench of commits names no charges_per_s")?.to_owned())
    })?;
    // The programs have the pages inside.
    web::build()?;
    timed("Release programs", || {
        stage::execute(&mut cargo(&[
            "build",
            "--quiet",
            "--locked",
            "--release",
            "--package",
            "saoma-server",
            "--package",
            "saoma-schemes",
            "--package",
            "saoma-trials",
            "--bin",
            "saoma",
            "--bin",
            "saoma-schemes",
            "--bin",
            "saoma-demo",
        ]))
    })?;
    let release = crate::target().join("release");
    std::fs::copy(terminal::build()?, release.join("saoma-edge"))?;
    timed("A terminal: size, start-up, memory, and sales against bare commits to the same disk", || {
        stage::execute(
            cargo(&["bench", "--quiet", "--locked", "--package", "saoma-edge", "--bench", "terminal"])
                .env("SAOMA_BENCH_EDGE", release.join("saoma-edge"))
                .env("SAOMA_BENCH_DIR", crate::target()),
        )
    })?;
    timed("Payments per second, memory, start-up, sync", || {
        let mut demo = std::process::Command::new(release.join("saoma-demo"));
        demo.arg("--programs").arg(&release).arg("--plugins").arg(&plugins).current_dir(crate::root());
        demo.args(["bench", "--charges-per-s", &charges_per_s]);
        stage::execute(&mut demo)
    })?;
    machine::packages(&[&machine::POSTGRESQL])?;
    timed("Payments per second of one, two and four nodes on PostgreSQL, against pgbench", || {
        let mut demo = std::process::Command::new(release.join("saoma-demo"));
        demo.arg("--programs").arg(&release).arg("--plugins").arg(&plugins).current_dir(crate::root());
        stage::execute(demo.arg("bench-nodes"))
    })?;
    timed("Books of a million postings", || {
        let only = ["--", "--ignored", "--nocapture", "a_million_postings"];
        stage::execute(&mut cargo(
            &[
                ["test", "--quiet", "--locked", "--release", "--package", "saoma-store", "--test", "it"].as_slice(),
                &only,
            ]
            .concat(),
        ))
    })?;
    timed("A day of a million payments against its bill", || {
        stage::execute(
            cargo(&["bench", "--quiet", "--locked", "--package", "saoma-server", "--bench", "reconcile"])
                .env("SAOMA_BENCH_DIR", crate::target()),
        )
    })
}
