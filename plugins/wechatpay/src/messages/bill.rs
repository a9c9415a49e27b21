//! The trade bill of a day: a comma-separated file in UTF-8, each cell of a row behind a backtick, two lines of sums at its end.
//!
//! The file comes without a signature; its SHA-1 stands in a signed answer. Columns are found by their names, since merchants of
//! before 2018 get the older set. Source: `docs/merchant/products/bill-download/format-trade`.

use std::{borrow::Cow, collections::BTreeMap};

use saoma_channel_sdk::{
    BillKind, BillLine, BillPage, BillRow, Error, from_decimal, is_garbled, no_answer, not_sent, text,
};
use serde::Deserialize;

use super::{moment, read::parsed, refusal::refusal};

/// What one page may hold by the contract.
pub(super) const PAGE_LINES_MAX: usize = 5_000;
/// How the line of the sums' names begins.
const SUMS: &str = "总交易单数";

#[derive(Deserialize)]
struct BillMessage {
    hash_type: String,
    hash_value: String,
    download_url: String,
}

/// Where a bill's file is, and what it must hash to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillFile {
    /// SHA-1 in hex.
    pub hash: String,
    pub url: String,
}

/// Where the bill is; `None` if there was no trade on that day.
///
/// # Errors
/// `not-sent` for a day that the scheme refuses or has no bill of yet, else `no-answer`.
pub fn read_bill(status: u16, body: &[u8]) -> Result<Option<BillFile>, Error> {
    if status != 200 {
        return no_trade(status, body).map(|()| None);
    }
    let BillMessage { hash_type, hash_value: hash, download_url: url } = parsed(body)?;
    match hash_type.as_str() {
        "SHA1" => Ok(Some(BillFile { hash, url })),
        other => Err(no_answer(format!("the bill's hash is a {other:?}, which is not known here"))),
    }
}

/// Whether there was nothing on that day for a bill to tell.
///
/// # Errors
/// As [`read_bill`].
pub(super) fn no_trade(status: u16, body: &[u8]) -> Result<(), Error> {
    let refusal = refusal(status, body)?;
    match (status, refusal.code.as_str()) {
        (400 | 404, "NOSTATEMENTEXIST") => Ok(()),
        (400, "STATEMENTCREATING" | "INVALIDREQUEST") => Err(not_sent(refusal.words)),
        _ => Err(refusal.into_error()),
    }
}

/// One page of the file. `cursor` is that of the page before.
///
/// # Errors
/// `no-answer` if the file is not the one that was named, if it is another than that of the pages before, or if it has no columns
/// that are known.
pub fn read_bill_file(file: &BillFile, status: u16, bytes: &[u8], cursor: Option<&str>) -> Result<BillPage, Error> {
    let text = opened(file, status, bytes)?;
    let hash = file.hash.to_ascii_lowercase();
    let first = cursor.map_or(Ok(0), |cursor| line_of(cursor, &hash))?;
    let mut lines = text.lines();
    let columns = Columns::of(lines.next().unwrap_or_default())?;
    let mut rows = rows(lines).skip(first);
    let page: Vec<BillLine> = rows.by_ref().take(PAGE_LINES_MAX).map(|line| columns.read(line)).collect();
    let next_cursor = rows.next().map(|_| format!("{}:{hash}", first + page.len()));
    Ok(BillPage { lines: page, next_cursor })
}

/// What the bill says was kept of each payment, in fen, by its order number.
///
/// # Errors
/// As [`read_bill_file`].
pub fn read_fees(file: &BillFile, status: u16, bytes: &[u8]) -> Result<BTreeMap<String, i64>, Error> {
    let text = opened(file, status, bytes)?;
    let mut lines = text.lines();
    let columns = Columns::of(lines.next().unwrap_or_default())?;
    let payments = rows(lines).filter_map(|line| columns.row(line)).filter(|row| matches!(row.kind, BillKind::Payment));
    Ok(payments.map(|row| (row.number, row.fee_minor)).collect())
}

