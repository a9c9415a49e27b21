//! The fund bill of a day: what moved in one of the merchant's accounts at WeChat Pay, by payments and by all else.
//!
//! The contract's rows are of payments and refunds, and the trade bill has those. What the fund bill has besides (withdrawals,
//! transfers, shares split off, refunds that came back) is told to a person: one line for each kind of movement, since a shop that
//! pays its suppliers from there has thousands of a kind. And it is held against the trade bill: a payment whose fee was taken as
//! another sum is told as well. A movement may be booked on the day after its payment, so that only what stands in both is compared.
//!
//! Source: `docs/merchant/products/bill-download/format-fundflow`.

use std::collections::BTreeMap;

use saoma_channel_sdk::{BillLine, Error, is_garbled, text};

use super::{
    Mode, Settings,
    bill::{PAGE_LINES_MAX, fen},
    moment,
    refusal::refusal,
};

/// How the line of the sums' names begins.
const SUMS: &str = "资金流水总笔数";
const CURSOR: &str = "funds:";
/// 业务类型 of what the trade bill has too.
const OF_PAYMENTS: [&str; 4] = ["交易", FEE, "退款", "退还交易手续费"];
const FEE: &str = "扣除交易手续费";
/// So long after the end of its day a fund bill keeps the trade bill waiting. It should be there the next morning; and days are compared
/// for a week.
const AWAITED_MS: i64 = 3 * DAY_MS;
const DAY_MS: i64 = 86_400_000;

/// The merchant's accounts (`account_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FundAccount {
    Basic,
    Operation,
    /// Of merchants who pay fees from money of their own.
    Fees,
    /// What a service provider's merchant has pledged.
    Deposit,
}

impl FundAccount {
    const ALL: [Self; 4] = [Self::Basic, Self::Operation, Self::Fees, Self::Deposit];

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Basic => "BASIC",
            Self::Operation => "OPERATION",
            Self::Fees => "FEES",
            Self::Deposit => "DEPOSIT",
        }
    }

    /// Of the page that is this account's; the accounts come after the pages of the trade bill.
    #[must_use]
    pub fn cursor(self) -> String {
        format!("{CURSOR}{}", self.word())
    }

    #[must_use]
    pub fn of_cursor(cursor: &str) -> Option<Self> {
        let word = cursor.strip_prefix(CURSOR)?;
        Self::ALL.into_iter().find(|account| account.word() == word)
    }

    #[must_use]
    pub fn next(self, settings: &Settings) -> Option<Self> {
        Self::ALL.into_iter().skip_while(|account| *account != self).skip(1).find(|account| account.is_asked(settings))
    }

    /// Each merchant has the first; of the others only those that people named, since one that is not there is refused on every day.
    const fn is_asked(self, settings: &Settings) -> bool {
        match self {
            Self::Basic => true,
            Self::Operation => settings.fund_bills_operation,
            Self::Fees => settings.fund_bills_fees,
            Self::Deposit => settings.fund_bills_deposit && matches!(settings.mode, Mode::Partner),
        }
    }
}

/// What a fund bill says, as far as anybody needs it.
#[derive(Debug, Default)]
pub struct Funds {
    /// What was taken as the fee of each payment, in fen, by its order number.
    fees: BTreeMap<String, i64>,
    /// By 业务名称, 业务类型 and whether it came in.
    others: BTreeMap<(String, String, bool), Sum>,
    /// Rows that cannot be read.
    garbled: Vec<String>,
}

#[derive(Debug, Default)]
struct Sum {
    rows: u32,
    fen: i64,
    /// When the last of them was, and under which number.
    last: String,
}

/// What a person is told in place of a fund bill that does not come however often it is asked for: the trade bill counts all the same,
/// and waits for nobody.
#[must_use]
pub fn untold(account: FundAccount, why: &str) -> BillLine {
    let setting = match account {
        FundAccount::Basic => "fund_bills",
        FundAccount::Operation => "fund_bills_operation",
        FundAccount::Fees => "fund_bills_fees",
        FundAccount::Deposit => "fund_bills_deposit",
    };
    let account = account.word();
    BillLine::Unreadable(format!(
        "fund bill 资金账单 {account}: {why}: see the merchant console, or switch {setting} off"
    ))
}

/// The same of one that has not come for days, whatever keeps it; `None` while it may come in time. `day` is Beijing's, `now` in
/// milliseconds since 1970.
#[must_use]
pub fn overdue(account: FundAccount, day: &str, now: i64) -> Option<BillLine> {
    let began = moment::from_bill(&format!("{day} 00:00:00"))?;
    (now >= began + DAY_MS + AWAITED_MS).then(|| untold(account, "it has not come for three days"))
}

