//! Both sides in the order of their keys. The bill lies in it and is read a page at a time; the books lie in the order in which
//! things happened and are read once, from one state of them, and sorted.

use saoma_domain::recon::{Ours, Theirs};
use saoma_protocol::ChannelAccountId;
use saoma_store::{
    Store, StoreError, TenantScope, bills,
    discrepancies::{self, Decided},
    ledger,
};

use crate::{
    app::App,
    reconcile::{
        Case, ReconcileError, entries, go_on, renew,
        sort::{Sorted, Sorter},
    },
};

/// The day's movements as the books have them now.
pub(super) fn sort_ours(app: &App, case: &Case) -> Result<Sorted, ReconcileError> {
    let (store, scope, limits) = (app.store(), case.scope, case.limits);
    let through = store.read_blocking(|tx| ledger::through_now(tx, &scope))?;
    let mut sorter = Sorter::new(&app.config().data_dir, limits.sort_bytes);
    let mut after = None;
    loop {
        go_on(app)?;
        let now = app.now();
        store.write_blocking(|tx| renew(tx, case, now))?;
        let page = store
            .read_blocking(|tx| ledger::movements(tx, &scope, &case.span, through, after.as_ref(), limits.ours_page))?;
        for row in &page.rows {
            sorter.push(&entries::of_movement(row)?)?;
        }
        if page.next.is_none() {
            return Ok(sorter.sorted()?);
        }
        after = page.next;
    }
}

pub(super) fn ours(sorted: &Sorted) -> Result<impl Iterator<Item = Result<Ours, ReconcileError>>, ReconcileError> {
    Ok(sorted.entries()?.map(|entry| entries::movement(entry?)))
}

#[derive(Clone)]
pub(super) struct Pages {
    pub store: Store,
    pub scope: TenantScope,
    pub rows: u32,
}

impl Pages {
    pub fn theirs(self, bill: u64) -> impl Iterator<Item = Result<Theirs, StoreError>> {
        let Self { store, scope, rows } = self;
        paged(move |last: Option<&Theirs>| store.read_blocking(|tx| bills::page(tx, &scope, bill, last, rows)))
    }

    pub fn decided(self, account: ChannelAccountId) -> impl Iterator<Item = Result<Decided, StoreError>> {
        let Self { store, scope, rows } = self;
        paged(move |last: Option<&Decided>| {
            store.read_blocking(|tx| discrepancies::decided(tx, &scope, account, last, rows))
        })
    }
}

/// The rows of all pages; over with the first empty page or the first error.
fn paged<T: Clone>(
    mut page: impl FnMut(Option<&T>) -> Result<Vec<T>, StoreError>,
) -> impl Iterator<Item = Result<T, StoreError>> {
    let (mut rows, mut last, mut is_over) = (Vec::new().into_iter(), None, false);
    std::iter::from_fn(move || {
        loop {
            if let Some(row) = rows.next() {
                return Some(Ok(row));
            }
            if is_over {
                return None;
            }
            match page(last.as_ref()) {
                Ok(next) => {
                    last = next.last().cloned().or(last.take());
                    is_over = next.is_empty();
                    rows = next.into_iter();
                }
                Err(error) => {
                    is_over = true;
                    return Some(Err(error));
                }
            }
        }
    })
}
