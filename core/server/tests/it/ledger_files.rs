//! The books as files, read back by programs that we did not write.

use std::{path::Path, process::Command};

use saoma_domain::{
    ledger::{Kind, rules},
    payment::AnswerStatus,
};
use saoma_protocol::money::AMOUNT_MINOR_MAX;
use saoma_store::{
    ledger::{self, Booking, Subject},
    users::Role,
};
use serde_json::{Value, json};

use crate::{
    fleet_world::World,
    ledger::{Person, account, amount, hear, submitted, today},
};

/// Both kinds of file as rows of text; a number comes with its decimals, from the text that the file holds.
const READ: &str = r#"
import csv, decimal, json, sys
path = sys.argv[1]
if path.endswith('.csv'):
    raw = open(path, 'rb').read()
    assert raw.startswith(b'\xef\xbb\xbf') and raw.count(b'\xef\xbb\xbf') == 1, 'one mark, at the start'
    rows = list(csv.reader(raw.decode('utf-8-sig').splitlines(keepends=True)))
else:
    import openpyxl
    def text(cell):
        if cell.data_type == 'f':
            raise SystemExit('a formula: %r' % cell.value)
        if cell.value is None:
            return ''
        if cell.data_type == 'n':
            digits = len(cell.number_format.partition('.')[2])
            return str(decimal.Decimal(repr(cell.value)).quantize(decimal.Decimal(1).scaleb(-digits)))
        return cell.value
    sheet = openpyxl.load_workbook(path).active
    rows = [[text(cell) for cell in row] for row in sheet.iter_rows()]
print(json.dumps(rows))
"#;

/// Debian's own, for which its package is; another may come first on the PATH.
const PYTHON: &str = "/usr/bin/python3";

fn read_by_python(path: &Path) -> Vec<Vec<String>> {
    let output = Command::new(PYTHON).arg("-c").arg(READ).arg(path).output();
    let output = output.expect("python3, with Debian's package python3-openpyxl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn fetch(person: &Person, path: &str, folder: &Path) -> Vec<Vec<String>> {
    let response = person.response(path).await;
    assert_eq!(response.status(), 200, "{path}");
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let (kind, disposition) = (header("content-type"), header("content-disposition"));
    let name = disposition.strip_prefix("attachment; filename=\"").and_then(|rest| rest.strip_suffix('"')).unwrap();
    assert_eq!(kind.starts_with("text/csv"), name.ends_with(".csv"), "{kind} {name}");
    let file = folder.join(name);
    std::fs::write(&file, response.bytes().await.unwrap()).unwrap();
    read_by_python(&file)
}

/// The part of a row that says how much.
fn sums(row: &[String]) -> String {
    format!("{} {} {}", row[7], row[8], row[9])
}

#[tokio::test]
async fn files_say_to_the_last_digit_what_the_api_says() {
    let world = World::start().await;
    let (scope, store) = world.merchant();
    let account = account(&world, scope).await;
    let accountant = Person::of(&world, scope, Role::Accountant).await;
    for (minor, code) in [(29, "CNY"), (1_250, "CNY"), (AMOUNT_MINOR_MAX, "CNY"), (900, "JPY"), (1_500, "KWD")] {
        let payment = submitted(&world, (scope, store), account, amount(minor, code)).await;
        hear(&world, scope, payment, AnswerStatus::Succeeded { paid_at: world.now() }).await;
    }
    // What a payout is called is somebody else's text, and here it is a formula.
    let now = world.now();
    let payout = move |tx: &mut saoma_store::Tx<'_>| {
        let subject = Subject::Other("=HYPERLINK(\"http://evil.example\",\"茶\")".to_owned());
        let booking =
            Booking { subject, kind: Kind::PayoutReceived, channel_account: Some(account), at: now, booked_at: now };
        ledger::post(tx, &scope, &booking, &rules::payout_received(amount(5, "CNY")))
    };
    world.app().store().write(payout).await.unwrap();

    let (folder, days) = (tempfile::tempdir().unwrap(), today(&world));
    let path = |format: &str| {
        format!("/v1/ledger/statement/export?account=channel_clearing&currency=CNY&{days}&format={format}")
    };
    let csv = fetch(&accountant, &path("csv"), folder.path()).await;
    let xlsx = fetch(&accountant, &path("xlsx"), folder.path()).await;
    let expected = [
        "debit credit balance",
        "  0.00",
        "0.29  0.29",
        "12.50  12.79",
        " 0.08 12.71",
        "9999999999.99  10000000012.70",
        " 60000000.00 9940000012.70",
        " 0.05 9940000012.65",
        "  9940000012.65",
    ];
    assert_eq!(csv.iter().map(|row| sums(row)).collect::<Vec<_>>(), expected);
    assert_eq!(xlsx.iter().map(|row| sums(row)).collect::<Vec<_>>(), expected);
    assert_eq!((csv[1][2].as_str(), csv[8][2].as_str()), ("opening_balance", "closing_balance"));
    assert_eq!(
        (csv[7][2].as_str(), csv[7][3].as_str()),
        ("payout_received", "'=HYPERLINK(\"http://evil.example\",\"茶\")")
    );
    assert_eq!(xlsx[7][3], "=HYPERLINK(\"http://evil.example\",\"茶\")", "text there, as the reader has checked");

    let shown = accountant.reads(&format!("/v1/ledger/balances?{days}")).await;
    let path = |format: &str| format!("/v1/ledger/balances/export?{days}&format={format}");
    let csv = fetch(&accountant, &path("csv"), folder.path()).await;
    assert_eq!(csv, fetch(&accountant, &path("xlsx"), folder.path()).await);
    let digits = |code: &str| match code {
        "JPY" => 0,
        "KWD" => 3,
        _ => 2,
    };
    // From text to minor units, without a float.
    let minor = |text: &str, code: &str| -> i64 {
        let fraction = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        assert_eq!(fraction, digits(code), "{text} {code}");
        text.replace('.', "").parse().unwrap()
    };
    let read: Vec<Value> = csv[1..]
        .iter()
        .map(|row| {
            let sum = |column: usize| minor(&row[column], &row[2]);
            json!([row[0], row[2], sum(3), sum(4), sum(5), sum(6)])
        })
        .collect();
    let parts = ["account", "currency", "opening_minor", "debits_minor", "credits_minor", "closing_minor"];
    let items = shown["items"].as_array().unwrap();
    let shown: Vec<Value> = items.iter().map(|item| parts.map(|part| item[part].clone()).to_vec().into()).collect();
    assert_eq!(read, shown);
    assert_eq!(read.len(), 10);
}

