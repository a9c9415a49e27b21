//! Paired devices and what befalls the till: a disk that refuses, files that others may read, restarts, a door that was taken away.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::{
    paired::{Device, KEPT, NO_DOOR, PEM, code, devices, offered, paired, shop},
    shop::{Reply, Shop, fresh_key, nothing, until},
};

async fn revoke(shop: &Shop, device: &Value) -> Reply {
    let path = format!("/api/paired/{}/revoke", device["id"].as_str().unwrap());
    shop.till.post(&path, &nothing(), &fresh_key()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoke_that_the_disk_refused_is_written_as_soon_as_it_can_be() {
    let mut shop = shop().await;
    let tablet = paired(&shop, "Tablet", "till").await;
    // What is written anew goes through this name.
    let in_the_way = shop.folder.path().join("paired.new");
    fs::create_dir(&in_the_way).unwrap();
    let device = devices(&shop).await.remove(0);
    for _ in 0..2 {
        assert_eq!(code(&revoke(&shop, &device).await), (503, "revoke_unwritten"));
        assert_eq!(code(&tablet.get("/api/state").await), (403, "not_paired"), "it is out all the same");
    }
    let shown = devices(&shop).await;
    assert_eq!((shown.len(), &shown[0]["id"], &shown[0]["is_leaving"]), (1, &device["id"], &json!(true)));

    fs::remove_dir(&in_the_way).unwrap();
    until("the disk to have it", async || devices(&shop).await.is_empty().then_some(())).await;
    shop.stop_till().await;
    shop.start_till().await;
    assert_eq!(code(&tablet.again(&shop).await.get("/api/state").await), (403, "not_paired"));
    assert!(devices(&shop).await.is_empty());
}

fn rekey(shop: &Shop) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_saoma-edge"));
    command.env("SAOMA_EDGE_DATA_DIR", shop.folder.path()).args(["journal", "rekey"]).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_others_may_read_lets_nobody_in_and_stops_no_till() {
    let mut shop = shop().await;
    let tablet = paired(&shop, "Tablet", "till").await;
    shop.stop_till().await;
    let kept = shop.folder.path().join(KEPT);
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = rekey(&shop);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && told.contains("chmod 0600"), "{told}");

    shop.start_till().await;
    let tablet = tablet.again(&shop).await;
    assert_eq!(code(&tablet.get("/api/state").await), (403, "not_paired"));
    assert!(shop.till.get("/api/paired").await["trouble"].as_str().unwrap().contains("chmod 0600"));
    shop.till.sell(json!({"amount_minor": 1, "method": "cash"})).await;

    shop.stop_till().await;
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(rekey(&shop).status.success(), "nothing was begun before");
    shop.start_till().await;
    assert_eq!(tablet.again(&shop).await.get("/api/state").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_door_devices_are_seen_and_revoked() {
    let mut shop = shop().await;
    let tablet = paired(&shop, "Tablet", "till").await;
    let no_door = shop.folder.path().join(NO_DOOR);
    fs::write(&no_door, "").unwrap();
    shop.stop_till().await;
    shop.start_till().await;
    assert_eq!(shop.till.get("/api/paired").await["listener"], json!({"state": "off"}));
    let shown = devices(&shop).await;
    assert_eq!(shown[0]["name"], "Tablet");
    assert_eq!(revoke(&shop, &shown[0]).await.status, 200);
    assert!(devices(&shop).await.is_empty());

    fs::remove_file(&no_door).unwrap();
    shop.stop_till().await;
    shop.start_till().await;
    assert_eq!(code(&tablet.again(&shop).await.get("/api/state").await), (403, "not_paired"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_codes_the_second_is_good_and_after_a_restart_neither() {
    let mut shop = shop().await;
    let (first, second) = (offered(&shop.till, "One", "till").await, offered(&shop.till, "Two", "display").await);
    assert_ne!(first["id"], second["id"]);
    let shown = shop.till.get("/api/paired").await["offer"].clone();
    assert_eq!((&shown["id"], &shown["name"]), (&second["id"], &json!("Two")));
    let mut device = Device::of(&shop).await;
    let (answer, _) = device.redeem(first["code"].as_str().unwrap(), "k").await;
    assert_eq!(code(&answer), (409, "pairing_code_wrong"));
    let (answer, _) = device.redeem(second["code"].as_str().unwrap(), "k").await;
    assert_eq!(answer.body, json!({"name": "Two", "role": "display"}));
    assert_eq!(devices(&shop).await[0]["id"], second["id"]);

    let third = offered(&shop.till, "Three", "till").await;
    let (_, whole) = third["url"].as_str().unwrap().split_once('#').unwrap();
    shop.stop_till().await;
    shop.start_till().await;
    assert_eq!(shop.till.get("/api/paired").await["offer"], Value::Null);
    let mut late = Device::of(&shop).await;
    for given in [whole, third["code"].as_str().unwrap()] {
        assert_eq!(code(&late.redeem(given, "k").await.0), (409, "pairing_over"));
    }
    assert_eq!(device.again(&shop).await.get("/api/display").await.status, 200, "who was in stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_files_are_the_agents_alone_and_follow_the_journals_key() {
    let mut shop = shop().await;
    let tablet = paired(&shop, "Tablet", "till").await;
    let folder = shop.folder.path().to_owned();
    for name in [PEM, KEPT] {
        let mode = fs::metadata(folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let shown = shop.till.get("/api/paired").await["listener"]["fingerprint"].as_str().unwrap().to_owned();
    shop.stop_till().await;
    let before = fs::read(folder.join(KEPT)).unwrap();
    let rekeyed = rekey(&shop);
    assert!(rekeyed.status.success(), "{}", String::from_utf8_lossy(&rekeyed.stderr));
    assert_ne!(fs::read(folder.join(KEPT)).unwrap()[1..5], before[1..5], "it names another key");
    shop.start_till().await;
    let page = shop.till.get("/api/paired").await;
    assert_eq!((&page["listener"]["fingerprint"], &page["trouble"]), (&json!(shown), &Value::Null));
    let tablet = tablet.again(&shop).await;
    assert_eq!(tablet.get("/api/state").await.status, 200);

    // What somebody altered lets nobody in, and the till sells.
    shop.stop_till().await;
    let mut altered = before;
    altered[40] ^= 1;
    fs::write(folder.join(KEPT), &altered).unwrap();
    shop.start_till().await;
    let tablet = tablet.again(&shop).await;
    assert_eq!(code(&tablet.get("/api/state").await), (403, "not_paired"));
    assert!(shop.till.get("/api/paired").await["trouble"].is_string());
    shop.till.sell(json!({"amount_minor": 1, "method": "cash"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn off_unless_it_is_set_and_no_hindrance_if_the_address_is_not_there() {
    let shop = Shop::open().await;
    assert_eq!(shop.till.get("/api/paired").await["listener"], json!({"state": "off"}));
    let asked = shop.till.post("/api/paired/code", &json!({"name": "x", "role": "till"}), &fresh_key()).await;
    assert_eq!(code(&asked), (409, "pairing_off"));
    assert!(!shop.folder.path().join(PEM).exists());

    // TEST-NET-1 (RFC 5737): no machine's address.
    let shop = Shop::open_with(|config, _| config.paired.listen = "192.0.2.1:7843".to_owned()).await;
    let page = shop.till.get("/api/paired").await;
    assert_eq!(page["listener"]["state"], "failed");
    assert!(page["listener"]["why"].as_str().unwrap().contains("192.0.2.1:7843"), "{page}");
    shop.till.sell(json!({"amount_minor": 1, "method": "cash"})).await;
}
