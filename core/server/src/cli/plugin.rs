mod author;
pub(super) mod core_api;
mod package;
mod registry;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use saoma_channels::{
    InstallError,
    conformance::{
        self, CaseReport, Command as FarSide, FarSideError, Inspected, Kit, KitError, Only, Report, RulesKit, Verdict,
    },
};

const TEST_EXAMPLE: &str = "Examples:
  saoma plugin test target/plugins/sandbox.wasm --far-side 'saoma-schemes wallet --stage'
  saoma plugin test my-channel/ --far-side './my-far-side --port 0' --only refund --json report.json
  saoma plugin test my-rules.wasm --settings weekdays.json --settings holidays.json

The far side plays the scheme: a program that prints one line of JSON with its stage door when it is ready, and answers what
plugins/schemes/STAGE.md says. It is started anew for each case, so that each has books of its own.

Every case is played that the manifest's capabilities and the far side's faults allow: each outcome, repetitions, lost answers,
answers not to be believed, refunds, notifications, bills, amounts, subjects, wrong settings, somebody else's keys. What the channel
says is held to the contract (sdk/wit) and to the far side's own books.

A merchant's rules (merchant-extension) reach nobody, so that they have no far side: each rule decides about sales at the bounds of
the contract, under each of the settings, and once more in another instance a year later, which has to come to the same.

Exit code 0: nothing failed. 1: a case failed, and the report says what was done, expected and heard. 2: nothing could be played.";

const INSPECT_EXAMPLE: &str = "Examples:
  saoma plugin inspect target/plugins/sandbox.wasm
  saoma plugin inspect my.wasm --json | jq .settings_schema
  saoma plugin inspect my.wasm --publisher them.pub.pem

It is read as it would be when it is installed, and given nothing to call. If `saoma plugin sign` wrote an envelope beside it, what
that says is shown too: unchecked, unless --publisher gives the key that you trust. Then exit code 2 if core would refuse it.";

