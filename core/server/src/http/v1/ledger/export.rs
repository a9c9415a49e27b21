//! The books as files: CSV for programs and Excel alike, XLSX for people.
//!
//! CSV is sent page by page as it is read, however long it is; XLSX has at most [`SHEET_LINES_MAX`] lines, since the file
//! must be whole before its first byte leaves.

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use saoma_protocol::{ChannelAccountId, Currency, Money};
use saoma_store::{
    StoreError, TenantScope,
    ledger::{self, LINES_MAX, Of, Place},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{of_account, zone_of};
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ReadBooks},
        problem::{EXPORT_TOO_LARGE, Problem},
        sheet::{self, Cell},
    },
    period::{Period, local_text},
};

/// Most lines of one XLSX file: a year of a busy till, some 10 MB in the making and in the file.
const SHEET_LINES_MAX: usize = 100_000;

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Csv,
    Xlsx,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct BalancesExport {
    #[param(inline)]
    format: Format,
    /// The first day, as `2026-01-31`, in the merchant's time zone.
    from: String,
    /// The last day.
    to: String,
}

/// The balances of a period as a file.
#[utoipa::path(get, path = "/v1/ledger/balances/export", operation_id = "export_balances", tag = "ledger",
    params(BalancesExport), responses((status = 200, content_type = "text/csv", body = String)))]
pub async fn balances(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    asked: web::Query<BalancesExport>,
) -> Result<HttpResponse, Problem> {
    let (scope, BalancesExport { format, from, to }) = (caller.scope()?, asked.into_inner());
    let period = Period::of_days(&from, &to, &zone_of(&app, scope).await?)?;
    let lines = app.store().read(move |tx| ledger::turnover(tx, &scope, period.from, period.to)).await?;
    let head = ["account", "channel_account", "currency", "opening", "debits", "credits", "closing"];
    let mut rows = vec![head.map(Cell::head).to_vec()];
    rows.extend(lines.into_iter().map(|line| {
        let money = |minor| Cell::Money(Money::new(minor, line.currency));
        vec![
            Cell::code(line.account.text()),
            Cell::code(line.channel_account.map(|account| account.to_string()).unwrap_or_default()),
            Cell::code(line.currency.code()),
            money(line.opening_minor),
            money(line.debits_minor),
            money(line.credits_minor),
            money(line.closing_minor),
        ]
    }));
    whole(format, "balances", &format!("balances-{from}-{to}"), rows).await
}

