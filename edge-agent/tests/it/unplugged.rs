//! Devices that fail while the shop sells: paper that ends within a receipt, a scanner that is pulled out.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::symlink,
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

use crate::{
    core::GOOD_CODE,
    peripherals_wires::pseudo_terminal,
    shop::{Shop, nothing, number, until},
};

/// A printer on the network whose roll ends.
#[derive(Clone, Default)]
struct PaperPrinter(Arc<Mutex<Roll>>);

#[derive(Default)]
struct Roll {
    /// Bytes that still fit onto it, if it ends.
    left: Option<usize>,
    /// What each connection left on the paper.
    slips: Vec<Vec<u8>>,
}

impl Roll {
    fn is_out(&self) -> bool {
        self.left == Some(0)
    }
}

impl PaperPrinter {
    fn open() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let printer = Self::default();
        let served = printer.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                served.serve(stream.unwrap());
            }
        });
        (printer, address)
    }

    fn serve(&self, mut stream: TcpStream) {
        self.0.lock().unwrap().slips.push(Vec::new());
        let (mut unread, mut buffer) = (Vec::new(), [0; 512]);
        while let Ok(len @ 1..) = stream.read(&mut buffer) {
            unread.extend_from_slice(&buffer[..len]);
            while let Some((taken, answer)) = self.take(&unread) {
                unread.drain(..taken);
                if answer.is_some_and(|answer| stream.write_all(&[answer]).is_err()) {
                    return;
                }
            }
        }
    }

    /// What it makes of the first bytes: how many they are, and its answer.
    fn take(&self, unread: &[u8]) -> Option<(usize, Option<u8>)> {
        let mut roll = self.0.lock().unwrap();
        match unread {
            [] | [0x10] | [0x10, 4] => None,
            [0x10, 4, 2, ..] => Some((3, Some(if roll.is_out() { 0x32 } else { 0x12 }))),
            [0x10, 4, 4, ..] => Some((3, Some(if roll.is_out() { 0x7e } else { 0x12 }))),
            // The drawer's pulse in real time needs no paper.
            [0x10, 0x14, ..] => (unread.len() >= 5).then_some((5, None)),
            [byte, ..] => {
                if !roll.is_out() {
                    roll.slips.last_mut().unwrap().push(*byte);
                    roll.left = roll.left.map(|left| left - 1);
                }
                Some((1, None))
            }
        }
    }

    fn roll_of(&self, bytes: Option<usize>) {
        self.0.lock().unwrap().left = bytes;
    }

    /// The slips that came out, also those of which only a part did. Their language is ESC/POS, their words GB18030.
    fn slips(&self) -> Vec<String> {
        let slips = self.0.lock().unwrap().slips.clone();
        let text = |slip: &Vec<u8>| encoding_rs::GB18030.decode_without_bom_handling(slip).0.into_owned();
        slips.iter().map(text).filter(|slip| slip.contains("Saoma Tea")).collect()
    }
}

impl Shop {
    async fn device(&self, kind: &str, state: &str) -> String {
        until(&format!("the {kind} to be {state}"), async || {
            let now = self.till.get("/api/state").await;
            let is_it = |device: &&Value| device["kind"] == kind && device["state"] == state;
            let found = now["peripherals"].as_array().unwrap().iter().find(is_it)?;
            Some(found["detail"].as_str().unwrap_or_default().to_owned())
        })
        .await
    }
}

/// The last words of a receipt: it is whole.
const END: &str = "Thank you";
const COPY: &str = "COPY";

