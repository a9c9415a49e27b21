//! Settling batches: the totals of what the case has paid, its rows, the end of them, each answer held to the far side's books.

use saoma_domain::settlement::{RowKind, Settled, totals};
use saoma_protocol::SettlementBatchId;

use super::{
    far_side::{BatchBooks, Played},
    play::{Player, Stop},
    told::{self, Told},
    world::fresh,
};
use crate::{
    failure::Failure,
    manifest::Capability,
    message::RefundOrder,
    settlement::{Batch, ROWS_MAX, Row},
};

/// What a case has paid and given back so far, and its batch.
#[derive(Default)]
pub(super) struct Settling {
    rows: Vec<Row>,
    batch: Option<Batch>,
    /// Rows that the channel has taken.
    taken: usize,
}

/// Which function was asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Settle,
    Upload,
    Finish,
}

impl Settling {
    /// A sale that succeeded, or one that was undone after that, once each.
    pub(super) fn note_sale(&mut self, row: Row) {
        let is_here = |kind| self.rows.iter().any(|other| other.payment == row.payment && other.kind == kind);
        let is_new = !is_here(row.kind) && (row.kind == RowKind::Sale || is_here(RowKind::Sale));
        if is_new && self.batch.is_none() {
            self.push(row);
        }
    }

    pub(super) fn note_refund(&mut self, row: Row) {
        if self.batch.is_none() && !self.rows.iter().any(|other| other.refund == row.refund) {
            self.push(row);
        }
    }

