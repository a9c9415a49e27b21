//! What one payment asks of PostgreSQL, read from PostgreSQL's own log and written as a script for pgbench: the same
//! statements, in the same transactions, each time for a payment of its own.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
};

use anyhow::{Context as _, Result, ensure};

/// Before each line of the log, with the process in it.
pub const LINE_PREFIX: &str = "@@%p@@";
/// A statement that only says that the next payment comes.
pub const MARK: &str = "SELECT 'the next payment'";
/// Of a payment's own texts so many letters at the end make room for a number.
const NUMBER_LEN: usize = 12;
/// Texts that differ between payments and are shorter are words, not names.
const NAME_LEN_MIN: usize = 16;
/// Numbers from here on are milliseconds since 1970.
const MILLIS_MIN: i64 = 1_000_000_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    sql: String,
    /// `None` for NULL.
    values: Vec<Option<String>>,
}

/// From BEGIN to COMMIT on one connection, or one statement alone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Transaction(Vec<Statement>);

impl Transaction {
    fn shape(&self) -> String {
        self.0.iter().map(|statement| format!("{};\n", statement.sql)).collect()
    }
}

/// The script of one payment, from a log in which `payments` were made one after the other, a [`MARK`] before each and after the
/// last, and nothing else but what core does by itself now and then. The answer is the script, and how many statements it has.
///
/// # Errors
/// If the log does not show the same transactions for most payments.
pub fn script(log: &str, payments: usize) -> Result<(String, usize)> {
    let rounds = rounds(log);
    let mut times: HashMap<String, usize> = HashMap::new();
    for transaction in rounds.iter().flatten() {
        *times.entry(transaction.shape()).or_default() += 1;
    }
    // What core does by itself happens now and then, and not once for each payment.
    let often = payments - payments / 10;
    let is_of_payments = |one: &&Transaction| times.get(&one.shape()).is_some_and(|n| *n >= often);
    let rounds: Vec<Vec<&Transaction>> =
        rounds.iter().map(|round| round.iter().filter(is_of_payments).collect()).collect();
    let shape = |round: &[&Transaction]| round.iter().map(|transaction| transaction.shape()).collect::<Vec<_>>();
    let mut kinds: HashMap<Vec<String>, Vec<&[&Transaction]>> = HashMap::new();
    for round in &rounds {
        kinds.entry(shape(round)).or_default().push(round);
    }
    let usual = kinds.into_values().max_by_key(Vec::len).context("no payment is in the log")?;
    ensure!(usual.len() >= payments / 2, "{} of {payments} payments ask the same of the database", usual.len());
    let [one, other] = [usual[usual.len() / 2], usual[usual.len() / 2 - 1]];
    let statements = |round: &[&Transaction]| -> Vec<Statement> {
        round.iter().flat_map(|transaction| transaction.0.iter().cloned()).collect()
    };
    written(&statements(one), &statements(other))
}

/// The transactions between one mark and the next, in the order in which they began.
fn rounds(log: &str) -> Vec<Vec<Transaction>> {
    let mut open: BTreeMap<&str, (usize, Vec<Statement>)> = BTreeMap::new();
    let (mut done, mut marks) = (BTreeMap::new(), Vec::new());
    for (line, entry) in log.split("\n@@").enumerate() {
        let Some((process, rest)) = entry.trim_start_matches('@').split_once("@@") else { continue };
        let rest = rest.trim_end();
        if let Some(values) = rest.strip_prefix("DETAIL:  parameters: ") {
            if let Some(last) = open.get_mut(process).and_then(|(_, statements)| statements.last_mut()) {
                last.values = parameters(values);
            }
            continue;
        }
        let statement = rest.strip_prefix("LOG:  statement: ").or_else(|| {
            rest.strip_prefix("LOG:  execute ").and_then(|named| named.split_once(": ").map(|(_, sql)| sql))
        });
        let Some(sql) = statement else { continue };
        if sql.starts_with(MARK) {
            marks.push(line);
            continue;
        }
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches(';').to_owned();
        let is_alone = open.get(process).is_some_and(|(_, statements)| !statements[0].sql.starts_with("BEGIN"));
        // A statement alone is over when the next one of its connection comes, since its values follow it.
        if is_alone && let Some((began, statements)) = open.remove(process) {
            done.insert(began, Transaction(statements));
        }
        let is_end = matches!(sql.as_str(), "COMMIT" | "ROLLBACK");
        open.entry(process).or_insert_with(|| (line, Vec::new())).1.push(Statement { sql, values: Vec::new() });
        if is_end && let Some((began, statements)) = open.remove(process) {
            done.insert(began, Transaction(statements));
        }
    }
    done.extend(open.into_values().map(|(began, statements)| (began, Transaction(statements))));
    let between = marks.iter().zip(marks.iter().skip(1));
    between.map(|(from, to)| done.range(from..to).map(|(_, one)| one.clone()).collect()).collect()
}

