//! The words on each slip, in Chinese and English: one paper serves both.

use saoma_protocol::{
    Amount, Millis, Money, RefundId,
    api::{CardEntry, Goods, PaymentState, Quoted},
    journal::{Method, Stamp},
    pricing::{self, TaxPart, Totals},
};
use time::{OffsetDateTime, UtcOffset, macros::format_description};

use super::{Align, Document, Element, Heading, Size};
use crate::sale::{CardShown, Sale, Slip, Stage};

/// The slip for a sale as it stands.
#[must_use]
pub fn compose(heading: &Heading, sale: &Sale, slip: Slip, printed_at: impl Into<Stamp>) -> Document {
    slip_of(heading, sale, slip, printed_at.into(), false)
}

/// The slip for a sale that was only played: it says so at both ends, so that no part of it passes for a receipt, and bears no
/// code and no number that finds anything.
#[must_use]
pub fn compose_training(heading: &Heading, sale: &Sale, slip: Slip, printed_at: Millis) -> Document {
    slip_of(heading, sale, slip, printed_at.into(), true)
}

const TRAINING: &str = "培训 TRAINING";

fn slip_of(heading: &Heading, sale: &Sale, slip: Slip, printed_at: Stamp, is_training: bool) -> Document {
    let mut paper = Paper::new(heading);
    if is_training {
        paper.centred(TRAINING, true, Size::Double);
    }
    match slip {
        Slip::Sale | Slip::Copy => paper.centred("消费 SALE", true, Size::Normal),
        Slip::Refund(refund) | Slip::RefundCopy(refund) => {
            let void = sale.refund(refund).is_some_and(|refund| refund.void);
            paper.centred(if void { "撤销 VOID" } else { "退款 REFUND" }, true, Size::Normal);
        }
    }
    let is_copy = matches!(slip, Slip::Copy | Slip::RefundCopy(_));
    if is_copy {
        paper.centred("*** 重印 COPY ***", true, Size::Normal);
    }
    paper.row("终端 Terminal", &heading.terminal_name);
    if sale.kept.elsewhere {
        paper.row("原机流水号 Other till's No.", &sale.kept.counter.to_string());
    } else {
        paper.row("流水号 No.", &sale.kept.counter.to_string());
    }
    if let Some(reference) = &sale.kept.reference {
        paper.row("桌号/单号 Order", reference.as_str());
    }
    if let Some(part) = &sale.kept.split {
        paper.row("分次付款 Split", &format!("{} - {} · {}", part.of, part.part, part.total.money().decimal()));
    }
    paper.row("收银员 Cashier", &sale.kept.cashier);
    paper.time("时间 Time", sale.kept.keyed(), heading);
    paper.row("方式 Paid by", method(sale));
    if let Some(card) = &sale.kept.card {
        on_card(&mut paper, card);
    }
    if let Some(view) = sale.view() {
        if let Some(reference) = &view.channel_reference {
            paper.row("渠道单号 Ref.", reference);
        }
        if view.paid_late {
            paper.row("", "迟到付款 PAID LATE");
        }
    }
    paper.rule();
    match slip {
        Slip::Sale | Slip::Copy => sold(&mut paper, sale),
        Slip::Refund(refund) | Slip::RefundCopy(refund) => given_back(&mut paper, sale, refund),
    }
    paper.rule();
    if !is_training {
        paper.elements.push(Element::Qr { text: sale.kept.payment.to_string() });
        paper.centred(&sale.kept.payment.to_string(), false, Size::Normal);
        if let Slip::Refund(refund) | Slip::RefundCopy(refund) = slip {
            paper.centred(&refund.to_string(), false, Size::Normal);
        }
    }
    if is_copy {
        paper.time("重印时间 Copied", printed_at, heading);
    }
    if is_training {
        paper.centred("没有付款，不是收据 No payment, no receipt", true, Size::Normal);
        paper.centred(TRAINING, true, Size::Double);
    } else {
        paper.centred("谢谢惠顾 Thank you", false, Size::Normal);
    }
    paper.end()
}

