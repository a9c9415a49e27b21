//! Cashiers who sign on by a PIN: told by core, known with no network, locked out after wrong ones, and supervised.

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version, password_hash::SaltString};
use saoma_protocol::{
    CashierId,
    cashier::{CashierCard, CashierList, SupervisorFor, TillRole, Verifier},
    journal::{Approver, Record},
    message::PushBody,
};
use serde_json::{Value, json};

use crate::{
    core::{FakeCore, GOOD_CODE},
    shop::{Reply, Shop, fresh_key, nothing, number, until},
};

/// Not to be found on a disk by chance.
pub const LI_PIN: &str = "73918264";
pub const WU_PIN: &str = "60274815";

/// A quick one: what core's cost is told in its own tests.
fn verifier(pin: &str) -> Verifier {
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
    let salt = SaltString::encode_b64(pin.as_bytes()).unwrap();
    Verifier(hasher.hash_password(pin.as_bytes(), &salt).unwrap().to_string())
}

fn card(number: u8, name: &str, role: TillRole, pin: &str) -> CashierCard {
    CashierCard {
        id: CashierId::from_bytes([number; 16]),
        name: name.to_owned(),
        staff_code: format!("0{number}").parse().unwrap(),
        role,
        verifier: verifier(pin),
    }
}

fn li() -> CashierCard {
    card(7, "李雷", TillRole::Cashier, LI_PIN)
}

fn wu() -> CashierCard {
    card(8, "吴", TillRole::Supervisor, WU_PIN)
}

impl FakeCore {
    /// Core has another list from now on; `told`: and says so.
    fn names(&self, version: u64, supervisor_for: SupervisorFor, cashiers: Vec<CashierCard>, told: bool) {
        self.look(|known| {
            let pins = !cashiers.is_empty();
            known.cashiers = CashierList { version, pins, supervisor_for, cashiers };
            if told {
                known.tell(PushBody::CashiersChanged);
            }
        });
    }
}

impl Shop {
    pub async fn staffed(supervisor_for: SupervisorFor) -> Self {
        let shop = Self::open().await;
        shop.core.names(1, supervisor_for, vec![li(), wu()], true);
        shop.knows_pins(true).await;
        shop
    }

    async fn knows_pins(&self, known: bool) {
        until("the till to know its cashiers", async || {
            (self.till.get("/api/state").await["pins"] == known).then_some(())
        })
        .await;
    }

    pub async fn signs_on(&self, staff_code: &str, pin: &str) -> Reply {
        let body = json!({ "float_minor": 0, "cashier_number": staff_code, "pin": pin });
        self.till.post("/api/shift/open", &body, &fresh_key()).await
    }