/// All rows as one file, which is as short as the list of accounts or terminals.
///
/// # Errors
/// `INTERNAL`: writing to memory does not fail.
pub async fn whole(
    format: Format,
    title: &'static str,
    name: &str,
    rows: Vec<Vec<Cell>>,
) -> Result<HttpResponse, Problem> {
    match format {
        Format::Csv => Ok(file(name, "csv").body([sheet::BOM, &sheet::csv(&rows)?].concat())),
        Format::Xlsx => {
            let made = tokio::task::spawn_blocking(move || sheet::xlsx(title, rows.into_iter().map(Ok::<_, Problem>)));
            Ok(file(name, "xlsx").body(made.await.map_err(|error| Problem::internal(&error))??))
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct StatementExport {
    #[param(inline)]
    format: Format,
    /// For example `channel_clearing`.
    account: String,
    #[param(value_type = String, example = "CNY")]
    currency: Currency,
    /// Of one channel account alone, where the account is kept for each.
    channel_account: Option<ChannelAccountId>,
    /// The first day, as `2026-01-31`, in the merchant's time zone.
    from: String,
    /// The last day.
    to: String,
}

/// An account's whole statement as a file. XLSX has at most 100,000 lines.
#[utoipa::path(get, path = "/v1/ledger/statement/export", operation_id = "export_statement", tag = "ledger",
    params(StatementExport), responses((status = 200, content_type = "text/csv", body = String)))]
pub async fn statement(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    asked: web::Query<StatementExport>,
) -> Result<HttpResponse, Problem> {
    let (scope, asked) = (caller.scope()?, asked.into_inner());
    let zone = zone_of(&app, scope).await?;
    let period = Period::of_days(&asked.from, &asked.to, &zone)?;
    let of = of_account(&asked.account, asked.channel_account, asked.currency, period)?;
    let name = format!("{}-{}-{}-{}", of.account.text(), of.currency, asked.from, asked.to);
    let reader = Reader { app: app.get_ref().clone(), scope, zone, of, after: None, stage: Stage::Head };
    match asked.format {
        Format::Csv => {
            let pages = stream::unfold(Some(reader), |reader| async move {
                let mut reader = reader?;
                match reader.csv().await {
                    Ok(chunk) => Some((Ok::<Bytes, actix_web::Error>(chunk?), Some(reader))),
                    // A file that ends too early must not look whole: the connection is cut.
                    Err(problem) => Some((Err(problem.into()), None)),
                }
            });
            Ok(file(&name, "csv").streaming(pages))
        }
        Format::Xlsx => {
            let made = tokio::task::spawn_blocking(move || reader.xlsx());
            Ok(file(&name, "xlsx").body(made.await.map_err(|error| Problem::internal(&error))??))
        }
    }
}

fn file(name: &str, extension: &str) -> actix_web::HttpResponseBuilder {
    let kind = match extension {
        "csv" => "text/csv; charset=utf-8",
        _ => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    };
    let mut answer = HttpResponse::Ok();
    answer
        .content_type(kind)
        .insert_header(("content-disposition", format!("attachment; filename=\"{name}.{extension}\"")))
        .insert_header(("cache-control", "no-store"));
    answer
}

/// Reads a statement from its head to its end.
struct Reader {
    app: App,
    scope: TenantScope,
    zone: String,
    of: Of,
    after: Option<Place>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Lines,
    Over,
}

impl Reader {
    /// The next piece of the file; nothing at its end.
    async fn csv(&mut self) -> Result<Option<Bytes>, Problem> {
        if self.stage == Stage::Over {
            return Ok(None);
        }
        let (scope, of, after) = (self.scope, self.of, self.after);
        let page = self.app.store().read(move |tx| ledger::statement(tx, &scope, &of, after, LINES_MAX)).await?;
        let start = if self.stage == Stage::Head { sheet::BOM } else { &[] };
        Ok(Some([start, &sheet::csv(&self.rows(page))?].concat().into()))
    }

    fn xlsx(mut self) -> Result<Vec<u8>, Problem> {
        let mut n_lines = 0;
        let pages = std::iter::from_fn(move || {
            if self.stage == Stage::Over {
                return None;
            }
            let page = self
                .app
                .store()
                .read_blocking(|tx| ledger::statement(tx, &self.scope, &self.of, self.after, LINES_MAX));
            Some(page.map(|page| self.rows(page)))
        });
        let rows = pages.flat_map(|page: Result<Vec<Vec<Cell>>, StoreError>| match page {
            Ok(rows) => rows.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(Problem::from(error))],
        });
        sheet::xlsx(
            "statement",
            rows.map(move |row| {
                n_lines += 1;
                if n_lines > SHEET_LINES_MAX {
                    let detail = format!("More than {SHEET_LINES_MAX} lines: choose a shorter period, or CSV.");
                    return Err(Problem::new(EXPORT_TOO_LARGE, detail));
                }
                row
            }),
        )
    }

    /// The page's rows, with the head and the opening balance before the first and the closing balance after the last.
    fn rows(&mut self, page: ledger::Page) -> Vec<Vec<Cell>> {
        let money = |minor| Cell::Money(Money::new(minor, self.of.currency));
        let mut rows = Vec::with_capacity(page.lines.len() + 3);
        let total = |word: &str, minor| {
            let mut row = vec![Cell::code(""), Cell::code(""), Cell::code(word)];
            row.extend([""; 6].map(Cell::code));
            row.extend([money(minor), Cell::code(self.of.currency.code())]);
            row
        };
        if self.stage == Stage::Head {
            let head = [
                "booked_at",
                "happened_at",
                "kind",
                "subject",
                "payment",
                "refund",
                "channel_account",
                "debit",
                "credit",
                "balance",
                "currency",
            ];
            rows.push(head.map(Cell::head).to_vec());
            rows.push(total("opening_balance", page.opening_minor));
        }
        for line in page.lines {
            let id = |id: Option<String>| Cell::code(id.unwrap_or_default());
            let (debit, credit) = match line.money.minor() {
                0.. => (Cell::Money(line.money), Cell::code("")),
                _ => (Cell::code(""), Cell::Money(line.money.negated())),
            };
            rows.push(vec![
                Cell::code(local_text(line.booked_at, &self.zone)),
                Cell::code(local_text(line.at, &self.zone)),
                Cell::code(line.kind.text()),
                Cell::Text(line.subject),
                id(line.payment.map(|payment| payment.to_string())),
                id(line.refund.map(|refund| refund.to_string())),
                id(line.channel_account.map(|account| account.to_string())),
                debit,
                credit,
                money(line.balance_minor),
                Cell::code(self.of.currency.code()),
            ]);
        }
        if page.next.is_none() {
            rows.push(total("closing_balance", page.closing_minor));
        }
        (self.after, self.stage) = match page.next {
            Some(next) => (Some(next), Stage::Lines),
            None => (None, Stage::Over),
        };
        rows
    }
}
