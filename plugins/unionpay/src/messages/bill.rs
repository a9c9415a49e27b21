//! The file of a clearing day: ZM (transactions) and ZME (adjustments, 差错), one fixed-width line each in GBK.
//!
//! Source: widths and names of the columns from 全渠道平台接入接口规范, part 3 (files), sections 6.1 and 6.2, as UnionPay's
//! demonstration programs carry them; that money columns begin with a letter, and the code S22 for sales, from readers of live files.

use saoma_channel_sdk::{BillKind, BillLine, BillPage, BillRow, Error, no_answer, not_sent, text};

use super::{
    archive,
    code::{Meaning, meaning},
    form::Message,
    moment::{near, year_and_month},
    number::{number, voided_number},
    read::words,
};

/// As many lines as the contract takes on a page.
const PAGE_LEN: usize = 5_000;
/// Bytes of each column of a ZM line up to the merchant's own number of the original; a space stands between two columns.
const WIDTHS: [usize; 41] = [
    3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13,
    13, 8, 32, 13, 13, 12, 2, 1, 32,
];
const TRACE_TIME: usize = 4;
const ACCOUNT: usize = 5;
const AMOUNT: usize = 6;
const QUERY_ID: usize = 9;
const ORDER_ID: usize = 11;
const FEE: usize = 15;
const TXN_TYPE: usize = 19;
const ORIGINAL_QUERY_ID: usize = 26;
/// Later than the others: files of before 2017 have it blank.
const ORIGINAL_ORDER_ID: usize = 40;
/// Where the account number stands in ZM and ZME lines alike.
const ACCOUNT_START: usize = 46;

/// The clearing day as the scheme wants it, `MMDD`, from `YYYY-MM-DD`.
///
/// # Errors
/// `not-sent` for what is no day.
pub fn settle_date(day: &str) -> Result<String, Error> {
    let (_, month) = year_and_month(day).ok_or_else(|| not_sent(format!("{day:?} is no day")))?;
    match day.split('-').nth(2) {
        Some(digits) if day.len() == 10 && digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(format!("{month:02}{digits}"))
        }
        _ => Err(not_sent(format!("{day:?} is no day"))),
    }
}

/// One page of a day's lines. A line that cannot be read is handed on without its account number: it costs itself alone.
///
/// # Errors
/// `no-answer` for a file that is not there (yet) or cannot be read.
pub fn read_bill(message: &Message, merchant_id: &str, day: &str, cursor: Option<&str>) -> Result<BillPage, Error> {
    if meaning(message.get("respCode")) != Meaning::Done {
        return Err(no_answer(words(message)));
    }
    let start: usize = match cursor {
        None => 0,
        Some(cursor) => cursor.parse().map_err(|_| no_answer(format!("{cursor:?} is no cursor of this channel")))?,
    };
    let (transactions, adjustments) = (format!("ZM_{merchant_id}"), format!("ZME_{merchant_id}"));
    let wanted = |name: &str| name.contains(&transactions) || name.contains(&adjustments);
    let mut files = archive::files(message.get("fileContent"), wanted).map_err(no_answer)?;
    if files.is_empty() {
        return Err(no_answer(format!("the archive {:?} has no list of transactions", message.get("fileName"))));
    }
    // The transactions first, so that the order is the same whatever the archive's.
    files.sort_by_key(|(name, _)| name.contains(&adjustments));
    let lines = files.iter().flat_map(|(name, contents)| {
        let is_transactions = name.contains(&transactions);
        lines(contents).map(move |line| (is_transactions, line))
    });
    let mut lines = lines.skip(start);
    let page: Vec<_> =
        lines.by_ref().take(PAGE_LEN).map(|(is_transactions, line)| bill_line(line, is_transactions, day)).collect();
    let next_cursor = lines.next().map(|_| (start + PAGE_LEN).to_string());
    Ok(BillPage { lines: page, next_cursor })
}

fn lines(contents: &[u8]) -> impl Iterator<Item = &[u8]> {
    // No second byte of a GBK character is a line feed.
    let lines = contents.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.trim_ascii().is_empty())
}

fn bill_line(line: &[u8], is_transaction: bool, day: &str) -> BillLine {
    let row = if is_transaction { bill_row(line, day) } else { None };
    row.map_or_else(|| BillLine::Unreadable(shown(line)), BillLine::Row)
}

fn bill_row(line: &[u8], day: &str) -> Option<BillRow> {
    let (year, month) = year_and_month(day)?;
    let column = |index| column(line, index);
    let order_id = column(ORDER_ID)?;
    let (kind, number, refund_number) = match column(TXN_TYPE)? {
        "01" => (BillKind::Payment, number(order_id), String::new()),
        "04" => (BillKind::Refund, refunded(line)?, number(order_id)),
        "31" => (BillKind::Reversal, voided_number(order_id), String::new()),
        "99" => (BillKind::Reversal, number(order_id), String::new()),
        _ => return None,
    };
    let amount = column(AMOUNT)?;
    let is_number = !amount.is_empty() && amount.bytes().all(|byte| byte.is_ascii_digit());
    let row = BillRow {
        kind,
        number,
        refund_number,
        case_number: String::new(),
        reference: column(QUERY_ID)?.to_owned(),
        amount_minor: amount.parse().ok().filter(|amount| is_number && *amount > 0)?,
        fee_minor: fee(column(FEE)?)?,
        currency: "CNY".to_owned(),
        at: near(column(TRACE_TIME)?, year, month)?,
    };
    let is_named = !order_id.is_empty() && !row.number.is_empty() && !row.reference.is_empty();
    (is_named && row.fee_minor <= row.amount_minor).then_some(row)
}

