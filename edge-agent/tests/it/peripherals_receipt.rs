//! Whole receipts through the simulated printer: what is on the paper, and what is told when there is none.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

use saoma_edge::{
    peripherals::{
        Drawer, PeripheralError, PeripheralState, Printer, Rendering,
        drawer::AtPrinter,
        printer::{
            escpos::{Dialect, Encoding, QrBy},
            simulated::{self, Faults, Roll},
        },
    },
    receipt::{Align, Document, Element, Heading, Size, compose},
    sale::{Keyed, Sale, Slip, Tender, key},
};
use saoma_protocol::{Amount, Currency, Millis, PaymentId, Sequence, TenantId, TerminalId, api::Goods};

use crate::eyes;

const NOW: Millis = Millis(1_790_000_000_000);
const ROLL_58: Dialect = Dialect { width_dots: 384, encoding: Encoding::Gb18030, qr: QrBy::Printer };
const ROLL_80: Dialect = Dialect { width_dots: 576, ..ROLL_58 };

pub fn payment() -> PaymentId {
    PaymentId::for_sale(TenantId::from_bytes([1; 16]), TerminalId::from_bytes([2; 16]), Sequence(7))
}

pub fn heading() -> Heading {
    Heading {
        merchant_name: "扫码茶饮 Saoma Tea".to_owned(),
        store_name: "中山路店".to_owned(),
        terminal_name: "Till 1".to_owned(),
        utc_offset_minutes: 480,
    }
}

pub fn sale() -> Sale {
    let goods = |name: &str, quantity, price_minor| Goods::plain(name.to_owned(), quantity, price_minor);
    let keyed = Keyed {
        payment: payment(),
        counter: Sequence(7),
        amount: Amount::new(4_850, Currency::CNY).unwrap(),
        tender: Tender::Cash { tendered_minor: 5_000 },
        goods: vec![
            goods("奶茶 Milk tea", 2, 1_250),
            goods("一种名字很长的限定款杨枝甘露 Mango pomelo sago, large, less ice", 1, 2_350),
        ],
        split: None,
        quote: None,
        reference: None,
        cashier: "Li".to_owned(),
    };
    key(keyed, NOW).sale
}

fn receipt() -> Document {
    compose(&heading(), &sale(), Slip::Sale, NOW)
}

fn printed(document: &Document, dialect: Dialect) -> Rendering {
    let (mut printer, _) = simulated::printer(dialect);
    printer.print(document).unwrap();
    printer.rendering().unwrap()
}

#[test]
fn a_receipt_on_a_roll_of_58_mm() {
    insta::assert_snapshot!(printed(&receipt(), ROLL_58).text);
}

#[test]
fn a_receipt_on_a_roll_of_80_mm() {
    insta::assert_snapshot!(printed(&receipt(), ROLL_80).text);
}

#[test]
fn in_utf8_the_paper_says_the_same() {
    let utf8 = printed(&receipt(), Dialect { encoding: Encoding::Utf8, ..ROLL_58 }).text;
    // `×` alone has another width there, which moves the spaces around it.
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&utf8), words(&printed(&receipt(), ROLL_58).text));
}

/// The printer's own drawing of `GS ( k` and our raster, as the simulated printer puts them on paper.
#[test]
fn the_qr_code_on_the_picture_is_read_by_other_software() {
    for dialect in [ROLL_58, ROLL_80, Dialect { width_dots: 200, ..ROLL_58 }] {
        for qr in [QrBy::Printer, QrBy::Raster] {
            let png = printed(&receipt(), Dialect { qr, ..dialect }).png;
            assert_eq!(eyes::read(&png), payment().to_string(), "{dialect:?} {qr:?}");
        }
    }
}

#[test]
fn the_self_tests_slip_shows_what_it_says() {
    let (mut printer, _) = simulated::printer(ROLL_58);
    let seen = printer.self_test().unwrap();
    let Rendering { text, png } = printer.rendering().unwrap();
    assert!(seen.contains("SAOMA-TEST") && text.contains("打印机自检"), "{seen}: {text}");
    assert_eq!(eyes::read(&png), "SAOMA-TEST");
}

/// Black pixels of a picture, and its size.
fn black(png: &[u8]) -> (usize, u32, u32) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let black = pixels.iter().map(|byte| usize::try_from(byte.count_zeros()).unwrap()).sum();
    (black, info.width, info.height)
}

