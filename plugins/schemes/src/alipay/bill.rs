//! The trade bill of a day: a ZIP with two CSV files in GBK, rows and sums.

use std::io::{Cursor, Write as _};

use encoding_rs::GBK;
use zip::{ZipWriter, result::ZipResult, write::SimpleFileOptions};

use super::{
    book::{Book, Trade},
    clock,
    gate::yuan,
    keys::SELLER_ID,
};
use crate::stage::Fault;

/// How long an address is good for.
pub const ADDRESS_MS_MAX: i64 = 30_000;
/// What Alipay keeps of a payment, in 1/10,000.
const FEE_BASIS_POINTS: i64 = 38;

const COLUMNS: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注";

/// An address that was handed out.
#[derive(Clone, Debug)]
pub struct Offer {
    pub day: String,
    pub fault: Option<Fault>,
    pub until: i64,
}

#[must_use]
pub fn has_rows(book: &Book, day: &str) -> bool {
    !rows(book, day).is_empty()
}

/// The whole file.
///
/// # Errors
/// If it cannot be packed.
pub fn zipped(book: &Book, day: &str, fault: Option<Fault>, now: i64) -> ZipResult<Vec<u8>> {
    let mut rows = rows(book, day);
    match fault {
        Some(Fault::MissingRow) => {
            rows.pop();
        }
        Some(Fault::ExtraRow) => {
            rows.push(row(["2088", "not_ours"], "交易", [&format!("{day} 12:00:00"); 2], 100, "", 0));
        }
        Some(Fault::GarbledRow) => {
            if let Some(last) = rows.last_mut() {
                *last = last.chars().filter(char::is_ascii).take(40).collect();
            }
        }
        _ => {}
    }
    let account = format!("#支付宝业务明细查询\r\n#账号：[{SELLER_ID}0156]\r\n#起始日期：[{day} 00:00:00]\r\n");
    let line = "#-----------------------------------------业务明细列表";
    let details = format!(
        "{account}{line}----------------------------------------\r\n{COLUMNS}\r\n{}{line}结束------------------------------------\r\n#导出时间：[{}]\r\n",
        rows.iter().map(|row| format!("{row}\r\n")).collect::<String>(),
        clock::second(now)
    );
    let sums = format!("{account}门店编号,门店名称,交易订单总笔数,退款订单总笔数\r\n,合计,{},0\r\n", rows.len());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let name = format!("{SELLER_ID}0156_{}_业务明细", day.replace('-', ""));
    for (name, text) in [(format!("{name}.csv"), details), (format!("{name}(汇总).csv"), sums)] {
        zip.start_file(name, SimpleFileOptions::default())?;
        zip.write_all(&GBK.encode(&text).0)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// The lines of a day, by the trades' numbers.
fn rows(book: &Book, day: &str) -> Vec<String> {
    book.trades().flat_map(|trade| of_trade(trade, day)).collect()
}

fn of_trade(trade: &Trade, day: &str) -> Vec<String> {
    let ids = [trade.trade_no.as_str(), trade.order.number.as_str()];
    let created = clock::second(trade.created_at);
    let fee = (trade.order.amount_minor * FEE_BASIS_POINTS + 5_000) / 10_000;
    let mut rows = Vec::new();
    if let Some(paid_at) = trade.paid_at.filter(|at| clock::day(*at) == day) {
        rows.push(row(ids, "交易", [&created, &clock::second(paid_at)], trade.order.amount_minor, "", -fee));
    }
    for refund in trade.refunds.iter().filter(|refund| refund.is_paid && clock::day(refund.at) == day) {
        // The fee goes back with the whole amount alone.
        let fee = if refund.amount_minor == trade.order.amount_minor { fee } else { 0 };
        let at = clock::second(refund.at);
        rows.push(row(ids, "退款", [&created, &at], -refund.amount_minor, &refund.number, fee));
    }
    rows
}

/// Tabs behind the numbers keep spreadsheets from rounding them.
fn row(ids: [&str; 2], kind: &str, times: [&str; 2], minor: i64, refund_number: &str, fee: i64) -> String {
    let ([reference, number], [created, done], amount) = (ids, times, yuan(minor));
    format!(
        "{reference}\t,{number}\t,{kind}\t,门店商品,{created},{done},,,,,**佳(yan***@163.com)\t,{amount},{amount},0.00,0.00,0.00,0.00,0.00,,0.00,0.00,{refund_number}\t,{},0.00,",
        yuan(fee)
    )
}
