//! The one slip of a total that was paid in parts, in Chinese and English: the goods once, and each tender.

use saoma_protocol::journal::Stamp;

use super::{
    Document, Element, Heading, Size,
    compose::{Paper, lines, method, on_card, to_sign},
};
use crate::{
    sale::{Sale, Stage},
    split::{Whole, collected_minor},
};

/// The slip of a split as its parts stand.
#[must_use]
pub fn compose_split(heading: &Heading, whole: &Whole, is_copy: bool, printed_at: Stamp) -> Document {
    let split = &whole.split;
    let mut paper = Paper::new(heading);
    paper.centred("消费 SALE", true, Size::Normal);
    if is_copy {
        paper.centred("*** 重印 COPY ***", true, Size::Normal);
    }
    paper.row("终端 Terminal", &heading.terminal_name);
    paper.row("分次付款 Split", &split.number.to_string());
    if let Some(reference) = &split.reference {
        paper.row("桌号/单号 Order", reference.as_str());
    }
    paper.row("收银员 Cashier", &split.cashier);
    paper.time("时间 Time", split.began(), heading);
    paper.rule();
    lines(&mut paper, whole.goods(), split.total, None);
    paper.rule();
    for part in whole.parts.iter().filter(|part| part.was_captured()) {
        tender(&mut paper, whole, part);
    }
    paper.rule();
    if let Some(found_by) = whole.found_by() {
        let payment = found_by.kept.payment.to_string();
        paper.elements.push(Element::Qr { text: payment.clone() });
        paper.centred(&payment, false, Size::Normal);
    }
    if is_copy {
        paper.time("重印时间 Copied", printed_at, heading);
    }
    paper.centred("谢谢惠顾 Thank you", false, Size::Normal);
    paper.end()
}

/// One way in which a part was paid, and what became of it.
fn tender(paper: &mut Paper, whole: &Whole, part: &Sale) {
    let minor = part.kept.amount.minor();
    paper.row(&format!("{} #{}", method(part), part.kept.counter), &whole.money(minor).decimal());
    if let Some(reference) = part.view().and_then(|view| view.channel_reference.as_deref()) {
        paper.row("  渠道单号 Ref.", reference);
    }
    if let Stage::Cash { tendered_minor } = part.kept.stage
        && tendered_minor > minor
    {
        paper.row("  实收 Received", &whole.money(tendered_minor).decimal());
        paper.row("  找零 Change", &whole.money(tendered_minor - minor).decimal());
    }
    if let Some(card) = &part.kept.card {
        on_card(paper, card);
        to_sign(paper, card);
    }
    let back = minor - collected_minor(part);
    if back > 0 {
        paper.row("  已退 Refunded", &whole.money(-back).decimal());
    }
}
