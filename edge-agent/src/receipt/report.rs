//! The report of a closed batch (结算单), in Chinese and English.

use saoma_protocol::{Money, journal::Stamp};

use super::{Align, Document, Element, Heading, Size, compose::Paper};
use crate::shift::{Closed, InDoubt, Line, MethodTotals, Shift};

/// The report of a batch; nothing for one that is open.
#[must_use]
pub fn report(heading: &Heading, shift: &Shift, is_copy: bool, printed_at: impl Into<Stamp>) -> Option<Document> {
    let closed = shift.closed.as_ref()?;
    let mut paper = Paper::new(heading);
    paper.centred("结算单 BATCH CLOSE", true, Size::Normal);
    if is_copy {
        paper.centred("*** 重印 COPY ***", true, Size::Normal);
    }
    paper.row("终端 Terminal", &heading.terminal_name);
    paper.row("批次号 Batch", &shift.batch.to_string());
    let cashier = match shift.cashier_number.as_str() {
        "" => shift.cashier.clone(),
        number => format!("{} ({number})", shift.cashier),
    };
    paper.row("收银员 Cashier", &cashier);
    paper.time("签到 Opened", shift.opened(), heading);
    paper.time("结算 Closed", closed.stamp(), heading);
    paper.rule();
    let totals = &closed.totals;
    // Shops without these do not ask for them.
    let of_some = [
        ("银行卡 Card", &totals.card),
        ("银行卡离线 Card, offline", &totals.stored),
        ("钱包离线码 Wallet, offline", &totals.offline),
    ];
    for (name, of) in [
        ("现金 Cash", &totals.cash),
        ("主扫 Shop's code", &totals.merchant_presented),
        ("被扫 Customer's code", &totals.customer_presented),
    ]
    .into_iter()
    .chain(of_some.into_iter().filter(|(_, of)| **of != MethodTotals::default()))
    {
        method(&mut paper, shift, name, of);
    }
    for (words, line) in [
        ("退款处理中 Under way", totals.under_way),
        ("别处退款 Given back elsewhere", totals.elsewhere),
        ("前批离线卡被拒 Declined of earlier batches", totals.declined),
    ] {
        if line.count > 0 {
            counted(&mut paper, shift, words, line);
        }
    }
    for InDoubt { counter, amount_minor, .. } in &closed.in_doubt {
        let money = Money::new(*amount_minor, shift.float.currency());
        paper.row(&format!("存疑 In doubt #{counter}"), &money.decimal());
    }
    paper.rule();
    drawer(&mut paper, shift, closed);
    paper.rule();
    if is_copy {
        paper.time("重印时间 Copied", printed_at.into(), heading);
    }
    paper.elements.push(Element::Feed { lines: 1 });
    paper.elements.push(Element::Text {
        text: "签名 Signature ________________".to_owned(),
        align: Align::Left,
        bold: false,
        size: Size::Normal,
    });
    Some(paper.end())
}

fn method(paper: &mut Paper, shift: &Shift, name: &str, of: &MethodTotals) {
    paper.elements.push(Element::Text { text: name.to_owned(), align: Align::Left, bold: true, size: Size::Normal });
    for (words, line) in [("消费 Sales", of.sales), ("退款 Refunds", of.refunds), ("撤销 Voids", of.voids)] {
        counted(paper, shift, words, line);
    }
}

fn counted(paper: &mut Paper, shift: &Shift, words: &str, line: Line) {
    let money = Money::new(line.minor, shift.float.currency());
    paper.row(&format!("{words} ×{}", line.count), &money.decimal());
}