/// Nothing could be played: the component, the far side or the command line is of no use.
const UNPLAYED: u8 = 2;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Makes a channel, or a merchant's rules, to start from, in a folder of its name.
    #[command(after_help = author::NEW_EXAMPLE)]
    New {
        /// Its id: 2 to 32 lower-case letters, digits and `-`.
        name: String,
        /// What it is to be.
        #[arg(long, value_enum, default_value = "channel")]
        kind: author::Kind,
        /// What it is written in.
        #[arg(long, value_enum, default_value = "rust")]
        language: author::Language,
        /// Saoma's folder sdk.
        #[arg(long, default_value = "sdk", value_name = "FOLDER")]
        sdk: PathBuf,
    },
    /// Builds the channel of a folder, and prints where its component is.
    #[command(after_help = author::BUILD_EXAMPLE)]
    Build {
        /// The channel's folder.
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Plays a channel against a far side, or a merchant's rules by themselves, and reports what breaks the contract.
    #[command(after_help = TEST_EXAMPLE)]
    Test(TestArguments),
    /// Makes a key to sign with, and prints its public half.
    #[command(after_help = package::KEYGEN_EXAMPLE)]
    Keygen {
        /// The file of the private key, which must not be there yet.
        file: PathBuf,
    },
    /// Signs a component that passed, and prints where the envelope is.
    #[command(after_help = package::SIGN_EXAMPLE)]
    Sign {
        /// The component, a .wasm file.
        component: PathBuf,
        /// What `saoma plugin test --json` wrote about it.
        #[arg(long, value_name = "FILE")]
        report: PathBuf,
        /// Your private key: an Ed25519 key in PEM, closed to others.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    #[command(flatten)]
    Registry(registry::Command),
    /// Shows what a channel or rules say of themselves: capabilities, settings, secrets, the places called, imports.
    #[command(after_help = INSPECT_EXAMPLE)]
    Inspect {
        /// The component, a .wasm file.
        component: PathBuf,
        /// A public key in PEM that you trust: its package is vetted as core would.
        #[arg(long, value_name = "FILE")]
        publisher: Option<PathBuf>,
        /// As JSON, with the whole settings schema.
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
pub(super) struct TestArguments {
    /// The component, a .wasm file; or the folder of a channel or of rules, which is built first.
    #[arg(required_unless_present = "list")]
    component: Option<PathBuf>,
    /// The command that starts the far side of a channel, as one argument.
    #[arg(long, value_name = "COMMAND")]
    far_side: Option<String>,
    /// Settings of rules, a JSON file; more than once if they are to be played under each. Without it they have none.
    #[arg(long, value_name = "FILE", conflicts_with = "far_side")]
    settings: Vec<PathBuf>,
    /// Writes the whole report there as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only cases with this in their name.
    #[arg(long, value_name = "CASE")]
    only: Option<String>,
    /// How many cases at once; most of them wait for a scheme that does not answer.
    #[arg(long, default_value_t = 4, value_name = "N")]
    jobs: usize,
    /// Prints the names of all cases.
    #[arg(long)]
    list: bool,
}

pub(super) fn run(command: Command) -> Result<ExitCode> {
    let outcome = match command {
        Command::Test(arguments) if arguments.list => {
            conformance::names().iter().chain(&conformance::rule_names()).for_each(|name| println!("{name}"));
            return Ok(ExitCode::SUCCESS);
        }
        Command::Test(arguments) => test(arguments),
        Command::New { name, kind, language, sdk } => return author::new(&name, kind, language, &sdk),
        Command::Build { folder } => return author::build(&folder),
        Command::Registry(command) => return registry::run(command),
        Command::Keygen { file } => return package::keygen(&file),
        Command::Sign { component, report, key } => package::sign(&component, &report, &key),
        Command::Inspect { component, publisher, json } => inspect(&component, publisher.as_deref(), json),
    };
    match outcome {
        Ok(code) => Ok(code),
        Err(error) => {
            eprintln!("saoma: {error:#}");
            if let Some(hint) = error.downcast_ref::<KitError>().and_then(hint) {
                eprintln!("saoma: {hint}");
            }
            Ok(ExitCode::from(UNPLAYED))
        }
    }
}

fn test(arguments: TestArguments) -> Result<ExitCode> {
    let given = arguments.component.clone().unwrap_or_default();
    let component = if given.is_dir() { read(Path::new(&author::built(&given)?))? } else { read(&given)? };
    let scratch = tempfile::tempdir().context("make a folder for compiled code")?;
    let report = runtime()?.block_on(play(&arguments, component, scratch.path().join("compiled")))?;
    if let Some(file) = arguments.json {
        let text = serde_json::to_string_pretty(&report).context("write the report")?;
        fs::write(&file, text + "\n").with_context(|| format!("write the report to {}", file.display()))?;
    }
    print!("{report}");
    Ok(if report.is_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn play(arguments: &TestArguments, component: Vec<u8>, cache_dir: PathBuf) -> Result<Report> {
    let only = arguments.only.clone();
    if let Some(far_side) = &arguments.far_side {
        let far_side = FarSide::read(far_side).map_err(KitError::from)?;
        let only = only.map_or(Only::All, Only::Containing);
        let kit = Kit { only, jobs: arguments.jobs, progress: shown, ..Kit::new(component, far_side, cache_dir) };
        return Ok(kit.run().await?);
    }
    let settings = arguments.settings.iter().map(|file| {
        let text = fs::read_to_string(file).with_context(|| format!("read the settings {}", file.display()))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, text))
    });
    let settings = settings.collect::<Result<_>>()?;
    let kit = RulesKit { only, settings, progress: shown, ..RulesKit::new(component, cache_dir) };
    Ok(kit.run().await?)
}

fn inspect(path: &Path, publisher: Option<&Path>, json: bool) -> Result<ExitCode> {
    let component = read(path)?;
    let inspection = inspected(&component)?;
    let package = package::beside(path, &component, &inspection, publisher)?;
    if json {
        let mut told = serde_json::to_value(&inspection).context("write the manifest")?;
        told["package"] = package.map_or(serde_json::Value::Null, |package| package.to_json());
        println!("{told:#}");
    } else {
        print!("{inspection}");
        if let Some(package) = package {
            print!("{package}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn inspected(component: &[u8]) -> Result<Inspected> {
    let scratch = tempfile::tempdir().context("make a folder for compiled code")?;
    Ok(runtime()?.block_on(Inspected::of(component, &scratch.path().join("compiled")))?)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read the component {}", path.display()))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")
}

fn shown(case: &CaseReport) {
    let word = match case.verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "FAILED",
        Verdict::Skipped => return,
    };
    eprintln!("{word}  {} ({} ms)", case.case, case.duration_ms);
}

/// What an author does about a component that cannot be installed.
fn hint(error: &KitError) -> Option<&'static str> {
    let error = match error {
        KitError::Install(error) => error,
        KitError::FarSide(FarSideError::Start { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Some(
                "give the far side's path, or put its folder on the PATH: Saoma's own are in saoma-schemes, which \
                 `cargo build --bin saoma-schemes` puts into target/debug of Saoma's repository",
            );
        }
        KitError::Settings { .. } => return Some("give settings that fit the schema, in a file, with --settings"),
        _ => return None,
    };
    Some(match error {
        InstallError::NotAComponent(_) => {
            "build it as a component: `cargo build --target wasm32-wasip2`, and give the .wasm file of that folder"
        }
        InstallError::DoesNotFit(_) => {
            "export the world `payment-channel` of sdk/wit, and import nothing but what its version of the contract has"
        }
        InstallError::IsChannel => {
            "a channel is played against a far side: give the command that starts it with --far-side"
        }
        InstallError::IsExtension => "rules reach nobody: play them without --far-side",
        InstallError::Describe(_) | InstallError::DescribeRules(_) => {
            "`describe` may neither trap nor call an import: give back constants alone"
        }
        InstallError::Manifest(_) => {
            "mend that field of the manifest that `describe` gives; sdk/wit/0.2.0/types.wit has its bounds"
        }
        _ => return None,
    })
}
