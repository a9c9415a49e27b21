//! The trade bill of a day: a ZIP with two CSV files in GBK, the rows and their sums ("业务明细", "业务明细(汇总)").
//!
//! Lines that begin with `#` are for people. Columns are found by their names, since their order is nowhere promised. The ZIP is
//! unpacked within a limit, so that a small file cannot become a large one in memory.

use std::io::{Cursor, Read};

use csv::{ReaderBuilder, StringRecord};
use saoma_channel_sdk::{BillKind, BillLine, BillPage, BillRow, Error, is_garbled, no_answer, not_sent, text};
use zip::{ZipArchive, result::ZipError};

use super::{
    answer::{Answer, Outcome},
    beijing,
    payment::{CURRENCY, yuan},
    settings::Settings,
};

/// The contract's limit of a page.
const ROWS_MAX: usize = 5_000;
/// Longest unpacked file, in bytes: some 80,000 rows of 300 bytes. With the ZIP itself (8 MiB) and a page of rows it fits the 64 MiB
/// that the host gives a plugin.
const FILE_BYTES_MAX: u64 = 24 << 20;
/// Files in the ZIP; the scheme puts two.
const FILES_MAX: usize = 4;
/// The first column of the file with the rows, which the file with the sums has not.
const FIRST_COLUMN: &str = "支付宝交易号";
const GBK: &str = "text/csv; charset=GBK";
/// Bills are promised by nine in the morning and may be late. From noon on a day without a bill had no trades.
const LATE_AFTER_MS: i64 = 12 * 3_600_000;

/// Where the bill lies; `None` if the day has none and it is too late for it to come.
///
/// # Errors
/// `no-answer` if it may still come, and for all else that is no address; else as [`Answer::outcome`].
pub fn read_address(answer: &Answer, day: &str, now_ms: i64) -> Result<Option<String>, Error> {
    match answer.outcome()? {
        Outcome::Done if !answer.bill_download_url.is_empty() => Ok(Some(answer.bill_download_url.clone())),
        Outcome::Refused(code) if code.eq_ignore_ascii_case("isp.bill_not_exist") || code == "BILL_NOT_EXIST" => {
            match beijing::end_of(day) {
                Some(end) if now_ms >= end.saturating_add(LATE_AFTER_MS) => Ok(None),
                _ => Err(no_answer("there is no bill of this day yet")),
            }
        }
        _ => Err(no_answer(answer.words())),
    }
}

/// The address again, at the host that the settings name and by their scheme: Alipay gives `http://` addresses, which are good
/// over TLS as well.
///
/// # Errors
/// `no-answer` if it is at another host: what lies there is not the account's bill.
pub fn address(settings: &Settings, given: &str) -> Result<String, Error> {
    let after_scheme = |url: &str| url.split_once("://").map(|(_, rest)| rest.to_owned());
    let host = after_scheme(settings.bill_url.trim_end_matches('/')).unwrap_or_default();
    let path = after_scheme(given).and_then(|rest| rest.strip_prefix(&host).map(str::to_owned));
    match path {
        Some(path) if !host.is_empty() && path.starts_with('/') => {
            Ok(format!("{}{path}", settings.bill_url.trim_end_matches('/')))
        }
        _ => Err(no_answer(format!("the bill lies outside of {}", settings.bill_url))),
    }
}

/// A page of the bill in this ZIP; `cursor` is how many rows came before.
///
/// # Errors
/// `no-answer` for what is no bill; `not-sent` for a cursor that is none of ours.
pub fn read_page(zip: &[u8], cursor: Option<&str>) -> Result<BillPage, Error> {
    let before: usize = match cursor {
        Some(cursor) => cursor.parse().map_err(|_| not_sent("the cursor is none of this channel's"))?,
        None => 0,
    };
    let file = rows_file(zip)?;
    let mut lines = lines(&file);
    let head = lines.next().unwrap_or_default();
    let columns = Columns::of(&fields(&text(head, GBK)?).unwrap_or_default())?;
    let mut lines = lines.skip(before);
    let page = lines.by_ref().take(ROWS_MAX).map(|line| columns.line(line)).collect::<Result<Vec<_>, _>>()?;
    let next_cursor = lines.next().map(|_| (before + page.len()).to_string());
    Ok(BillPage { lines: page, next_cursor })
}