/// The text of a file, if it is the one that was named.
fn opened<'a>(file: &BillFile, status: u16, bytes: &'a [u8]) -> Result<Cow<'a, str>, Error> {
    check_file(file, status, bytes)?;
    text(bytes, "")
}

/// Whether a file is the one that was named.
///
/// # Errors
/// `no-answer`.
pub fn check_file(file: &BillFile, status: u16, bytes: &[u8]) -> Result<(), Error> {
    let hash = sha1_smol::Sha1::from(bytes).digest().to_string();
    if status != 200 || !hash.eq_ignore_ascii_case(&file.hash) {
        return Err(no_answer(format!("status {status}: the bill's file does not hash to what was signed")));
    }
    Ok(())
}

fn rows<'a>(lines: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    lines.take_while(|line| !line.starts_with(SUMS)).filter(|line| !line.is_empty())
}

/// Cursors say from which row on, and of which file: a bill that is made anew between two pages is not mixed with the old one.
fn line_of(cursor: &str, hash: &str) -> Result<usize, Error> {
    match cursor.split_once(':') {
        Some((line, of)) if of == hash => line.parse().map_err(|_| no_answer("the cursor is none of ours")),
        _ => Err(no_answer("the bill has changed since its first page")),
    }
}

/// Where the columns are.
struct Columns {
    n: usize,
    at: usize,
    reference: usize,
    number: usize,
    state: usize,
    currency: usize,
    refund_reference: usize,
    refund_number: usize,
    fee: usize,
    /// What the order was about: with coupons that the merchant gave, which the bill's other sum leaves out.
    amount: usize,
    /// What was asked to be given back, likewise.
    refunded: usize,
}

impl Columns {
    fn of(header: &str) -> Result<Self, Error> {
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        let find = |wanted: &[&str]| {
            let found = wanted.iter().find_map(|wanted| names.iter().position(|name| name == wanted));
            found.ok_or_else(|| no_answer(format!("the bill has no column {:?}", wanted.join("/"))))
        };
        Ok(Self {
            n: names.len(),
            at: find(&["交易时间"])?,
            reference: find(&["微信订单号"])?,
            number: find(&["商户订单号"])?,
            state: find(&["交易状态"])?,
            currency: find(&["货币种类"])?,
            refund_reference: find(&["微信退款单号"])?,
            refund_number: find(&["商户退款单号"])?,
            fee: find(&["手续费"])?,
            amount: find(&["订单金额", "总金额"])?,
            refunded: find(&["申请退款金额", "退款金额"])?,
        })
    }

    /// A row that cannot be read costs itself alone.
    fn read(&self, line: &str) -> BillLine {
        self.row(line).map_or_else(|| BillLine::Unreadable(line.to_owned()), BillLine::Row)
    }

    fn row(&self, line: &str) -> Option<BillRow> {
        let cells: Vec<&str> = line.strip_prefix('`')?.split(",`").collect();
        if cells.len() != self.n {
            return None;
        }
        let cell = |column: usize| cells.get(column).map(|cell| cell.trim()).filter(|cell| !is_garbled(cell));
        let currency = cell(self.currency)?;
        let (order, refunded) = (fen(cell(self.amount)?, currency)?, fen(cell(self.refunded)?, currency)?);
        let (kind, refund_number, reference, amount_minor) = match cell(self.state)? {
            "SUCCESS" => (BillKind::Payment, "", cell(self.reference)?, order),
            "REFUND" => (BillKind::Refund, cell(self.refund_number)?, cell(self.refund_reference)?, refunded),
            // Both sums are of one order undone whole; the documents do not say in which of them it stands.
            "REVOKED" => (BillKind::Reversal, "", cell(self.reference)?, if refunded > 0 { refunded } else { order }),
            _ => return None,
        };
        Some(BillRow {
            kind,
            number: cell(self.number)?.to_owned(),
            refund_number: refund_number.to_owned(),
            case_number: String::new(),
            reference: reference.to_owned(),
            amount_minor,
            fee_minor: fen(cell(self.fee)?, currency)?,
            currency: currency.to_owned(),
            at: moment::from_bill(cell(self.at)?)?,
        })
    }
}

