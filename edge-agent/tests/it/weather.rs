//! Lines as they are in the field: slow, lossy, or gone for long. TCP hides a lost packet behind a pause.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use saoma_protocol::{PaymentId, journal::Record};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    time::{interval, sleep_until},
};

use crate::{
    core::GOOD_CODE,
    shop::{Shop, number, until},
};

/// How a line is at this moment.
#[derive(Clone, Copy, Default)]
struct Weather {
    /// Each way.
    latency: Duration,
    /// Of a hundred pieces so many are lost, and come again after [`RETRANSMISSION`].
    lost: u64,
}

/// Over a line of 2G: a packet that is lost is missed after a second.
const RETRANSMISSION: Duration = Duration::from_secs(1);
const TWO_G: Weather = Weather { latency: Duration::from_millis(300), lost: 5 };

/// The weather over all lines. It changes for connections that are there as well.
#[derive(Clone, Default)]
pub struct Sky {
    weather: Arc<Mutex<Weather>>,
    /// Whether there is no line at all.
    down: Arc<watch::Sender<bool>>,
    chance: Arc<AtomicU64>,
}

impl Sky {
    fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// Cuts every connection and lets none through, or ends that.
    fn cut(&self, is_down: bool) {
        self.down.send_replace(is_down);
    }

    fn now(&self) -> Weather {
        *self.weather.lock().unwrap()
    }

    /// 0 to 99, in an order that is always the same (splitmix64).
    fn percent(&self) -> u64 {
        let mut drawn = self.chance.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (drawn ^ (drawn >> 31)) % 100
    }

