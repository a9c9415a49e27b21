//! Settlement statements: the same sums for the merchant, by store and by terminal, and the same as the books'.

use saoma_domain::{
    ledger::{Kind, PostingSet, rules},
    payment::Method,
};
use saoma_protocol::{ChannelAccountId, Currency, DisputeId, Money};
use saoma_store::ledger::{self, Booking, By, Subject};

use crate::{
    base::on_both,
    house::{DAY_MS, House, NOW, at, captured, cny},
};

fn money(minor: i64) -> Money {
    Money::new(minor, Currency::CNY)
}

#[test]
fn a_statement_is_of_its_period_by_channel_store_and_terminal() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let milk = House::build(base, b'M');
        let book = |house: &House, subject, kind, account: Option<ChannelAccountId>, moment, sets: Vec<PostingSet>| {
            let booking = Booking { subject, kind, channel_account: account, at: moment, booked_at: moment };
            base.write(|tx| ledger::post(tx, &house.scope, &booking, &sets));
        };
        let channel = Method::CustomerPresented;
        let of = |house: &House, number| Subject::Payment(house.payment_id(number));
        let capture = |number, moment| {
            tea.sell(base, number, cny(1_000), &captured(0, 0));
            let sets = rules::captured(channel, cny(1_000), money(6));
            book(&tea, of(&tea, number), Kind::Captured, Some(tea.account), moment, sets);
        };
        capture(1, NOW);
        capture(2, at(5));
        // One of no terminal, in cash; undone by itself; given back in part; corrected by a bill.
        tea.sell_with(base, 4, cny(300), &captured(0, 0), |payment| {
            (payment.terminal, payment.channel_account, payment.fee_plan) = (None, None, None);
        });
        book(&tea, of(&tea, 4), Kind::Captured, None, at(6), rules::captured(Method::Cash, cny(300), money(0)));
        book(&tea, of(&tea, 2), Kind::Undone, Some(tea.account), at(7), rules::undone(channel, cny(1_000), money(6)));
        tea.give_back(base, 1, tea.payment_id(1), cny(200));
        let refund = Subject::Refund { payment: tea.payment_id(1), refund: tea.refund_id(1) };
        book(&tea, refund.clone(), Kind::RefundReserved, Some(tea.account), at(8), rules::refund_reserved(cny(200)));
        let sets = rules::refund_succeeded(channel, cny(200), money(1));
        book(&tea, refund, Kind::RefundSucceeded, Some(tea.account), at(9), sets);
        let by_bill = |by: &str| Subject::Other(by.to_owned());
        let sets = rules::bill_corrected(money(-50)).expect("a correction");
        book(&tea, by_bill("dsc_1"), Kind::BillCorrected, Some(tea.account), at(10), sets);
        let sets = rules::fee_corrected(money(2)).expect("a correction");
        book(&tea, by_bill("dsc_1"), Kind::FeeCorrected, Some(tea.account), at(10), sets);
        // Two disputes: the one is lost with a fee, the other won on the next day.
        for number in [1, 2] {
            let dispute = DisputeId::from_bytes(crate::house::bytes(b'T', number));
            let of_dispute = Subject::Dispute { payment: tea.payment_id(1), dispute };
            let sets = rules::dispute_opened(cny(100 * i64::from(number)));
            book(&tea, of_dispute.clone(), Kind::DisputeOpened, Some(tea.account), at(11), sets);
            let (kind, moment, sets) = match number {
                1 => (Kind::DisputeLost, at(12), rules::dispute_lost(cny(100), money(15))),
                _ => (Kind::DisputeWon, at(DAY_MS), rules::dispute_won(cny(200), money(0))),
            };
            book(&tea, of_dispute, kind, Some(tea.account), moment, sets);
        }
        capture(3, at(DAY_MS));
        milk.sell(base, 1, cny(77), &captured(0, 0));
        book(&milk, of(&milk, 1), Kind::Captured, Some(milk.account), NOW, rules::captured(channel, cny(77), money(0)));

        let told = |by, from, to| -> Vec<String> {
            let lines = base.read(|tx| ledger::settlement(tx, &tea.scope, by, from, to));
            let line = |line: &ledger::SettlementLine| {
                let place = match (line.store, line.terminal) {
                    (None, None) => "-",
                    (Some(store), None) if store == tea.store => "store",
                    (Some(store), Some(terminal)) if (store, terminal) == (tea.store, tea.terminal) => "till",
                    other => panic!("{other:?}"),
                };
                let channel = if line.channel_account == Some(tea.account) { "wallet" } else { "cash" };
                format!(
                    "{place} {channel} {}×{} −{}×{} disputed {} fees {} corrected {} = {}",
                    line.payments,
                    line.gross_minor,
                    line.refunds,
                    line.refunded_minor,
                    line.disputed_minor,
                    line.fees_minor,
                    line.corrected_minor,
                    line.net_minor().expect("a sum")
                )
            };
            lines.iter().map(line).collect()
        };
        let wallet = "wallet 2×2000 −2×1200 disputed 300 fees 22 corrected -50 = 428";
        let cash = "cash 1×300 −0×0 disputed 0 fees 0 corrected 0 = 300";
        assert_eq!(told(By::Merchant, NOW, at(DAY_MS)), [format!("- {cash}"), format!("- {wallet}")]);
        let of_bill = "- wallet 0×0 −0×0 disputed 0 fees 2 corrected -50 = -52";
        let sold = "wallet 2×2000 −2×1200 disputed 300 fees 20 corrected 0 = 480";
        assert_eq!(
            told(By::Store, NOW, at(DAY_MS)),
            [of_bill.to_owned(), format!("store {cash}"), format!("store {sold}")]
        );
        assert_eq!(
            told(By::Terminal, NOW, at(DAY_MS)),
            [of_bill.to_owned(), format!("store {cash}"), format!("till {sold}")]
        );
        // The next day has its own, and a day without anything has none.
        assert_eq!(
            told(By::Merchant, at(DAY_MS), at(2 * DAY_MS)),
            ["- wallet 1×1000 −0×0 disputed -200 fees 6 corrected 0 = 1194"]
        );
        assert_eq!(told(By::Terminal, at(-DAY_MS), NOW), [""; 0]);
    });
}
