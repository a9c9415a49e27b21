//! The page of the devices: how each is, what is set, and changes that hold at once and after the next start.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
};

use reqwest::Method;
use saoma_protocol::Millis;
use serde_json::{Value, json};

use crate::{
    core::GOOD_CODE,
    peripherals_wires::pseudo_terminal,
    shop::{FILE, Reply, Shop, fresh_key, nothing, number, until},
};

const BY_HAND: &str = "# what we have\n[peripherals]\nscanner = \"none\" # not yet\nspeaker_volume = 40\n";

async fn page(shop: &Shop) -> Value {
    shop.till.get("/api/peripherals").await
}

async fn device(shop: &Shop, kind: &str) -> Value {
    let page = page(shop).await;
    page["devices"].as_array().unwrap().iter().find(|device| device["kind"] == kind).unwrap().clone()
}

async fn device_with(shop: &Shop, kind: &str, field: &str, value: &str) -> Value {
    until(&format!("a {kind} with {field} {value}"), async || {
        let device = device(shop, kind).await;
        (device[field] == value).then_some(device)
    })
    .await
}

/// As the page does it, from the version that it last saw.
async fn set(shop: &Shop, changes: Value) -> Reply {
    let version = page(shop).await["settings"]["version"].clone();
    let body = json!({"version": version, "changes": changes});
    shop.till.post("/api/peripherals/settings", &body, &fresh_key()).await
}