/// The number of the sale that a refund is of; the scheme's own if the line has no other.
fn refunded(line: &[u8]) -> Option<String> {
    match column(line, ORIGINAL_ORDER_ID) {
        Some(order_id) if !order_id.is_empty() => Some(number(order_id)),
        _ => column(line, ORIGINAL_QUERY_ID).map(str::to_owned),
    }
}

/// `D` and 12 digits: the merchant pays it; `C`: the merchant gets it back. Blank: none.
fn fee(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let (sign, digits) = text.split_at_checked(1)?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let fee: i64 = digits.parse().ok().filter(|_| is_number)?;
    match sign {
        "D" => Some(fee),
        "C" => Some(-fee),
        _ => None,
    }
}

fn column(line: &[u8], index: usize) -> Option<&str> {
    let start = WIDTHS.get(..index)?.iter().map(|width| width + 1).sum::<usize>();
    let bytes = line.get(start..start + WIDTHS.get(index)?)?;
    std::str::from_utf8(bytes).ok().map(str::trim)
}

/// A line for a person, the account number struck out.
fn shown(line: &[u8]) -> String {
    let mut line = line.to_vec();
    for byte in line.iter_mut().skip(ACCOUNT_START).take(WIDTHS[ACCOUNT]) {
        if byte.is_ascii_digit() {
            *byte = b'*';
        }
    }
    let words = text(&line, "text/plain; charset=gbk").unwrap_or_default();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use insta::assert_debug_snapshot;

    use super::*;

    const MERCHANT: &str = "777290058110048";
    const DAY: &str = "2024-01-01";

    /// A ZM line with these columns, the others blank.
    fn line(columns: &[(usize, &str)]) -> Vec<u8> {
        let mut line = Vec::new();
        for (index, width) in WIDTHS.iter().enumerate() {
            let value = columns.iter().find(|(at, _)| *at == index).map_or("", |(_, value)| value);
            line.extend_from_slice(format!("{value:width$} ").as_bytes());
        }
        // A shop's short name: Chinese, in two bytes a character. Behind it the line is blank.
        let shop = WIDTHS[..30].iter().map(|width| width + 1).sum::<usize>();
        line[shop..shop + 4].copy_from_slice(b"\xc3\xc5\xb5\xea");
        line.extend_from_slice(&[[b' '; 98].as_slice(), b"\r\n"].concat());
        line
    }

    fn sale(order_id: &str) -> Vec<u8> {
        line(&[
            (0, "S22"),
            (TRACE_TIME, "1231231500"),
            (ACCOUNT, "6216261000000000018"),
            (AMOUNT, "000000001250"),
            (QUERY_ID, "202312312315001234567"),
            (ORDER_ID, order_id),
            (FEE, "D000000000008"),
            (TXN_TYPE, "01"),
        ])
    }

    /// An archive of stored files, as far as a reader looks.
    fn archive(files: &[(&str, Vec<u8>)]) -> String {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for (name, contents) in files {
            let (at, len) = (u32::try_from(bytes.len()).unwrap(), u32::try_from(contents.len()).unwrap());
            let name_len = u16::try_from(name.len()).unwrap().to_le_bytes();
            let sizes = [0_u32.to_le_bytes(), len.to_le_bytes(), len.to_le_bytes()].concat();
            bytes.extend(
                [b"PK\x03\x04".as_slice(), &[0; 10], &sizes, &name_len, &[0; 2], name.as_bytes(), contents].concat(),
            );
            directory.extend(
                [b"PK\x01\x02".as_slice(), &[0; 12], &sizes, &name_len, &[0; 12], &at.to_le_bytes(), name.as_bytes()]
                    .concat(),
            );
        }
        let (count, at) = (u16::try_from(files.len()).unwrap().to_le_bytes(), u32::try_from(bytes.len()).unwrap());
        let len = u32::try_from(directory.len()).unwrap().to_le_bytes();
        bytes.extend(directory);
        bytes.extend([b"PK\x05\x06".as_slice(), &[0; 4], &count, &count, &len, &at.to_le_bytes(), &[0; 2]].concat());
        STANDARD.encode(miniz_oxide::deflate::compress_to_vec_zlib(&bytes, 6))
    }

    fn answer(files: &[(&str, Vec<u8>)]) -> Message {
        Message::default().with("respCode", "00").with("fileContent", archive(files))
    }

    #[test]
    fn a_day() {
        let (ours, void) = ("payaaaaaaaaaaaaaaaaaaaaaaaaaa", "vpayaaaaaaaaaaaaaaaaaaaaaaaaaa");
        let refund = [
            (TRACE_TIME, "0101120000"),
            (AMOUNT, "000000000005"),
            (QUERY_ID, "202401011200001234567"),
            (ORDER_ID, "rfdaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            (FEE, "C000000000001"),
            (TXN_TYPE, "04"),
            (ORIGINAL_QUERY_ID, "202312312315001234567"),
        ];
        let mut named = refund.to_vec();
        named.push((ORIGINAL_ORDER_ID, ours));
        let mut undone = refund;
        (undone[3], undone[5]) = ((ORDER_ID, void), (TXN_TYPE, "31"));
        let mut unknown = refund;
        unknown[5] = (TXN_TYPE, "77");
        let zm = [sale(ours), line(&named), line(&refund), line(&undone), sale("of-another-system"), line(&unknown)]
            .concat();
        let zme =
            [&b"E22 00010000    00010000    123456 0101120000 6216261000000000018 000000000100"[..], b"\n\n"].concat();
        let files = [
            ("INN24010188ZME_777290058110048", zme),
            ("INN24010188ZM_777290058110048", zm),
            ("INN24010188ZM_777290058110049", sale("of-another-merchant")),
            ("RNM2000240101_777290058110048.txt", b"sums".to_vec()),
        ];
        let page = read_bill(&answer(&files), MERCHANT, DAY, None).unwrap();
        assert_eq!(page.next_cursor, None);
        let told = |line: &BillLine| match line {
            BillLine::Row(row) => format!(
                "{:?} {} {} {} {} fee {} at {}",
                row.kind, row.number, row.refund_number, row.reference, row.amount_minor, row.fee_minor, row.at
            ),
            BillLine::Unreadable(text) => format!("? {text}"),
        };
        assert_debug_snapshot!(page.lines.iter().map(told).collect::<Vec<_>>());
    }

    #[test]
    fn a_broken_column_costs_its_line_alone() {
        let good = sale("payaaaaaaaaaaaaaaaaaaaaaaaaaa");
        for (index, value) in [
            (TRACE_TIME, "1331231500"),
            (AMOUNT, "0000000012.5"),
            (AMOUNT, "000000000000"),
            (AMOUNT, "+00000001250"),
            (QUERY_ID, ""),
            (ORDER_ID, ""),
            (FEE, "X000000000008"),
            (FEE, "D00000000000x"),
            (FEE, "D000000001251"),
            (TXN_TYPE, "1"),
        ] {
            let start = WIDTHS[..index].iter().map(|width| width + 1).sum::<usize>();
            let mut broken = good.clone();
            broken[start..start + WIDTHS[index]].copy_from_slice(format!("{value:0$}", WIDTHS[index]).as_bytes());
            let files = [("INN24010188ZM_777290058110048.txt", [broken, good.clone()].concat())];
            let lines = read_bill(&answer(&files), MERCHANT, DAY, None).unwrap().lines;
            assert!(
                matches!(lines.as_slice(), [BillLine::Unreadable(_), BillLine::Row(_)]),
                "{index} {value}: {lines:?}"
            );
        }
        let files = [("INN24010188ZM_777290058110048.txt", good[..200].to_vec())];
        let lines = read_bill(&answer(&files), MERCHANT, DAY, None).unwrap().lines;
        let [BillLine::Unreadable(text)] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(!text.contains("621626"), "{text}");
    }

    #[test]
    fn pages() {
        let contents = (0..PAGE_LEN + 1).flat_map(|n| sale(&format!("order{n:05}"))).collect::<Vec<_>>();
        let answer = answer(&[("INN24010188ZM_777290058110048", contents)]);
        let first = read_bill(&answer, MERCHANT, DAY, None).unwrap();
        assert_eq!((first.lines.len(), first.next_cursor.as_deref()), (PAGE_LEN, Some("5000")));
        let second = read_bill(&answer, MERCHANT, DAY, Some("5000")).unwrap();
        assert_eq!((second.lines.len(), second.next_cursor), (1, None));
        assert!(matches!(&second.lines[0], BillLine::Row(row) if row.number == "order05000"));
    }

    #[test]
    fn what_is_no_bill_is_no_answer() {
        for message in [
            Message::default().with("respCode", "98").with("respMsg", "文件不存在[9800000]"),
            Message::default().with("respCode", "00"),
            Message::default().with("respCode", "00").with("fileContent", "AAAA"),
            answer(&[("INN24010188ZM_777290058110049", sale("x"))]),
        ] {
            assert!(matches!(read_bill(&message, MERCHANT, DAY, None), Err(Error::NoAnswer(_))), "{message:?}");
        }
        let empty = answer(&[("INN24010188ZM_777290058110048", Vec::new())]);
        assert_eq!(read_bill(&empty, MERCHANT, DAY, None).unwrap().lines, []);
        assert!(read_bill(&empty, MERCHANT, DAY, Some("x")).is_err());
        assert_eq!(settle_date("2024-01-31").unwrap(), "0131");
        for day in ["", "2024-1-31", "2024-01", "2024-13-01", "20240131", "2024-01-3x"] {
            assert!(matches!(settle_date(day), Err(Error::NotSent(_))), "{day}");
        }
    }
}
