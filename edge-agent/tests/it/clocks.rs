//! A machine whose clock is wrong: what is written down, printed and shown has core's time, and says so.
//!
//! The tests' machine has a good clock, so that it is core's that is far away: from where the till stands it is the same.

use saoma_edge::{
    journal::{Commit, Settings, Store},
    offline::Known,
};
use saoma_protocol::{
    Amount, Currency, Millis, PaymentId, TerminalId,
    api::OfflineList,
    journal::{CoreTime, Entry, Record},
    message::PushBody,
};
use serde_json::json;

use crate::{
    core::clock,
    shop::{Shop, fresh_key, number, until},
};

/// 400 days: more than any terminal is without core.
const AHEAD_MS: i64 = 400 * 86_400_000;

/// A merchant with neither wallets nor cards without a network: core tells the time all the same.
pub const NOTHING: OfflineList = OfflineList {
    issued_at: Millis(0),
    limits: None,
    issuers: Vec::new(),
    denied: Vec::new(),
    cards: None,
    phone: None,
};

impl Shop {
    /// Where the machine's clock is so far behind, and the till has heard of core since it was switched on.
    async fn open_where_the_clock_is_behind(ms: i64) -> Self {
        let shop = Self::open().await;
        shop.core.look(|known| known.ahead_ms = ms);
        shop.core_says(|offline| *offline = Some(NOTHING)).await;
        shop.alarm("clock_wrong").await;
        shop
    }

    async fn alarm(&self, code: &str) {
        until(code, async || {
            let alarms = self.till.get("/api/state").await["alarms"].clone();
            alarms.as_array().unwrap().iter().any(|alarm| alarm["code"] == code).then_some(())
        })
        .await;
    }

    async fn entry_of(&self, is_it: impl Fn(&Record) -> bool) -> Entry {
        self.nothing_unsent().await;
        self.core.look(|known| {
            let found = known.entries.iter().find(|entry| entry.record().is_ok_and(|record| is_it(&record)));
            found.unwrap().clone()
        })
    }
}

