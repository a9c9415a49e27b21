//! The program as a shop runs it: its ready line, its signals, its commands.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use saoma_edge::link::tls;
use serde_json::Value;

use crate::{enrolled::enrolled, shop::Till};

pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_saoma-edge"));
    command.env("SAOMA_EDGE_DATA_DIR", folder).env("SAOMA_EDGE_TILL__LISTEN", "127.0.0.1:0").stdin(Stdio::null());
    command
}

/// The till that says it is ready.
pub fn running(mut command: Command) -> (Program, Till) {
    let mut child = Program(command.arg("run").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let ready = BufReader::new(child.0.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let ready: Value = serde_json::from_str(&ready).unwrap();
    let till = Till::at(ready["till"].as_str().unwrap().trim_end_matches('/').to_owned());
    (child, till)
}

fn output(folder: &Path, arguments: &[&str]) -> Output {
    program(folder).args(arguments).output().unwrap()
}

/// Ends with the test, also with one that fails.
pub struct Program(pub Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_where_the_till_is_and_stops_when_asked() {
    tls::install_provider();
    let folder = tempfile::tempdir().unwrap();
    enrolled(folder.path());
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut child =
            Program(program(folder.path()).arg("run").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
        let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
        let ready: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(ready["ready"], true);
        let till = ready["till"].as_str().unwrap();
        let state: Value = reqwest::get(format!("{till}api/state")).await.unwrap().json().await.unwrap();
        assert_eq!(state["link"]["online"], false, "{state}");
        let page = reqwest::get(ready["display"].as_str().unwrap()).await.unwrap();
        assert!(page.status().is_success());
        let second = output(folder.path(), &["run"]);
        assert!(!second.status.success() && String::from_utf8_lossy(&second.stderr).contains("another saoma-edge"));

        kill(Pid::from_raw(child.0.id().try_into().unwrap()), signal).unwrap();
        assert!(child.0.wait().unwrap().success(), "{signal}");
        assert!(lines.next().is_none(), "one line on standard output");
    }
    let verified = output(folder.path(), &["journal", "verify"]);
    let verified: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!((&verified["whole"], &verified["entries"]), (&Value::Bool(true), &Value::from(0)));
}

#[test]
fn mistakes_end_in_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["run"][..], "saoma-edge enrol --help"),
        (&["journal", "verify"], "no such file"),
        (&["enrol", "--core", "http://x", "--claim-code", "c", "--ca-fingerprint", &"ab".repeat(32)], "https://"),
        (&["enrol", "--core", "https://x", "--claim-code", "c", "--ca-fingerprint", "ab"], "64 hex digits"),
        (&["--config", "/does/not/exist.toml", "run"], "/does/not/exist.toml"),
    ] {
        let failed = output(folder.path(), arguments);
        let told = String::from_utf8_lossy(&failed.stderr);
        assert!(!failed.status.success() && told.contains(words), "{arguments:?}: {told}");
        assert!(failed.stdout.is_empty(), "results alone go to standard output");
    }
}

#[test]
fn the_configuration_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    let explained = String::from_utf8(output(folder.path(), &["config", "--explain"]).stdout).unwrap();
    assert!(explained.contains("SAOMA_EDGE_TILL__LISTEN") && explained.contains("[link]"), "{explained}");
    let in_force = String::from_utf8(output(folder.path(), &["config"]).stdout).unwrap();
    assert!(in_force.contains("listen = \"127.0.0.1:0\""), "{in_force}");
}

/// As a person reads it who has just got the machine.
#[test]
fn help_teaches() {
    let folder = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 24] = [
        &[],
        &["run"],
        &["enrol"],
        &["config"],
        &["doctor"],
        &["may-stop"],
        &["journal"],
        &["journal", "verify"],
        &["journal", "export"],
        &["journal", "replay"],
        &["journal", "rekey"],
        &["simulate"],
        &["boot"],
        &["update"],
        &["update", "status"],
        &["update", "check"],
        &["release"],
        &["release", "keygen"],
        &["release", "root"],
        &["release", "add"],
        &["release", "timestamp"],
        &["release", "renew"],
        &["release", "withdraw"],
        &["release", "sign"],
    ];
    let help = commands.map(|command| {
        let told = output(folder.path(), &[command, &["--help"]].concat());
        assert!(told.status.success() && told.stderr.is_empty());
        format!("$ saoma-edge {} --help\n{}", command.join(" "), String::from_utf8(told.stdout).unwrap())
    });
    insta::assert_snapshot!(help.join("\n"));
}
