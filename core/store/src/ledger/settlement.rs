//! What was sold, given back and charged in a period, by channel account: for the whole merchant, each store, or each
//! terminal. From the books, by when it came into them, as balances are: what a period said when it was over, it says for
//! good.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use saoma_domain::ledger::{Account, Kind};
use saoma_protocol::{BatchId, ChannelAccountId, Currency, Millis, StoreId, TerminalId};

use crate::{
    StoreError, TenantScope, Tx,
    batches::REFUNDS,
    column::{Txt, corrupt, unsigned},
};

/// How finely lines are parted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Merchant,
    Store,
    Terminal,
}

/// Of one channel account (or cash) and currency, in its minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettlementLine {
    /// `None`: of the whole merchant, or money of no payment of ours.
    pub store: Option<StoreId>,
    /// `None`: of the whole store, or without a terminal.
    pub terminal: Option<TerminalId>,
    /// `None`: cash.
    pub channel_account: Option<ChannelAccountId>,
    pub currency: Currency,
    pub payments: u64,
    pub gross_minor: i64,
    /// Refunds, voids, and what channels undid by themselves.
    pub refunds: u64,
    pub refunded_minor: i64,
    /// What channels took back because customers dispute it, less what they gave back because the merchant won.
    pub disputed_minor: i64,
    /// What channels kept, less what they gave back of it.
    pub fees_minor: i64,
    /// What their bills were found to move more, or less if it is negative.
    pub corrected_minor: i64,
}

impl SettlementLine {
    /// What is due of it to the merchant; `None` past 64 bits.
    #[must_use]
    pub fn net_minor(&self) -> Option<i64> {
        let kept = self.gross_minor.checked_sub(self.refunded_minor)?.checked_sub(self.fees_minor)?;
        kept.checked_sub(self.disputed_minor)?.checked_add(self.corrected_minor)
    }
}

/// What moved from `from` on and before `to`, by store, terminal, channel account and currency.
///
/// # Errors
/// `Corrupt` for what is not in the form of these columns.
pub fn settlement(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    by: By,
    from: Millis,
    to: Millis,
) -> Result<Vec<SettlementLine>, StoreError> {
    let query = statement(by, "s.booked_at >= $2 AND s.booked_at < $3");
    let rows: Vec<Row> = tx.run(scope, |conn| {
        sql_query(query)
            .bind::<Text, _>(scope.tenant().to_string())
            .bind::<BigInt, _>(from.0)
            .bind::<BigInt, _>(to.0)
            .load(conn)
    })?;
    rows.into_iter().map(SettlementLine::try_from).collect()
}

/// What the sales and refunds of a batch moved, whenever that came into the books: the same as [`settlement`] by terminal.
///
/// # Errors
/// `Corrupt` for what is not in the form of these columns.
pub fn settlement_of_batch(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    batch: BatchId,
) -> Result<Vec<SettlementLine>, StoreError> {
    // A terminal's journal can name what is not its own: that is not of its batch.
    let sales = "SELECT t.payment_id FROM terminal_sales t JOIN payments q \
                 ON q.tenant_id = t.tenant_id AND q.id = t.payment_id AND q.terminal_id = t.terminal_id \
                 WHERE t.tenant_id = $1 AND t.batch_id = $2";
    let refunded = Kind::RefundSucceeded.text();
    let of_batch = format!(
        "((s.kind = '{refunded}' AND s.refund_id IN ({REFUNDS})) OR (s.kind <> '{refunded}' AND s.payment_id IN ({sales})))"
    );
    let query = statement(By::Terminal, &of_batch);
    let rows: Vec<Row> = tx.run(scope, |conn| {
        sql_query(query).bind::<Text, _>(scope.tenant().to_string()).bind::<Text, _>(batch.to_string()).load(conn)
    })?;
    rows.into_iter().map(SettlementLine::try_from).collect()
}