/// Of `$1 = 'x', $2 = NULL`.
fn parameters(text: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    let mut rest = text;
    while let Some((_, value)) = rest.split_once(" = ") {
        let Some(quoted) = value.strip_prefix('\'') else {
            values.push(None);
            rest = value.split_once(", ").map_or("", |(_, rest)| rest);
            continue;
        };
        let (mut letters, mut end) = (String::new(), quoted.len());
        let mut walk = quoted.char_indices().peekable();
        while let Some((at, letter)) = walk.next() {
            if letter != '\'' {
                letters.push(letter);
            } else if walk.next_if(|(_, next)| *next == '\'').is_some() {
                letters.push('\'');
            } else {
                end = at + 1;
                break;
            }
        }
        values.push(Some(letters));
        rest = quoted.get(end..).unwrap_or_default();
    }
    values
}

fn written(one: &[Statement], other: &[Statement]) -> Result<(String, usize)> {
    // Texts of this payment alone: every place that has one gets the payment's number instead of its end.
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let pairs = one.iter().zip(other).flat_map(|(one, other)| one.values.iter().zip(&other.values));
    for (value, others) in pairs.filter(|(value, others)| value != others) {
        if let (Some(value), Some(_)) = (value, others)
            && value.len() >= NAME_LEN_MIN
            && !value.starts_with(['{', '['])
        {
            names.insert(value);
        }
    }
    // The longest first, so that none is found inside another.
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let mut script = String::from("\\set n random(1, 999999999999)\n");
    let mut drawn: Option<String> = None;
    for (number, (statement, others)) in one.iter().zip(other).enumerate() {
        let mut sql = statement.sql.clone();
        for (idx, value) in statement.values.iter().enumerate().rev() {
            let literal = match value {
                None => "NULL".to_owned(),
                Some(value) => {
                    let differs = others.values.get(idx) != Some(&Some(value.clone()));
                    let drawn_number = value.parse::<i64>().is_ok_and(|value| value < MILLIS_MIN);
                    match &drawn {
                        Some(name) if differs && drawn_number => format!(":{name}"),
                        _ => literal(value, &names),
                    }
                }
            };
            let place = format!("${}", idx + 1);
            // What is put together is no array by itself; those of names are of texts.
            let is_array = literal.contains("||") && sql.contains(&format!("ANY({place})"));
            sql = sql.replace(&place, &format!("{literal}{}", if is_array { "::text[]" } else { "" }));
        }
        match sql.rsplit_once("RETURNING \"posting_sets\".\"id\"") {
            Some(_) => {
                writeln!(script, "{sql} AS set_id \\gset s{number}_")?;
                drawn = Some(format!("s{number}_set_id"));
            }
            None => writeln!(script, "{sql};")?,
        }
    }
    Ok((script, one.len()))
}