fn drawer(paper: &mut Paper, shift: &Shift, closed: &Closed) {
    let money = |minor| Money::new(minor, shift.float.currency());
    let cash = closed.totals.cash;
    paper.row("备用金 Float", &shift.float.decimal());
    counted(paper, shift, "现金消费 Cash sales", cash.sales);
    // Both are sums of this drawer's cash that the close has proven to fit.
    let given_back = Line {
        count: cash.refunds.count + cash.voids.count,
        minor: cash.refunds.minor.saturating_add(cash.voids.minor),
    };
    counted(paper, shift, "现金退回 Given back", given_back);
    counted(paper, shift, "存入 Paid in", closed.totals.paid_in);
    counted(paper, shift, "取出 Paid out", closed.totals.paid_out);
    let bold =
        |left: &str, right: String| Element::Columns { left: left.to_owned(), right, bold: true, size: Size::Normal };
    let currency = shift.float.currency();
    paper.elements.push(bold("应有 EXPECTED", format!("{} {currency}", closed.expected.decimal())));
    paper.elements.push(bold("实点 COUNTED", format!("{} {currency}", closed.counted.decimal())));
    let difference = closed.over_short_minor();
    let words = match difference {
        0 => "相符 BALANCED",
        1.. => "长款 OVER",
        _ => "短款 SHORT",
    };
    paper.elements.push(bold(words, format!("{} {currency}", money(difference).decimal())));
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Currency, Millis, Sequence, journal::CoreTime};

    use super::*;
    use crate::{
        receipt::compose::described,
        sale::ReceiptState,
        shift::{Line, Totals},
    };

    const NOW: Millis = Millis(1_790_000_000_000);

    fn shift(counted_minor: i64) -> Shift {
        let line = |count, minor| Line { count, minor };
        let cny = |minor| Money::new(minor, Currency::CNY);
        let totals = Totals {
            cash: MethodTotals { sales: line(12, 34_550), refunds: line(1, 1_250), voids: line(1, 300) },
            merchant_presented: MethodTotals { sales: line(3, 5_400), refunds: line(0, 0), voids: line(0, 0) },
            customer_presented: MethodTotals { sales: line(41, 123_450), refunds: line(2, 2_000), voids: line(1, 990) },
            paid_in: line(1, 10_000),
            paid_out: line(2, 4_000),
            ..Totals::default()
        };
        let closed = Closed {
            at: NOW.plus(8 * 3_600_000),
            at_core: CoreTime::Unsaid,
            counted: cny(counted_minor),
            expected: cny(89_000),
            totals,
            in_doubt: Vec::new(),
            report: ReceiptState::Queued,
        };
        Shift {
            batch: Sequence(7),
            cashier: "李雷\u{1b}@".to_owned(),
            cashier_number: "07".to_owned(),
            cashier_id: None,
            float: cny(50_000),
            opened_at: NOW,
            opened_core: CoreTime::Unsaid,
            closed: Some(closed),
        }
    }

    fn heading() -> Heading {
        Heading {
            merchant_name: "扫码茶饮 Saoma Tea".to_owned(),
            store_name: "中山路店".to_owned(),
            terminal_name: "Till 1".to_owned(),
            utc_offset_minutes: 480,
        }
    }

    #[test]
    fn a_report_of_a_drawer_that_is_short() {
        insta::assert_snapshot!(described(&report(&heading(), &shift(88_900), false, NOW).unwrap()));
    }

    #[test]
    fn what_is_under_way_and_what_others_gave_back_is_named() {
        let mut shift = shift(89_000);
        let totals = &mut shift.closed.as_mut().unwrap().totals;
        totals.under_way = Line { count: 1, minor: 182 };
        totals.elsewhere = Line { count: 2, minor: 380 };
        totals.declined = Line { count: 1, minor: 700 };
        let why = "sale 17 is being sent".to_owned();
        shift.closed.as_mut().unwrap().in_doubt = vec![InDoubt { counter: Sequence(17), amount_minor: 1_250, why }];
        let text = described(&report(&heading(), &shift, false, NOW).unwrap());
        assert!(text.contains("退款处理中 Under way ×1 | 1.82"), "{text}");
        assert!(text.contains("别处退款 Given back elsewhere ×2 | 3.80"), "{text}");
        assert!(text.contains("Declined of earlier batches ×1 | 7.00"), "{text}");
        assert!(text.contains("存疑 In doubt #17 | 12.50"), "{text}");
    }

    #[test]
    fn a_copy_says_so_and_over_and_balanced_are_named() {
        let text = |counted_minor| described(&report(&heading(), &shift(counted_minor), true, NOW).unwrap());
        assert!(text(89_001).contains("长款 OVER | 0.01 CNY") && text(89_001).contains("重印 COPY"));
        assert!(text(89_000).contains("相符 BALANCED | 0.00 CNY"));
        assert_eq!(report(&heading(), &Shift { closed: None, ..shift(0) }, false, NOW), None);
    }
}
