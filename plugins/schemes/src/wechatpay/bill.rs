//! The trade bill of a day (`docs/merchant/products/bill-download/format-trade`): what was paid, given back and reversed on it.

use super::{
    APPID, Config, MCHID, SUB_MCHID,
    book::{Book, Kind, Order},
    moment::{self, DAY_MS},
    refusal::Refusal,
};
use crate::stage::Fault;

const HEADER: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";
const SUMS: &str = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";
/// Bills are kept so long.
const KEPT_DAYS: i64 = 90;
/// They are made until ten o'clock of the next day.
const READY_AFTER_MS: i64 = 10 * 3_600_000;
/// 0.60 percent.
const FEE_BASIS_POINTS: i64 = 60;

/// A row: positive money came in, negative went out.
struct Row<'a> {
    order: &'a Order,
    at: i64,
    state: &'static str,
    amount: i64,
    refund: (&'a str, &'a str),
}

/// The bill of a day, with a mark of its encoding in front.
pub(super) fn file(config: Config, book: &Book, day: &str, now: i64, fault: Option<Fault>) -> Result<Vec<u8>, Refusal> {
    let begin = begin_of(day, now)?;
    let mut rows = rows(book);
    rows.retain(|row| (begin..begin + DAY_MS).contains(&row.at));
    rows.sort_by_key(|row| row.at);
    if fault == Some(Fault::MissingRow) {
        rows.pop();
    }
    let mut lines: Vec<String> = rows.iter().map(|row| line(config, row)).collect();
    match (fault, lines.first().cloned()) {
        (Some(Fault::ExtraRow), Some(first)) => {
            let ours = &rows[0].order;
            let foreign = first.replace(&ours.number, "of_another_till").replace(&ours.transaction_id, &"9".repeat(28));
            lines.push(foreign);
        }
        (Some(Fault::GarbledRow), Some(first)) => lines.push(first.replace("`CNY,", "`")),
        _ => {}
    }
    if lines.is_empty() {
        return Err(Refusal::no_bill());
    }
    let sum = |of: fn(&Row<'_>) -> i64| rows.iter().map(of).sum::<i64>();
    let (paid, back) = (sum(|row| row.amount.max(0)), sum(|row| (-row.amount).max(0)));
    let sums = format!(
        "`{},`{},`{},`0.00,`{}000,`{},`{}",
        lines.len(),
        yuan(paid),
        yuan(back),
        yuan(sum(|row| fee(row.amount))),
        yuan(paid),
        yuan(back)
    );
    Ok(format!("\u{feff}{HEADER}\r\n{}\r\n{SUMS}\r\n{sums}\r\n", lines.join("\r\n")).into_bytes())
}

/// When the day began, if its bill is there and still kept.
pub(super) fn begin_of(day: &str, now: i64) -> Result<i64, Refusal> {
    let begin = moment::day(day).ok_or_else(|| Refusal::parameter("bill_date", "格式应为yyyy-MM-DD"))?;
    if begin > now || now - begin > KEPT_DAYS * DAY_MS {
        return Err(Refusal::invalid("仅支持三个月内的账单下载申请"));
    }
    if now < begin + DAY_MS + READY_AFTER_MS {
        return Err(Refusal::bill_in_the_making());
    }
    Ok(begin)
}

fn rows(book: &Book) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for order in book.orders().filter(|order| order.is_paid()) {
        rows.push(Row { order, at: order.paid_at, state: "SUCCESS", amount: order.total, refund: ("0", "0") });
        if order.revoked_at > 0 {
            rows.push(Row { order, at: order.revoked_at, state: "REVOKED", amount: -order.total, refund: ("0", "0") });
        }
        for refund in &order.refunds {
            let numbers = (refund.refund_id.as_str(), refund.number.as_str());
            rows.push(Row { order, at: refund.created_at, state: "REFUND", amount: -refund.amount, refund: numbers });
        }
    }
    rows
}

fn line(config: Config, row: &Row<'_>) -> String {
    let (paid, back) = (yuan(row.amount.max(0)), yuan((-row.amount).max(0)));
    let trade_type = match row.order.kind {
        Kind::Micropay => "MICROPAY",
        Kind::Native => "NATIVE",
        Kind::Jsapi => "JSAPI",
    };
    let refund_state = if row.state == "REFUND" { "SUCCESS" } else { "" };
    let fee = format!("{}000", yuan(fee(row.amount)));
    let sub_merchant = if config.is_partner { SUB_MCHID } else { "0" };
    let at = moment::in_bills(row.at);
    let cells = [
        &at,
        APPID,
        MCHID,
        sub_merchant,
        "",
        &row.order.transaction_id,
        &row.order.number,
        "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        trade_type,
        row.state,
        "OTHERS",
        "CNY",
        &paid,
        "0.00",
        row.refund.0,
        row.refund.1,
        &back,
        "0.00",
        "",
        refund_state,
        "茶, 大杯",
        "",
        &fee,
        "0.60%",
        &paid,
        &back,
        "",
    ];
    cells.map(|cell| format!("`{cell}")).join(",")
}

/// In fen, rounded half away from zero; what is given back brings its share of the fee back.
pub(super) fn fee(amount: i64) -> i64 {
    (amount.abs() * FEE_BASIS_POINTS + 5_000) / 10_000 * amount.signum()
}

pub(super) fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", fen.abs() / 100, fen.abs() % 100)
}