/// What is not for people.
fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = file.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"))
}

/// The file with the rows, known by its first column: the names of the files come in whatever encoding.
fn rows_file(zip: &[u8]) -> Result<Vec<u8>, Error> {
    let unreadable = |error: ZipError| no_answer(format!("the bill's ZIP cannot be read: {error}"));
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(unreadable)?;
    if archive.len() > FILES_MAX {
        return Err(no_answer("the bill's ZIP has too many files"));
    }
    let mut found = None;
    for idx in 0..archive.len() {
        let file = unpacked(archive.by_index(idx).map_err(unreadable)?)?;
        let has_rows = text(lines(&file).next().unwrap_or_default(), GBK)?.starts_with(FIRST_COLUMN);
        if has_rows && found.replace(file).is_some() {
            return Err(no_answer("the bill's ZIP has more than one file of rows"));
        }
    }
    found.ok_or_else(|| no_answer("the bill's ZIP has no file of rows"))
}

fn unpacked(file: impl Read) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    match file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > FILE_BYTES_MAX => Err(no_answer("the bill is larger than this channel unpacks")),
        Ok(_) => Ok(bytes),
        Err(error) => Err(no_answer(format!("the bill's ZIP cannot be unpacked: {error}"))),
    }
}

/// Where each column stands.
struct Columns {
    reference: usize,
    number: usize,
    kind: usize,
    at: usize,
    amount: usize,
    refund_number: usize,
    fee: usize,
    count: usize,
}

impl Columns {
    fn of(head: &[String]) -> Result<Self, Error> {
        // `订单金额（元）`, `订单金额(元)`: the unit is written both ways.
        let bare = |name: &str| name.split(['（', '(']).next().unwrap_or_default().trim().to_owned();
        let place = |wanted: &str| {
            let found = head.iter().position(|name| bare(name) == wanted);
            found.ok_or_else(|| no_answer(format!("the bill has no column {wanted}")))
        };
        Ok(Self {
            reference: place(FIRST_COLUMN)?,
            number: place("商户订单号")?,
            kind: place("业务类型")?,
            at: place("完成时间")?,
            amount: place("订单金额")?,
            refund_number: place("退款批次号/请求号")?,
            fee: place("服务费")?,
            count: head.len(),
        })
    }

    fn line(&self, line: &[u8]) -> Result<BillLine, Error> {
        let line = text(line, GBK)?;
        let row = fields(&line).and_then(|fields| self.row(&fields));
        Ok(row.map_or_else(|| BillLine::Unreadable(line.into_owned()), BillLine::Row))
    }

    /// `None` for a row that cannot be read whole.
    fn row(&self, fields: &[String]) -> Option<BillRow> {
        if fields.len() != self.count {
            return None;
        }
        let matched = [&fields[self.number], &fields[self.reference], &fields[self.refund_number]];
        if matched.into_iter().any(|field| is_garbled(field)) {
            return None;
        }
        let [number, reference, refund_number] = matched.map(Clone::clone);
        let amount = yuan(&fields[self.amount]).ok()?.minor;
        let (kind, refund_number) = match fields[self.kind].as_str() {
            "交易" if amount > 0 => (BillKind::Payment, String::new()),
            // Undone by a cancel: under the order's own number, or none.
            "退款" if amount < 0 && (refund_number.is_empty() || refund_number == number) => {
                (BillKind::Reversal, String::new())
            }
            "退款" if amount < 0 => (BillKind::Refund, refund_number),
            _ => return None,
        };
        Some(BillRow {
            kind,
            number,
            refund_number,
            case_number: String::new(),
            reference,
            amount_minor: amount.saturating_abs(),
            // Written as it moves the merchant's account: what was taken is below 0, what is given back above.
            fee_minor: -yuan(&fields[self.fee]).ok()?.minor,
            currency: CURRENCY.to_owned(),
            at: beijing::moment(&fields[self.at])?,
        })
    }
}

