//! Rows of cells as CSV (RFC 4180) and as XLSX (ECMA-376).
//!
//! CSV begins with a byte order mark: without it Excel reads a file of Chinese text in the machine's own encoding (GB18030)
//! and shows garbage; programs skip it. Text that people wrote and that a spreadsheet would take for a formula is led by an
//! apostrophe. Amounts are decimal text with the currency's digits.

use std::borrow::Cow;

use rust_xlsxwriter::{Format, Workbook, XlsxError};
use saoma_protocol::Money;

use super::problem::Problem;

/// U+FEFF in UTF-8.
pub const BOM: &[u8] = b"\xEF\xBB\xBF";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Head(&'static str),
    /// Our own words: names of accounts, ids, times.
    Code(String),
    /// Words that somebody else wrote.
    Text(String),
    Money(Money),
}

impl Cell {
    #[must_use]
    pub const fn head(word: &'static str) -> Self {
        Self::Head(word)
    }

    #[must_use]
    pub fn code(text: impl Into<String>) -> Self {
        Self::Code(text.into())
    }
}

/// The rows as CSV, without the mark that begins a file.
///
/// # Errors
/// `INTERNAL`: writing to memory does not fail.
pub fn csv(rows: &[Vec<Cell>]) -> Result<Vec<u8>, Problem> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        let fields = row.iter().map(|cell| match cell {
            Cell::Head(word) => Cow::Borrowed(*word),
            Cell::Code(text) => Cow::Borrowed(text.as_str()),
            Cell::Text(text) => guarded(text),
            Cell::Money(money) => Cow::Owned(money.decimal()),
        });
        let fields: Vec<Cow<'_, str>> = fields.collect();
        writer.write_record(fields.iter().map(|field| field.as_bytes())).map_err(|error| Problem::internal(&error))?;
    }
    writer.into_inner().map_err(|error| Problem::internal(error.error()))
}

/// What spreadsheets begin a formula with, also in full width, which input methods for Chinese write.
const FORMULA: &[char] = &['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

fn guarded(text: &str) -> Cow<'_, str> {
    if text.trim_start_matches(' ').starts_with(FORMULA) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// Digits that Excel keeps of a number; also what a 64-bit float holds of any decimal number.
const EXACT_DIGITS: u32 = 15;

/// The rows as a workbook of one sheet. An amount is a number where that is exact, else text.
///
/// # Errors
/// Of a row, or `INTERNAL`.
pub fn xlsx(name: &str, rows: impl Iterator<Item = Result<Vec<Cell>, Problem>>) -> Result<Vec<u8>, Problem> {
    let broken = |error: XlsxError| Problem::internal(&error);
    let mut workbook = Workbook::new();
    // Each row goes to a temporary file once the next begins: only the finished file is held.
    let sheet = workbook.add_worksheet_with_constant_memory().map_err(broken)?;
    sheet.set_name(name).map_err(broken)?;
    sheet.set_freeze_panes(1, 0).map_err(broken)?;
    let head = Format::new().set_bold();
    let decimals: Vec<Format> = ["0", "0.0", "0.00", "0.000"].map(|format| Format::new().set_num_format(format)).into();
    for (row, cells) in (0_u32..).zip(rows) {
        for (column, cell) in (0_u16..).zip(cells?) {
            match cell {
                Cell::Head(word) => sheet.write_string_with_format(row, column, word, &head),
                Cell::Code(text) | Cell::Text(text) if text.is_empty() => continue,
                Cell::Code(text) | Cell::Text(text) => sheet.write_string(row, column, text),
                Cell::Money(money) => {
                    match (exact(money), decimals.get(usize::from(money.currency().minor_digits()))) {
                        (Some(number), Some(format)) => sheet.write_number_with_format(row, column, number, format),
                        _ => sheet.write_string(row, column, money.decimal()),
                    }
                }
            }
            .map_err(broken)?;
        }
    }
    workbook.save_to_buffer().map_err(broken)
}

/// The amount as the nearest float, whose shortest decimal text is the amount's own as long as it has no more than 15
/// digits: that text is what the file holds.
fn exact(money: Money) -> Option<f64> {
    let few = money.minor().unsigned_abs() < 10_u64.pow(EXACT_DIGITS);
    few.then(|| money.decimal().parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use saoma_protocol::Currency;

    use super::*;

    fn money(minor: i64, code: &str) -> Cell {
        Cell::Money(Money::new(minor, code.parse().unwrap()))
    }

    #[test]
    fn csv_is_quoted_guarded_and_exact() {
        let rows = vec![
            vec![Cell::head("a"), Cell::head("b")],
            vec![Cell::Text("=1+1".to_owned()), money(-5, "CNY")],
            vec![Cell::Text("茶, \"hot\"".to_owned()), money(1_250, "JPY")],
            vec![Cell::Text("＝cmd".to_owned()), money(i64::MIN, "KWD")],
            vec![Cell::Text("  +49".to_owned()), money(i64::MAX, "CNY")],
            vec![Cell::code("-5"), Cell::code("")],
        ];
        let text = String::from_utf8(csv(&rows).unwrap()).unwrap();
        let expected = "a,b\r\n'=1+1,-0.05\r\n\"茶, \"\"hot\"\"\",1250\r\n'＝cmd,-9223372036854775.808\r\n'  +49,92233720368547758.07\r\n-5,\r\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_number_is_exact_or_text() {
        for minor in [0, 1, -1, 10, 29, 999_999_999_999_999, -999_999_999_999_999, 123_456_789_012_345] {
            let money = Money::new(minor, Currency::CNY);
            let shortest = format!("{:?}", exact(money).unwrap());
            let (ours, theirs) = (money.decimal(), shortest);
            let trim = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
            assert_eq!(trim(&ours), trim(&theirs));
        }
        assert_eq!(exact(Money::new(1_000_000_000_000_000, Currency::CNY)), None);
        assert_eq!(exact(Money::new(i64::MIN, Currency::CNY)), None);
    }
}
