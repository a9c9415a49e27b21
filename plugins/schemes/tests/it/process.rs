//! The binary: says where it listens, and goes when told to, even while it holds a connection.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::shop::{mac, nonce, now_ms};

#[tokio::test]
async fn starts_serves_and_stops_with_a_connection_held() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_saoma-schemes"))
        .args(["wallet", "--listen", "127.0.0.1:0", "--merchant", "m1=k=1", "--base-url", "https://pay.example/"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let base = serde_json::from_str::<Value>(&line).unwrap()["listening"].as_str().unwrap().to_owned();

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let code: Value =
        client.post(format!("{base}/wallet/api/accounts/bob/code")).send().await.unwrap().json().await.unwrap();
    let body = json!({
        "order_number": "n1", "amount": "1.93", "currency": "CNY", "subject": "", "merchant_name": "", "store_name": "",
        "expires_at": now_ms() + 60_000, "notify_url": "", "code": code["code"],
    })
    .to_string();
    let (timestamp, nonce) = (now_ms().to_string(), nonce());
    let held = tokio::spawn(
        client
            .post(format!("{base}/v1/charges"))
            .header("x-sandbox-merchant", "m1")
            .header("x-sandbox-timestamp", &timestamp)
            .header("x-sandbox-nonce", &nonce)
            .header(
                "x-sandbox-signature",
                mac("k=1", &["REQUEST", "POST", "/v1/charges", &timestamp, &nonce], body.as_bytes()),
            )
            .body(body)
            .send(),
    );
    let deadline = Instant::now() + Duration::from_secs(10);
    while client.get(format!("{base}/admin/orders/n1")).send().await.unwrap().status() != 200 {
        assert!(Instant::now() < deadline, "the charge is not carried out");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!held.is_finished());

    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert!(held.await.unwrap().is_err(), "cut without an answer");
    let deadline = Instant::now() + Duration::from_secs(10);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "does not stop");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(status.success(), "{status}");
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert!(!log.contains(code["code"].as_str().unwrap()), "a payment code is money and is not logged");
}

/// By two processes into one file, a line for each request, as the stage door has them.
#[tokio::test]
async fn what_is_heard_is_written_down() {
    let file = std::env::temp_dir().join(format!("saoma-heard-{}.jsonl", std::process::id()));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut told = Vec::new();
    for n in 0..2 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_saoma-schemes"))
            .arg("--heard")
            .arg(&file)
            .arg("alipay")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let at = |door: &str, path: &str| format!("{}{path}", ready[door].as_str().unwrap());
        client.post(at("listening", &format!("/gateway.do?n={n}"))).body("\n\"x").send().await.unwrap();
        let heard: Vec<Value> = client.get(at("door", "/heard")).send().await.unwrap().json().await.unwrap();
        told.extend(heard);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let kept: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((kept.len(), &kept), (2, &told));
}

#[test]
fn bad_arguments_say_what_to_do() {
    for (args, hint) in [
        (vec!["wallet"], "--merchant <ID=KEY>"),
        (vec!["wallet", "--merchant", "noodles"], "ID=KEY"),
        (vec!["wallet", "--merchant", "a=b", "--listen", "nowhere"], "socket address"),
        (vec!["acquirer", "--mac", "des"], "aes-cmac"),
        (vec!["acquirer", "--length-header", "text"], "decimal-with-itself"),
        (vec!["alipay", "--heard", "/nowhere/heard.jsonl"], "cannot write to /nowhere/heard.jsonl"),
    ] {
        let out = Command::new(env!("CARGO_BIN_EXE_saoma-schemes")).args(&args).output().unwrap();
        assert!(!out.status.success());
        let text = String::from_utf8_lossy(&out.stderr);
        assert!(text.contains(hint), "{args:?}: {text}");
    }
}