/// A file of numbers says whose they are by nothing but the numbers: so a stranger's is that of a merchant with none.
#[tokio::test]
async fn nobody_reads_anothers_books_from_a_file() {
    let world = World::start().await;
    let (scope, store) = world.merchant();
    let account = account(&world, scope).await;
    let payment = submitted(&world, (scope, store), account, amount(1_000, "CNY")).await;
    hear(&world, scope, payment, AnswerStatus::Succeeded { paid_at: world.now() }).await;
    let (other, _) = world.another_merchant().await;
    let (accountant, cashier) =
        (Person::of(&world, scope, Role::Accountant).await, Person::of(&world, scope, Role::Cashier).await);
    let stranger = Person::of(&world, other, Role::Owner).await;
    let (folder, days) = (tempfile::tempdir().unwrap(), today(&world));
    let (never, statement) = ("from=2001-01-01&to=2001-01-01", "statement/export?currency=CNY&account=");
    for file in [
        "balances/export?".to_owned(),
        format!("{statement}channel_clearing"),
        format!("{statement}channel_clearing&channel_account={account}"),
        format!("{statement}merchant_payable"),
        "settlement/export?".to_owned(),
        "settlement/export?by=store".to_owned(),
        "settlement/export?by=terminal".to_owned(),
    ] {
        for format in ["csv", "xlsx"] {
            let path = |days: &str| format!("/v1/ledger/{file}&{days}&format={format}").replace("?&", "?");
            assert_eq!(cashier.refused(&path(&days)).await, "403 forbidden", "{file}");
            let theirs = fetch(&stranger, &path(&days), folder.path()).await;
            // Before there was a merchant, nothing had moved.
            let nothing = fetch(&stranger, &path(never), folder.path()).await;
            let ours = fetch(&accountant, &path(&days), folder.path()).await;
            let sums = |rows: &[Vec<String>]| rows.iter().map(|row| row[row.len() / 2..].join(" ")).collect::<Vec<_>>();
            assert_eq!(sums(&theirs), sums(&nothing), "{file} {format}");
            assert_ne!(sums(&ours), sums(&nothing), "{file} {format}");
        }
    }
}

#[tokio::test]
async fn a_long_statement_is_sent_whole() {
    let world = World::start().await;
    let (scope, _) = world.merchant();
    let now = world.now();
    let fill = move |tx: &mut saoma_store::Tx<'_>| {
        for number in 0..2_500 {
            let subject = Subject::Other(format!("float {number}"));
            let booking = Booking { subject, kind: Kind::DrawerFloat, channel_account: None, at: now, booked_at: now };
            ledger::post(tx, &scope, &booking, &rules::drawer_float(amount(1, "CNY")))?;
        }
        Ok::<_, saoma_store::StoreError>(())
    };
    world.app().store().write(fill).await.unwrap();
    let accountant = Person::of(&world, scope, Role::Accountant).await;
    let (folder, days) = (tempfile::tempdir().unwrap(), today(&world));
    for format in ["csv", "xlsx"] {
        let path = format!("/v1/ledger/statement/export?account=cash_in_drawer&currency=CNY&{days}&format={format}");
        let rows = fetch(&accountant, &path, folder.path()).await;
        // With head, opening and closing balance.
        assert_eq!(rows.len(), 2_503, "{format}");
        assert_eq!((sums(&rows[2]), sums(&rows[2_501])), ("0.01  0.01".to_owned(), "0.01  25.00".to_owned()));
    }
}
