//! Fetching a bill, page after page, into the database. No more than a page of it is held at a time.

use saoma_channels::BillLine;
use saoma_store::{
    StoreError,
    bills::{self, Bill, NewLine, Said},
};
use sha2::{Digest as _, Sha256};

use super::{Case, ReconcileError, renew};
use crate::app::App;

/// Most lines of one bill: ten times the million that the largest merchants have, so that a plugin that never stops does.
const LINES_MAX: u64 = 10_000_000;
/// Most pages, also empty ones.
const PAGES_MAX: u32 = 100_000;

/// Fetches the day's bill whole. The same content as before is the same bill; another one is its next revision.
pub async fn fetch(app: &App, case: &Case) -> Result<Bill, ReconcileError> {
    let (scope, account) = (case.scope, case.span.account);
    sweep(app, case).await?;
    let (day, begun_at) = (case.day.clone(), app.now());
    let id = app.store().write(move |tx| bills::begin(tx, &scope, account, &day, begun_at)).await?;
    let (mut lines, mut unreadable, mut digest) = (0_u64, 0_u64, Sha256::new());
    let mut cursor: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let page = app.channels().fetch_bill(&case.account, &case.day, cursor.as_deref()).await?;
        let mut rows = Vec::with_capacity(page.lines.len());
        for line in page.lines {
            lines += 1;
            let said = said(line);
            count(&mut digest, &said);
            unreadable += u64::from(matches!(said, Said::Unreadable(_)));
            rows.push(NewLine { line: lines, said });
        }
        if lines > LINES_MAX {
            return Err(ReconcileError::Bill(format!("it has more than {LINES_MAX} lines")));
        }
        app.store().write(move |tx| bills::add(tx, &scope, id, &rows)).await?;
        renew(app, case).await?;
        let Some(next) = page.next_cursor else {
            let hash = hex(&digest.finalize());
            return finish(app, case, id, lines, unreadable, hash).await;
        };
        if cursor.as_ref() == Some(&next) {
            return Err(ReconcileError::Bill("its next page is the one before".to_owned()));
        }
        cursor = Some(next);
    }
    Err(ReconcileError::Bill(format!("it has more than {PAGES_MAX} pages")))
}

async fn finish(
    app: &App,
    case: &Case,
    id: u64,
    lines: u64,
    unreadable: u64,
    digest: String,
) -> Result<Bill, ReconcileError> {
    let (scope, account, now) = (case.scope, case.span.account, app.now());
    let day = case.day.clone();
    let before = app.store().read(move |tx| bills::newest(tx, &scope, account, &day)).await?;
    if let Some(before) = before.filter(|before| before.digest == digest) {
        sweep(app, case).await?;
        return Ok(before);
    }
    let day = case.day.clone();
    let bill = app
        .store()
        .write(move |tx| {
            bills::finish(tx, &scope, id, lines, unreadable, &digest, now)?;
            bills::newest(tx, &scope, account, &day)
        })
        .await?;
    bill.ok_or(ReconcileError::Store(StoreError::NotFound { what: "the bill" }))
}

/// Takes away what a fetch left that was cut off, or that brought nothing new.
async fn sweep(app: &App, case: &Case) -> Result<(), ReconcileError> {
    let (scope, account) = (case.scope, case.span.account);
    loop {
        let day = case.day.clone();
        if !app.store().write(move |tx| bills::drop_unfinished(tx, &scope, account, &day)).await? {
            return Ok(());
        }
        renew(app, case).await?;
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