/// An amount in yuan as whole fen. Fees have five decimals, of which those behind the fen are zeros.
pub(super) fn fen(yuan: &str, currency: &str) -> Option<i64> {
    let whole_fen = match yuan.split_once('.') {
        Some((_, decimals)) if decimals.len() > 2 => {
            let (kept, behind) = yuan.split_at_checked(yuan.len() - decimals.len() + 2)?;
            behind.bytes().all(|digit| digit == b'0').then_some(kept)?
        }
        _ => yuan,
    };
    from_decimal(whole_fen, currency).ok().map(|money| money.minor)
}

#[cfg(test)]
mod tests {
    use super::{
        super::refusal::samples::{kind, refused},
        *,
    };

    const HEADER: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";
    const OLD_HEADER: &str = "交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,总金额,代金券或立减优惠金额,微信退款单号,商户退款单号,退款金额,代金券或立减优惠退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率";

    fn paid(number: &str) -> String {
        format!(
            "`2023-11-15 06:15:20,`wx8,`1900000001,`0,`,`4200000001,`{number},`oUpF,`MICROPAY,`SUCCESS,`OTHERS,`CNY,`12.40,`0.10,`0,`0,`0.00,`0.00,`,`,`茶, 大杯,`,`0.08000,`0.60%,`12.50,`0.00,`"
        )
    }

    fn page(header: &str, rows: &[String], cursor: Option<&str>) -> Result<BillPage, Error> {
        let text =
            format!("\u{feff}{header}\r\n{}\r\n{SUMS},应结订单总金额\r\n`{},`0.00\r\n", rows.join("\r\n"), rows.len());
        let hash = sha1_smol::Sha1::from(&text).digest().to_string().to_ascii_uppercase();
        read_bill_file(&BillFile { hash, url: String::new() }, 200, text.as_bytes(), cursor)
    }

    fn told(line: &BillLine) -> String {
        match line {
            BillLine::Row(row) => format!(
                "{} {} {} {} {} {} {}",
                format!("{:?}", row.kind).replace("BillKind::", ""),
                row.number,
                row.refund_number,
                row.reference,
                row.amount_minor,
                row.fee_minor,
                row.at
            ),
            BillLine::Unreadable(_) => "unreadable".to_owned(),
        }
    }

    #[test]
    fn rows() {
        let refund = "`2023-11-15 06:15:20,`wx8,`1900000001,`0,`,`4200000001,`pay_1,`oUpF,`MICROPAY,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`503,`rfd_1,`2.00,`0.00,`ORIGINAL,`SUCCESS,`茶,`,`-0.01000,`0.60%,`0.00,`2.10,`";
        let revoked = "`2023-11-15 06:15:20,`wx8,`1900000001,`0,`,`4200000001,`pay_1,`oUpF,`MICROPAY,`REVOKED,`OTHERS,`CNY,`0.00,`0.00,`504,`0,`12.50,`0.00,`,`,`茶,`,`-0.08000,`0.60%,`0.00,`12.50,`";
        for (line, expected) in [
            (paid("pay_1"), "Payment pay_1  4200000001 1250 8 1700000120000"),
            (refund.to_owned(), "Refund pay_1 rfd_1 503 210 -1 1700000120000"),
            (revoked.to_owned(), "Reversal pay_1  4200000001 1250 -8 1700000120000"),
            (paid("pay_1").replace("`SUCCESS", "`DREAMING"), "unreadable"),
            (paid("pay_1").replace("`12.50", "`12.505"), "unreadable"),
            (paid("pay_1").replace("`0.08000", "`0.08100"), "unreadable"),
            (paid("pay_1").replace("`12.50", "`1２.50"), "unreadable"),
            (paid("pay_1").replace("`CNY", "`"), "unreadable"),
            (paid("pay_1").replace("2023-11-15 06", "2023-11-15 26"), "unreadable"),
            (paid("pay_\u{fffd}"), "unreadable"),
            (paid("pay_1").replace(",`茶, 大杯", ""), "unreadable"),
            ("总".to_owned(), "unreadable"),
        ] {
            let lines = page(HEADER, &[line.clone(), paid("pay_9")], None).unwrap().lines;
            assert_eq!(told(&lines[0]), expected, "{line}");
            assert_eq!(told(&lines[1]), "Payment pay_9  4200000001 1250 8 1700000120000");
            assert_eq!(lines.len(), 2);
        }
        let old = "`2014-11-10 16:33:45,`wx2,`10000100,`0,`1000,`1001,`1415640626,`085e,`MICROPAY,`SUCCESS,`OTHERS,`CNY,`0.01,`0.0,`0,`0,`0,`0,`,`,`被扫支付测试,`订单额外描述,`0,`0.60%";
        let lines = page(OLD_HEADER, &[old.to_owned()], None).unwrap().lines;
        assert_eq!(told(&lines[0]), "Payment 1415640626  1001 1 0 1415608425000");
        assert!(page("交易时间,总金额", &[], None).is_err_and(|error| kind(&error) == "no-answer"));
    }

