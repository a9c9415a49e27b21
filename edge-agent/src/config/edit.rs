//! Sets options in the text of a configuration file, and leaves all else of it as it stands: comments, order, spaces.
//!
//! A value goes where the old one stood, by the places that the parser tells. What comes out is read again, and must be what was
//! there with these options set; a file that is written in a way in which that does not come out is left alone.

use std::ops::Range;

use toml::{
    Spanned, Table, Value,
    de::{DeString, DeTable, DeValue},
};

/// Why a text is left as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("{0}")]
    Syntax(String),
    #[error("its [{0}] is not written as a section of lines")]
    Shape(String),
}

/// The text with these options of `section` set.
///
/// # Errors
/// `Syntax` if the text is no TOML, `Shape` for a section that is an inline table or dotted names.
pub fn set(text: &str, section: &str, options: &[(String, Value)]) -> Result<String, EditError> {
    let syntax = |error: toml::de::Error| EditError::Syntax(error.message().to_owned());
    let document = DeTable::parse(text).map_err(syntax)?;
    let held = find(document.get_ref(), section);
    let table = held.and_then(|value| value.get_ref().as_table());
    let mut pieces: Vec<(Range<usize>, String)> = Vec::new();
    let mut added = String::new();
    for (name, value) in options {
        match table.and_then(|table| find(table, name)) {
            Some(old) => pieces.push((old.span(), value.to_string())),
            None => added.push_str(&format!("{name} = {value}\n")),
        }
    }
    if !added.is_empty() {
        pieces.push(place_of_new(text, section, held.map(Spanned::span), &added));
    }
    pieces.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    let mut edited = text.to_owned();
    for (place, piece) in pieces {
        edited.replace_range(place, &piece);
    }
    let shape = || EditError::Shape(section.to_owned());
    let wanted = wanted(text, section, options).ok_or_else(shape)?;
    if edited.parse::<Table>().is_ok_and(|came| came == wanted) { Ok(edited) } else { Err(shape()) }
}

fn find<'a, 'i>(table: &'a DeTable<'i>, name: &str) -> Option<&'a Spanned<DeValue<'i>>> {
    let is_it = |key: &Spanned<DeString<'_>>| key.get_ref().as_ref() == name;
    table.iter().find(|(key, _)| is_it(key)).map(|(_, value)| value)
}

/// Below the section's header, or with a header at the end.
fn place_of_new(text: &str, section: &str, header: Option<Range<usize>>, lines: &str) -> (Range<usize>, String) {
    let end = text.len();
    let Some(header) = header else {
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return (end..end, format!("{gap}\n[{section}]\n{lines}"));
    };
    let below = text.get(header.end..).and_then(|rest| rest.find('\n')).map(|at| header.end + at + 1);
    below.map_or_else(|| (end..end, format!("\n{lines}")), |below| (below..below, lines.to_owned()))
}

fn wanted(text: &str, section: &str, options: &[(String, Value)]) -> Option<Table> {
    let mut wanted = text.parse::<Table>().ok()?;
    let table = wanted.entry(section).or_insert_with(|| Value::Table(Table::new())).as_table_mut()?;
    table.extend(options.iter().cloned());
    Some(wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set_all(text: &str, options: &[(&str, Value)]) -> Result<String, EditError> {
        let options: Vec<_> = options.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        set(text, "peripherals", &options)
    }

    #[test]
    fn all_but_the_value_stays_as_it_stands() {
        let (serial, fast) = (Value::from("serial"), Value::from(115_200));
        let options = [("scanner", serial), ("scanner_baud", fast)];
        let rows = [
            ("", "\n[peripherals]\nscanner = \"serial\"\nscanner_baud = 115200\n"),
            ("a = 1", "a = 1\n\n[peripherals]\nscanner = \"serial\"\nscanner_baud = 115200\n"),
            (
                "# ours\n[peripherals]  # here\n  scanner='none' # by the till\nscanner_baud =9_600\n\n[till]\ncashier = \"Li\"\n",
                "# ours\n[peripherals]  # here\n  scanner=\"serial\" # by the till\nscanner_baud =115200\n\n[till]\ncashier = \"Li\"\n",
            ),
            (
                "[peripherals]\n# scanner = \"evdev\"\nprinter = \"none\"\n",
                "[peripherals]\nscanner = \"serial\"\nscanner_baud = 115200\n# scanner = \"evdev\"\nprinter = \"none\"\n",
            ),
            ("[peripherals]", "[peripherals]\nscanner = \"serial\"\nscanner_baud = 115200\n"),
            (
                "peripherals = { scanner = \"x\", scanner_baud = 1 } # so\n",
                "peripherals = { scanner = \"serial\", scanner_baud = 115200 } # so\n",
            ),
            (
                "peripherals.scanner = \"\"\"\nx\"\"\"\nperipherals.scanner_baud = 1\n",
                "peripherals.scanner = \"serial\"\nperipherals.scanner_baud = 115200\n",
            ),
            (
                "[peripherals]\r\nscanner = 'none'\r\nscanner_baud = 1\r\n",
                "[peripherals]\r\nscanner = \"serial\"\r\nscanner_baud = 115200\r\n",
            ),
        ];
        for (text, edited) in rows {
            assert_eq!(set_all(text, &options).as_deref(), Ok(edited), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_edited_is_left_alone() {
        let shape = EditError::Shape("peripherals".to_owned());
        for text in
            ["peripherals = { printer = \"x\" }\n", "peripherals.printer = \"x\"\n[till]\n", "peripherals = 3\n"]
        {
            assert_eq!(set_all(text, &[("scanner", Value::from("none"))]).as_ref(), Err(&shape), "{text}");
        }
        assert!(matches!(set_all("= 3", &[]), Err(EditError::Syntax(_))));
    }

    proptest! {
        #[test]
        fn any_text_is_set_as_it_is(value in "\\PC{0,20}|[\"'\\\\\n\t]{0,8}", comment in "[ -~]{0,20}") {
            let text = format!("# {comment}\n[peripherals]\nprinter = 'a' # {comment}\n[till]\n# {comment}\n");
            let edited = set_all(&text, &[("printer", Value::from(value.clone()))]).unwrap();
            let read = edited.parse::<Table>().unwrap();
            prop_assert_eq!(read["peripherals"]["printer"].as_str(), Some(value.as_str()));
            prop_assert_eq!(edited.matches(&format!("# {comment}")).count() >= 3, true);
        }
    }
}