/// The fields of one line, without the tabs and spaces that keep numbers whole in spreadsheets.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
    let mut record = StringRecord::new();
    let is_there = reader.read_record(&mut record).ok()?;
    is_there.then(|| record.iter().map(|field| field.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use encoding_rs::GBK as CODEC;
    use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

    use super::*;

    const HEAD: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注";

    fn row(number: &str, kind: &str, amount: &str, refund_number: &str, fee: &str) -> String {
        format!(
            "2026112622001\t,{number}\t,{kind}\t,门店 \"大杯\",2026-11-26 10:00:00,2026-11-26 10:00:05,sto_1\t,,,,**佳(yan***@163.com)\t,{amount},{amount},0.00,0.00,0.00,0.00,0.00,,0.00,0.00,{refund_number}\t,{fee},0.00,"
        )
    }

    fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (idx, (name, bytes)) in files.iter().enumerate() {
            // One stored, one deflated.
            let method = if idx == 0 { CompressionMethod::Stored } else { CompressionMethod::Deflated };
            zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn bill(rows: &[String]) -> Vec<u8> {
        let text = format!(
            "#支付宝业务明细查询\r\n#账号：[20881021]\r\n#----业务明细列表----\r\n{HEAD}\r\n{}#----业务明细列表结束----\r\n#交易合计：1笔\r\n",
            rows.iter().map(|row| format!("{row}\r\n")).collect::<String>()
        );
        zipped(&[("sums_汇总.csv", b"x"), ("20881021_20261126_业务明细.csv", &CODEC.encode(&text).0)])
    }

    fn told(line: &BillLine) -> String {
        match line {
            BillLine::Row(row) => format!(
                "{:?} {} {:?} {} {} {}",
                row.kind, row.number, row.refund_number, row.amount_minor, row.fee_minor, row.at
            ),
            BillLine::Unreadable(_) => "unreadable".to_owned(),
        }
    }

    #[test]
    fn rows() {
        for (line, outcome) in [
            (row("pay_1", "交易", "12.50", "", "-0.08"), r#"BillKind::Payment pay_1 "" 1250 8 1795658405000"#),
            (row("pay_1", "退款", "-2.00", "rfd_1", "0.01"), r#"BillKind::Refund pay_1 "rfd_1" 200 -1 1795658405000"#),
            (row("pay_1", "退款", "-12.50", "pay_1", "0.08"), r#"BillKind::Reversal pay_1 "" 1250 -8 1795658405000"#),
            (row("pay_1", "退款", "-12.50", "", "0.00"), r#"BillKind::Reversal pay_1 "" 1250 0 1795658405000"#),
            (row("pay_1", "交易", "-12.50", "", "0.00"), "unreadable"),
            (row("pay_1", "交易", "12.505", "", "0.00"), "unreadable"),
            (row("pay_1", "交易", "12.50", "", "little"), "unreadable"),
            (row("pay_1", "转账", "12.50", "", "0.00"), "unreadable"),
            ("2026112622001,pay_1,交易".to_owned(), "unreadable"),
        ] {
            let page = read_page(&bill(&[line.clone(), row("pay_2", "交易", "1.00", "", "0.00")]), None).unwrap();
            assert_eq!((page.lines.len(), page.next_cursor), (2, None));
            assert_eq!(told(&page.lines[0]), outcome, "{line}");
            assert_ne!(told(&page.lines[1]), "unreadable", "a row that cannot be read costs itself alone");
        }
        assert_eq!(read_page(&bill(&[]), None).unwrap().lines, []);
    }

    /// GB18030 has letters of four bytes, which GBK proper has not: a customer's name may be written with them.
    #[test]
    fn letters_of_four_bytes() {
        let line = row("pay_1", "交易", "12.50", "", "-0.08").replace("佳", "㐀#");
        let mut text = CODEC.encode(&format!("{HEAD}\n{}\n", line.replace('㐀', ""))).0.into_owned();
        let place = text.iter().position(|byte| *byte == b'#').unwrap();
        // U+3400, from the table of GB 18030-2005.
        text.splice(place..=place, [0x81, 0x39, 0xee, 0x39]);
        let page = read_page(&zipped(&[("a.csv", &text)]), None).unwrap();
        assert_eq!(told(&page.lines[0]), r#"BillKind::Payment pay_1 "" 1250 8 1795658405000"#);
        assert!(super::text(&[0x81, 0x39, 0xee, 0x39], GBK).unwrap().contains('㐀'));
    }

    #[test]
    fn a_garbled_number_costs_its_row() {
        let mut text = CODEC.encode(&format!("{HEAD}\n{}\n", row("pay_#", "交易", "1.00", "", "0.00"))).0.into_owned();
        let place = text.iter().position(|byte| *byte == b'#').unwrap();
        text[place] = 0xff;
        let page = read_page(&zipped(&[("a.csv", &text)]), None).unwrap();
        assert_eq!(told(&page.lines[0]), "unreadable");
    }

    #[test]
    fn pages() {
        let rows: Vec<_> = (0..ROWS_MAX + 3).map(|n| row(&format!("pay_{n}"), "交易", "1.00", "", "0.00")).collect();
        let bill = bill(&rows);
        let first = read_page(&bill, None).unwrap();
        assert_eq!((first.lines.len(), first.next_cursor.as_deref()), (ROWS_MAX, Some("5000")));
        let second = read_page(&bill, first.next_cursor.as_deref()).unwrap();
        assert_eq!((second.lines.len(), second.next_cursor), (3, None));
        assert!(told(&second.lines[0]).contains("pay_5000 "), "{:?}", second.lines[0]);
        assert!(matches!(read_page(&bill, Some("x")), Err(Error::NotSent(_))));
    }

    #[test]
    fn what_is_no_bill() {
        let large = vec![b'0'; usize::try_from(FILE_BYTES_MAX).unwrap() + 1];
        let mut cut = bill(&[row("pay_1", "交易", "1.00", "", "0.00")]);
        cut.truncate(cut.len() / 2);
        let head = CODEC.encode(HEAD).0.into_owned();
        let other_columns = CODEC.encode("支付宝交易号,商户订单号\n").0.into_owned();
        for (why, zip) in [
            ("no ZIP", b"<html>".to_vec()),
            ("cut off", cut),
            ("no rows' file", zipped(&[("sums.csv", b"x")])),
            ("two of them", zipped(&[("a.csv", &head), ("b.csv", &head)])),
            ("too many files", zipped(&[("a", b""), ("b", b""), ("c", b""), ("d", b""), ("e.csv", &head)])),
            ("a bomb", zipped(&[("readme.txt", b"x"), ("a.csv", &large)])),
            ("no head", zipped(&[("a.csv", b"#\n")])),
            ("other columns", zipped(&[("a.csv", &other_columns)])),
        ] {
            assert!(matches!(read_page(&zip, None), Err(Error::NoAnswer(_))), "{why}");
        }
    }

    #[test]
    fn where_it_lies() {
        let settings: Settings = serde_json::from_str(
            r#"{"gateway_url":"https://a/g","app_id":"1","bill_url":"https://dwbillcenter.alipay.com/"}"#,
        )
        .unwrap();
        assert_eq!(
            address(&settings, "http://dwbillcenter.alipay.com/downloadBillFile.resource?fileId=1").as_deref(),
            Ok("https://dwbillcenter.alipay.com/downloadBillFile.resource?fileId=1")
        );
        for elsewhere in
            ["http://evil.example/x", "http://dwbillcenter.alipay.com.evil.example/x", "dwbillcenter.alipay.com/x", ""]
        {
            assert!(matches!(address(&settings, elsewhere), Err(Error::NoAnswer(_))), "{elsewhere}");
        }
        let missing =
            Answer { code: "40004".to_owned(), sub_code: "isp.bill_not_exist".to_owned(), ..Answer::default() };
        // 2023-11-15 ends at 1_700_064_000_000 in Beijing.
        let noon = 1_700_064_000_000 + LATE_AFTER_MS;
        assert_eq!(read_address(&missing, "2023-11-15", noon), Ok(None));
        assert!(matches!(read_address(&missing, "2023-11-15", noon - 1), Err(Error::NoAnswer(_))));
        assert!(matches!(read_address(&missing, "tomorrow", noon), Err(Error::NoAnswer(_))));
        let there = Answer { code: "10000".to_owned(), bill_download_url: "http://x/".to_owned(), ..Answer::default() };
        assert_eq!(read_address(&there, "2023-11-15", 0), Ok(Some("http://x/".to_owned())));
    }
}