/// What EMV Book 4, section 11.4 asks for: the number but for its middle, and the chip's application.
pub(super) fn on_card(paper: &mut Paper, card: &CardShown) {
    paper.row("卡号 Card", &card.masked);
    paper.row("读卡 Entry", entry(card.entry));
    if !card.label.is_empty() {
        paper.row("应用 App", &card.label);
    }
    if !card.aid.is_empty() {
        paper.row("AID", &card.aid);
    }
}

/// The line that a holder signs on who is asked for no PIN.
pub(super) fn to_sign(paper: &mut Paper, card: &CardShown) {
    if card.wants_signature {
        paper.row("签名 Signature", "________________");
    }
}

const fn entry(entry: CardEntry) -> &'static str {
    match entry {
        CardEntry::Swiped => "刷卡 Swiped",
        CardEntry::Fallback => "降级刷卡 Fallback",
        CardEntry::Chip => "插卡 Chip",
        CardEntry::Contactless | CardEntry::ContactlessStripe => "挥卡 Contactless",
        CardEntry::Keyed => "手输 Keyed",
    }
}

/// What is sold, and what all of it costs: by the merchant's rules, if core has quoted that.
pub(super) fn lines(paper: &mut Paper, goods: &[Goods], total: Amount, quote: Option<&Quoted>) {
    let currency = total.currency();
    let money = |minor| Money::new(minor, currency).decimal();
    let sums = sums(goods);
    for goods in goods {
        let line = pricing::gross_minor(goods).map(money).unwrap_or_default();
        let much = match goods.weight_grams {
            Some(weight) => format!("{weight} × {}/kg", money(goods.price_minor)),
            None => format!("×{}", goods.quantity),
        };
        paper.row(&format!("{} {much}", goods.name), &line);
        if goods.discount_minor > 0 {
            paper.row("  折扣 Discount", &money(-goods.discount_minor));
        }
    }
    if let Some(totals) = &sums {
        if totals.sale_discount_minor > 0 {
            paper.row("小计 Subtotal", &money(totals.gross_minor - totals.discount_minor));
            paper.row("整单折扣 Discount on all", &money(-totals.sale_discount_minor));
        }
        // At another price than the lines' none of them is what it would be at that: below the sum is what is in it.
        let is_list = totals.total_minor == total.minor();
        for part in totals.taxes.iter().filter(|part| is_list && !part.tax.included) {
            paper
                .row(&format!("{} · {}", tax_words("加税 Plus", part), money(part.base_minor)), &money(part.tax_minor));
        }
    }
    if let Some(quote) = quote.filter(|quote| !quote.adjustments.is_empty()) {
        let has_more = sums.iter().flat_map(|totals| &totals.taxes).any(|part| !part.tax.included);
        let words = if has_more { "原价含税 List price with tax" } else { "原价 List price" };
        paper.row(words, &money(quote.asked_minor));
        for adjustment in &quote.adjustments {
            paper.row(&adjustment.name, &money(adjustment.minor));
        }
    }
    paper.elements.push(Element::Columns {
        left: "合计 TOTAL".to_owned(),
        right: format!("{} {currency}", total.money().decimal()),
        bold: true,
        size: Size::Double,
    });
    for part in sums.iter().flat_map(|totals| pricing::contained(totals, total.minor())) {
        paper.row(&format!("{} · {}", tax_words("含税 Incl.", &part), money(part.base_minor)), &money(part.tax_minor));
    }
}

fn sold(paper: &mut Paper, sale: &Sale) {
    let money = |minor| Money::new(minor, sale.kept.amount.currency()).decimal();
    lines(paper, &sale.kept.goods, sale.kept.amount, sale.kept.quote.as_ref());
    if let Stage::Cash { tendered_minor } = sale.kept.stage {
        paper.row("实收 Received", &money(tendered_minor));
        paper.row("找零 Change", &money(tendered_minor - sale.kept.amount.minor()));
    }
    if sale.is_forwarded() {
        paper.row("状态 State", "待银行答复 Bank answers later");
    } else if let Some(state) = sale.state().filter(|state| *state != PaymentState::Succeeded) {
        paper.row("状态 State", state_words(state));
    }
    if let Some(card) = &sale.kept.card {
        to_sign(paper, card);
    }
    if sale.refunded_minor() > 0 {
        paper.row("已退 Refunded", &money(sale.refunded_minor()));
    }
    for line in sale.kept.quote.iter().flat_map(|quote| &quote.receipt_lines) {
        paper.centred(line, false, Size::Normal);
    }
}