#[test]
fn the_picture_has_the_papers_size_and_the_glyphs_of_the_text() {
    let slip = |text: &str, bold, size| Document {
        elements: vec![Element::Text { text: text.to_owned(), align: Align::Left, bold, size }, Element::Cut],
    };
    let empty = black(&printed(&slip("", false, Size::Normal), ROLL_58).png);
    // 384 dots and two margins of 32, at two pixels a dot.
    assert_eq!((empty.0, empty.1), (0, (384 + 64) * 2));

    let normal = black(&printed(&slip("茶", false, Size::Normal), ROLL_58).png);
    let glyph = unifont::get_glyph('茶').unwrap();
    let dots = (0..16).flat_map(|x| (0..16).map(move |y| (x, y))).filter(|(x, y)| glyph.get_pixel(*x, *y)).count();
    assert_eq!(normal.0, dots * 9);
    assert_eq!(normal.2, empty.2);

    let double = black(&printed(&slip("茶", false, Size::Double), ROLL_58).png);
    assert_eq!(double.0, dots * 9 * 4);
    assert_eq!(double.2, empty.2 + (48 - 30) * 2);
    assert!(black(&printed(&slip("茶", true, Size::Normal), ROLL_58).png).0 > normal.0);
}

#[test]
fn a_new_slip_takes_the_place_of_the_last() {
    let (mut printer, _) = simulated::printer(ROLL_58);
    assert_eq!(printer.rendering(), None);
    printer.print(&receipt()).unwrap();
    let first = printer.rendering().unwrap();
    assert!(first.text.contains("48.50 CNY"));
    printer.self_test().unwrap();
    assert!(!printer.rendering().unwrap().text.contains("48.50 CNY"));
    printer.print(&receipt()).unwrap();
    assert_eq!(printer.rendering().unwrap(), first);
}

#[test]
fn a_printer_that_cannot_print_says_why_and_prints_nothing() {
    let well = Faults::default();
    let failed = PeripheralState::Failed;
    let table = [
        (well, None, PeripheralState::Ok, ""),
        (
            Faults { roll: Roll::NearlyUsedUp, ..well },
            None,
            PeripheralState::Warning,
            "the paper is nearly used up; have a new roll ready",
        ),
        (
            Faults { roll: Roll::Out, ..well },
            Some(PeripheralError::PaperOut),
            failed,
            "the printer is out of paper; put in a new roll",
        ),
        (
            Faults { cover_open: true, roll: Roll::Out, ..well },
            Some(PeripheralError::CoverOpen),
            failed,
            "the printer's cover is open; close it",
        ),
        (
            Faults { unplugged: true, ..well },
            Some(PeripheralError::Unreachable {
                device: "the simulated printer".to_owned(),
                why: "its cable is out".to_owned(),
            }),
            failed,
            "the simulated printer cannot be reached (its cable is out); check its cable and that it is switched on",
        ),
    ];
    for (faults, error, state, detail) in table {
        let (mut printer, hands) = simulated::printer(ROLL_58);
        hands.set(faults);
        assert_eq!(printer.print(&receipt()).err(), error, "{faults:?}");
        assert_eq!(printer.rendering().is_some(), error.is_none(), "{faults:?}");
        let health = printer.health();
        assert_eq!((health.state, health.detail.as_str()), (state, detail), "{faults:?}");

        hands.set(well);
        assert_eq!(printer.print(&receipt()), Ok(()), "{faults:?}");
        assert_eq!(printer.health().state, PeripheralState::Ok, "{faults:?}");
    }
}

#[test]
fn a_printer_that_never_told_its_status_is_believed_and_one_that_stopped_telling_is_not() {
    let silent = Faults { tells_nothing: true, ..Faults::default() };
    let (mut printer, hands) = simulated::printer(ROLL_58);
    hands.set(silent);
    assert_eq!(printer.print(&receipt()), Ok(()));
    assert_eq!(printer.health().state, PeripheralState::Ok);

    hands.set(Faults::default());
    assert_eq!(printer.print(&receipt()), Ok(()));
    hands.set(silent);
    let device = "the simulated printer".to_owned();
    assert_eq!(printer.print(&receipt()), Err(PeripheralError::Silent { device }));
    assert_eq!(printer.health().state, PeripheralState::Failed);
}

#[test]
fn the_drawer_opens_with_and_without_paper() {
    let (mut printer, hands) = simulated::printer(ROLL_58);
    let mut drawer = AtPrinter;
    drawer.open(&mut printer).unwrap();
    assert_eq!(hands.drawer_pulses(), 1);
    hands.set(Faults { roll: Roll::Out, ..Faults::default() });
    drawer.open(&mut printer).unwrap();
    assert_eq!(hands.drawer_pulses(), 2);
    hands.set(Faults { unplugged: true, ..Faults::default() });
    assert!(matches!(drawer.open(&mut printer), Err(PeripheralError::Unreachable { .. })));
    assert_eq!(hands.drawer_pulses(), 2);
}
