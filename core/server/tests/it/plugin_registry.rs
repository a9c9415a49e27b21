//! From a publisher's key to a merchant's payments and back, by the program alone.

use std::{
    fs,
    path::{Path, PathBuf},
};

use saoma_channels::conformance::{CaseReport, KIT_VERSION, Report, Verdict, names};
use serde_json::Value;

use crate::{
    packages_author::{canteen, passed},
    plugin_tools::saoma,
    town::{Town, plugins, text},
};

/// What the sandbox channel does not offer, and what the names of the cases begin with that need it.
const NOT_OFFERED: [(&str, &str); 6] = [
    ("card-", "card"),
    ("settle-", "settlement"),
    ("upload-", "settlement"),
    ("finish-", "settlement"),
    ("in-app-", "in-app"),
    ("forward-", "stored"),
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

/// A merchant's owner and an author, by the program alone: played, signed, published, chosen, upgraded, taken back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signed_rules_reach_a_merchants_sales() {
    let town = Town::found().await;
    let shop = town.merchant("canteen").await;
    let core = format!("http://{}", town.running().api);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("mine.wasm"), canteen("0.2.0")).unwrap();
    fs::write(at("next.wasm"), canteen("0.3.0")).unwrap();
    let by_author = async |arguments: &[&str]| {
        let (folder, arguments) = (folder.path().to_owned(), arguments.iter().map(ToString::to_string));
        let arguments: Vec<String> = arguments.collect();
        let work = move || saoma(&folder, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::spawn_blocking(work).await.unwrap()
    };
    let (code, public, stderr) = by_author(&["plugin", "keygen", "me.pem"]).await;
    assert_eq!(code, 0, "{stderr}");
    fs::write(at("me.pub.pem"), &public).unwrap();

    // What was played in part is not signed.
    let signs = ["plugin", "sign", "mine.wasm", "--report", "report.json", "--key", "me.pem"];
    by_author(&["plugin", "test", "mine.wasm", "--only", "price", "--json", "report.json"]).await;
    let (code, stdout, stderr) = by_author(&signs).await;
    assert!(code == 2 && stdout.is_empty() && stderr.contains("48 cases were not played"), "{stderr}");
    for (component, report) in [("mine.wasm", "report.json"), ("next.wasm", "next.json")] {
        let (code, stdout, stderr) = by_author(&["plugin", "test", component, "--json", report]).await;
        assert_eq!(code, 0, "{stdout}{stderr}");
        let signs = ["plugin", "sign", component, "--report", report, "--key", "me.pem"];
        let (code, stdout, stderr) = by_author(&signs).await;
        assert_eq!((code, stdout), (0, format!("{component}.saoma.json\n")), "{stderr}");
    }
    let (code, seen, stderr) = by_author(&["plugin", "inspect", "mine.wasm", "--publisher", "me.pub.pem"]).await;
    assert_eq!(code, 0, "{stderr}");
    for told in [
        "  rules          price, route, risk, receipt-lines\n",
        "core would take it",
        "the rules canteen-rules 0.2.0",
        "64 cases passed",
    ] {
        assert!(seen.contains(told), "{told}: {seen}");
    }

    let owner = shop.owner.bearer();
    let by_owner = async |arguments: &[&str]| called(folder.path(), &owner, &core, arguments).await;
    let (code, _, stderr) = by_owner(&["plugin", "publish", "mine.wasm"]).await;
    assert!(code == 1 && stderr.contains("package_untrusted"), "{stderr}");
    let (code, _, stderr) = by_owner(&["plugin", "trust", "me.pub.pem", "--name", "Canteen Tools"]).await;
    assert_eq!(code, 0, "{stderr}");
    let mut hashes = Vec::new();
    for component in ["mine.wasm", "next.wasm"] {
        let (code, hash, stderr) = by_owner(&["plugin", "publish", component]).await;
        assert_eq!(code, 0, "{stderr}");
        hashes.push(hash.trim().to_owned());
    }
    let versions = async || {
        let extensions: Value = shop.owner.get("/v1/extensions").await.json(200);
        extensions["items"].as_array().unwrap().iter().map(|item| text(item, "/version").to_owned()).collect::<Vec<_>>()
    };
    for (hash, version) in hashes.iter().zip(["0.2.0", "0.3.0"]) {
        let (code, status, stderr) = by_owner(&["plugin", "install", hash]).await;
        assert!(code == 0 && status.contains(&format!("stable         {hash}")), "{status}{stderr}");
        assert_eq!(versions().await, [version]);
    }
    let chosen = serde_json::json!({ "version": 0, "extension": "canteen-rules", "enabled": true });
    shop.owner.ask("PUT", "/v1/merchant-rules").json(&chosen).await.json::<Value>(200);
    assert_eq!(shop.sells(&town, &shop.owner, 700, "rules-1").await["state"], "succeeded");
    let (code, status, stderr) = by_owner(&["plugin", "rollback", "canteen-rules"]).await;
    assert!(code == 0 && status.contains(&format!("stable         {}", hashes[0])), "{status}{stderr}");
    assert_eq!(versions().await, ["0.2.0"]);
    assert_eq!(shop.sells(&town, &shop.owner, 900, "rules-2").await["state"], "succeeded");
}