    /// A port through which `target` is reached.
    pub async fn line_to(&self, target: u16) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let sky = self.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(sky.clone().connection(near, target));
            }
        });
        port
    }

    async fn connection(self, near: TcpStream, target: u16) {
        let mut down = self.down.subscribe();
        if *down.borrow() {
            return;
        }
        let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { return };
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        let carried = async { tokio::join!(self.carry(near_in, far_out), self.carry(far_in, near_out)) };
        tokio::select! {
            _ = carried => {}
            _ = down.wait_for(|is_down| *is_down) => {}
        }
    }

    async fn carry(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let (send, mut due) = mpsc::unbounded_channel::<(tokio::time::Instant, Vec<u8>)>();
        let read = async move {
            let mut arrives = tokio::time::Instant::now();
            let mut piece = vec![0; 1400];
            while let Ok(len @ 1..) = from.read(&mut piece).await {
                let Weather { latency, lost, .. } = self.now();
                let late = if self.percent() < lost { RETRANSMISSION } else { Duration::ZERO };
                // What comes behind a lost piece waits for it.
                arrives = arrives.max(tokio::time::Instant::now() + latency + late);
                if send.send((arrives, piece[..len].to_vec())).is_err() {
                    return;
                }
            }
        };
        let write = async move {
            while let Some((at, piece)) = due.recv().await {
                sleep_until(at).await;
                if to.write_all(&piece).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(read, write);
    }
}

/// What core has must be what the till has, each once.
async fn nothing_is_lost_or_double(shop: &Shop, cash: &[PaymentId], codes: &[PaymentId]) {
    shop.nothing_unsent().await;
    let settled = async || (shop.till.get("/api/state").await["open_sales"] == json!([])).then_some(());
    until("all sales to be settled", settled).await;
    let booked = shop.core.look(|known| {
        let sold = known.journal.iter().filter_map(|record| match record {
            Record::CashSale { payment, .. } => Some(*payment),
            _ => None,
        });
        sold.collect::<Vec<_>>()
    });
    assert_eq!(booked, cash, "in the order of the till, each once");
    for payment in codes {
        let (sale, known) =
            (shop.till.sale(*payment).await, shop.core.look(|known| known.payments.get(payment).cloned()));
        match known {
            Some(view) => {
                let told = serde_json::to_value(view.state).unwrap();
                assert!(view.state.is_paid(), "{view:?}");
                assert_eq!((&sale["state"], &sale["refunded_minor"]), (&told, &json!(view.refunded_minor)), "{sale}");
            }
            // It was never sent, and the cashier was told so.
            None => assert_eq!((&sale["state"], &sale["failure"]["code"]), (&json!("failed"), &json!("offline"))),
        }
    }
    let known = shop.core.look(|known| known.payments.keys().copied().collect::<Vec<_>>());
    assert!(known.iter().all(|payment| codes.contains(payment)), "core has no sale that the till has not");
    let books = shop.till.get("/api/books").await;
    assert_eq!(books["agree"], true, "{books}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_slow_line_everything_takes_its_time_and_the_till_none() {
    let (shop, broker, sky) = Shop::open_in_weather().await;
    sky.set(TWO_G);
    broker.hang_up();
    let (mut cash, mut codes) = (Vec::new(), Vec::new());
    for round in 0..8 {
        cash.push(number(&shop.till.sell(json!({"amount_minor": 100 + round, "method": "cash"})).await));
        let body = match round % 2 {
            0 => json!({"amount_minor": 5_000 + round, "method": "scan", "code": GOOD_CODE}),
            _ => json!({"amount_minor": 5_000 + round, "method": "code"}),
        };
        let keyed = shop.till.sell(body).await;
        // Whoever waits for the line sees what core said.
        assert!(!["succeeded", "presenting"].map(Value::from).contains(&keyed["state"]), "a key press waited: {keyed}");
        let payment = number(&keyed);
        codes.push(payment);
        let state = if round % 2 == 0 { "succeeded" } else { "presenting" };
        shop.till.sees(payment, "state", state).await;
        if state == "presenting" {
            shop.core.customer_pays(payment);
            broker.tell(payment);
        }
        shop.till.sees(payment, "state", "succeeded").await;
    }
    nothing_is_lost_or_double(&shop, &cash, &codes).await;
}

/// A day without a line, with a restart in it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_sold_while_core_and_broker_were_away_arrives_once_and_in_order() {
    let (mut shop, mut broker) = Shop::open_with_broker().await;
    shop.mqtt(true).await;
    broker.switch_off().await;
    shop.core.switch_off().await;
    shop.online(false).await;
    let mut cash = Vec::new();
    for round in 0..300 {
        if round == 200 {
            shop.kill_till();
            shop.start_till().await;
        }
        cash.push(number(&shop.till.sell(json!({"amount_minor": 100 + round, "method": "cash"})).await));
    }
    let state = shop.till.get("/api/state").await;
    assert_eq!(state["unsent"]["count"], 300);
    let sum: i64 = (100..400).sum();
    assert_eq!(state["unsent"]["at_risk"], json!([{"minor": sum, "currency": "CNY"}]));
    broker.switch_on().await;
    shop.core.switch_on();
    nothing_is_lost_or_double(&shop, &cash, &[]).await;
}

/// Up for 300 ms, down for 300 ms, for as long as somebody sells: requests and answers are cut anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_comes_and_goes_loses_nothing_and_doubles_nothing() {
    const TURN: Duration = Duration::from_millis(300);
    const CHANGES: u32 = 24;
    let (shop, broker, sky) = Shop::open_in_weather().await;
    let (flapping, changes) = (sky.clone(), Arc::new(AtomicU64::new(0)));
    let told = Arc::clone(&changes);
    let flaps = tokio::spawn(async move {
        let mut turns = interval(TURN);
        let mut is_down = false;
        loop {
            turns.tick().await;
            flapping.cut(is_down);
            is_down = !is_down;
            told.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (mut cash, mut codes) = (Vec::new(), Vec::new());
    // However fast the machine is, the line has come and gone so often.
    for round in 0.. {
        if changes.load(Ordering::Relaxed) >= u64::from(CHANGES) && round >= 100 {
            break;
        }
        if round < 400 {
            cash.push(number(&shop.till.sell(json!({"amount_minor": 100 + round, "method": "cash"})).await));
        }
        if codes.len() < 60 {
            let body = json!({"amount_minor": 5_000 + round, "method": "scan", "code": GOOD_CODE});
            codes.push(number(&shop.till.sell(body).await));
        }
        // A customer at a time.
        let last = *codes.last().unwrap();
        until("that customer to be done, or to wait for the line", async || {
            let sale = shop.till.sale(last).await;
            let is_over = sale["settled"] == true || changes.load(Ordering::Relaxed) % 2 == 0;
            is_over.then_some(())
        })
        .await;
    }
    flaps.abort();
    sky.cut(false);
    shop.online(true).await;
    let body = json!({"amount_minor": 5_000, "method": "scan", "code": GOOD_CODE});
    codes.push(number(&shop.till.sell(body).await));
    shop.till.sees(codes[codes.len() - 1], "state", "succeeded").await;
    nothing_is_lost_or_double(&shop, &cash, &codes).await;
    drop(broker);
}
