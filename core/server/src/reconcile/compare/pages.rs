//! Rows of a side, read a page at a time as they are asked for.

use saoma_domain::recon::{Ours, Theirs};
use saoma_protocol::ChannelAccountId;
use saoma_store::{
    Store, StoreError, TenantScope, bills,
    discrepancies::{self, Decided},
    ledger,
};

/// Rows of a page of the books. Each page costs a walk through the day's index: large ones make few walks, and this many
/// rows are some 10 MB.
const OURS_PAGE: u32 = 50_000;
/// Rows of a page of the bill, which is read in the order in which it lies.
pub(super) const THEIRS_PAGE: u32 = 5_000;

#[derive(Clone)]
pub(super) struct Pages {
    pub store: Store,
    pub scope: TenantScope,
}

impl Pages {
    pub fn ours(self, span: ledger::Span) -> impl Iterator<Item = Result<Ours, StoreError>> {
        let Self { store, scope } = self;
        paged(move |last: Option<&Ours>| {
            let after = last.map(|row| &row.key);
            store.read_blocking(|tx| ledger::movements(tx, &scope, &span, after, OURS_PAGE))
        })
    }

    pub fn theirs(self, bill: u64) -> impl Iterator<Item = Result<Theirs, StoreError>> {
        let Self { store, scope } = self;
        paged(move |last: Option<&Theirs>| store.read_blocking(|tx| bills::page(tx, &scope, bill, last, THEIRS_PAGE)))
    }

    pub fn decided(self, account: ChannelAccountId) -> impl Iterator<Item = Result<Decided, StoreError>> {
        let Self { store, scope } = self;
        paged(move |last: Option<&Decided>| {
            store.read_blocking(|tx| discrepancies::decided(tx, &scope, account, last, THEIRS_PAGE))
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
