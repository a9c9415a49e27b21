//! A scheme's far side as a program of its own, with its stage door, and the account that it has for us.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use saoma_channels::{Account, Secrets};
use saoma_protocol::{ChannelAccountId, TenantId};
use serde_json::Value;

pub(super) struct FarSide {
    process: Child,
    door: String,
    client: reqwest::Client,
    /// What it tells of itself.
    pub(super) script: Value,
}

impl Drop for FarSide {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl FarSide {
    /// `args`: of `saoma-schemes`.
    pub(super) async fn start(args: &[&str]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let test = std::env::current_exe().expect("this program");
        let folder = test.parent().and_then(|deps| deps.parent()).expect("target/debug");
        let mut process = Command::new(folder.join("saoma-schemes"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("saoma-schemes is built");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).expect("JSON");
        let door = ready["door"].as_str().expect("an address").to_owned();
        let mut far_side = Self { process, door, client: reqwest::Client::new(), script: Value::Null };
        far_side.script = far_side.at_door("GET", "/script", &Value::Null).await.1;
        far_side
    }

    pub(super) fn account(&self, channel: &str) -> Account {
        let secrets = self.script["secrets"].as_object().expect("secrets").iter();
        let secrets =
            secrets.fold(Secrets::none(), |all, (name, value)| all.with(name, value.as_str().unwrap_or_default()));
        Account {
            id: ChannelAccountId::from_bytes([1; 16]),
            tenant: TenantId::from_bytes([2; 16]),
            channel: channel.to_owned(),
            package: None,
            settings_json: self.script["settings"].to_string(),
            secrets,
            notify_url: String::new(),
        }
    }

    /// What the stage door says to it; null if that is nothing.
    pub(super) async fn at_door(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = self.client.request(method.parse().expect("a method"), format!("{}{path}", self.door));
        let answer = request.json(body).send().await.expect("sent");
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.expect("a body")).unwrap_or_default())
    }
}
