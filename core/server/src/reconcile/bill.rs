//! Fetching a bill, page after page, into the database. It is sorted outside of memory first: so the same lines in another
//! order are the same bill, one that brings nothing new is not written at all, and one that does is written in the order of its
//! index.

use std::collections::BTreeSet;

use saoma_channels::BillLine;
use saoma_store::{
    StoreError, Tx,
    bills::{self, Bill, NewLine, Said},
};
use sha2::{Digest as _, Sha256};

use super::{
    Case, ReconcileError,
    compare::is_anything_expected,
    entries, go_on, on_a_thread, renew,
    sort::{Sorted, Sorter},
};
use crate::app::App;

/// Most lines of one bill: ten times the million that the largest merchants have, so that a plugin that never stops does.
const LINES_MAX: u64 = 10_000_000;
/// Most pages, also empty ones.
const PAGES_MAX: u32 = 100_000;
/// Lines that are written in one transaction: a fraction of a second, during which others wait.
const WRITTEN_LINES: usize = 5_000;
/// How long after it should be ready a bill without a row is not believed, while the books say that there should be something:
/// schemes answer with nothing where they mean that they are not done. Lines that are no rows make it no better: a channel may tell
/// of something else there.
const EMPTY_DOUBTED_MS: i64 = 3 * 86_400_000;

/// Fetches the day's bill whole. The same content as before is the same bill; another one is its next revision.
pub async fn fetch(app: &App, case: &Case) -> Result<Bill, ReconcileError> {
    sweep(app, case).await?;
    let fetched = async { finish(app, case, pages(app, case).await?).await }.await;
    if fetched.is_err() && !app.is_stopping() {
        // What was written so far is of no use. If this fails as well, the next fetch begins with it.
        sweep(app, case).await.ok();
    }
    fetched
}

/// What has come in.
#[derive(Default)]
struct Counts {
    lines: u64,
    unreadable: u64,
}

async fn pages(app: &App, case: &Case) -> Result<(Counts, Sorted), ReconcileError> {
    let mut counts = Counts::default();
    let mut sorter = Sorter::new(&app.config().data_dir, case.limits.sort_bytes);
    let mut cursor: Option<String> = None;
    let mut cursors = BTreeSet::new();
    for _ in 0..PAGES_MAX {
        go_on(app)?;
        let page = app.channels().fetch_bill(&case.account, &case.day, cursor.as_deref()).await?;
        let mut rows = Vec::with_capacity(page.lines.len());
        for line in page.lines {
            counts.lines += 1;
            let said = said(line);
            counts.unreadable += u64::from(matches!(said, Said::Unreadable(_)));
            rows.push(NewLine { line: counts.lines, said });
        }
        if counts.lines > LINES_MAX {
            return Err(ReconcileError::Bill(format!("it has more than {LINES_MAX} lines")));
        }
        let (task, now) = (case.clone(), app.now());
        app.store().write(move |tx| renew(tx, &task, now)).await?;
        sorter = on_a_thread(move || {
            for row in &rows {
                sorter.push(&entries::of_line(row)?)?;
            }
            Ok(sorter)
        })
        .await?;
        let Some(next) = page.next_cursor else {
            return Ok((counts, on_a_thread(move || Ok(sorter.sorted()?)).await?));
        };
        // A hash, since cursors may be long and many.
        if !cursors.insert(Sha256::digest(&next)) {
            return Err(ReconcileError::Bill("its next page is one that was there before".to_owned()));
        }
        cursor = Some(next);
    }
    Err(ReconcileError::Bill(format!("it has more than {PAGES_MAX} pages")))
}

/// Which bill it is, if it is one that there was; else it is written.
async fn finish(app: &App, case: &Case, (counts, sorted): (Counts, Sorted)) -> Result<Bill, ReconcileError> {
    let (scope, account) = (case.scope, case.span.account);
    let (digest, sorted) = on_a_thread(move || Ok((digest(&sorted)?, sorted))).await?;
    let day = case.day.clone();
    let before = app.store().read(move |tx| bills::newest(tx, &scope, account, &day)).await?;
    if let Some(before) = before.as_ref().filter(|before| before.digest == digest) {
        return Ok(before.clone());
    }
    if counts.lines == counts.unreadable {
        let now = app.now();
        let was_more = before.is_some_and(|before| before.lines > before.unreadable);
        let is_early = now < case.ready_at.plus(EMPTY_DOUBTED_MS);
        if was_more || (is_early && is_anything_expected(app, case).await?) {
            return Err(ReconcileError::EmptyBill);
        }
    }
    let (task_app, task) = (app.clone(), case.clone());
    let begun = on_a_thread(move || write(&task_app, &task, &sorted)).await?;
    let (task, now) = (case.clone(), app.now());
    let bill = app
        .store()
        .write(move |tx| {
            renew(tx, &task, now)?;
            let bill = opened(tx, &task, begun)?;
            bills::finish(tx, &scope, bill, counts.lines, counts.unreadable, &digest, now)?;
            bills::newest(tx, &scope, account, &task.day)
        })
        .await?;
    bill.ok_or(ReconcileError::Store(StoreError::NotFound { what: "the bill" }))
}

/// Writes the lines; the bill that they began.
fn write(app: &App, case: &Case, sorted: &Sorted) -> Result<Option<u64>, ReconcileError> {
    let (mut bill, mut lines) = (None, sorted.entries()?.map(|entry| entries::line(entry?)));
    loop {
        let rows = lines.by_ref().take(WRITTEN_LINES).collect::<Result<Vec<_>, _>>()?;
        if rows.is_empty() {
            return Ok(bill);
        }
        go_on(app)?;
        let now = app.now();
        bill = app.store().write_blocking(|tx| {
            renew(tx, case, now)?;
            let bill = opened(tx, case, bill)?;
            bills::add(tx, &case.scope, bill, &rows)?;
            Ok::<_, StoreError>(Some(bill))
        })?;
    }
}

/// The bill that is being written, which its first line begins.
fn opened(tx: &mut Tx<'_>, case: &Case, bill: Option<u64>) -> Result<u64, StoreError> {
    bill.map_or_else(|| bills::begin(tx, &case.scope, case.span.account, &case.day), Ok)
}

/// Over what all lines say, each part with its length before it, so that no two bills are told apart by where their parts end.
fn digest(sorted: &Sorted) -> Result<String, ReconcileError> {
    let mut digest = Sha256::new();
    for entry in sorted.entries()? {
        for part in entries::content(&entry?) {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
    }
    Ok(hex::encode(digest.finalize()))
}

/// Takes away what a fetch left that was cut off, or that brought nothing new.
async fn sweep(app: &App, case: &Case) -> Result<(), ReconcileError> {
    loop {
        go_on(app)?;
        let (task, now) = (case.clone(), app.now());
        let dropped = app.store().write(move |tx| {
            renew(tx, &task, now)?;
            bills::drop_unfinished(tx, &task.scope, task.span.account, &task.day)
        });
        if !dropped.await? {
            return Ok(());
        }
    }
}

fn said(line: BillLine) -> Said {
    match line {
        BillLine::Unreadable(words) => Said::Unreadable(words),
        BillLine::Row(row) => {
            Said::Row { key: row.key, order_number: row.order_number, reference: row.reference, side: row.side }
        }
    }
}