    fn push(&mut self, row: Row) {
        let place = u32::try_from(self.rows.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.rows.push(Row { place, ..row });
    }
}

/// A row of the refund, without its place.
pub(super) fn row_of_refund(refund: &RefundOrder, reference: String) -> Row {
    Row {
        place: 0,
        kind: RowKind::Refund,
        payment: refund.number,
        reference: refund.reference.clone(),
        refund: Some(refund.refund_number),
        refund_reference: reference,
        amount: refund.amount,
        at: refund.created_at,
        card: refund.card.clone(),
    }
}

/// `settle [OFF]`: the totals, so many minor units more than they are; again with the same number once there was one.
pub(super) async fn settle(player: &mut Player<'_>, off_minor: i64) -> Result<Told, Stop> {
    if player.settling.batch.is_none() {
        let rows = &player.settling.rows;
        let sums = totals(rows.iter().map(|row| (row.kind, row.amount.money())));
        let mut totals = sums.ok_or_else(|| Stop::failed("totals that can be counted", "they cannot"))?;
        let Some(first) = totals.first_mut() else {
            return Err(Stop::Skipped("nothing was paid in this case that could be settled".to_owned()));
        };
        first.debits.minor = first.debits.minor.saturating_add(off_minor);
        let rows = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let number = SettlementBatchId::from_bytes(fresh()?);
        player.settling.batch = Some(Batch { number, totals, rows, closed_at: player.now() });
    }
    let batch = of(player)?;
    let before = books(player).await?;
    let outcome = player.caller.settle(&player.account, &batch).await;
    believed(player, Asked::Settle, told::settled(&outcome), before).await
}

/// `upload`: the rows from the first that was not taken on, or the last one once more.
pub(super) async fn upload(player: &mut Player<'_>) -> Result<Told, Stop> {
    let batch = of(player)?;
    let page = if player.manifest.can(Capability::Card) { 1 } else { ROWS_MAX };
    let before = books(player).await?;
    let mut outcome: Result<(), Failure> = Ok(());
    let from = player.settling.taken.min(player.settling.rows.len().saturating_sub(1));
    for rows in player.settling.rows.clone()[from..].chunks(page) {
        outcome = player.caller.upload(&player.account, &batch, rows).await;
        if outcome.is_err() {
            break;
        }
        player.settling.taken = rows.last().map_or(0, |row| row.place as usize);
    }
    believed(player, Asked::Upload, told::taken(&outcome), before).await
}

/// `finish`
pub(super) async fn finish(player: &mut Player<'_>) -> Result<Told, Stop> {
    let batch = of(player)?;
    let before = books(player).await?;
    let outcome = player.caller.finish(&player.account, &batch).await;
    believed(player, Asked::Finish, told::settled(&outcome), before).await
}

/// `batches OVER BALANCED`
pub(super) async fn held_to_batches(player: &Player<'_>, over: usize, balanced: usize) -> Result<(), Stop> {
    let batches = books(player).await?;
    let found = (batches.len(), batches.iter().filter(|batch| batch.balanced).count());
    if found == (over, balanced) {
        return Ok(());
    }
    let words = |(over, balanced)| format!("{over} batches that are over, {balanced} of them balanced");
    Err(Stop::failed(words((over, balanced)), format!("{}: {batches:?}", words(found))))
}

fn of(player: &Player<'_>) -> Result<Batch, Stop> {
    player.settling.batch.clone().ok_or_else(|| Stop::failed("a batch before this line", "there is none"))
}

async fn books(player: &Player<'_>) -> Result<Vec<BatchBooks>, Stop> {
    match player.far_side.batches().await? {
        Played::Done(batches) => Ok(batches),
        Played::Unplayable(why) => Err(Stop::Skipped(format!("this far side cannot: {why}"))),
    }
}

async fn believed(player: &mut Player<'_>, asked: Asked, told: Told, before: Vec<BatchBooks>) -> Result<Told, Stop> {
    player.said.push(told.sentence.clone());
    let after = books(player).await?;
    let rows = &player.settling.rows;
    let least = rows.iter().filter(|row| row.kind != RowKind::Void).count();
    match lie(asked, &told.word, &before, &after, (least, rows.len())) {
        None => Ok(told),
        Some(lie) => {
            Err(Stop::failed("an answer that the scheme's books bear out", format!("{}; {lie}", told.sentence)))
        }
    }
}

/// What an answer about the case's one batch may not be, with the books before and after it. `rows`: how many its upload has at least
/// (a void may be told by its sale) and at most.
fn lie(asked: Asked, word: &str, before: &[BatchBooks], after: &[BatchBooks], rows: (usize, usize)) -> Option<String> {
    let lie = |truth: &str| Some(format!("the channel says {word}, and {truth}"));
    let last = after.last();
    if after.len() > 1 {
        return lie("the batch was settled more than once");
    }
    if last.is_some_and(|last| last.uploaded as usize > rows.1) {
        return lie("a row was uploaded more than once");
    }
    let is_balanced = last.is_some_and(|last| last.balanced);
    if asked == Asked::Finish && word == "differs" && last.is_some_and(|last| (last.uploaded as usize) < rows.0) {
        return lie("rows were left out");
    }
    match word {
        "balanced" if !is_balanced => lie("the scheme did not count the same"),
        "differs" if is_balanced => lie("the scheme counted the same"),
        "differs" if asked == Asked::Finish && last.is_none() => lie("the scheme's batch is open"),
        "over" if last.is_none() => lie("the scheme's batch is open"),
        "not-sent" | "misconfigured" | "unsupported" if before.len() != after.len() => {
            lie("the scheme closed the batch: only `no-answer` lets core ask again")
        }
        _ => None,
    }
}

/// The word of an answer.
pub(super) const fn word(settled: &Settled) -> &'static str {
    match settled {
        Settled::Balanced => "balanced",
        Settled::Differs(_) => "differs",
        Settled::Over(_) => "over",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_books_do_not_have_is_a_lie() {
        let over = |balanced, uploaded| BatchBooks { balanced, uploaded };
        let (none, balanced, differs): (&[_], &[_], &[_]) = (&[], &[over(true, 0)], &[over(false, 2)]);
        for (asked, word, before, after, holds) in [
            (Asked::Settle, "balanced", none, balanced, true),
            (Asked::Settle, "balanced", balanced, balanced, true),
            (Asked::Settle, "balanced", none, none, false),
            (Asked::Settle, "balanced", none, differs, false),
            (Asked::Settle, "differs", none, none, true),
            (Asked::Settle, "differs", none, balanced, false),
            (Asked::Settle, "differs", none, differs, true),
            (Asked::Settle, "not-sent", none, balanced, false),
            (Asked::Settle, "not-sent", none, none, true),
            (Asked::Settle, "no-answer", none, balanced, true),
            (Asked::Settle, "over", none, none, false),
            (Asked::Upload, "taken", none, none, true),
            (Asked::Finish, "differs", none, differs, true),
            (Asked::Finish, "differs", none, none, false),
            (Asked::Finish, "differs", none, &[over(false, 3)], false),
            (Asked::Finish, "differs", none, &[over(false, 1)], false),
            (Asked::Finish, "differs", none, &[over(false, 2), over(false, 2)], false),
        ] {
            assert_eq!(lie(asked, word, before, after, (2, 2)).is_none(), holds, "{word} {after:?}");
        }
    }
}