    #[test]
    fn pages() {
        let rows: Vec<String> = (0..PAGE_LINES_MAX + 2).map(|n| paid(&format!("pay_{n}"))).collect();
        let first = page(HEADER, &rows, None).unwrap();
        let cursor = first.next_cursor.expect("a second page");
        let second = page(HEADER, &rows, Some(&cursor)).unwrap();
        assert_eq!((first.lines.len(), second.lines.len(), second.next_cursor), (PAGE_LINES_MAX, 2, None));
        assert!(told(&second.lines[0]).starts_with("Payment pay_5000 "));
        assert!(page(HEADER, &rows[1..], Some(&cursor)).is_err(), "another file");
        assert!(page(HEADER, &rows[..PAGE_LINES_MAX], None).unwrap().next_cursor.is_none());
    }

    #[test]
    fn a_file_that_is_not_the_one_named_is_none() {
        let whole = paid("pay_1");
        let hash = sha1_smol::Sha1::from(&whole).digest().to_string();
        let file = BillFile { hash: hash.to_ascii_uppercase(), url: String::new() };
        assert_eq!(check_file(&file, 200, whole.as_bytes()), Ok(()));
        for (name, status, other) in [
            ("another sum", 200, whole.replace("12.50", "12.51")),
            ("cut off", 200, whole[..whole.len() - 1].to_owned()),
            ("a page of HTML", 200, "<html>502</html>".to_owned()),
            ("nothing", 200, String::new()),
            ("another status", 500, whole.clone()),
        ] {
            let told = check_file(&file, status, other.as_bytes()).map_err(|error| kind(&error));
            assert_eq!(told, Err("no-answer"), "{name}");
            assert!(read_bill_file(&file, status, other.as_bytes(), None).is_err(), "{name}");
        }
        let empty = BillFile { hash: "da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned(), url: String::new() };
        assert!(read_bill_file(&empty, 200, b"", None).is_err_and(|error| format!("{error:?}").contains("column")));
    }

    #[test]
    fn where_it_is() {
        let named = |hash_type: &str| {
            format!(r#"{{"hash_type":"{hash_type}","hash_value":"79bb","download_url":"https://x/f"}}"#).into_bytes()
        };
        assert!(read_bill(200, &named("SHA1")).is_ok_and(|file| file.is_some_and(|file| file.url == "https://x/f")));
        assert_eq!(read_bill(400, &refused("NO_STATEMENT_EXIST")), Ok(None));
        for (status, body, outcome) in [
            (200, named("MD5"), "no-answer"),
            (200, b"{}".to_vec(), "no-answer"),
            (400, refused("STATEMENT_CREATING"), "not-sent"),
            (400, refused("INVALID_REQUEST"), "not-sent"),
            (400, refused("PARAM_ERROR"), "not-sent"),
            (403, refused("NO_AUTH"), "not-sent"),
            (500, refused("SYSTEM_ERROR"), "no-answer"),
        ] {
            assert_eq!(read_bill(status, &body).map_err(|error| kind(&error)), Err(outcome), "{status}");
        }
    }
}