/// The sums of lines with discounts or taxes. What was keyed without a basket need not have a price.
fn sums(goods: &[Goods]) -> Option<Totals> {
    let is_of_basket = goods.iter().any(|line| !line.is_plain());
    is_of_basket.then(|| pricing::totals(goods).ok()).flatten()
}

/// `Incl. VAT 8.25%`.
fn tax_words(how: &str, part: &TaxPart) -> String {
    let (whole, hundredths) = (part.tax.basis_points / 100, part.tax.basis_points % 100);
    let fraction = if hundredths == 0 { String::new() } else { format!(".{hundredths:02}") };
    format!("{how} {} {whole}{}%", part.tax.name, fraction.trim_end_matches('0'))
}

fn given_back(paper: &mut Paper, sale: &Sale, refund: RefundId) {
    let currency = sale.kept.amount.currency();
    let money = |minor| Money::new(minor, currency).decimal();
    paper.row("原金额 Sale", &money(sale.kept.amount.minor()));
    let Some(refund) = sale.refund(refund) else { return };
    paper.elements.push(Element::Columns {
        left: "退回 RETURNED".to_owned(),
        right: format!("{} {currency}", money(refund.amount.minor())),
        bold: true,
        size: Size::Double,
    });
    if let Some(approver) = &refund.approved_by {
        paper.row("批准 Approved by", &approver.name);
    }
}

pub(super) fn method(sale: &Sale) -> &'static str {
    match sale.method() {
        _ if sale.kept.offline => "钱包离线码 Wallet, offline",
        _ if sale.kept.stored => "银行卡离线 Card, OFFLINE",
        None => "现金 Cash",
        Some(Method::MerchantPresented) => "主扫 Shop's code",
        Some(Method::CustomerPresented) => "被扫 Customer's code",
        Some(Method::Card) => "银行卡 Card",
    }
}

pub(super) const fn state_words(state: PaymentState) -> &'static str {
    match state {
        PaymentState::Succeeded => "成功 Paid",
        PaymentState::PartlyRefunded => "部分退款 Partly refunded",
        PaymentState::Refunded => "已退款 Refunded",
        PaymentState::Voided => "已撤销 Voided",
        PaymentState::Failed => "失败 Failed",
        PaymentState::Reversed => "已冲正 Reversed",
        PaymentState::Expired => "已过期 Expired",
        PaymentState::Cancelled => "已取消 Cancelled",
        PaymentState::Created
        | PaymentState::Presenting
        | PaymentState::Submitting
        | PaymentState::Pending
        | PaymentState::Unknown => "处理中 In progress",
    }
}

/// `2026-11-24 10:33:05`, in the shop's time.
fn moment(at: Millis, utc_offset_minutes: i32) -> String {
    let offset = UtcOffset::from_whole_seconds(utc_offset_minutes.saturating_mul(60)).unwrap_or(UtcOffset::UTC);
    let shape = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000))
        .ok()
        .and_then(|moment| moment.checked_to_offset(offset))
        .and_then(|moment| moment.format(&shape).ok())
        // A clock outside the calendar still gives something that can be read.
        .unwrap_or_else(|| at.0.to_string())
}

pub(super) struct Paper {
    pub(super) elements: Vec<Element>,
}

impl Paper {
    /// A slip that begins with the shop's name.
    pub(super) fn new(heading: &Heading) -> Self {
        let mut paper = Self { elements: Vec::new() };
        paper.centred(&heading.merchant_name, true, Size::Double);
        paper.centred(&heading.store_name, false, Size::Normal);
        paper.rule();
        paper
    }

    pub(super) fn end(mut self) -> Document {
        self.elements.extend([Element::Feed { lines: 2 }, Element::Cut]);
        Document { elements: self.elements }
    }

    pub(super) fn centred(&mut self, text: &str, bold: bool, size: Size) {
        self.elements.push(Element::Text { text: printable(text), align: Align::Centre, bold, size });
    }

