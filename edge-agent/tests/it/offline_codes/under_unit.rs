//! The agent sees of /proc what its unit leaves it (systemd.exec(5)), and keeps core's time by that.

use std::process::{Command, Stdio};

use saoma_edge::link::identity::DataDir;

use super::*;
use crate::{enrolled::enrolled, program::running};

/// The options of proc(5) that the shipped unit comes to.
fn of_unit() -> String {
    let unit = include_str!("../../../../deploy/edge/saoma-edge.service");
    let set = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let hidden = set("ProtectProc").map(|value| format!("hidepid={value}"));
    let subset = set("ProcSubset").map(|value| format!("subset={value}"));
    hidden.into_iter().chain(subset).collect::<Vec<_>>().join(",")
}

/// The program with a /proc of its own.
fn shut_in(folder: &std::path::Path, options: &str) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c"])
        .args(["mount -t proc -o \"$0\" proc /proc && exec \"$@\"", options, env!("CARGO_BIN_EXE_saoma-edge")])
        .env("SAOMA_EDGE_DATA_DIR", folder)
        .env("SAOMA_EDGE_TILL__LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_shipped_unit_a_code_is_taken_and_without_an_uptime_doctor_says_why_not() {
    let mut shop = Shop::open_where_codes_are_taken(LIMITS).await;
    shop.stop_till().await;
    shop.core.switch_off().await;
    let folder = shop.folder.path().to_owned();
    enrolled(&folder);
    let whole = of_unit();
    assert!(whole.contains("hidepid=invisible"), "{whole}");
    let shut = format!("{whole},subset=pid");
    for (number, (options, code, verdict)) in
        [(1, (&whole, None, "ok")), (2, (&shut, Some("offline_clock_unheard"), "fault"))]
    {
        let (child, till) = running(shut_in(&folder, options));
        let body = json!({"amount_minor": 100, "method": "scan", "code": Phone::new(1).code(number)});
        let sold = till.post("/api/sales", &body, &fresh_key()).await;
        assert_eq!((sold.body["code"].as_str(), sold.status == 201), (code, code.is_none()), "{}", sold.body);
        let listen = till.base.trim_start_matches("http://").to_owned();
        let mut doctor = Command::new(env!("CARGO_BIN_EXE_saoma-edge"));
        doctor.env("SAOMA_EDGE_DATA_DIR", &folder).env("SAOMA_EDGE_TILL__LISTEN", listen).args(["doctor", "--json"]);
        let examined = tokio::task::spawn_blocking(move || doctor.output().unwrap()).await.unwrap();
        let told: Value = serde_json::from_slice(&examined.stdout).unwrap();
        let findings = told["findings"].as_array().unwrap();
        let time = findings.iter().find(|finding| finding["check"] == "core_time").unwrap();
        assert_eq!(time["verdict"], verdict, "{time}");
        assert_eq!(time["fix"].as_str().is_some_and(|fix| fix.contains("ProcSubset")), code.is_some(), "{time}");
        drop(child);
        let free = || !DataDir::as_it_is(&folder).is_in_use().unwrap();
        until("the agent to be gone", async || free().then_some(())).await;
    }
}
