//! The end of a batch: its totals (0500), its rows where they differ (0320), and the end of those.
//!
//! Source: UnionPay's POS terminal specification (2010), settlement and upload, as public copies have them: field 60.3 is 201, and 207
//! where an upload ends that did not balance; field 48 of a settlement is, for cards of the home country and then for foreign ones, amount and
//! count of debits, amount and count of credits, and a flag. Which card was foreign an acquirer's answer does not say, so that all
//! are counted as of the home country.

use saoma_channel_sdk::card::PresentedCard;

use super::{
    build::{CURRENCY, OPERATOR},
    codec::{Draft, Value},
    settings::Settings,
};

/// What field 48 has room for: three digits.
pub const ROWS_MAX: u32 = 999;
/// Of an amount, twelve digits.
const MINOR_MAX: i64 = 999_999_999_999;
/// One side's totals, and with the flag.
const SIDE_LEN: usize = 30;
const FLAGGED_LEN: usize = SIDE_LEN + 1;
const OPEN_FLAG: char = '0';
/// Of a card's number, in a row.
const NUMBER_ROOM: usize = 20;

/// Minor units, and how many transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub minor: i64,
    pub count: u32,
}

/// What a batch comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub debits: Tally,
    pub credits: Tally,
}

impl Totals {
    /// 30 digits.
    ///
    /// # Errors
    /// One does not fit.
    fn text(&self) -> Result<String, &'static str> {
        let fits = |tally: Tally| (0..=MINOR_MAX).contains(&tally.minor) && tally.count <= ROWS_MAX;
        if !fits(self.debits) || !fits(self.credits) {
            return Err("field 48 has no room for totals of more than 999 transactions or 9,999,999,999.99 yuan");
        }
        let tally = |Tally { minor, count }: Tally| format!("{minor:012}{count:03}");
        Ok(format!("{}{}", tally(self.debits), tally(self.credits)))
    }

    fn read(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
        let tally = |from: usize| {
            let count = u32::try_from(number(from + 12, from + 15)?).ok()?;
            Some(Tally { minor: number(from, from + 12)?, count })
        };
        Some(Self { debits: tally(0)?, credits: tally(15)? })
    }
}

/// What the answer to totals says of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    Equal,
    /// The acquirer counts otherwise; and its own totals, where it put them in the place of ours.
    Unequal(Option<Totals>),
}

/// Field 48 of an answer to these totals; `None` where it cannot be believed: it is no such field, has a flag that is none, or calls
/// other totals than ours equal. A flag says enough without totals beside it, and there is nothing to compare of foreign cards, of which we
/// state none: some acquirers leave one or the other 0.
#[must_use]
pub fn compared(said: &str, ours: &Totals) -> Option<Compared> {
    if said.len() != 2 * FLAGGED_LEN || !said.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (home, foreign) = said.split_at(FLAGGED_LEN);
    let (theirs, of_foreign) = (Totals::read(home)?, Totals::read(foreign)?);
    let flag = |side: &str| side.chars().nth(SIDE_LEN);
    let none = Totals::default();
    let is_ours = (theirs == *ours || theirs == none) && of_foreign == none;
    match (flag(home)?, flag(foreign)?) {
        ('1', '0' | '1') if is_ours => Some(Compared::Equal),
        ('1', '0' | '1') => None,
        (_, OPEN_FLAG) if of_foreign != none => None,
        // 3: the acquirer cannot compare them, and wants the rows all the same.
        ('1'..='3', '0'..='3') => Some(Compared::Unequal((theirs != *ours).then_some(theirs))),
        _ => None,
    }
}

/// A transaction of a batch that is uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub trace: u32,
    pub minor: i64,
}

impl Settings {
    /// Totals of a batch.
    ///
    /// # Errors
    /// They do not fit.
    pub fn settle(&self, trace: u32, batch: u32, totals: &Totals) -> Result<Draft, &'static str> {
        let home = totals.text()?;
        let foreign = Totals::default().text()?;
        let mut fields = self.of_batch(batch, "201", format!("{home}{OPEN_FLAG}{foreign}{OPEN_FLAG}").into());
        fields.extend([(49, CURRENCY.into()), (63, OPERATOR.into())]);
        Ok(self.draft("0500", trace, fields))
    }

    /// One transaction of a batch that does not balance. Without its card, zeros stand for the number.
    #[must_use]
    pub fn upload(&self, trace: u32, batch: u32, row: &Listed, card: Option<&PresentedCard>) -> Draft {
        // One row; of a card of the home country.
        let before = format!("0100{:06}", row.trace);
        let after = format!("{:012}", row.minor);
        let listed = Value::Listed { before, room: NUMBER_ROOM, after, has_card: card.is_some() };
        self.draft("0320", trace, self.of_batch(batch, "201", listed))
    }

    /// The end of an upload of so many rows.
    #[must_use]
    pub fn finish(&self, trace: u32, batch: u32, rows: u32) -> Draft {
        self.draft("0320", trace, self.of_batch(batch, "207", format!("{rows:04}").into()))
    }

    fn of_batch(&self, batch: u32, network: &str, listed: Value) -> Vec<(u8, Value)> {
        vec![(48, listed), (60, format!("00{batch:06}{network}").into()), (64, vec![0; 8].into())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_totals_is_believed_as_far_as_it_says_something() {
        let ours = Totals { debits: Tally { minor: 2_500, count: 2 }, credits: Tally { minor: 400, count: 1 } };
        let other = Totals { debits: Tally { minor: 2_600, count: 2 }, ..ours };
        let none = Totals::default();
        let rows = [
            ((ours, '1'), (none, '1'), Some(Compared::Equal)),
            ((ours, '1'), (none, '0'), Some(Compared::Equal)),
            ((none, '1'), (none, '0'), Some(Compared::Equal)),
            ((other, '1'), (none, '1'), None),
            ((ours, '1'), (other, '0'), None),
            ((ours, '0'), (none, '0'), None),
            ((ours, '4'), (none, '1'), None),
            ((other, '2'), (none, '0'), Some(Compared::Unequal(Some(other)))),
            ((other, '2'), (other, '0'), None),
            ((ours, '3'), (none, '1'), Some(Compared::Unequal(None))),
            ((ours, '1'), (other, '2'), Some(Compared::Unequal(None))),
        ];
        for (home, foreign, expected) in rows {
            let text = |(totals, flag): (Totals, char)| format!("{}{flag}", totals.text().expect("it fits"));
            let said = text(home) + &text(foreign);
            assert_eq!(compared(&said, &ours), expected, "{said}");
        }
        assert_eq!(compared("", &ours), None);
    }
}
