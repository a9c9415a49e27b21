//! The file of a clearing day: Base64 of a zlib stream of a ZIP of the lists ZM and ZME, in fixed columns and GBK.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

use super::{
    book::{Book, State, Transaction},
    moment::{clearing_day, digits14},
};
use crate::stage::Fault;

const MERCHANT_FEE_BASIS_POINTS: i64 = 38;
const LEVEL: u8 = 6;
/// 二级商户简称, two bytes a character: columns are counted in bytes.
const SHOP_GBK: &[u8] = b"\xc3\xc5\xb5\xea";

/// `fileContent` of a day (`yyyyMMdd`), and its name.
pub fn file(book: &Book, merchant_id: &str, day: &str, fault: Option<Fault>) -> (String, String) {
    let of_day =
        |transaction: &&Transaction| transaction.state == State::Done && clearing_day(transaction.at_ms) == day;
    let mut lines: Vec<Vec<u8>> = book.all().filter(of_day).map(|transaction| line(transaction, merchant_id)).collect();
    match fault {
        Some(Fault::MissingRow) => {
            lines.pop();
        }
        Some(Fault::ExtraRow) => lines.push(line(&stray(day), merchant_id)),
        Some(Fault::GarbledRow) => {
            if let Some(amount) = lines.first_mut().and_then(|line| line.get_mut(66..78)) {
                amount.copy_from_slice(b"0000000012.5");
            }
        }
        _ => {}
    }
    let short_day = day.get(2..).unwrap_or_default();
    let files = [
        (format!("INN{short_day}88ZM_{merchant_id}"), lines.concat()),
        (format!("INN{short_day}88ZME_{merchant_id}"), Vec::new()),
    ];
    let content = STANDARD.encode(compress_to_vec_zlib(&zip(&files), LEVEL));
    (format!("{merchant_id}_{day}.zip"), content)
}

fn line(transaction: &Transaction, merchant_id: &str) -> Vec<u8> {
    let Transaction { amount, at_ms, query_id, order_id, trace_no, txn_type, sub_type, .. } = transaction;
    let moment = digits14(*at_ms);
    let sent = moment.get(4..).unwrap_or_default();
    // Half a fen counts as one.
    let fee = (amount * MERCHANT_FEE_BASIS_POINTS + 5_000) / 10_000;
    let (code, fee_sign, net_sign) = if *txn_type == "01" { ("S22", 'D', 'C') } else { ("S30", 'C', 'D') };
    let (fee, net) = (format!("{fee_sign}{fee:012}"), format!("{net_sign}{:012}", amount - fee));
    let amount = format!("{amount:012}");
    let original = transaction.original.clone().unwrap_or_default();
    let columns: [(usize, &str); 16] = [
        (0, code),
        (1, "00010000"),
        (2, "00010000"),
        (3, trace_no),
        (4, sent),
        (5, "6216261000000000018"),
        (6, &amount),
        (7, "5411"),
        (8, "07"),
        (9, query_id),
        (11, order_id),
        (15, &fee),
        (19, txn_type),
        (20, sub_type),
        (27, merchant_id),
        (32, &net),
    ];
    let widths = [
        3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21, 15, 1, 15, 32,
        13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98,
    ];
    let mut line = Vec::new();
    for (index, width) in widths.into_iter().enumerate() {
        let value = match index {
            30 => SHOP_GBK,
            40 => original.as_bytes(),
            _ => columns.iter().find(|(at, _)| *at == index).map_or(b"".as_slice(), |(_, value)| value.as_bytes()),
        };
        line.extend_from_slice(value);
        line.resize(line.len() + width - value.len().min(width) + 1, b' ');
    }
    line.pop();
    line.extend_from_slice(b"\r\n");
    line
}

/// A sale of another system of the merchant's.
fn stray(day: &str) -> Transaction {
    let noon = super::moment::from_digits14(&format!("{day}120000")).unwrap_or_default();
    Transaction {
        order_id: "2019041023253034211".to_owned(),
        txn_time: digits14(noon),
        txn_type: "01",
        sub_type: "06",
        amount: 4_200,
        state: State::Done,
        query_id: format!("{}9999999", digits14(noon)),
        trace_no: "999999".to_owned(),
        at_ms: noon,
        dies_at_ms: i64::MAX,
        original: None,
        code: String::new(),
        times_taken: 1,
        given_back: 0,
    }
}

/// A ZIP archive of deflated files. Source: PKWARE APPNOTE 6.3.
fn zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, contents) in files {
        let packed = compress_to_vec(contents, LEVEL);
        let at = number(archive.len());
        // Version 2.0, no flags, deflated, 1 January 1980.
        let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 33, 0];
        common.extend(crc32(contents).to_le_bytes());
        common.extend([number(packed.len()), number(contents.len())].concat());
        common.extend([u16::try_from(name.len()).unwrap_or_default().to_le_bytes(), [0, 0]].concat());
        archive.extend([b"PK\x03\x04", common.as_slice(), name.as_bytes(), &packed].concat());
        directory.extend([b"PK\x01\x02\x14\x00", common.as_slice(), &[0; 10], &at, name.as_bytes()].concat());
    }
    let count = u16::try_from(files.len()).unwrap_or_default().to_le_bytes();
    let end =
        [b"PK\x05\x06\0\0\0\0", &count[..], &count, &number(directory.len()), &number(archive.len()), &[0, 0]].concat();
    [archive, directory, end].concat()
}

fn number(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or_default().to_le_bytes()
}

/// CRC-32 as ZIP has it (polynomial 0xEDB88320, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