    async fn closes(&self, batch: u64) {
        let body = json!({ "batch": batch, "counted_minor": 0, "despite": [] });
        let reply = self.till.post("/api/shift/close", &body, &fresh_key()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
}

/// Status, code, and the words for the cashier.
fn refused(reply: &Reply) -> (u16, &str, &str) {
    let text = |name: &str| reply.body[name].as_str().unwrap_or_default();
    (reply.status.as_u16(), text("code"), text("detail"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_opens_a_shift_until_core_names_cashiers_and_a_pin_from_then_on() {
    let mut shop = Shop::open().await;
    let by_name = json!({ "float_minor": 0, "cashier": "anybody", "cashier_number": "07" });
    assert_eq!(shop.till.post("/api/shift/open", &by_name, &fresh_key()).await.status, 201);
    shop.closes(1).await;

    shop.core.names(1, SupervisorFor::None, vec![li(), wu()], true);
    shop.knows_pins(true).await;
    let reply = shop.till.post("/api/shift/open", &by_name, &fresh_key()).await;
    assert_eq!(refused(&reply), (409, "pin_needed", "A PIN is needed: key the number and the PIN"));
    let reply =
        shop.till.post("/api/shift/open", &json!({ "float_minor": 0, "cashier_number": "7" }), &fresh_key()).await;
    assert_eq!(refused(&reply).1, "cashier_unknown", "nobody keys a PIN for a number that is nobody's");
    let reply = shop.signs_on("7", LI_PIN).await;
    assert_eq!(refused(&reply), (409, "cashier_unknown", "There is no cashier of this number at this till"));
    for pin in ["739", "7391826a", "739182640"] {
        assert_eq!(refused(&shop.signs_on("07", pin).await).1, "pin_invalid", "{pin}");
    }
    let body = json!({ "float_minor": 0, "cashier_number": "07", "pin": 73_918_264 });
    let reply = shop.till.post("/api/shift/open", &body, &fresh_key()).await;
    assert!(reply.status == 400 && !reply.body.to_string().contains(LI_PIN), "{}", reply.body);
    let reply = shop.signs_on("07", WU_PIN).await;
    assert_eq!(refused(&reply), (409, "pin_wrong", "The PIN is wrong; 4 more tries before it is locked"));

    // With no network, after a restart, by what the disk has.
    shop.core.switch_off().await;
    shop.kill_till();
    shop.start_till().await;
    shop.online(false).await;
    let body = json!({ "float_minor": 500, "cashier": "somebody else", "cashier_number": "07", "pin": LI_PIN });
    let opened = shop.till.post("/api/shift/open", &body, "sign-on").await;
    assert_eq!(opened.status, 201, "{}", opened.body);
    assert_eq!((&opened.body["cashier"], &opened.body["cashier_number"]), (&json!("李雷"), &json!("07")));
    let mut again = body.clone();
    again.as_object_mut().unwrap().remove("pin");
    let again = shop.till.post("/api/shift/open", &again, "sign-on").await;
    assert_eq!((again.status.as_u16(), &again.body["batch"]), (201, &json!(2)), "a page that was reloaded has no PIN");
    let sold = shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
    assert_eq!(sold["cashier"], "李雷");
    // Whoever else is named is one of them as well.
    let named = |by: &str| json!({"amount_minor": 100, "method": "cash", "cashier": by});
    assert_eq!(refused(&shop.till.post("/api/sales", &named("anybody"), &fresh_key()).await).1, "cashier_unknown");
    // What stands in the books of somebody takes that somebody's PIN, of whoever signed on nothing more.
    assert_eq!(refused(&shop.till.post("/api/sales", &named("08"), &fresh_key()).await).1, "pin_needed");
    assert_eq!(shop.till.sell(named("07")).await["cashier"], "李雷");
    let mut by_wu = named("08");
    by_wu["cashier_pin"] = json!(WU_PIN);
    assert_eq!(shop.till.sell(by_wu).await["cashier"], "吴");
    let named_aside = |by: &str| json!({"amount_minor": 100, "cashier": by});
    assert_eq!(refused(&shop.till.post("/api/held", &named_aside("anybody"), &fresh_key()).await).1, "cashier_unknown");
    let paid = |by: &str| json!({"batch": 2, "amount_minor": 1, "reason": "x", "cashier": by});
    assert_eq!(refused(&shop.till.post("/api/shift/paid-in", &paid("9"), &fresh_key()).await).1, "cashier_unknown");
    for path in ["paid-in", "paid-out"] {
        let path = format!("/api/shift/{path}");
        assert_eq!(refused(&shop.till.post(&path, &paid("08"), &fresh_key()).await).1, "pin_needed");
        let mut wrong = paid("08");
        wrong["cashier_pin"] = json!(LI_PIN);
        assert_eq!(refused(&shop.till.post(&path, &wrong, &fresh_key()).await).1, "pin_wrong");
    }
    let mut by_wu = paid("08");
    by_wu["cashier_pin"] = json!(WU_PIN);
    assert_eq!(shop.till.post("/api/shift/paid-in", &by_wu, &fresh_key()).await.status, 200);
    assert_eq!(shop.till.post("/api/shift/paid-out", &paid("07"), &fresh_key()).await.status, 200);
    let close = json!({ "batch": 2, "counted_minor": 1, "cashier": "08" });
    assert_eq!(refused(&shop.till.post("/api/shift/close", &close, &fresh_key()).await).1, "pin_needed");
    assert_eq!(refused(&shop.till.post("/api/held", &named_aside("08"), &fresh_key()).await).1, "pin_needed");
    shop.core.switch_on();
    shop.nothing_unsent().await;
    let journal = shop.core.look(|known| known.journal.clone());
    let by = |record: &Record| match record {
        Record::ShiftOpened { cashier, .. } | Record::PaidIn { cashier, .. } | Record::PaidOut { cashier, .. } => {
            Some(cashier.clone())
        }
        _ => None,
    };
    assert_eq!(journal.iter().filter_map(by).collect::<Vec<_>>(), ["anybody", "李雷", "吴", "李雷"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_pins_lock_out_whoever_they_are_of_and_a_restart_does_not_open() {
    let mut shop = Shop::staffed(SupervisorFor::None).await;
    for (left, words) in [(4, "tries"), (3, "tries"), (2, "tries"), (1, "try")] {
        let reply = shop.signs_on("07", WU_PIN).await;
        let said = format!("The PIN is wrong; {left} more {words} before it is locked");
        assert_eq!(refused(&reply), (409, "pin_wrong", said.as_str()));
        // Neither a kill nor a right PIN of somebody else gives a further try.
        shop.kill_till();
        shop.start_till().await;
        assert_eq!(shop.signs_on("08", WU_PIN).await.status, 201);
        shop.closes(5 - left).await;
    }
    let reply = shop.signs_on("07", WU_PIN).await;
    let said = "Too many wrong PINs: wait 1 minute, or have a new PIN set on the dashboard";
    assert_eq!(refused(&reply), (409, "pin_locked", said));
    let alarm = shop.till.get("/api/state").await["alarms"][0].clone();
    assert_eq!(
        (&alarm["code"], &alarm["message"]),
        (&json!("cashier_locked"), &json!("5 wrong PINs in a row for cashier 07: locked for 1 minute"))
    );
    shop.kill_till();
    shop.start_till().await;
    let reply = shop.signs_on("07", LI_PIN).await;
    let (_, code, words) = refused(&reply);
    assert!(code == "pin_locked" && words.contains(", or have a new PIN set"), "not by the right one either: {words}");

    // A new PIN from the dashboard opens, and the old one is over.
    let next = CashierCard { verifier: verifier("50284719"), ..li() };
    shop.core.names(2, SupervisorFor::None, vec![next, wu()], true);
    until("the new PIN", async || {
        let reply = shop.signs_on("07", LI_PIN).await;
        (refused(&reply).1 == "pin_wrong").then_some(())
    })
    .await;
    until("the alarm to end", async || {
        let state = shop.till.get("/api/state").await;
        (state["alarms"].as_array().unwrap().is_empty()).then_some(())
    })
    .await;
    assert_eq!(shop.signs_on("07", "50284719").await.status, 201);
    // The right one began the count anew, also on the disk.
    shop.closes(5).await;
    shop.stop_till().await;
    shop.start_till().await;
    let reply = shop.signs_on("07", WU_PIN).await;
    assert!(refused(&reply).2.contains("4 more tries"), "{}", reply.body);
}

/// A page whose answer was lost sends the same press again, and again after a restart of the agent.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_press_again_is_no_further_try() {
    let shop = Shop::staffed(SupervisorFor::None).await;
    let press = async |pin: &str, key: &str| {
        let body = json!({ "float_minor": 0, "cashier_number": "07", "pin": pin });
        let reply = shop.till.post("/api/shift/open", &body, key).await;
        (refused(&reply).1.to_owned(), refused(&reply).2.to_owned())
    };
    let first = press(WU_PIN, "one").await;
    assert!(first.1.contains("4 more tries"), "{first:?}");
    for _ in 0..6 {
        assert_eq!(press(WU_PIN, "one").await, first);
    }
    // Another PIN under that key, and that PIN under another key, are.
    assert!(press("50284719", "one").await.1.contains("3 more tries"));
    assert!(press(WU_PIN, "two").await.1.contains("2 more tries"));
    assert_eq!(shop.signs_on("07", LI_PIN).await.status, 201);
}

/// The verifier asks for more than a terminal has: nobody is locked out for what was not checked.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_checked_here_locks_nobody_out() {
    let shop = Shop::open().await;
    let greedy = CashierCard { verifier: Verifier(verifier(LI_PIN).0.replace("m=64", "m=9999999")), ..li() };
    shop.core.names(1, SupervisorFor::None, vec![greedy], true);
    shop.knows_pins(true).await;
    for _ in 0..6 {
        assert_eq!(refused(&shop.signs_on("07", LI_PIN).await).1, "pin_uncheckable");
    }
    shop.core.names(2, SupervisorFor::None, vec![li()], true);
    until("the verifier that can be checked", async || (shop.signs_on("07", LI_PIN).await.status == 201).then_some(()))
        .await;
}

/// Whoever keeps somebody out must not let everybody in: the list is empty, and PINs are asked for all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_nobody_lets_nobody_in() {
    let shop = Shop::staffed(SupervisorFor::Refunds).await;
    shop.core.look(|known| {
        let (pins, supervisor_for) = (true, SupervisorFor::Refunds);
        known.cashiers = CashierList { version: 2, pins, supervisor_for, cashiers: Vec::new() };
        known.tell(PushBody::CashiersChanged);
    });
    let without = json!({ "float_minor": 0, "cashier_number": "07" });
    until("the list to be empty", async || {
        let reply = shop.till.post("/api/shift/open", &without, &fresh_key()).await;
        (refused(&reply).1 == "cashier_unknown").then_some(())
    })
    .await;
    let by_name = json!({ "float_minor": 0, "cashier": "anybody", "cashier_number": "1" });
    assert_eq!(refused(&shop.till.post("/api/shift/open", &by_name, &fresh_key()).await).1, "cashier_unknown");
    let sale = json!({"amount_minor": 100, "method": "cash"});
    assert_eq!(refused(&shop.till.post("/api/sales", &sale, &fresh_key()).await).1, "no_shift");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_core_changes_arrives_by_a_push_or_with_the_next_connection() {
    let mut shop = Shop::staffed(SupervisorFor::None).await;
    // Core says nothing: the next start asks.
    shop.core.names(2, SupervisorFor::None, vec![wu()], false);
    shop.stop_till().await;
    shop.start_till().await;
    until("the cashier to be gone", async || {
        let reply = shop.signs_on("07", LI_PIN).await;
        if reply.status == 201 {
            let batch = reply.body["batch"].as_u64().unwrap();
            shop.closes(batch).await;
        }
        (refused(&reply).1 == "cashier_unknown").then_some(())
    })
    .await;
    // Core was away while it changed, and the line comes back.
    shop.core.switch_off().await;
    shop.online(false).await;
    shop.core.names(3, SupervisorFor::None, vec![li()], false);
    shop.core.switch_on();
    until("the cashier to be back", async || (shop.signs_on("07", LI_PIN).await.status == 201).then_some(())).await;
    // Whoever stands there goes on when they are taken off the till; the shift is closed as ever.
    shop.core.names(4, SupervisorFor::None, Vec::new(), true);
    shop.knows_pins(false).await;
    let batch = shop.till.get("/api/state").await["shift"]["batch"].as_u64().unwrap();
    shop.closes(batch).await;
    let by_name = json!({ "float_minor": 0, "cashier": "anybody" });
    assert_eq!(shop.till.post("/api/shift/open", &by_name, &fresh_key()).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn money_goes_back_with_a_supervisor_s_pin() {
    let shop = Shop::staffed(SupervisorFor::Refunds).await;
    assert_eq!(shop.signs_on("07", LI_PIN).await.status, 201);
    assert_eq!(shop.till.get("/api/state").await["supervisor_needed"], true);
    let cash = number(&shop.till.sell(json!({"amount_minor": 1000, "method": "cash"})).await);
    let scanned = number(&shop.till.sell(json!({"amount_minor": 700, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(scanned, "state", "succeeded").await;

    let by = |staff_code: &str, pin: &str| json!({ "staff_code": staff_code, "pin": pin });
    for (supervisor, code) in [
        (Value::Null, "supervisor_needed"),
        (by("07", LI_PIN), "not_a_supervisor"),
        (by("99", WU_PIN), "cashier_unknown"),
        (by("08", "1"), "pin_invalid"),
        (by("08", LI_PIN), "pin_wrong"),
    ] {
        let void = shop.till.press(cash, "void", json!({ "supervisor": supervisor })).await;
        assert_eq!(refused(&void).1, code, "{}", void.body);
        let refund = json!({ "amount_minor": 100, "supervisor": supervisor });
        assert_eq!(refused(&shop.till.press(scanned, "refund", refund).await).1, code);
    }
    assert_eq!(refused(&shop.till.press(cash, "void", nothing()).await).1, "supervisor_needed");
    assert_eq!(shop.till.sale(cash).await["refunded_minor"], 0);
    // What gives nothing back needs nobody.
    assert_eq!(shop.till.press(cash, "reprint", nothing()).await.status, 200);

    let path = format!("/api/sales/{cash}/refund");
    let body = json!({ "amount_minor": 300, "supervisor": by("08", WU_PIN) });
    let refunded = shop.till.post(&path, &body, "once").await;
    assert_eq!((refunded.status.as_u16(), &refunded.body["refunded_minor"]), (200, &json!(300)), "{}", refunded.body);
    assert_eq!(refunded.body["refunds"][0]["approved_by"], "吴", "{}", refunded.body);
    assert!(shop.till.receipt_with("退款 REFUND").await.contains("批准 Approved by"));
    // As pages send it again after a reload: without the PIN.
    let left = json!({ "amount_minor": 300, "supervisor": { "staff_code": "08" } });
    for body in [&left, &json!({ "amount_minor": 300 })] {
        let again = shop.till.post(&path, body, "once").await;
        assert_eq!((again.status.as_u16(), &again.body["refunded_minor"]), (200, &json!(300)), "{}", again.body);
    }
    let never_made = shop.till.post(&path, &left, "another").await;
    assert_eq!(refused(&never_made).1, "pin_needed");
    let voided = shop.till.press(scanned, "void", json!({ "supervisor": by("08", WU_PIN) })).await;
    assert_eq!(voided.status, 200, "{}", voided.body);
    shop.till.sees(scanned, "state", "voided").await;
    let body = json!({ "batch": 1, "counted_minor": 700 });
    assert_eq!(shop.till.post("/api/shift/close", &body, &fresh_key()).await.status, 200);

    // A supervisor who has signed on does it alone.
    assert_eq!(shop.signs_on("08", WU_PIN).await.status, 201);
    assert_eq!(shop.till.get("/api/state").await["supervisor_needed"], false);
    assert_eq!(shop.till.press(cash, "refund", json!({ "amount_minor": 100 })).await.status, 200);
    // Until they are no supervisor any more.
    let demoted = CashierCard { role: TillRole::Cashier, ..wu() };
    shop.core.names(2, SupervisorFor::Refunds, vec![li(), demoted], true);
    until("the till to hear of it", async || {
        (shop.till.get("/api/state").await["supervisor_needed"] == true).then_some(())
    })
    .await;
    let refund = shop.till.press(cash, "refund", json!({ "amount_minor": 100 })).await;
    assert_eq!(refused(&refund).1, "supervisor_needed");

    shop.nothing_unsent().await;
    let journal = shop.core.look(|known| known.journal.clone());
    let approved = |record: &Record| match record {
        Record::CashRefund { cashier, approved_by, .. } | Record::RefundKeyed { cashier, approved_by, .. } => {
            Some((cashier.clone(), approved_by.clone()))
        }
        _ => None,
    };
    let approver = |name: &str| Approver { id: wu().id, name: name.to_owned() };
    let told = |by: &str, approved_by: Option<&str>| (by.to_owned(), approved_by.map(approver));
    assert_eq!(
        journal.iter().filter_map(approved).collect::<Vec<_>>(),
        [told("李雷", Some("吴")), told("李雷", Some("吴")), told("吴", None)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pin_and_nothing_to_guess_it_by_is_in_a_file_or_an_answer() {
    let mut shop = Shop::staffed(SupervisorFor::Refunds).await;
    let mut told = vec![shop.signs_on("07", WU_PIN).await.body, shop.signs_on("07", LI_PIN).await.body];
    let cash = number(&shop.till.sell(json!({"amount_minor": 1000, "method": "cash"})).await);
    let supervisor = json!({ "staff_code": "08", "pin": WU_PIN });
    told.push(shop.till.press(cash, "void", json!({ "supervisor": supervisor })).await.body);
    for path in ["/api/state", "/api/shift", "/api/sales"] {
        told.push(shop.till.get(path).await);
    }
    shop.nothing_unsent().await;
    for answer in &told {
        let text = answer.to_string();
        assert!(!text.contains(LI_PIN) && !text.contains(WU_PIN) && !text.contains("argon2"), "{text}");
    }
    let looked = |folder: &std::path::Path| {
        for file in std::fs::read_dir(folder).unwrap().flatten() {
            let Ok(bytes) = std::fs::read(file.path()) else { continue };
            for secret in [LI_PIN, WU_PIN, "$argon2id$", "supervisor_for"] {
                let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                assert!(!found, "{secret} in {}", file.path().display());
            }
        }
    };
    looked(shop.folder.path());
    shop.stop_till().await;
    looked(shop.folder.path());
    // Core's journal, too.
    let journal = shop.core.look(|known| format!("{:?}", known.journal));
    assert!(!journal.contains(LI_PIN) && !journal.contains(WU_PIN));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_that_is_given_up_takes_a_supervisor_s_pin_over_a_restart_as_well() {
    let mut shop = Shop::staffed(SupervisorFor::Refunds).await;
    assert_eq!(shop.signs_on("07", LI_PIN).await.status, 201);
    let part = json!({ "amount_minor": 500, "method": "cash", "split": { "begin": { "total_minor": 900 } } });
    assert_eq!(shop.till.post("/api/sales", &part, &fresh_key()).await.status, 201);
    let path = "/api/splits/1/give-back";
    for (supervisor, code) in
        [(Value::Null, "supervisor_needed"), (json!({ "staff_code": "08", "pin": LI_PIN }), "pin_wrong")]
    {
        let refused = shop.till.post(path, &json!({ "supervisor": supervisor }), &fresh_key()).await;
        assert_eq!(refused.body["code"], code);
    }
    assert_eq!(shop.till.get("/api/splits/1").await["state"], "open");
    let body = json!({ "supervisor": { "staff_code": "08", "pin": WU_PIN } });
    assert_eq!(shop.till.post(path, &body, "once").await.status, 200);
    shop.kill_till();
    shop.start_till().await;
    let again = shop.till.post(path, &nothing(), "once").await;
    assert_eq!((again.status.as_u16(), &again.body["state"]), (200, &json!("given_back")), "{}", again.body);
    shop.nothing_unsent().await;
    let approved = shop.core.look(|known| match known.journal.last() {
        Some(Record::CashRefund { approved_by, .. }) => approved_by.clone(),
        other => panic!("no refund but {other:?}"),
    });
    assert_eq!(approved.map(|by| by.name).as_deref(), Some("吴"));
}
