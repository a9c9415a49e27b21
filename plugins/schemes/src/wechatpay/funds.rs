//! The fund bill of a day (`docs/merchant/products/bill-download/format-fundflow`): what moved in the basic account of who sells. The other
//! accounts hold nothing here, nor do a service provider's own.

use super::{
    bill::{begin_of, fee, yuan},
    book::Book,
    moment::{self, DAY_MS},
    refusal::Refusal,
};
use crate::stage::Fault;

const HEADER: &str = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号";
const SUMS: &str = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额";

/// A movement: positive money came in, negative went out.
struct Movement {
    at: i64,
    transaction_id: String,
    name: &'static str,
    kind: &'static str,
    amount: i64,
    voucher: String,
}

/// With these a file is longer than an ordinary answer may be, and shorter than a bill may.
const EXTRA_ROWS: usize = 30_000;

/// The bill of a day, with a mark of its encoding in front. `WrongAmount`: a fee is a fen more than the trade bill says. `ExtraRow`:
/// shares are split off, one after the other.
pub(super) fn file(
    book: &Book,
    day: &str,
    is_of_sales: bool,
    withdraws: bool,
    now: i64,
    fault: Option<Fault>,
) -> Result<Vec<u8>, Refusal> {
    let begin = begin_of(day, now)?;
    let mut movements = if is_of_sales { movements(book) } else { Vec::new() };
    movements.retain(|movement| (begin..begin + DAY_MS).contains(&movement.at));
    movements.sort_by_key(|movement| movement.at);
    let left: i64 = movements.iter().map(|movement| movement.amount).sum();
    if withdraws && left > 0 {
        let (transaction_id, voucher) = (format!("{:028}", begin / 1_000), format!("withdrawal{day}"));
        let (name, kind, at) = ("充值/提现", "提现", begin + DAY_MS - 1_000);
        movements.push(Movement { at, transaction_id, name, kind, amount: -left, voucher });
    }
    if fault == Some(Fault::WrongAmount)
        && let Some(fee) = movements.iter_mut().find(|movement| movement.kind == "扣除交易手续费")
    {
        fee.amount -= 1;
    }
    if movements.is_empty() {
        return Err(Refusal::no_bill());
    }
    if fault == Some(Fault::ExtraRow) {
        movements.extend((0..EXTRA_ROWS).map(|idx| Movement {
            at: begin + DAY_MS - 1_000,
            transaction_id: format!("{idx:028}"),
            name: "分账",
            kind: "分账",
            amount: -1,
            voucher: format!("share{idx:027}"),
        }));
    }
    let mut balance = 0;
    let mut lines: Vec<String> = Vec::new();
    for movement in &movements {
        balance += movement.amount;
        lines.push(line(movement, lines.len(), balance));
    }
    if fault == Some(Fault::GarbledRow)
        && let Some(first) = lines.first_mut()
    {
        *first = first.replace(",`system", "");
    }
    let (incomes, expenses): (Vec<i64>, Vec<i64>) =
        movements.iter().map(|movement| movement.amount).partition(|amount| *amount > 0);
    let (came, went) = (yuan(incomes.iter().sum()), yuan(-expenses.iter().sum::<i64>()));
    let sums = format!("`{}.0,`{}.0,`{came},`{}.0,`{went}", movements.len(), incomes.len(), expenses.len());
    Ok(format!("\u{feff}{HEADER}\r\n{}\r\n{SUMS}\r\n{sums}\r\n", lines.join("\r\n")).into_bytes())
}

fn movements(book: &Book) -> Vec<Movement> {
    let mut movements = Vec::new();
    let book_fee = |at, transaction_id: &str, amount: i64, voucher: &str| {
        let kind = if amount > 0 { "扣除交易手续费" } else { "退还交易手续费" };
        let fee = fee(amount);
        let (transaction_id, voucher) = (transaction_id.to_owned(), voucher.to_owned());
        (fee != 0).then_some(Movement { at, transaction_id, name: "交易", kind, amount: -fee, voucher })
    };
    for order in book.orders().filter(|order| order.is_paid()) {
        let moved = |at, name, amount, voucher: &str| Movement {
            at,
            transaction_id: order.transaction_id.clone(),
            name,
            kind: name,
            amount,
            voucher: voucher.to_owned(),
        };
        movements.push(moved(order.paid_at, "交易", order.total, &order.number));
        movements.extend(book_fee(order.paid_at, &order.transaction_id, order.total, &order.number));
        if order.revoked_at > 0 {
            movements.push(moved(order.revoked_at, "退款", -order.total, &order.number));
            movements.extend(book_fee(order.revoked_at, &order.transaction_id, -order.total, &order.number));
        }
        for refund in &order.refunds {
            movements.push(moved(refund.created_at, "退款", -refund.amount, &refund.number));
            movements.extend(book_fee(refund.created_at, &order.transaction_id, -refund.amount, &refund.number));
        }
    }
    movements
}

fn line(movement: &Movement, idx: usize, balance: i64) -> String {
    let way = if movement.amount > 0 { "收入" } else { "支出" };
    let cells = [
        moment::in_bills(movement.at),
        movement.transaction_id.clone(),
        format!("1900000001{idx:018}"),
        movement.name.to_owned(),
        movement.kind.to_owned(),
        way.to_owned(),
        yuan(movement.amount.abs()),
        yuan(balance),
        "system".to_owned(),
        "缺货, 退".to_owned(),
        movement.voucher.clone(),
    ];
    cells.map(|cell| format!("`{cell}")).join(",")
}
