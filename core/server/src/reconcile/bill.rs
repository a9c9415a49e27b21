//! Fetching a bill, page after page, into the database. No more than a page of it is held at a time.

use std::collections::BTreeSet;

use saoma_channels::BillLine;
use saoma_store::{
    StoreError, Tx,
    bills::{self, Bill, NewLine, Said},
};
use sha2::{Digest as _, Sha256};

use super::{Case, ReconcileError, compare::is_anything_expected, go_on, renew};
use crate::app::App;

/// Most lines of one bill: ten times the million that the largest merchants have, so that a plugin that never stops does.
const LINES_MAX: u64 = 10_000_000;
/// Most pages, also empty ones.
const PAGES_MAX: u32 = 100_000;
/// How long after it should be ready an empty bill is not believed, while the books say that there should be something: schemes
/// answer with nothing where they mean that they are not done.
const EMPTY_DOUBTED_MS: i64 = 3 * 86_400_000;

/// Fetches the day's bill whole. The same content as before is the same bill; another one is its next revision.
pub async fn fetch(app: &App, case: &Case) -> Result<Bill, ReconcileError> {
    sweep(app, case).await?;
    let fetched = pages(app, case).await;
    if fetched.is_err() && !app.is_stopping() {
        // What came so far is of no use. If this fails as well, the next fetch begins with it.
        sweep(app, case).await.ok();
    }
    fetched
}

/// What has come in so far.
#[derive(Default)]
struct Coming {
    bill: Option<u64>,
    lines: u64,
    unreadable: u64,
    digest: Sha256,
}

async fn pages(app: &App, case: &Case) -> Result<Bill, ReconcileError> {
    let mut coming = Coming::default();
    let mut cursor: Option<String> = None;
    let mut cursors = BTreeSet::new();
    for _ in 0..PAGES_MAX {
        go_on(app)?;
        let page = app.channels().fetch_bill(&case.account, &case.day, cursor.as_deref()).await?;
        let mut rows = Vec::with_capacity(page.lines.len());
        for line in page.lines {
            coming.lines += 1;
            let said = said(line);
            count(&mut coming.digest, &said);
            coming.unreadable += u64::from(matches!(said, Said::Unreadable(_)));
            rows.push(NewLine { line: coming.lines, said });
        }
        if coming.lines > LINES_MAX {
            return Err(ReconcileError::Bill(format!("it has more than {LINES_MAX} lines")));
        }
        let (task, bill, now) = (case.clone(), coming.bill, app.now());
        let added = app.store().write(move |tx| {
            renew(tx, &task, now)?;
            if rows.is_empty() {
                return Ok::<_, StoreError>(bill);
            }
            let bill = begun(tx, &task, bill)?;
            bills::add(tx, &task.scope, bill, &rows)?;
            Ok(Some(bill))
        });
        coming.bill = added.await?;
        let Some(next) = page.next_cursor else { return finish(app, case, coming).await };
        // A hash, since cursors may be long and many.
        if !cursors.insert(Sha256::digest(&next)) {
            return Err(ReconcileError::Bill("its next page is one that was there before".to_owned()));
        }
        cursor = Some(next);
    }
    Err(ReconcileError::Bill(format!("it has more than {PAGES_MAX} pages")))
}

/// The bill that is coming in, which its first line begins.
fn begun(tx: &mut Tx<'_>, case: &Case, bill: Option<u64>) -> Result<u64, StoreError> {
    bill.map_or_else(|| bills::begin(tx, &case.scope, case.span.account, &case.day), Ok)
}

async fn finish(app: &App, case: &Case, coming: Coming) -> Result<Bill, ReconcileError> {
    let Coming { bill, lines, unreadable, digest } = coming;
    let (scope, account, now) = (case.scope, case.span.account, app.now());
    let digest = hex(&digest.finalize());
    let day = case.day.clone();
    let before = app.store().read(move |tx| bills::newest(tx, &scope, account, &day)).await?;
    if let Some(before) = before.as_ref().filter(|before| before.digest == digest) {
        sweep(app, case).await?;
        return Ok(before.clone());
    }
    if lines == 0 {
        let was_more = before.is_some_and(|before| before.lines > 0);
        let is_early = now < case.ready_at.plus(EMPTY_DOUBTED_MS);
        if was_more || (is_early && is_anything_expected(app, case).await?) {
            return Err(ReconcileError::EmptyBill);
        }
    }
    let task = case.clone();
    let bill = app
        .store()
        .write(move |tx| {
            renew(tx, &task, now)?;
            let bill = begun(tx, &task, bill)?;
            bills::finish(tx, &scope, bill, lines, unreadable, &digest, now)?;
            bills::newest(tx, &scope, account, &task.day)
        })
        .await?;
    bill.ok_or(ReconcileError::Store(StoreError::NotFound { what: "the bill" }))
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

/// Each field with its length before it, so that no two bills are told apart by where their fields end.
fn count(digest: &mut Sha256, said: &Said) {
    let mut field = |text: &str| {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    };
    match said {
        Said::Unreadable(words) => field(words),
        Said::Row { key, order_number, reference, side } => {
            let texts = [key.number.as_str(), key.movement.text(), order_number, reference, side.currency().code()];
            texts.into_iter().for_each(&mut field);
            [side.money.minor(), side.fee.minor(), side.at.0].into_iter().for_each(|number| field(&number.to_string()));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
