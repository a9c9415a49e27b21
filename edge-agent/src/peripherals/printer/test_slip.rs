//! The slip of a printer's self-test: one of each thing that receipts are made of.

use crate::receipt::{Align, Document, Element, Size};

/// What a person should see, said by the self-test.
pub(super) const SEEN: &str = "a slip with a line in Chinese, a line in double size, an amount at the right edge and a QR code that \
                               reads SAOMA-TEST, cut at the end";

pub(super) fn test_slip() -> Document {
    let centred = |text: &str, bold, size| Element::Text { text: text.to_owned(), align: Align::Centre, bold, size };
    Document {
        elements: vec![
            centred("Saoma", true, Size::Double),
            centred("打印机自检 Printer test", false, Size::Normal),
            Element::Rule,
            Element::Columns {
                left: "合计 TOTAL".to_owned(),
                right: "0.00".to_owned(),
                bold: true,
                size: Size::Normal,
            },
            Element::Rule,
            Element::Qr { text: "SAOMA-TEST".to_owned() },
            Element::Feed { lines: 2 },
            Element::Cut,
        ],
    }
}