/// How many minutes core's time of an entry is from that of its machine's clock.
fn minutes_ahead(entry: &Entry) -> i64 {
    let stamp = entry.stamp();
    let CoreTime::At(core) = stamp.core else { panic!("{stamp:?}") };
    (core.since(stamp.machine) + 30_000).div_euclid(60_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn cash_and_shifts_of_a_machine_with_a_dead_battery_have_cores_time_with_and_without_a_network() {
    let mut shop = Shop::open_where_the_clock_is_behind(AHEAD_MS).await;
    let open = json!({"cashier": "Li", "cashier_number": "7", "float_minor": 0});
    let opened = shop.till.post("/api/shift/open", &open, &fresh_key()).await;
    assert_eq!((opened.status.as_u16(), &opened.body["by_core"]), (201, &json!(true)), "{}", opened.body);
    shop.core.switch_off().await;
    shop.online(false).await;
    // The agent starts again without a network; the machine was not switched off.
    shop.kill_till();
    shop.start_till().await;
    let sold = shop.till.sell(json!({"amount_minor": 1_250, "method": "cash"})).await;
    let payment = number(&sold);
    assert_eq!(sold["by_core"], true, "{sold}");
    shop.till.sees(payment, "receipt", "printed").await;
    let receipt = shop.till.receipt_with("12.50").await;
    assert!(receipt.contains("按中心时间 By core"), "{receipt}");
    shop.core.switch_on();
    shop.online(true).await;
    let closed = json!({"batch": 1, "counted_minor": 1_250});
    let closed = shop.till.post("/api/shift/close", &closed, &fresh_key()).await;
    assert!(closed.status.is_success(), "{}", closed.body);
    let report = shop.till.receipt_with("BATCH CLOSE").await;
    assert!(report.contains("按中心时间 By core"), "{report}");
    let sale = shop.entry_of(|record| matches!(record, Record::CashSale { .. })).await;
    let shift = shop.entry_of(|record| matches!(record, Record::ShiftOpened { .. })).await;
    let end = shop.entry_of(|record| matches!(record, Record::ShiftClosed { .. })).await;
    assert_eq!([&shift, &sale, &end].map(minutes_ahead), [AHEAD_MS / 60_000; 3]);
    let shown = (sold["keyed_at"].as_i64().unwrap(), sale.stamp().at().0);
    assert!((shown.0 - shown.1).abs() < 60_000, "{shown:?}: the list, the slip and core have one moment");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_clock_is_stamped_as_well_and_nobody_is_told() {
    let shop = Shop::open().await;
    shop.core_says(|offline| *offline = Some(NOTHING)).await;
    let payment = until("a sale that has core's time", async || {
        let sold = shop.till.sell(json!({"amount_minor": 1_250, "method": "cash"})).await;
        assert_eq!(sold.get("by_core"), None, "{sold}");
        let payment = number(&sold);
        let is_it = |record: &Record| matches!(record, Record::CashSale { payment: it, .. } if *it == payment);
        let entry = shop.entry_of(is_it).await;
        matches!(entry.stamp().core, CoreTime::At(_)).then(|| {
            assert_eq!(minutes_ahead(&entry), 0);
            payment
        })
    })
    .await;
    shop.till.sees(payment, "receipt", "printed").await;
    let receipt = shop.till.receipt_with("12.50").await;
    assert!(!receipt.contains("By core"), "{receipt}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_printed_code_brought_in_today_is_of_cores_today() {
    let shop = Shop::open_where_the_clock_is_behind(AHEAD_MS).await;
    let (payment, amount) = (PaymentId::from_bytes([1; 16]), Amount::new(300, Currency::CNY).unwrap());
    // Not before core told of it: that is its own time.
    let paid = PushBody::StaticCodePaid { payment, amount, paid_at: Millis(i64::MAX), label: "gate".to_owned() };
    shop.core.look(|known| known.tell(paid));
    until("it to be listed", async || {
        let listed = shop.till.get("/api/state").await["received"].clone();
        (listed[0]["payment"] == json!(payment)).then_some(())
    })
    .await;
}

/// The battery is dead, and the power was off: the machine comes back in the past, and core cannot be asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_has_lost_the_time_says_so_on_its_screen_and_its_slips() {
    let mut shop = Shop::open().await;
    shop.core.switch_off().await;
    shop.stop_till().await;
    let settings = Settings { path: shop.folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
    // What core said before, to a machine that has been switched off since.
    let heard = Known { list: OfflineList { issued_at: clock(AHEAD_MS), ..NOTHING }, clock: None, stopped: false };
    let (mut store, _) = Store::open(&settings, TerminalId::from_bytes([2; 16]), Millis(0)).unwrap();
    store.commit(&Commit { offline: Some(heard), ..Commit::default() }, Millis(0)).unwrap();
    drop(store);
    shop.start_till().await;
    shop.alarm("clock_lost").await;
    let sold = shop.till.sell(json!({"amount_minor": 1_250, "method": "cash"})).await;
    assert_eq!((sold.get("by_core"), &sold["time_lost"]), (None, &json!(true)), "{sold}");
    let payment = number(&sold);
    shop.till.sees(payment, "receipt", "printed").await;
    let receipt = shop.till.receipt_with("12.50").await;
    assert!(receipt.contains("时间不明 Time not known"), "{receipt}");
    // Core is heard, and says nothing of the time: it stays so on what was sold. The entry says what cores of before can read.
    shop.core.switch_on();
    let entry = shop.entry_of(|record| matches!(record, Record::CashSale { .. })).await;
    assert_eq!(entry.stamp().core, CoreTime::Unknown);
    assert_eq!(shop.till.sale(payment).await["time_lost"], true);
}

/// A core from before there were lists tells no time.
#[tokio::test(flavor = "multi_thread")]
async fn where_core_tells_no_time_an_entry_says_so() {
    let shop = Shop::open().await;
    shop.till.sell(json!({"amount_minor": 1_250, "method": "cash"})).await;
    let entry = shop.entry_of(|record| matches!(record, Record::CashSale { .. })).await;
    assert_eq!(entry.stamp().core, CoreTime::Unknown);
}