/// A value as SQL, with the payment's number in every name of the payment's.
fn literal(value: &str, names: &[&str]) -> String {
    if let Some(bytes) = value.strip_prefix("\\x") {
        let Some(kept) = bytes.len().checked_sub(NUMBER_LEN).filter(|_| names.contains(&value)) else {
            return format!("'{value}'");
        };
        return format!("decode('{}' || lpad(:n::text, {NUMBER_LEN}, '0'), 'hex')", &bytes[..kept]);
    }
    let mut parts = vec![(value.to_owned(), false)];
    for name in names.iter().filter(|name| !name.starts_with("\\x")) {
        let mut cut = Vec::new();
        for (text, is_name) in parts {
            if is_name {
                cut.push((text, true));
                continue;
            }
            for (idx, piece) in text.split(name).enumerate() {
                if idx > 0 {
                    cut.push(((*name).to_owned(), true));
                }
                cut.push((piece.to_owned(), false));
            }
        }
        parts = cut;
    }
    // pgbench takes a colon before a letter for a variable of its own.
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''").replace(':', "' || chr(58) || '"));
    let sql: Vec<String> = parts
        .iter()
        .filter(|(text, is_name)| *is_name || !text.is_empty())
        .map(|(text, is_name)| match text.len().checked_sub(NUMBER_LEN) {
            Some(kept) if *is_name => format!("'{}' || lpad(:n::text, {NUMBER_LEN}, '0')", &text[..kept]),
            _ => quoted(text),
        })
        .collect();
    match sql.as_slice() {
        [] => "''".to_owned(),
        [one] if !one.contains("||") => one.clone(),
        several => format!("({})", several.join(" || ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_the_log_quotes_them() {
        let read = parameters("$1 = 'it''s, $9 = ''x''', $2 = NULL, $3 = '', $4 = '{\"a\":1}'");
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(read, [text("it's, $9 = 'x'"), None, text(""), text("{\"a\":1}")]);
    }

    #[test]
    fn a_payment_is_written_with_a_number_of_its_own() {
        let payment = |id: &str, set: u32, at: i64| {
            format!(
                "\n@@7@@LOG:  statement: BEGIN\n@@7@@LOG:  execute s1: INSERT INTO p (id, at, word) VALUES ($1, $2, $3)\n\
                 @@7@@DETAIL:  parameters: $1 = 'pay_{id}AAAAAAAAAAAA', $2 = '{at}', $3 = '{{\"id\":\"pay_{id}AAAAAAAAAAAA\"}}'\n\
                 @@7@@LOG:  execute s2: INSERT INTO posting_sets (at)\n\tVALUES ($1) RETURNING \"posting_sets\".\"id\"\n\
                 @@7@@DETAIL:  parameters: $1 = '{at}'\n@@7@@LOG:  execute s3: INSERT INTO postings VALUES ($1, $2)\n\
                 @@7@@DETAIL:  parameters: $1 = '{set}', $2 = '100'\n@@7@@LOG:  statement: COMMIT"
            )
        };
        let mark = format!("\n@@8@@LOG:  statement: {MARK}");
        let one = |n: u32| payment(&format!("0{n}"), 7 + n, MILLIS_MIN + i64::from(n));
        let log: String = (0..4).map(|n| format!("{mark}{}", one(n))).collect();
        let beat = "\n@@9@@LOG:  execute <unnamed>: UPDATE nodes SET beats = beats + 1";
        let (script, statements) = script(&format!("{beat}{log}{beat}{mark}"), 4).unwrap();
        assert_eq!(statements, 5);
        assert_eq!(
            script,
            "\\set n random(1, 999999999999)\nBEGIN;\n\
             INSERT INTO p (id, at, word) VALUES (('pay_02' || lpad(:n::text, 12, '0')), '1000000000002', \
             ('{\"id\"' || chr(58) || '\"' || 'pay_02' || lpad(:n::text, 12, '0') || '\"}'));\n\
             INSERT INTO posting_sets (at) VALUES ('1000000000002') RETURNING \"posting_sets\".\"id\" AS set_id \\gset s2_\n\
             INSERT INTO postings VALUES (:s2_set_id, '100');\nCOMMIT;\n"
        );
    }
}
