use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use saoma_channels::{Chance as _, Clock as _, SystemChance, SystemClock};
use saoma_store::{Store, access, audit, users};

use crate::{config::Config, first_start, http::auth::passwords};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Gives an administrator a new one-time password, written into the data folder.
    ResetPassword {
        /// Their login.
        #[arg(default_value = first_start::ADMIN_LOGIN)]
        login: String,
    },
}

pub(super) fn run(command: &Command, config: &Config) -> Result<ExitCode> {
    let now = SystemClock.now();
    let Command::ResetPassword { login } = command;
    let store = Store::open(&config.database.url, 2).context("open the database")?;
    let admins = store.read_blocking(|tx| users::platform_admins(tx, &access::process()))?;
    let Some(admin) = admins.iter().find(|admin| admin.login.eq_ignore_ascii_case(login)) else {
        let known: Vec<&str> = admins.iter().map(|admin| admin.login.as_str()).collect();
        bail!("no administrator is called {login:?}; there are: {}", known.join(", "));
    };
    let (mut secret, mut salt) = ([0; 16], [0; 16]);
    for bytes in [&mut secret, &mut salt] {
        SystemChance.fill(bytes)?;
    }
    let password = passwords::one_time(&secret);
    let hash = passwords::hash(&password, salt)?;
    first_start::write_password(&config.data_dir, &password)?;
    store.write_blocking(|tx| {
        users::reset_platform_password(tx, &access::process(), admin.id, &hash, now)?;
        let entry = audit::NewEntry::new(
            "core",
            "user.password_reset",
            &admin.id,
            &serde_json::json!({ "by": "saoma admin reset-password" }),
            now,
        );
        audit::append_platform(tx, &access::process(), &entry)
    })?;
    println!("{}", config.data_dir.join(first_start::PASSWORD_FILE).display());
    Ok(ExitCode::SUCCESS)
}