/// Why the scheme refuses this fund bill for good: no permission, no such account. `None` for a bill, for a day that has none, and for
/// what passes (not made yet, too many requests, the scheme's own errors).
#[must_use]
pub fn read_refused(status: u16, body: &[u8]) -> Option<String> {
    let refused = refusal(status, body).ok().filter(|_| (400..500).contains(&status) && status != 429)?;
    (!matches!(refused.code.as_str(), "NOSTATEMENTEXIST" | "STATEMENTCREATING")).then_some(refused.words)
}

/// A file without the columns is one row that cannot be read: fetched again it is the same.
///
/// # Errors
/// As [`text`].
pub fn read_funds(file: &[u8]) -> Result<Funds, Error> {
    let text = text(file, "")?;
    let mut lines = text.lines();
    let mut funds = Funds::default();
    let columns = match Columns::of(lines.next().unwrap_or_default()) {
        Ok(columns) => columns,
        Err(why) => {
            funds.garbled.push(why);
            return Ok(funds);
        }
    };
    for line in lines.take_while(|line| !line.starts_with(SUMS)).filter(|line| !line.is_empty()) {
        if columns.read(line, &mut funds).is_none() {
            funds.garbled.push(line.to_owned());
        }
    }
    Ok(funds)
}

impl Funds {
    /// Whether there is something to hold against the trade bill.
    #[must_use]
    pub fn has_fees(&self) -> bool {
        !self.fees.is_empty()
    }

    /// What a person is told. `trade_fees`: what the trade bill of the day says was kept of each payment.
    #[must_use]
    pub fn told(self, account: FundAccount, trade_fees: &BTreeMap<String, i64>) -> Vec<BillLine> {
        let of = format!("fund bill 资金账单 {}", account.word());
        let others = self.others.iter().map(|((name, kind, is_income), sum)| {
            let way = if *is_income { "in 收入" } else { "out 支出" };
            format!("{of}: {name} {kind}, {way} {} CNY, rows: {}, last {}", yuan(sum.fen), sum.rows, sum.last)
        });
        let fees = self.fees.iter().filter_map(|(number, fee)| {
            let told = trade_fees.get(number).filter(|told| *told != fee)?;
            Some(format!(
                "{of}: {} CNY were taken as the fee of {number}, the trade bill says {}",
                yuan(*fee),
                yuan(*told)
            ))
        });
        let garbled = self.garbled.iter().map(|line| format!("{of}: {line}"));
        let mut lines: Vec<String> = others.chain(fees).chain(garbled).collect();
        if lines.len() > PAGE_LINES_MAX {
            let left_out = lines.len() - (PAGE_LINES_MAX - 1);
            lines.truncate(PAGE_LINES_MAX - 1);
            lines.push(format!("{of}: and {left_out} more lines like these; see the merchant console"));
        }
        lines.into_iter().map(BillLine::Unreadable).collect()
    }
}

/// Where the columns are.
struct Columns {
    n: usize,
    at: usize,
    name: usize,
    kind: usize,
    way: usize,
    amount: usize,
    voucher: usize,
}

impl Columns {
    /// # Errors
    /// In words, which one is not there.
    fn of(header: &str) -> Result<Self, String> {
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        let find = |wanted: &str| {
            let found = names.iter().position(|name| name.starts_with(wanted));
            found.ok_or_else(|| format!("it has no column {wanted:?}"))
        };
        Ok(Self {
            n: names.len(),
            at: find("记账时间")?,
            name: find("业务名称")?,
            kind: find("业务类型")?,
            way: find("收支类型")?,
            // The documents write the brackets behind it in two ways.
            amount: find("收支金额")?,
            voucher: find("业务凭证号")?,
        })
    }

    fn read(&self, line: &str, funds: &mut Funds) -> Option<()> {
        let cells: Vec<&str> = line.strip_prefix('`')?.split(",`").collect();
        if cells.len() != self.n {
            return None;
        }
        let cell = |column: usize| cells.get(column).map(|cell| cell.trim()).filter(|cell| !is_garbled(cell));
        let (kind, voucher) = (cell(self.kind)?, cell(self.voucher)?);
        let amount = fen(cell(self.amount)?, "CNY").filter(|amount| *amount >= 0)?;
        let is_income = match cell(self.way)? {
            "收入" => true,
            "支出" => false,
            _ => return None,
        };
        if kind == FEE && !voucher.is_empty() {
            let fee = funds.fees.entry(voucher.to_owned()).or_default();
            *fee = fee.checked_add(if is_income { -amount } else { amount })?;
        } else if !OF_PAYMENTS.contains(&kind) {
            let sum = funds.others.entry((cell(self.name)?.to_owned(), kind.to_owned(), is_income)).or_default();
            sum.fen = sum.fen.checked_add(amount)?;
            sum.rows += 1;
            sum.last = format!("{} {voucher}", cell(self.at)?);
        }
        Some(())
    }
}

fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", fen.unsigned_abs() / 100, fen.unsigned_abs() % 100)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{build::samples::account, refusal::samples::refused},
        *,
    };

    const HEADER: &str = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号";

    fn moved(name: &str, kind: &str, way: &str, amount: &str, voucher: &str) -> String {
        format!("`2018-02-01 04:21:23,`5000,`1900,`{name},`{kind},`{way},`{amount},`0.17,`system,`缺货, 退,`{voucher}")
    }

    fn file(header: &str, rows: &[String]) -> String {
        format!(
            "\u{feff}{header}\r\n{}\r\n{SUMS},收入笔数,收入金额,支出笔数,支出金额\r\n`20.0,`17.0,`0.35,`3.0,`0.18\r\n",
            rows.join("\r\n")
        )
    }

    fn told(rows: &[String], fees: &[(&str, i64)]) -> Vec<String> {
        let fees = fees.iter().map(|(number, fee)| ((*number).to_owned(), *fee)).collect();
        let lines = read_funds(file(HEADER, rows).as_bytes()).unwrap().told(FundAccount::Basic, &fees);
        let words = |line| match line {
            BillLine::Unreadable(words) => words,
            BillLine::Row(row) => panic!("{row:?}"),
        };
        lines.into_iter().map(words).collect()
    }

    #[test]
    fn what_no_payment_is_about_is_told_once_for_each_kind() {
        let rows = [
            moved("交易", "交易", "收入", "12.50", "pay_1"),
            moved("交易", FEE, "支出", "0.08", "pay_1"),
            moved("退款", "退款", "支出", "0.02", "rfd_1"),
            moved("退款", "退还交易手续费", "收入", "0.01", "rfd_1"),
            moved("充值/提现", "提现", "支出", "1000.00", "w1"),
            moved("分账", "分账", "支出", "1.00", "s1"),
            moved("分账", "分账", "支出", "2.50", "s2"),
            moved("退款", "退款关闭", "收入", "0.02", "rfd_2"),
        ];
        assert_eq!(
            told(&rows, &[("pay_1", 8)]),
            [
                "fund bill 资金账单 BASIC: 充值/提现 提现, out 支出 1000.00 CNY, rows: 1, last 2018-02-01 04:21:23 w1",
                "fund bill 资金账单 BASIC: 分账 分账, out 支出 3.50 CNY, rows: 2, last 2018-02-01 04:21:23 s2",
                "fund bill 资金账单 BASIC: 退款 退款关闭, in 收入 0.02 CNY, rows: 1, last 2018-02-01 04:21:23 rfd_2",
            ]
        );
    }

    #[test]
    fn a_fee_is_held_against_the_trade_bill() {
        let fee = |amount: &str| [moved("交易", FEE, "支出", amount, "pay_1")];
        assert_eq!(told(&fee("0.08"), &[("pay_1", 8)]), [""; 0]);
        // Its payment is on another day's bill.
        assert_eq!(told(&fee("0.09"), &[("pay_2", 8)]), [""; 0]);
        assert_eq!(
            told(&fee("0.09"), &[("pay_1", 8)]),
            ["fund bill 资金账单 BASIC: 0.09 CNY were taken as the fee of pay_1, the trade bill says 0.08"]
        );
        // Taken, and taken back.
        let both = [fee("0.09"), [moved("交易", FEE, "收入", "0.01", "pay_1")]].concat();
        assert_eq!(told(&both, &[("pay_1", 8)]), [""; 0]);
    }

    #[test]
    fn a_row_that_cannot_be_read_costs_itself_alone() {
        let good = moved("充值/提现", "提现", "支出", "1.00", "w1");
        for (broken, from, to) in [
            ("the amount", "1.00", "1.0O"),
            ("a sum below nothing", "1.00", "-1.00"),
            ("the way", "支出", "?"),
            ("a cell too few", ",`system", ""),
            ("a cell too many", "system", "system,`"),
            ("no text", "提现", "\u{fffd}"),
            ("no mark", "`2018", "2018"),
        ] {
            let lines = told(&[good.replace(from, to), good.clone()], &[]);
            assert_eq!(lines.len(), 2, "{broken}: {lines:?}");
            assert!(lines[0].contains("1.00 CNY, rows: 1"), "{broken}: {lines:?}");
        }
    }

    #[test]
    fn what_is_refused_for_good_is_told_and_all_else_is_asked_for_again() {
        for (status, code) in
            [(403, "NO_AUTH"), (400, "INVALID_REQUEST"), (400, "PARAM_ERROR"), (404, "RESOURCE_NOT_EXISTS")]
        {
            assert_eq!(read_refused(status, &refused(code)), Some(format!("{code}: no")));
        }
        for (status, body) in [
            (400, refused("STATEMENT_CREATING")),
            (400, refused("NO_STATEMENT_EXIST")),
            (404, refused("NO_STATEMENT_EXIST")),
            (429, refused("FREQUENCY_LIMITED")),
            (500, refused("SYSTEM_ERROR")),
            (200, b"{}".to_vec()),
            (403, b"<html>".to_vec()),
        ] {
            assert_eq!(read_refused(status, &body), None, "{status}");
        }
        assert_eq!(
            untold(FundAccount::Fees, "NO_AUTH: no"),
            BillLine::Unreadable(
                "fund bill 资金账单 FEES: NO_AUTH: no: see the merchant console, or switch fund_bills_fees off"
                    .to_owned()
            )
        );
    }

    #[test]
    fn what_has_not_come_for_three_days_is_told() {
        let ends = moment::from_bill("2026-02-01 00:00:00").unwrap();
        let told = |day: &str, now: i64| overdue(FundAccount::Basic, day, now).is_some();
        assert_eq!(
            [ends, ends + 3 * DAY_MS - 1, ends + 3 * DAY_MS].map(|now| told("2026-01-31", now)),
            [false, false, true]
        );
        assert!(!told("31 January", i64::MAX));
    }

    #[test]
    fn columns_are_found_by_name() {
        let rows = [moved("充值/提现", "提现", "支出", "1.00", "w1")];
        let read = |header: &str| read_funds(file(header, &rows).as_bytes()).unwrap();
        assert_eq!(read(&HEADER.replace("(元)", "（元）")).others.len(), 1);
        let unknown = read(&HEADER.replace("收支金额", "金额"));
        assert_eq!((unknown.others.len(), unknown.garbled), (0, vec!["it has no column \"收支金额\"".to_owned()]));
    }

    #[test]
    fn an_account_after_the_other() {
        let asked = |mode: &str, of: [bool; 3]| {
            let plain = Settings::of(&account(mode)).unwrap();
            let [fund_bills_operation, fund_bills_fees, fund_bills_deposit] = of;
            let settings = Settings { fund_bills_operation, fund_bills_fees, fund_bills_deposit, ..plain };
            let (mut account, mut cursors) = (Some(FundAccount::Basic), Vec::new());
            while let Some(one) = account {
                assert_eq!(FundAccount::of_cursor(&one.cursor()), Some(one));
                cursors.push(one.cursor());
                account = one.next(&settings);
            }
            cursors
        };
        for (mode, of, expected) in [
            ("direct", [false; 3], &["funds:BASIC"][..]),
            ("direct", [false, true, false], &["funds:BASIC", "funds:FEES"]),
            ("direct", [true; 3], &["funds:BASIC", "funds:OPERATION", "funds:FEES"]),
            ("partner", [false, false, true], &["funds:BASIC", "funds:DEPOSIT"]),
            ("partner", [true; 3], &["funds:BASIC", "funds:OPERATION", "funds:FEES", "funds:DEPOSIT"]),
        ] {
            assert_eq!(asked(mode, of), expected, "{mode} {of:?}");
        }
        for other in ["", "funds:", "funds:basic", "5000:79bb"] {
            assert_eq!(FundAccount::of_cursor(other), None, "{other}");
        }
    }

    #[test]
    fn a_page_has_no_more_lines_than_the_contract_takes() {
        let rows: Vec<String> =
            (0..PAGE_LINES_MAX + 2).map(|n| moved("分账", &format!("kind {n}"), "支出", "0.01", "s")).collect();
        let lines = told(&rows, &[]);
        assert_eq!(lines.len(), PAGE_LINES_MAX);
        assert!(lines.last().is_some_and(|line| line.contains("and 3 more lines")), "{:?}", lines.last());
    }
}
