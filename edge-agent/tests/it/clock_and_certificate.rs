//! A machine whose clock is wrong, before core's certificate: one that is behind reaches core all the same, one that is ahead hears that
//! it is to be set.
//!
//! The tests' machine has a good clock, so that it is core's, its CA and its doors that are far ahead: from where the terminal stands it
//! is the same.

use std::sync::atomic::Ordering;

use saoma_edge::link::{
    enrol::{EnrolError, enrol},
    identity::DataDir,
};
use serde_json::{Value, json};

use crate::{
    broker::Broker,
    certificate::{ENDING, certificate, identity, sells},
    clocks::NOTHING,
    core::Known,
    field::{beside, finding, json_of},
    secured::{Authority, LONG, Life, SERVER},
    shop::{Shop, request, until},
};

const DAY: i64 = 86_400;
const DAYS_BEHIND: u64 = 400;

impl Shop {
    /// Enrolled on a machine whose clock is more behind than core's certificate was ever dated back.
    async fn open_behind(first: Life) -> (Self, Broker) {
        let seconds = DAYS_BEHIND * 86_400;
        // It tells what time it is with this list.
        let tells_time = |known: &mut Known| {
            (known.offline, known.ahead_ms) = (Some(NOTHING), i64::try_from(seconds).unwrap() * 1_000);
        };
        Self::open_secured(Authority::ahead(first, seconds), tells_time).await
    }

    async fn words_of(&self, code: &str) -> Option<String> {
        let state = self.till.get("/api/state").await;
        let alarms = state["alarms"].as_array().unwrap();
        let told: Vec<&Value> = alarms.iter().filter(|alarm| alarm["code"] == code).collect();
        assert!(told.len() <= 1, "{told:?}: it is said once");
        told.first().map(|alarm| alarm["message"].as_str().unwrap().to_owned())
    }

    /// What is said once the clock keeps it from core.
    async fn shut_out(&self) -> String {
        let message = until("the clock to be named", async || self.words_of("clock_shuts_out").await).await;
        let link = self.till.get("/api/state").await["link"].clone();
        assert!(["online", "mqtt", "https"].iter().all(|way| link[way] == false), "{link}");
        message
    }

