//! The simulated pole display: what a customer would read on it while the till sells.

use saoma_edge::peripherals::{
    CustomerDisplay as _, Display, DisplayMessage, PeripheralError, PeripheralState, display::simulated,
};
use saoma_protocol::Currency;
use serde_json::json;

use crate::shop::{Shop, fresh_key, nothing, until};

#[test]
fn its_two_lines_are_those_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("display");
    let mut display = simulated::display(path.to_str().unwrap());
    let read = || std::fs::read_to_string(&path).unwrap();
    let health = display.health();
    assert_eq!((health.driver.as_str(), health.state), ("simulated", PeripheralState::Ok));
    assert_eq!(read(), "\n\n");
    assert!(display.self_test().unwrap().contains("DISPLAY TEST 0.00"));
    assert_eq!(read(), "SAOMA\nDISPLAY TEST 0.00\n");
    let paid = Display::Message {
        message: DisplayMessage::Paid,
        amount: Some("12.50".to_owned()),
        currency: Some(Currency::CNY),
        change: Some("7.50".to_owned()),
    };
    display.show(&paid).unwrap();
    assert_eq!(read(), "PAID           12.50\nCHANGE          7.50\n");
    display.show(&Display::Idle { merchant_name: "扫码茶饮".to_owned() }).unwrap();
    assert_eq!(read(), "WELCOME\n\n");

    let mut nowhere = simulated::display("/does/not/exist");
    let error = nowhere.self_test().unwrap_err();
    assert!(matches!(error, PeripheralError::Unreachable { .. }), "{error}");
    assert_eq!(nowhere.health().state, PeripheralState::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_reads_the_sale_on_it() {
    let shop = Shop::open_with(|config, folder| {
        config.peripherals.display = "simulated".to_owned();
        config.peripherals.display_device = folder.join("display").to_str().unwrap().to_owned();
    })
    .await;
    let path = shop.folder.path().join("display");
    let reads = async |wanted: &str| {
        until(wanted, async || std::fs::read_to_string(&path).ok().filter(|shown| shown == wanted)).await;
    };
    reads("Saoma Tea\n\n").await;
    shop.till.sell(json!({"amount_minor": 1250, "method": "cash", "tendered_minor": 2000})).await;
    reads("PAID           12.50\nCHANGE          7.50\n").await;
    let tested = shop.till.post("/api/peripherals/display/self-test", &nothing(), &fresh_key()).await;
    assert_eq!(tested.status, 200, "{}", tested.body);
    reads("SAOMA\nDISPLAY TEST 0.00\n").await;
    let page = shop.till.get("/api/peripherals").await;
    let devices = page["devices"].as_array().unwrap();
    let display = devices.iter().find(|device| device["kind"] == "display").unwrap();
    assert_eq!((&display["driver"], &display["state"]), (&json!("simulated"), &json!("ok")), "{display}");
}
