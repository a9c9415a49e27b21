//! Core shuts the terminal out: nothing is taken that it would not book, and what was begun before goes on.

use saoma_edge::link::{enrol::enrol, identity::DataDir};
use serde_json::{Value, json};

use crate::{
    core::GOOD_CODE,
    secured::LONG,
    shop::{Shop, fresh_key, nothing, number, request, until},
};

impl Shop {
    async fn is_shut_out(&self, is: bool) -> Value {
        until("core's word on this terminal", async || {
            let state = self.till.get("/api/state").await;
            (state["link"]["locked_since"].is_null() != is).then_some(state)
        })
        .await
    }

    async fn does_not_do(&self, path: &str, body: Value) {
        let refused = self.till.post(path, &body, &fresh_key()).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["code"]),
            (409, &json!("terminal_locked")),
            "{path} {body}: {}",
            refused.body
        );
    }

    async fn refuses_to_sell(&self) {
        for body in [
            json!({"amount_minor": 700, "method": "cash"}),
            json!({"amount_minor": 700, "method": "code"}),
            json!({"amount_minor": 700, "method": "scan", "code": GOOD_CODE}),
            json!({"amount_minor": 700, "method": "scan"}),
        ] {
            self.does_not_do("/api/sales", body).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_till_that_core_has_shut_out_takes_no_money_and_says_so_over_a_restart() {
    let mut shop = Shop::open().await;
    let cash = json!({"amount_minor": 100, "method": "cash"});
    let sold = number(&shop.till.sell(cash.clone()).await);
    let open = number(&shop.till.sell(json!({"amount_minor": 300, "method": "code"})).await);
    shop.till.sees(open, "state", "presenting").await;
    shop.nothing_unsent().await;
    shop.core.switch_off().await;
    shop.online(false).await;
    shop.till.sell(cash.clone()).await;
    shop.core.look(|known| known.locked = true);
    shop.core.switch_on();
    let state = shop.is_shut_out(true).await;
    assert_eq!((&state["link"]["online"], &state["unsent"]["count"]), (&json!(true), &json!(1)), "core is heard");
    let rings =
        |state: &Value| state["alarms"].as_array().unwrap().iter().any(|alarm| alarm["code"] == "terminal_locked");
    assert!(rings(&state), "{state}");
    shop.refuses_to_sell().await;
    shop.does_not_do("/api/shift/open", json!({"cashier": "Li", "cashier_number": "7", "float_minor": 0})).await;
    shop.does_not_do(&format!("/api/sales/{sold}/void"), nothing()).await;
    shop.does_not_do(&format!("/api/sales/{sold}/refund"), json!({"amount_minor": 1})).await;
    // What asks for no money goes on.
    assert_eq!(shop.till.press(open, "query", nothing()).await.status, 200);
    assert_eq!(shop.till.press(sold, "reprint", nothing()).await.status, 200);

    // Whoever took it unplugs it, and starts it anew where core is not.
    shop.core.switch_off().await;
    shop.kill_till();
    shop.start_till().await;
    let after = shop.till.get("/api/state").await;
    assert_eq!(after["link"]["locked_since"], state["link"]["locked_since"]);
    assert!(rings(&after), "{after}");
    shop.refuses_to_sell().await;

    // Core has it back, and with it all that is on the disk.
    shop.core.look(|known| known.locked = false);
    shop.core.switch_on();
    let state = shop.is_shut_out(false).await;
    assert!(!rings(&state), "{state}");
    shop.till.sell(cash).await;
    shop.core.customer_pays(open);
    shop.till.sees(open, "state", "succeeded").await;
    shop.nothing_unsent().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
}

/// It is about one request, or somebody else's: what is sold is booked all the same.
#[tokio::test(flavor = "multi_thread")]
async fn another_no_than_cores_shuts_nobody_out() {
    let shop = Shop::open().await;
    shop.core.look(|known| known.forbids = true);
    until("core to have said no", async || shop.core.look(|known| (known.forbidden > 3).then_some(()))).await;
    shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
    shop.core.look(|known| known.forbids = false);
    shop.nothing_unsent().await;
    assert_eq!(shop.till.get("/api/state").await["link"]["locked_since"], Value::Null);
}

/// Nobody has shut it out, and all of it is booked once core has it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_till_whose_certificate_core_has_lost_takes_cash_and_calls_a_person() {
    let shop = Shop::open().await;
    let rings = async || {
        let state = shop.till.get("/api/state").await;
        state["alarms"].as_array().unwrap().iter().any(|alarm| alarm["code"] == "terminal_unknown")
    };
    shop.core.look(|known| known.is_of_before = true);
    until("a person to be called", async || rings().await.then_some(())).await;
    shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
    assert_eq!(shop.till.get("/api/state").await["link"]["locked_since"], Value::Null);
    shop.core.look(|known| known.is_of_before = false);
    shop.nothing_unsent().await;
    until("the call to be over", async || (!rings().await).then_some(())).await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
}

/// Core has said nothing of the certificate that it has now.
#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_is_enrolled_again_is_not_the_one_that_was_shut_out() {
    let (mut shop, _broker) = Shop::open_secured_by(LONG, |_| {}).await;
    shop.core.look(|known| known.locked = true);
    shop.is_shut_out(true).await;
    shop.stop_till().await;
    shop.core.look(|known| known.locked = false);
    let folder = DataDir::open(shop.folder.path()).unwrap();
    enrol(&folder, &request(&shop.core, "CLAIM", true)).await.unwrap();
    shop.core.switch_off().await;
    shop.start_till().await;
    let state = shop.till.get("/api/state").await;
    assert_eq!((&state["link"]["locked_since"], &state["alarms"]), (&Value::Null, &json!([])));
    shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
}
