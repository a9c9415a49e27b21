//! What is kept of cards, and for how long.

use saoma_protocol::{Millis, api::CardEntry};
use saoma_store::{
    StoreError,
    cards::{self, KSN_LEN, KeptCard},
};

use crate::{
    base::on_both,
    house::{House, NOW, PLATFORM, captured, cny},
};

#[test]
fn a_card_is_kept_as_it_was_read_once_and_until_its_time_is_over() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let mut all = Vec::new();
        for (nth, entry) in (1_u8..).zip(CardEntry::ALL) {
            tea.sell(base, nth, cny(500), &captured(0, 0));
            let sequence_number = Some(99).filter(|_| entry == CardEntry::Chip);
            let card = KeptCard { entry, sequence_number, ksn: [nth; KSN_LEN], number: vec![0, 1, 0xfe] };
            let (payment, age_ms) = (tea.payment_id(nth), i64::from(nth));
            base.write(|tx| cards::keep(tx, &tea.scope, payment, &card, Millis(NOW.0 - age_ms)));
            all.push((payment, card));
        }
        for (payment, card) in &all {
            assert_eq!(base.read(|tx| cards::of_payment(tx, &tea.scope, *payment)).as_ref(), Some(card));
        }
        let (payment, card) = &all[0];
        let again = base.try_write(|tx| cards::keep(tx, &tea.scope, *payment, card, NOW));
        assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
        tea.sell(base, 7, cny(500), &captured(0, 0));
        let replayed = base.try_write(|tx| cards::keep(tx, &tea.scope, tea.payment_id(7), card, NOW));
        assert!(matches!(replayed, Err(StoreError::Conflict { .. })), "{replayed:?}");
        assert_eq!(base.write(|tx| cards::prune(tx, &PLATFORM, Millis(NOW.0 - 2))), 4, "those older than that");
        let kept = all.iter().map(|(payment, _)| base.read(|tx| cards::of_payment(tx, &tea.scope, *payment)).is_some());
        assert_eq!(kept.collect::<Vec<_>>(), [true, true, false, false, false, false]);
        assert_eq!(format!("{card:?}"), "a card, Swiped");
    });
}