fn file(shop: &Shop) -> std::path::PathBuf {
    shop.folder.path().join(FILE)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_device_is_told_with_what_it_is_and_how_it_does() {
    let shop = Shop::open().await;
    let printer = device_with(&shop, "printer", "state", "ok").await;
    assert_eq!((&printer["driver"], &printer["place"]), (&json!("simulated"), &Value::Null));
    assert!(printer["since"].is_i64() && printer["last_used_at"].is_null(), "{printer}");
    assert_eq!(device(&shop, "scanner").await["state"], "none");
    assert_eq!(page(&shop).await["devices"].as_array().unwrap().len(), 7);

    shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
    for kind in ["printer", "drawer"] {
        let used = until("it to be used", async || {
            let device = device(&shop, kind).await;
            device["last_used_at"].is_i64().then_some(device)
        })
        .await;
        assert!(used["last_error"].is_null(), "{used}");
    }
    let drivers = page(&shop).await["drivers"].clone();
    let serial = drivers.as_array().unwrap().iter().find(|driver| driver["name"] == "escpos-serial").unwrap();
    assert_eq!(
        *serial,
        json!({"kind": "printer", "name": "escpos-serial", "place": "printer_device",
            "options": ["printer_baud", "printer_width_dots", "printer_encoding", "printer_qr"]})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_says_why_and_since_when() {
    let shop = Shop::open_with_file("[peripherals]\nscanner = \"serial\"\nscanner_device = \"/dev/ttyS99\"\n").await;
    let scanner = device_with(&shop, "scanner", "state", "failed").await;
    assert_eq!((&scanner["trouble"], &scanner["place"]), (&json!("unreachable"), &json!("/dev/ttyS99")));
    assert_eq!(scanner["last_error"]["trouble"], "unreachable");
    assert!(scanner["detail"].as_str().unwrap().contains("check its cable"), "{scanner}");
    let since = scanner["since"].clone();
    assert!(since.as_i64().unwrap() > Millis(0).0);
    let restarted = shop.till.post("/api/peripherals/scanner/restart", &nothing(), &fresh_key()).await;
    assert_eq!((restarted.status.as_u16(), &restarted.body["state"]), (200, &json!("failed")), "{}", restarted.body);
    assert_eq!(device(&shop, "scanner").await["since"], since, "it fails since then");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_device_is_started_anew_and_the_others_go_on() {
    let shop = Shop::open().await;
    for kind in ["printer", "drawer", "display"] {
        let path = format!("/api/peripherals/{kind}/restart");
        let restarted = shop.till.post(&path, &nothing(), &fresh_key()).await;
        assert_eq!((restarted.status.as_u16(), &restarted.body["state"]), (200, &json!("ok")), "{kind}");
    }
    let absent = shop.till.post("/api/peripherals/scale/restart", &nothing(), &fresh_key()).await;
    assert_eq!((absent.status.as_u16(), &absent.body["code"]), (503, &json!("peripheral_failed")));
    assert!(absent.body["detail"].as_str().unwrap().contains("choose a driver"), "{}", absent.body);
    let unknown = shop.till.post("/api/peripherals/toaster/restart", &nothing(), &fresh_key()).await;
    assert_eq!(unknown.status, 404);
    let paid = shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
    shop.till.sees(number(&paid), "receipt", "printed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_is_chosen_on_the_page_scans_at_once_and_after_the_next_start() {
    let mut shop = Shop::open_with_file(BY_HAND).await;
    let (mut scanner, path, _held) = pseudo_terminal();
    let place = path.to_str().unwrap();
    let done = set(&shop, json!({"scanner": "serial", "scanner_device": place, "scanner_baud": 115_200})).await;
    assert_eq!((done.status.as_u16(), &done.body), (200, &json!({"applied": ["scanner"], "hanging": []})));
    let written = fs::read_to_string(file(&shop)).unwrap();
    let expected = format!(
        "# what we have\n[peripherals]\nscanner_baud = 115200\nscanner_device = \"{place}\"\nscanner = \"serial\" # not yet\n\
         speaker_volume = 40\n"
    );
    assert_eq!(written, expected);

    for is_restarted in [false, true] {
        if is_restarted {
            shop.stop_till().await;
            shop.start_till().await;
            shop.online(true).await;
        }
        device_with(&shop, "scanner", "state", "ok").await;
        let key = fresh_key();
        let body = json!({"amount_minor": 1250, "method": "scan"});
        assert_eq!(shop.till.post("/api/sales", &body, &key).await.status, 202);
        scanner.write_all(format!("{GOOD_CODE}\r").as_bytes()).unwrap();
        until("the sale of the scan", async || {
            let reply = shop.till.post("/api/sales", &body, &key).await;
            (reply.status == 200).then_some(())
        })
        .await;
    }
    let done = set(&shop, json!({"scanner": "none"})).await;
    assert_eq!(done.body["applied"], json!(["scanner"]), "{}", done.body);
    device_with(&shop, "scanner", "state", "none").await;
    until("it to be forgotten", async || {
        let state = shop.till.get("/api/state").await;
        let kinds = state["peripherals"].as_array().unwrap();
        (!kinds.iter().any(|device| device["kind"] == "scanner")).then_some(())
    })
    .await;
    // As it was before, which is news all the same.
    let done = set(&shop, json!({"scanner": "serial"})).await;
    assert_eq!(done.body["applied"], json!(["scanner"]), "{}", done.body);
    device_with(&shop, "scanner", "state", "ok").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_or_must_not_be_changed_is_refused_and_the_file_is_as_it_was() {
    let shop = Shop::open_with_file(BY_HAND).await;
    for (changes, code, words) in [
        (json!({"scanner": "serail"}), "settings_invalid", "serial, evdev, simulated, none"),
        (json!({"speaker_volume": 101}), "settings_invalid", "0 to 100"),
        (json!({"printer_baud": -1}), "settings_invalid", "-1"),
        (json!({"printer_device": "/etc/shadow"}), "settings_invalid", "by hand"),
        (json!({"data_dir": "/tmp"}), "settings_invalid", "no such option"),
        (json!({"scanner": "evdev", "scanner_device": "event3"}), "settings_invalid", "event3"),
    ] {
        let refused = set(&shop, changes.clone()).await;
        assert_eq!((refused.status.as_u16(), &refused.body["code"]), (422, &json!(code)), "{changes}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{changes}: {detail}");
    }
    let stale = json!({"version": "0", "changes": {"speaker_volume": 1}});
    let stale = shop.till.post("/api/peripherals/settings", &stale, &fresh_key()).await;
    assert_eq!((stale.status.as_u16(), &stale.body["code"]), (409, &json!("settings_changed")));
    let foreign = [("idempotency-key", "k"), ("content-type", "application/json")];
    let (status, _) = shop.till.call(Method::POST, "/api/peripherals/settings", &foreign, Some(&nothing())).await;
    assert_eq!(status, 403);
    fs::set_permissions(file(&shop), fs::Permissions::from_mode(0o444)).unwrap();
    assert!(page(&shop).await["settings"]["locked"].as_str().unwrap().contains("0444"));
    let refused = set(&shop, json!({"speaker_volume": 1})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("settings_locked")));
    assert_eq!(fs::read_to_string(file(&shop)).unwrap(), BY_HAND);

    let bare = Shop::open().await;
    assert!(page(&bare).await["settings"]["locked"].as_str().unwrap().contains("--config FILE"));
    let refused = set(&bare, json!({"speaker_volume": 1})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("settings_locked")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_wrote_into_the_file_by_hand_is_told_as_not_in_force() {
    let shop = Shop::open_with_file(BY_HAND).await;
    assert_eq!(page(&shop).await["settings"]["pending"], json!([]));
    fs::write(file(&shop), "[peripherals]\ndrawer = \"none\"\nspeaker_volume = 40\n").unwrap();
    assert_eq!(page(&shop).await["settings"]["pending"], json!(["drawer"]));
    let done = set(&shop, json!({"speaker_volume": 41})).await;
    assert_eq!(done.body["applied"], json!(["drawer", "speaker"]), "the file is what holds: {}", done.body);
    assert_eq!(page(&shop).await["settings"]["pending"], json!([]));
    fs::write(file(&shop), "[peripherals]\ndrawer = 3\n").unwrap();
    assert!(
        page(&shop).await["settings"]["broken"].as_str().unwrap().contains("failed to use"),
        "{}",
        page(&shop).await
    );
}

/// A printer that knows neither GB 18030 nor QR codes: what it gets is the file.
#[tokio::test(flavor = "multi_thread")]
async fn a_printer_of_utf8_without_qr_codes_is_set_on_the_page() {
    let shop = Shop::open_with_file("[peripherals]\ndrawer = \"none\"\n").await;
    let (mut printer, path, _held) = pseudo_terminal();
    let place = path.to_str().unwrap().to_owned();
    let printed = std::thread::spawn(move || {
        let (mut bytes, mut piece) = (Vec::new(), [0; 4_096]);
        // Its cut is the last of it.
        while !bytes.windows(4).any(|cut| cut == [0x1d, b'V', 66, 0]) {
            let len = printer.read(&mut piece).unwrap();
            bytes.extend_from_slice(&piece[..len]);
        }
        bytes
    });
    let changes = json!({"printer": "escpos-serial", "printer_device": place, "printer_encoding": "utf8", "printer_qr": "raster"});
    let done = set(&shop, changes).await;
    assert_eq!((done.status.as_u16(), &done.body["applied"]), (200, &json!(["printer"])), "{}", done.body);
    let refused = set(&shop, json!({"printer_qr": "nobody"})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (422, &json!("settings_invalid")), "{}", refused.body);
    let goods = json!([{"name": "珍珠奶茶", "quantity": 1, "price_minor": 100}]);
    shop.till.sell(json!({"amount_minor": 100, "method": "cash", "goods": goods})).await;
    let bytes = tokio::task::spawn_blocking(|| printed.join().unwrap()).await.unwrap();
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(has("珍珠奶茶".as_bytes()), "in UTF-8");
    assert!(has(&[0x1d, b'v', b'0']) && !has(&[0x1d, b'(', b'k']), "drawn by us");
}
