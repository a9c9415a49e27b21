//! From a publisher's key to a merchant's payments and back, by the program alone.

use std::{
    fs,
    path::{Path, PathBuf},
};

use saoma_channels::conformance::{CaseReport, KIT_VERSION, Report, Verdict, names};
use serde_json::Value;

use crate::{
    packages_author::passed,
    plugin_tools::saoma,
    town::{Town, plugins, text},
};

/// What the sandbox channel does not offer, and what the names of the cases begin with that need it.
const NOT_OFFERED: [(&str, &str); 5] = [
    ("card-", "card"),
    ("settle-", "settlement"),
    ("upload-", "settlement"),
    ("finish-", "settlement"),
    ("in-app-", "in-app"),
];

/// What the kit would write about the sandbox channel: everything passed but what needs something that it does not offer. That the
/// kit's own report of it can be signed is a story of `core/channels`, which plays it.
fn report(folder: &Path) {
    let (code, told, stderr) = saoma(folder, &["plugin", "inspect", "sandbox.wasm", "--json"]);
    assert_eq!(code, 0, "{stderr}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["package"], Value::Null, "nobody has signed it yet");
    let lacks = |case: &str| NOT_OFFERED.iter().find(|(prefix, _)| case.starts_with(prefix)).map(|(_, offer)| offer);
    let (skipped, played): (Vec<_>, Vec<_>) = names().into_iter().partition(|name| lacks(name).is_some());
    let why = |case: &str| lacks(case).map(|offer| format!("the manifest does not declare {offer}"));
    let not_played = |case: String| CaseReport { verdict: Verdict::Skipped, skipped: why(&case), ..passed(case) };
    let report = Report {
        format: 1,
        plugin: text(&told, "/id").to_owned(),
        version: text(&told, "/version").to_owned(),
        content_hash: text(&told, "/content_hash").to_owned(),
        contract: text(&told, "/contract").to_owned(),
        kit: KIT_VERSION.to_owned(),
        passed: played.len(),
        failed: 0,
        skipped: skipped.len(),
        cases: played.into_iter().map(passed).chain(skipped.into_iter().map(not_played)).collect(),
    };
    fs::write(folder.join("report.json"), serde_json::to_string(&report).unwrap()).unwrap();
}

/// The program in that folder, with the token of whoever calls it; off this thread, where core is answering.
async fn called(folder: &Path, token: &str, core: &str, arguments: &[&str]) -> (i32, String, String) {
    fs::write(folder.join("token"), token).unwrap();
    let folder: PathBuf = folder.to_owned();
    let all = [arguments, &["--to", core, "--token-file", "token"]].concat();
    let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
    let work = move || saoma(&folder, &all.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_channel_reaches_the_till() {
    let town = Town::found().await;
    let shop = town.merchant("author").await;
    let core = format!("http://{}", town.running().api);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::copy(plugins().join("sandbox.wasm"), at("sandbox.wasm")).unwrap();
    let author = folder.path().to_owned();
    let (public, signed) = tokio::task::spawn_blocking(move || {
        report(&author);
        let (code, public, stderr) = saoma(&author, &["plugin", "keygen", "me.pem"]);
        assert_eq!(code, 0, "{stderr}");
        let arguments = ["plugin", "sign", "sandbox.wasm", "--report", "report.json", "--key", "me.pem"];
        (public, saoma(&author, &arguments))
    })
    .await
    .unwrap();
    assert_eq!((signed.0, signed.1.as_str()), (0, "sandbox.wasm.saoma.json\n"), "{}", signed.2);
    fs::write(at("me.pub.pem"), &public).unwrap();
    let key_id = public.lines().next().and_then(|line| line.strip_prefix("Key-Id: ")).unwrap();

    // Whoever looks at it sees what was signed, and with the key that it is so.
    let look = folder.path().to_owned();
    let seen = tokio::task::spawn_blocking(move || {
        let arguments = ["plugin", "inspect", "sandbox.wasm", "--publisher", "me.pub.pem"];
        [saoma(&look, &arguments[..3]), saoma(&look, &arguments)]
    })
    .await
    .unwrap();
    assert!(seen[0].1.contains("unchecked") && seen[0].1.contains(key_id), "{}", seen[0].1);
    assert!(seen[1].0 == 0 && seen[1].1.contains("core would take it"), "{} {}", seen[1].1, seen[1].2);

    let admin = town.admin.bearer();
    let by_admin = async |arguments: &[&str]| called(folder.path(), &admin, &core, arguments).await;
    let (code, stdout, stderr) = by_admin(&["plugin", "publish", "sandbox.wasm"]).await;
    assert!(code == 1 && stdout.is_empty() && stderr.contains("package_untrusted"), "{stderr}");
    let (code, stdout, stderr) = by_admin(&["plugin", "trust", "me.pub.pem", "--name", "Tea Tools"]).await;
    assert_eq!((code, stdout.trim()), (0, key_id), "{stderr}");
    let (code, hash, stderr) = by_admin(&["plugin", "publish", "sandbox.wasm"]).await;
    assert_eq!(code, 0, "{stderr}");
    let hash = hash.trim();
    assert_eq!(by_admin(&["plugin", "publish", "sandbox.wasm"]).await.1.trim(), hash, "the same answer again");

    // A merchant's own plugin cannot take the name of one that everybody has.
    let (code, _, stderr) =
        called(folder.path(), &shop.owner.bearer(), &core, &["plugin", "publish", "sandbox.wasm"]).await;
    assert!(code == 1 && stderr.contains("plugin_id_taken"), "{stderr}");

    let (code, status, stderr) = by_admin(&["plugin", "install", hash, "--canary", &shop.id]).await;
    assert!(code == 0 && status.contains(&format!("canary         {hash}")), "{status}{stderr}");
    assert_eq!(shop.sells(&town, &shop.owner, 700, "author-1").await["state"], "succeeded");
    let (code, status, stderr) = by_admin(&["plugin", "promote", "sandbox"]).await;
    assert!(code == 0 && status.contains(&format!("stable         {hash}")), "{status}{stderr}");
    let (_, status, _) = by_admin(&["plugin", "status"]).await;
    assert!(status.starts_with("sandbox, step 2\n") && status.contains("previous       built_in"), "{status}");
    let (code, _, stderr) = by_admin(&["plugin", "retire", hash, "--successor", "built_in"]).await;
    assert!(code == 1 && stderr.contains("core refuses"), "what serves is not retired: {stderr}");
    let (code, status, stderr) = by_admin(&["plugin", "rollback", "sandbox"]).await;
    assert!(code == 0 && status.contains("stable         built_in"), "{status}{stderr}");
    assert_eq!(shop.sells(&town, &shop.owner, 900, "author-2").await["state"], "succeeded");

    // One byte of the component, and core does not take it.
    let mut component = fs::read(at("sandbox.wasm")).unwrap();
    component.push(0);
    fs::write(at("sandbox.wasm"), component).unwrap();
    let (code, _, stderr) = by_admin(&["plugin", "publish", "sandbox.wasm"]).await;
    assert!(code == 1 && stderr.contains("about another component"), "{stderr}");
}
