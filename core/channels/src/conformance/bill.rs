//! The bill of the day on which a case was played, against what happened in it.

use std::collections::BTreeSet;

use jiff::{Timestamp, tz::TimeZone};
use saoma_domain::recon::Movement;
use saoma_protocol::Millis;

use super::{
    play::{Player, Stop},
    told::{self, Told},
};
use crate::message::{BillLine, BillRow};

/// More pages than any case's bill has; a cursor that never ends is a mistake.
const PAGES_MAX: usize = 200;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// A movement on a bill: what it is, its number, minor units.
type Row = (Movement, String, i64);

/// `matches`, `lacks-one`, `one-more`, `one-unreadable` or `differs`; or how asking failed.
pub(super) async fn told(player: &mut Player<'_>) -> Result<Told, Stop> {
    let Some(terms) = player.manifest.bills.clone() else {
        return Err(Stop::Skipped("the manifest does not declare bills".to_owned()));
    };
    let day = day_of(player.sales.first().map_or_else(|| player.now(), |sale| sale.order.created_at), &terms)?;
    // The day is over, and its bill ready: by core's clock and the scheme's.
    let ahead_ms = DAY_MS + i64::from(terms.ready_after_minutes) * MINUTE_MS;
    player.world.clock.set_ahead(ahead_ms + player.ahead_ms);
    player.far_side.set_clock(ahead_ms).await?;
    let lines = match fetched(player, &day).await? {
        Ok(lines) => lines,
        Err(told) => return Ok(told),
    };
    let happened = happened(player).await?;
    Ok(compared(&lines, &happened))
}

/// Every page of a day; or how asking for one of them failed.
pub(super) async fn fetched(player: &mut Player<'_>, day: &str) -> Result<Result<Vec<BillLine>, Told>, Stop> {
    let (mut lines, mut cursor, mut seen) = (Vec::new(), None::<String>, BTreeSet::new());
    for _ in 0..PAGES_MAX {
        let page = match player.caller.fetch_bill(&player.account, day, cursor.as_deref()).await {
            Ok(page) => page,
            Err(error) => {
                let told = told::failure(&error);
                player.said.push(told.sentence.clone());
                return Ok(Err(told));
            }
        };
        lines.extend(page.lines);
        match page.next_cursor {
            None => return Ok(Ok(lines)),
            Some(next) if seen.insert(next.clone()) => cursor = Some(next),
            Some(next) => return Err(Stop::failed("each page's cursor to lead on", format!("{next:?} came twice"))),
        }
    }
    Err(Stop::failed(format!("the bill to end within {PAGES_MAX} pages"), "it goes on"))
}

/// The scheme's day of that moment, as `BillTerms` counts days.
fn day_of(at: Millis, terms: &crate::manifest::BillTerms) -> Result<String, Stop> {
    let unusable = |error: jiff::Error| Stop::failed("a day of the scheme", error.to_string());
    let zone = TimeZone::get(&terms.time_zone).map_err(unusable)?;
    let shifted = at.plus(-i64::from(terms.day_begins_minutes) * MINUTE_MS);
    let date = Timestamp::from_millisecond(shifted.0).map_err(unusable)?.to_zoned(zone).date();
    Ok(date.to_string())
}

/// What must stand on the bill, and what may: an order that was paid and undone the same day is on some schemes' bills twice, and
/// on others' not at all.
struct Happened {
    must: BTreeSet<Row>,
    may: BTreeSet<Row>,
}

async fn happened(player: &Player<'_>) -> Result<Happened, Stop> {
    let (mut must, mut may) = (BTreeSet::new(), BTreeSet::new());
    for sale in &player.sales {
        let number = sale.order.number.to_string();
        let Some(books) = player.far_side.books(&number).await?.filter(|books| books.times_taken > 0) else { continue };
        let refunded: i64 = sale.refunds.values().map(|refund| refund.amount.minor()).sum();
        let amount_minor = sale.order.amount.minor();
        if sale.refunds.is_empty() && books.given_back_minor == amount_minor {
            may.insert((Movement::Payment, number.clone(), amount_minor));
            may.insert((Movement::Reversal, number, amount_minor));
            continue;
        }
        must.insert((Movement::Payment, number, amount_minor));
        // Of a case whose refunds did not all succeed the bill says nothing sure.
        if refunded == books.given_back_minor {
            let refunds = sale.refunds.values();
            must.extend(
                refunds.map(|refund| (Movement::Refund, refund.refund_number.to_string(), refund.amount.minor())),
            );
        }
    }
    Ok(Happened { must, may })
}

fn compared(lines: &[BillLine], happened: &Happened) -> Told {
    let rows: Vec<&BillRow> =
        lines.iter().filter_map(|line| if let BillLine::Row(row) = line { Some(row) } else { None }).collect();
    let n_unreadable = lines.len() - rows.len();
    let given: Vec<Row> =
        rows.iter().map(|row| (row.key.movement, row.key.number.clone(), row.side.money.minor())).collect();
    let found: BTreeSet<&Row> = given.iter().collect();
    let lacking: Vec<&Row> = happened.must.iter().filter(|row| !found.contains(row)).collect();
    let more: Vec<&Row> =
        given.iter().filter(|row| !happened.must.contains(row) && !happened.may.contains(row)).collect();
    let sentence = format!(
        "{} rows, {n_unreadable} unreadable lines; lacking: {}; beyond what happened: {}",
        rows.len(),
        listed(&lacking),
        listed(&more)
    );
    let word = match (lacking.len(), more.len(), n_unreadable) {
        _ if found.len() != given.len() => "differs",
        (0, 0, 0) => "matches",
        (1, 0, 0) => "lacks-one",
        (0, 1, 0) => "one-more",
        (0 | 1, 0, 1) => "one-unreadable",
        _ => "differs",
    };
    Told::new(word, sentence)
}

fn listed(rows: &[&Row]) -> String {
    if rows.is_empty() {
        return "none".to_owned();
    }
    let texts: Vec<String> =
        rows.iter().take(5).map(|(movement, number, minor)| format!("{movement:?} {number} {minor}")).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::BillTerms;

    #[test]
    fn a_day_is_the_schemes_own() {
        let terms = |zone: &str, day_begins_minutes| BillTerms {
            time_zone: zone.to_owned(),
            day_begins_minutes,
            ready_after_minutes: 0,
        };
        // 2026-01-30T15:45Z is a quarter to midnight in Shanghai.
        let at = Millis(1_769_787_900_000);
        for (terms, day) in [
            (terms("Etc/UTC", 0), "2026-01-30"),
            (terms("Asia/Shanghai", 0), "2026-01-30"),
            (terms("Asia/Shanghai", -30), "2026-01-31"),
            (terms("Asia/Tokyo", 0), "2026-01-31"),
        ] {
            assert_eq!(day_of(at, &terms).expect("a day"), day, "{terms:?}");
        }
    }
}