#[tokio::test(flavor = "multi_thread")]
async fn paper_that_ends_within_a_receipt_delays_it_and_nothing_else() {
    let (printer, address) = PaperPrinter::open();
    let mut shop = Shop::open_with_printer(address).await;
    shop.device("printer", "ok").await;
    let cash = |minor: i64| json!({"amount_minor": minor, "method": "cash"});
    let first = number(&shop.till.sell(cash(111)).await);
    shop.till.sees(first, "receipt", "printed").await;
    let whole = printer.slips();
    assert!(matches!(whole.as_slice(), [slip] if slip.contains(END) && !slip.contains(COPY)), "{whole:?}");

    printer.roll_of(Some(whole[0].len() / 2));
    let halved = number(&shop.till.sell(cash(222)).await);
    let detail = shop.device("printer", "failed").await;
    assert_eq!(detail, "the printer is out of paper; put in a new roll");
    // The next customers do not wait for paper.
    let untouched = number(&shop.till.sell(cash(333)).await);
    let scanned = number(&shop.till.sell(json!({"amount_minor": 444, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(scanned, "state", "succeeded").await;
    for payment in [halved, untouched, scanned] {
        assert_eq!(shop.till.sale(payment).await["receipt"], "queued");
    }
    let refunded = shop.till.press(untouched, "refund", json!({"amount_minor": 33})).await;
    assert_eq!(refunded.status, 200, "{}", refunded.body);
    let half = printer.slips().pop().unwrap();
    assert!(!half.contains(END), "half of it is out: {half:?}");

    printer.roll_of(None);
    for payment in [halved, untouched, scanned] {
        shop.till.sees(payment, "receipt", "printed").await;
    }
    until("all slips", async || (printer.slips().len() == 6).then_some(())).await;
    let slips = printer.slips();
    let of = |amount: &str| slips[2..].iter().filter(|slip| slip.contains(amount)).collect::<Vec<_>>();
    assert!(slips[2..].iter().all(|slip| slip.contains(END)), "{slips:?}");
    assert!(matches!(of("2.22").as_slice(), [slip] if slip.contains(COPY)), "half of it was out: {slips:?}");
    assert!(matches!(of("4.44").as_slice(), [slip] if !slip.contains(COPY)), "{slips:?}");
    let refund = of("REFUND");
    assert!(matches!(refund.as_slice(), [slip] if !slip.contains(COPY)), "{slips:?}");
    shop.nothing_unsent().await;

    // Nor is a receipt lost by a restart while there is no paper.
    printer.roll_of(Some(0));
    let late = number(&shop.till.sell(cash(555)).await);
    shop.device("printer", "failed").await;
    shop.stop_till().await;
    shop.start_till().await;
    shop.device("printer", "failed").await;
    printer.roll_of(None);
    shop.till.sees(late, "receipt", "printed").await;
    assert!(printer.slips().pop().unwrap().contains("5.55"));
    let again = shop.till.press(late, "reprint", nothing()).await;
    assert_eq!(again.status, 200, "{}", again.body);
}

/// A new pseudo-terminal under the name of the device.
fn plug_in(device: &Path) -> (File, File) {
    let (hand, path, held) = pseudo_terminal();
    // The system takes the name away when a device goes.
    let _ = std::fs::remove_file(device);
    symlink(path, device).unwrap();
    (hand, held)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_is_pulled_out_is_missed_and_scans_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("ttyACM0");
    let (mut hand, held) = plug_in(&device);
    let shop = Shop::open_with_scanner(&device).await;
    shop.device("scanner", "ok").await;
    let awaiting = shop.till.post("/api/sales", &json!({"amount_minor": 900, "method": "scan"}), "scan-1").await;
    assert_eq!(awaiting.status, 202, "{}", awaiting.body);
    // Half a code, and the plug is out.
    hand.write_all(&GOOD_CODE.as_bytes()[..6]).unwrap();
    std::fs::remove_file(&device).unwrap();
    drop((hand, held));
    let detail = shop.device("scanner", "failed").await;
    assert!(detail.contains("check its cable"), "{detail}");
    assert_eq!(shop.till.get("/api/sales").await["items"], json!([]), "half a code is no code");
    // The till sells on without it.
    let typed = shop.till.post("/api/scan", &json!({"text": GOOD_CODE}), "typed").await;
    assert_eq!(typed.body["result"], "sale", "{}", typed.body);

    let (mut hand, _held) = plug_in(&device);
    shop.device("scanner", "ok").await;
    let awaiting = shop.till.post("/api/sales", &json!({"amount_minor": 800, "method": "scan"}), "scan-2").await;
    assert_eq!(awaiting.status, 202, "{}", awaiting.body);
    hand.write_all(format!("{GOOD_CODE}\r\n").as_bytes()).unwrap();
    let sale = until("the scanned sale", async || {
        let sales = shop.till.get("/api/sales").await["items"].clone();
        sales.as_array().unwrap().iter().find(|sale| sale["amount_minor"] == 800).cloned()
    })
    .await;
    shop.till.sees(number(&sale), "state", "succeeded").await;
    assert_eq!(shop.till.get("/api/sales").await["items"].as_array().unwrap().len(), 2);
}