    pub(super) fn row(&mut self, left: &str, right: &str) {
        let (left, right) = (printable(left), printable(right));
        self.elements.push(Element::Columns { left, right, bold: false, size: Size::Normal });
    }

    /// A moment: by core's clock, and in words that it is, where the machine's is wrong.
    pub(super) fn time(&mut self, left: &str, at: Stamp, heading: &Heading) {
        self.row(left, &moment(at.at(), heading.utc_offset_minutes));
        if at.is_machine_wrong() {
            self.row("按中心时间 By core", "本机钟不准 Till's is off");
        }
    }

    pub(super) fn rule(&mut self) {
        self.elements.push(Element::Rule);
    }
}

/// Without control characters: names come from people, and a printer obeys escape sequences.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// One line per element, as a person would describe it.
#[cfg(test)]
pub(super) fn described(document: &Document) -> String {
    let mut text = String::new();
    for element in &document.elements {
        let line = match element {
            Element::Text { text, bold, size, .. } => format!("{text}{}", marks(*bold, *size)),
            Element::Columns { left, right, bold, size } => format!("{left} | {right}{}", marks(*bold, *size)),
            Element::Rule => "----".to_owned(),
            Element::Qr { text } => format!("[QR {text}]"),
            Element::Feed { lines } => format!("[feed {lines}]"),
            Element::Cut => "[cut]".to_owned(),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
fn marks(bold: bool, size: Size) -> String {
    format!("{}{}", if bold { " *" } else { "" }, if size == Size::Double { " x2" } else { "" })
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Amount, Currency, PaymentId, Sequence, TenantId, TerminalId, api::GoodsTax};

    use super::*;
    use crate::sale::{Event, Keyed, Tender, decide, key};

    const NOW: Millis = Millis(1_790_000_000_000);

    fn heading() -> Heading {
        Heading {
            merchant_name: "扫码茶饮 Saoma Tea".to_owned(),
            store_name: "中山路店\u{1b}@".to_owned(),
            terminal_name: "Till 1".to_owned(),
            utc_offset_minutes: 480,
        }
    }

    fn cash_sale() -> Sale {
        let (tenant, terminal) = (TenantId::from_bytes([1; 16]), TerminalId::from_bytes([2; 16]));
        let keyed = Keyed {
            payment: PaymentId::for_sale(tenant, terminal, Sequence(7)),
            counter: Sequence(7),
            amount: Amount::new(1250, Currency::CNY).unwrap(),
            tender: Tender::Cash { tendered_minor: 2000 },
            goods: vec![Goods::plain("奶茶 Milk tea".to_owned(), 1, 1250)],
            reference: None,
            split: None,
            quote: None,
            cashier: "Li".to_owned(),
        };
        key(keyed, NOW).sale
    }

    #[test]
    fn a_cash_receipt() {
        insta::assert_snapshot!(described(&compose(&heading(), &cash_sale(), Slip::Sale, NOW)));
    }

    /// Cents that no discount and no tax divides evenly: the slip's own numbers must add up all the same.
    #[test]
    fn a_receipt_of_a_basket() {
        use saoma_protocol::{
            Grams,
            pricing::{Discount, Line, price},
        };
        let tax = |name: &str, basis_points, included| Some(GoodsTax { name: name.to_owned(), basis_points, included });
        let line = |name: &str, quantity, price_minor, discount, tax| Line {
            name: name.to_owned(),
            quantity,
            price_minor,
            weight_grams: None,
            discount,
            tax,
        };
        let apples = Line { weight_grams: Some(Grams(456)), ..line("苹果 Apples", 1, 1_280, None, None) };
        let lines = [
            line("茶叶 Tea", 3, 333, Some(Discount::BasisPoints(1_000)), tax("增值税 VAT", 1_300, true)),
            line("杯子 Cup", 1, 1_001, None, tax("增值税 VAT", 1_300, true)),
            line("啤酒 Beer", 2, 777, Some(Discount::Minor(54)), tax("酒税 Liquor", 825, false)),
            line("其他 Other", 1, 50, None, None),
            apples,
        ];
        let priced = price(&lines, Some(Discount::Minor(100))).unwrap();
        let mut sale = cash_sale();
        sale.kept.amount = Amount::new(priced.totals.total_minor, Currency::CNY).unwrap();
        sale.kept.goods = priced.goods;
        sale.kept.stage = Stage::Cash { tendered_minor: 5_000 };
        insta::assert_snapshot!(described(&compose(&heading(), &sale, Slip::Sale, NOW)));
    }

    /// The taxes are those in what was paid, whether or not prices contain them.
    #[test]
    fn a_receipt_of_a_quoted_price() {
        use saoma_protocol::{QuoteId, api::Adjustment};
        let tax = Some(GoodsTax { name: "增值税 VAT".to_owned(), basis_points: 600, included: true });
        let liquor = Some(GoodsTax { name: "酒税 Liquor".to_owned(), basis_points: 825, included: false });
        let beer = Goods { tax: liquor, ..Goods::plain("啤酒 Beer".to_owned(), 1, 400) };
        let mut sale = cash_sale();
        // 10.00, and 4.33 with the tax on it: a fifth off 14.33, and a bag.
        sale.kept.goods = vec![Goods { tax, ..Goods::plain("员工餐 Staff meal".to_owned(), 1, 1_000) }, beer];
        sale.kept.amount = Amount::new(1_147, Currency::CNY).unwrap();
        sale.kept.quote = Some(Quoted {
            id: QuoteId::from_bytes([9; 16]),
            asked_minor: 1_433,
            adjustments: [("Staff discount", -287), ("Bag\u{1b}@", 1)]
                .map(|(name, minor)| Adjustment { name: name.to_owned(), minor })
                .to_vec(),
            receipt_lines: vec!["You saved 1.99 CNY".to_owned(), "谢谢光临 Thank you".to_owned()],
            expires_at: NOW,
        });
        insta::assert_snapshot!(described(&compose(&heading(), &sale, Slip::Sale, NOW)));
    }

    /// 10.00 and 6 % on top are 10.60: a fifth less is 8.48, and the tax in that is 0.48.
    #[test]
    fn a_tax_on_top_of_prices_is_printed_as_what_of_it_is_paid() {
        use saoma_protocol::{QuoteId, api::Adjustment};
        let tax = Some(GoodsTax { name: "GST".to_owned(), basis_points: 600, included: false });
        let mut sale = cash_sale();
        sale.kept.goods = vec![Goods { tax, ..Goods::plain("Staff meal".to_owned(), 1, 1_000) }];
        let adjustment = |minor| Adjustment { name: "Staff discount".to_owned(), minor };
        let mut receipt_of = |paid_minor, adjustments| {
            sale.kept.amount = Amount::new(paid_minor, Currency::CNY).unwrap();
            let (id, receipt_lines, expires_at) = (QuoteId::from_bytes([9; 16]), Vec::new(), NOW);
            sale.kept.quote = Some(Quoted { id, asked_minor: 1_060, adjustments, receipt_lines, expires_at });
            described(&compose(&heading(), &sale, Slip::Sale, NOW))
        };
        let less = receipt_of(848, vec![adjustment(-212)]);
        for row in ["原价含税 List price with tax | 10.60", "Staff discount | -2.12", "含税 Incl. GST 6% · 8.48 | 0.48"]
        {
            assert!(less.contains(row), "{row} on\n{less}");
        }
        assert!(!less.contains("加税 Plus") && !less.contains("| 0.60"), "{less}");
        // As quoted without a reduction, and with what cancels out.
        for adjustments in [Vec::new(), vec![adjustment(-1), adjustment(1)]] {
            let listed = receipt_of(1_060, adjustments);
            assert!(listed.contains("加税 Plus GST 6% · 10.00 | 0.60") && !listed.contains("含税 Incl."), "{listed}");
        }
    }

    #[test]
    fn a_slip_of_training_says_so_at_both_ends_and_finds_nothing() {
        let refund = RefundId::from_bytes([3; 16]);
        let amount = Amount::new(500, Currency::CNY).unwrap();
        let event = Event::RefundPressed { refund, amount, cashier: "Li".to_owned() };
        let sale = decide(cash_sale(), event, NOW).unwrap().sale;
        for slip in [Slip::Sale, Slip::Copy, Slip::Refund(refund), Slip::RefundCopy(refund)] {
            let text = described(&compose_training(&heading(), &sale, slip, NOW));
            let says: Vec<bool> = text.lines().map(|line| line == "培训 TRAINING * x2").collect();
            let lines = says.len();
            assert!(says[..lines / 2].contains(&true) && says[lines / 2..].contains(&true), "{text}");
            assert!(text.contains("No payment, no receipt") && !text.contains("Thank you"), "{text}");
            for finds in ["[QR", "pay_", "rfd_"] {
                assert!(!text.contains(finds), "{text}");
            }
            assert!(!described(&compose(&heading(), &sale, slip, NOW)).contains("TRAINING"));
        }
    }

    /// The battery is dead: 1970 on the machine, and core was heard since it was switched on.
    #[test]
    fn where_the_machines_clock_is_wrong_a_slip_bears_cores_time_and_says_so() {
        use saoma_protocol::journal::{CoreTime, Stamp};
        let says = |machine: Millis, core: CoreTime| {
            let mut sale = cash_sale();
            (sale.kept.keyed_at, sale.kept.keyed_core) = (machine, core);
            let text = described(&compose(&heading(), &sale, Slip::Copy, Stamp { machine, core }));
            let times = text.lines().filter(|line| line.starts_with("时间 Time") || line.starts_with("重印时间"));
            let times: Vec<_> = times.map(|line| line.split(" | ").nth(1).unwrap().to_owned()).collect();
            (times, text.matches("按中心时间 By core | 本机钟不准").count())
        };
        let (right, wrong) = ("2026-09-21 22:13:20".to_owned(), "1970-01-01 08:00:05".to_owned());
        for (machine, core, time, said) in [
            (Millis(5_000), CoreTime::At(NOW), &right, 2),
            (NOW.plus(365 * 86_400_000), CoreTime::At(NOW), &right, 2),
            (NOW, CoreTime::At(NOW.plus(30_000)), &right, 0),
            (NOW, CoreTime::Unknown, &right, 0),
            (Millis(5_000), CoreTime::Unknown, &wrong, 0),
            (Millis(5_000), CoreTime::Unsaid, &wrong, 0),
        ] {
            assert_eq!(says(machine, core), (vec![time.clone(); 2], said), "{machine:?} {core:?}");
        }
    }

    #[test]
    fn each_slip_bears_the_tables_number() {
        let mut sale = cash_sale();
        sale.kept.reference = crate::sale::Reference::parse("包厢 3 🍜").unwrap();
        for slip in [Slip::Sale, Slip::Copy] {
            let text = described(&compose(&heading(), &sale, slip, NOW));
            assert!(text.contains("桌号/单号 Order | 包厢 3 🍜"), "{text}");
        }
    }

    #[test]
    fn a_slip_of_a_card_hides_its_middle_and_is_signed_where_the_card_wants_it() {
        let shown = CardShown {
            entry: CardEntry::Chip,
            masked: "622848*********0018".to_owned(),
            label: "UnionPay Debit".to_owned(),
            aid: "A000000333010101".to_owned(),
            wants_signature: false,
        };
        let mut sale = cash_sale();
        for signs in [false, true] {
            sale.kept.card = Some(CardShown { wants_signature: signs, ..shown.clone() });
            let text = described(&compose(&heading(), &sale, Slip::Sale, NOW));
            for line in
                ["卡号 Card | 622848*********0018", "应用 App | UnionPay Debit", "AID | A000000333010101", "插卡 Chip"]
            {
                assert!(text.contains(line), "{line}: {text}");
            }
            assert_eq!(text.contains("签名 Signature"), signs, "{text}");
        }
    }

    #[test]
    fn a_copy_after_a_refund_says_both() {
        let refund = RefundId::from_bytes([3; 16]);
        let amount = Amount::new(500, Currency::CNY).unwrap();
        let event = Event::RefundPressed { refund, amount, cashier: "Li".to_owned() };
        let sale = decide(cash_sale(), event, NOW).unwrap().sale;
        insta::assert_snapshot!(described(&compose(&heading(), &sale, Slip::Copy, NOW.plus(60_000))));
        insta::assert_snapshot!(described(&compose(&heading(), &sale, Slip::Refund(refund), NOW)));
    }
}
