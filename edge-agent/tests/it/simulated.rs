//! A simulated day at a till, as somebody starts it who shows the till or wants to load it.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use saoma_protocol::journal::Record;
use serde_json::{Value, json};

use crate::{
    core::GOOD_CODE,
    shop::{Shop, fresh_key, number, until},
};

const YES: &str = "--sell-on=ter_aibaeaqcaibaeaqcaibaeaqcai";

fn starts(folder: &Path, till: &str, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_saoma-edge"))
        .env("SAOMA_EDGE_DATA_DIR", folder)
        .args(["simulate", "--till", till.trim_start_matches("http://")])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The door of the test's till runs on this runtime.
async fn ends(child: Child) -> Output {
    tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap()
}

async fn simulates(shop: &Shop, arguments: &[&str]) -> Output {
    ends(starts(shop.folder.path(), &shop.till.base, arguments)).await
}

fn words(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", words(output)))
}

fn count(summary: &Value, step: &str) -> u64 {
    let steps = summary["steps"].as_array().unwrap();
    steps.iter().find(|timed| timed["step"] == step).map_or(0, |timed| timed["count"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_sold_counted_and_told() {
    let shop = Shop::open().await;
    let codes = shop.folder.path().join("codes");
    fs::write(&codes, format!("{GOOD_CODE}\nnobody-knows-this-one\n\n")).unwrap();
    let day = ["--sales", "80", "--flat-out", "--seed", "5", "--json", "--codes", codes.to_str().unwrap(), YES];
    let simulated = simulates(&shop, &day).await;
    let told = summary(&simulated);
    assert_eq!(simulated.status.code(), Some(0), "{}", words(&simulated));
    assert_eq!((&told["faults"], &told["refused"], &told["unheard"]), (&json!([]), &json!([]), &json!({})), "{told:#}");

    // What it says is what core was told.
    let ends = |end: &str| told["ends"][end].as_u64().unwrap_or(0);
    let keyed = count(&told, "cash_sale") + count(&told, "code_keyed") + count(&told, "scan_keyed");
    assert_eq!(keyed, 80);
    assert_eq!(ends("paid") + ends("cancelled") + ends("not_paid"), 80, "{told:#}");
    assert_eq!(
        (ends("cancelled"), count(&told, "code_on_show")),
        (count(&told, "code_keyed"), count(&told, "code_keyed"))
    );
    assert!(ends("cancelled") > 0 && ends("not_paid") > 0 && count(&told, "refund") > 0, "{told:#}");
    let journal = shop.core.look(|known| known.journal.clone());
    let of = |is: fn(&Record) -> bool| journal.iter().filter(|record| is(record)).count() as u64;
    assert_eq!(of(|record| matches!(record, Record::CashSale { .. })), count(&told, "cash_sale"));
    assert_eq!(of(|record| matches!(record, Record::ShiftOpened { .. })), 1);
    assert_eq!(of(|record| matches!(record, Record::ShiftClosed { .. })), 1);
    assert_eq!((told["entries"].as_u64().unwrap(), &told["unsent"]), (journal.len() as u64, &json!(0)));
    assert_eq!(told["synced"], told["entries"]);
    assert_eq!(told["drawer"]["counted"], told["drawer"]["expected"]);
    for timed in told["steps"].as_array().unwrap() {
        let at = |field: &str| timed[field].as_f64().unwrap();
        assert!(0.0 < at("p50_ms") && at("p50_ms") <= at("p99_ms") && at("p99_ms") <= at("worst_ms"), "{timed}");
    }
    let books = shop.till.get("/api/books").await;
    assert_eq!(books["agree"], true, "{books}");

    // And for people, of another day at the same till.
    let simulated = simulates(&shop, &["--sales", "20", "--flat-out", "--cash-only", "--at-once", "4", YES]).await;
    let lines = String::from_utf8(simulated.stdout.clone()).unwrap();
    assert_eq!(simulated.status.code(), Some(0), "{}", words(&simulated));
    assert!(lines.contains("cash sale, journaled        20") && lines.contains(", as expected"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sells_for_real_who_did_not_say_so() {
    let shop = Shop::open().await;
    for named in [&["--flat-out"][..], &["--flat-out", "--sell-on=Till 9"]] {
        let refused = simulates(&shop, named).await;
        assert_eq!(refused.status.code(), Some(1));
        for told in ["Saoma Tea", "Zhongshan Road", "--sell-on ter_"] {
            assert!(words(&refused).contains(told), "{}", words(&refused));
        }
    }
    let open = json!({"float_minor": 0, "cashier": "Li"});
    assert_eq!(shop.till.post("/api/shift/open", &open, &fresh_key()).await.status, 201);
    let refused = simulates(&shop, &["--flat-out", YES]).await;
    assert!(
        refused.status.code() == Some(1) && words(&refused).contains("a shift of Li is open"),
        "{}",
        words(&refused)
    );
    let state = shop.till.get("/api/state").await;
    assert_eq!((&state["sync"]["head"], &state["shift"]["cashier"]), (&json!(1), &json!("Li")), "nothing was sold");
    let nobody = starts(shop.folder.path(), "127.0.0.1:1", &["--flat-out", YES]);
    assert!(words(&ends(nobody).await).contains("is the agent running"));
}

/// What the till refuses is told with its words, and the drawer is still right.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_without_core_sells_for_cash_and_says_what_it_could_not() {
    let mut shop = Shop::open().await;
    shop.core.switch_off().await;
    shop.stop_till().await;
    shop.start_till().await;
    shop.online(false).await;
    let simulated = simulates(&shop, &["--sales", "40", "--flat-out", "--seed", "3", "--json", YES]).await;
    let told = summary(&simulated);
    assert_eq!((simulated.status.code(), &told["faults"]), (Some(1), &json!([])), "{told:#}");
    let refused = &told["refused"][0];
    assert_eq!((&refused["pressed"], &refused["code"]), (&json!("code_keyed"), &json!("core_unreachable")), "{told:#}");
    assert_eq!(count(&told, "cash_sale") + refused["count"].as_u64().unwrap(), 40);
    assert_eq!((&told["unsent"], &told["synced"]), (&told["entries"], &json!(0)));
    assert_eq!(told["drawer"]["counted"], told["drawer"]["expected"]);
    shop.core.switch_on();
    shop.nothing_unsent().await;
}

/// A demo that is broken off leaves no shift behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_stopped_ends_in_order_and_a_wrong_drawer_is_a_fault() {
    let shop = Shop::open().await;
    let day = starts(
        shop.folder.path(),
        &shop.till.base,
        &["--sales", "40", "--speed", "2000", "--cash-only", "--json", YES],
    );
    let first = until("the first sale", async || {
        let sales = shop.till.get("/api/sales").await;
        sales["items"].as_array().unwrap().first().cloned()
    })
    .await;
    // Somebody else gives money back meanwhile: the day's people count what they know of.
    assert_eq!(shop.till.press(number(&first), "refund", json!({"amount_minor": 1})).await.status, 200);
    kill(Pid::from_raw(day.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let ended = ends(day).await;
    let told = summary(&ended);
    assert_eq!((ended.status.code(), &told["was_stopped"]), (Some(2), &json!(true)), "{}", words(&ended));
    assert!(told["faults"][0].as_str().unwrap().contains("somebody else"), "{told:#}");
    assert!(count(&told, "cash_sale") < 40);
    assert_eq!(shop.till.get("/api/state").await["shift"], Value::Null);
}