/// The sums over the sets `s` that fit, by the tenant `$1`.
fn statement(by: By, fits: &str) -> String {
    let (store, terminal) = match by {
        By::Merchant => ("CAST('' AS TEXT)", "CAST('' AS TEXT)"),
        By::Store => ("COALESCE(p.store_id, '')", "CAST('' AS TEXT)"),
        By::Terminal => ("COALESCE(p.store_id, '')", "COALESCE(p.terminal_id, '')"),
    };
    let [captured, refunded, undone, fee, bill] =
        [Kind::Captured, Kind::RefundSucceeded, Kind::Undone, Kind::FeeCorrected, Kind::BillCorrected].map(Kind::text);
    let [opened, won, lost] = [Kind::DisputeOpened, Kind::DisputeWon, Kind::DisputeLost].map(Kind::text);
    let [payable, transit, held, fees] =
        [Account::MerchantPayable, Account::RefundsInTransit, Account::DisputesHeld, Account::Fees].map(Account::text);
    // A set of the amount has one line on the account named, so lines are counted there.
    format!(
        "SELECT {store} AS store, {terminal} AS terminal, COALESCE(s.channel_account_id, '') AS channel_account, \
           l.currency AS currency, \
           CAST(SUM(CASE WHEN s.kind = '{captured}' AND l.account = '{payable}' THEN 1 ELSE 0 END) AS BIGINT) AS payments, \
           CAST(SUM(CASE WHEN s.kind = '{captured}' AND l.account = '{payable}' THEN -l.amount_minor ELSE 0 END) AS BIGINT) \
             AS gross_minor, \
           CAST(SUM(CASE WHEN (s.kind = '{refunded}' AND l.account = '{transit}') \
             OR (s.kind = '{undone}' AND l.account = '{payable}') THEN 1 ELSE 0 END) AS BIGINT) AS refunds, \
           CAST(SUM(CASE WHEN (s.kind = '{refunded}' AND l.account = '{transit}') \
             OR (s.kind = '{undone}' AND l.account = '{payable}') THEN l.amount_minor ELSE 0 END) AS BIGINT) AS refunded_minor, \
           CAST(SUM(CASE WHEN s.kind IN ('{opened}', '{won}') AND l.account = '{held}' THEN l.amount_minor ELSE 0 END) \
             AS BIGINT) AS disputed_minor, \
           CAST(SUM(CASE WHEN l.account = '{fees}' THEN l.amount_minor ELSE 0 END) AS BIGINT) AS fees_minor, \
           CAST(SUM(CASE WHEN s.kind = '{bill}' AND l.account = '{payable}' THEN -l.amount_minor ELSE 0 END) AS BIGINT) \
             AS corrected_minor \
         FROM posting_sets s \
         JOIN postings l ON l.tenant_id = s.tenant_id AND l.set_id = s.id \
         LEFT JOIN payments p ON p.tenant_id = s.tenant_id AND p.id = s.payment_id \
         WHERE s.tenant_id = $1 AND {fits} \
           AND s.kind IN ('{captured}', '{refunded}', '{undone}', '{fee}', '{bill}', '{opened}', '{won}', '{lost}') \
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    )
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    store: String,
    #[diesel(sql_type = Text)]
    terminal: String,
    #[diesel(sql_type = Text)]
    channel_account: String,
    #[diesel(sql_type = Text)]
    currency: Txt<Currency>,
    #[diesel(sql_type = BigInt)]
    payments: i64,
    #[diesel(sql_type = BigInt)]
    gross_minor: i64,
    #[diesel(sql_type = BigInt)]
    refunds: i64,
    #[diesel(sql_type = BigInt)]
    refunded_minor: i64,
    #[diesel(sql_type = BigInt)]
    disputed_minor: i64,
    #[diesel(sql_type = BigInt)]
    fees_minor: i64,
    #[diesel(sql_type = BigInt)]
    corrected_minor: i64,
}

impl TryFrom<Row> for SettlementLine {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        fn id<T: std::str::FromStr>(text: &str) -> Result<Option<T>, StoreError> {
            let parsed = (!text.is_empty()).then(|| text.parse()).transpose();
            parsed.map_err(|_| corrupt(format!("{text:?} where an id is expected")))
        }
        Ok(Self {
            store: id(&row.store)?,
            terminal: id(&row.terminal)?,
            channel_account: id(&row.channel_account)?,
            currency: row.currency.0,
            payments: unsigned(row.payments)?,
            gross_minor: row.gross_minor,
            refunds: unsigned(row.refunds)?,
            refunded_minor: row.refunded_minor,
            disputed_minor: row.disputed_minor,
            fees_minor: row.fees_minor,
            corrected_minor: row.corrected_minor,
        })
    }
}