    async fn doctor(&self) -> Value {
        json_of(&beside(self, &["doctor", "--json"]).await)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_with_a_dead_battery_enrols_and_reaches_core_by_both_ways() {
    let (mut shop, broker) = Shop::open_behind(LONG).await;
    until("the till to judge its clock", async || shop.words_of("clock_wrong").await).await;
    sells(&shop, &broker).await;
    // Also when it starts, with nothing of core's time but what is on the disk.
    shop.stop_till().await;
    shop.start_till().await;
    sells(&shop, &broker).await;
    assert_eq!(shop.words_of("clock_shuts_out").await, None);
    let told = shop.doctor().await;
    for (check, verdict) in [("core", "ok"), ("core_answer", "ok"), ("broker", "ok")] {
        assert_eq!(finding(&told, check)["verdict"], verdict, "{told:#}");
    }
}

/// It would never be due by the machine's own clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_behind_lets_no_certificate_run_out() {
    let (shop, broker) = Shop::open_behind(ENDING).await;
    let authority = shop.core.authority();
    until("both ways to show the next certificate", async || {
        let next = certificate(&identity(shop.folder.path()));
        let shown = [authority.https.last(), authority.mqtt.last()];
        let renewed = authority.renewals.load(Ordering::SeqCst) == 1;
        (renewed && shown.iter().all(|shown| shown.as_ref() == Some(&next))).then_some(())
    })
    .await;
    sells(&shop, &broker).await;
}

/// By its own clock there is time enough, and nothing is renewed.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_nearly_over_by_cores_clock_calls_a_person() {
    // Of a day that is left, core has some 22 hours behind it.
    let far_ahead = |known: &mut Known| (known.offline, known.ahead_ms) = (Some(NOTHING), 80_000_000);
    let (shop, _broker) = Shop::open_secured(Authority::new(LONG), far_ahead).await;
    let told = until("a person to be called", async || shop.words_of("certificate_ends").await).await;
    assert!(told.contains("nearly over") && told.contains("this machine's clock"), "{told}");
    assert_eq!(shop.core.authority().renewals.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_keeps_a_till_from_core_is_named_until_it_is_right() {
    let (mut shop, broker) = Shop::open_secured_by(LONG, |_| {}).await;
    let authority = shop.core.authority();
    let today = || time::OffsetDateTime::now_utc().date();
    for (life, words, in_days) in [
        (Life { past: 900 * DAY, left: -10 * DAY }, "core's certificate was good until", -10),
        // Of a core of before, which dated its own a day back.
        (Life { past: -10 * DAY, left: 800 * DAY }, "core's certificate is good only from", 10),
    ] {
        shop.stop_till().await;
        let begun = today();
        authority.show(life);
        shop.start_till().await;
        let message = shop.shut_out().await;
        let says = |now: time::Date| {
            let edge = now + time::Duration::days(in_days);
            let parts = ["set this machine's clock", words, &format!("says {now}"), &edge.to_string()];
            parts.iter().all(|part| message.contains(part))
        };
        assert!(says(begun) || says(today()), "{message}");
        shop.till.sell(json!({"amount_minor": 1250, "method": "cash"})).await;
        let told = shop.doctor().await;
        for (check, verdict) in [("core", "fault"), ("broker", "warning")] {
            let found = finding(&told, check);
            assert_eq!(found["verdict"], verdict, "{found}");
            assert!(found["found"].as_str().unwrap().contains(words), "{found}");
            assert!(found["fix"].as_str().unwrap().contains("set this machine's clock"), "{found}");
        }
        let folder = DataDir::open(shop.folder.path()).unwrap();
        let refused = enrol(&folder, &request(&shop.core, "CLAIM", true)).await.unwrap_err();
        assert!(matches!(refused, EnrolError::Untimely { .. }) && refused.to_string().contains(words), "{refused}");

        authority.show(SERVER);
        shop.online(true).await;
        sells(&shop, &broker).await;
        shop.nothing_unsent().await;
        assert_eq!(shop.words_of("clock_shuts_out").await, None);
    }
}

/// Core's own began a day before, and is over long before the CA's first day.
#[tokio::test(flavor = "multi_thread")]
async fn a_ca_that_was_drawn_by_a_clock_that_was_ahead_enrols_all_the_same() {
    let ahead = 900 * 86_400;
    let (mut shop, _broker) = Shop::open_secured(Authority::ahead(LONG, ahead), |_| {}).await;
    shop.stop_till().await;
    // As of a core that was started anew with its clock set right, which is this machine's.
    shop.core.authority().show(Life { past: 901 * DAY, left: -75 * DAY });
    let folder = DataDir::open(shop.folder.path()).unwrap();
    enrol(&folder, &request(&shop.core, "CLAIM", true)).await.unwrap();
}

/// Whoever stole the key of a core of before, and sets the machine's clock back to that one's days.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_over_before_the_terminals_own_certificate_began_no_clock_makes_good() {
    let (mut shop, _broker) = Shop::open_secured(Authority::ahead(LONG, 21 * 86_400), |_| {}).await;
    shop.stop_till().await;
    // By the machine's clock it is good for ten days more.
    shop.core.authority().show(Life { past: 100 * DAY, left: -11 * DAY });
    shop.start_till().await;
    let message = shop.shut_out().await;
    assert!(message.contains("was good until"), "{message}");
}

/// Anybody can make one that is over, a hotel's gate among them.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_certificate_is_not_blamed_on_the_clock() {
    let (mut shop, _broker) = Shop::open_secured_by(LONG, |_| {}).await;
    shop.stop_till().await;
    let stranger = Authority::new(LONG);
    for life in [SERVER, Life { past: 900 * DAY, left: -10 * DAY }, Life { past: -10 * DAY, left: 800 * DAY }] {
        shop.core.authority().show_of(&stranger, life);
        let told = shop.doctor().await;
        for check in ["core", "broker"] {
            let found = finding(&told, check)["found"].as_str().unwrap();
            assert!(found.contains("do not believe each other"), "{found}");
        }
    }
}
