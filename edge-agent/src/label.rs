//! Labels that a scale in the shop prints: an EAN-13 whose digits say what was weighed, and how much of it or for how much. Pure.
//!
//! The numbers that begin with 2 are each shop's own (GS1 General Specifications, section 2.1.11, restricted circulation), and its scales
//! are set in one way or another: so are the layouts here.

use std::fmt;

use saoma_protocol::{Grams, barcode::Barcode};
use serde::{Deserialize, Serialize};

/// Signs of a layout: digits of an EAN-13.
const LEN: usize = 13;
/// Most layouts: a shop has one for weights and one for prices.
const LAYOUTS_MAX: usize = 8;

/// The layouts of a shop's labels; mostly none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Labels(Vec<String>);

/// What a label says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The barcode that the goods have in the catalogue.
    pub item: String,
    pub inside: Inside,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    Weight(Grams),
    /// Of all of it, in minor units.
    Price(i64),
}

impl Labels {
    /// By the first layout that it has; none if it is no label.
    #[must_use]
    pub fn read(&self, barcode: &Barcode) -> Option<Label> {
        self.0.iter().find_map(|layout| read(layout, barcode.as_str()))
    }
}

fn read(layout: &str, code: &str) -> Option<Label> {
    let fits = |(sign, digit): (char, char)| !sign.is_ascii_digit() || sign == digit;
    if code.len() != LEN
        || !code.bytes().all(|byte| byte.is_ascii_digit())
        || !layout.chars().zip(code.chars()).all(fits)
    {
        return None;
    }
    let at = |sign| layout.chars().zip(code.chars()).filter(move |pair| pair.0 == sign).map(|pair| pair.1).collect();
    let (item, weight, price): (String, String, String) = (at('i'), at('w'), at('p'));
    let inside = if weight.is_empty() {
        Inside::Price(price.parse().ok()?)
    } else {
        Inside::Weight(Grams(weight.parse().ok()?))
    };
    Some(Label { item, inside })
}

/// Why a text is no layout.
fn fault(layout: &str) -> Option<&'static str> {
    let count = |sign| layout.chars().filter(|letter| *letter == sign).count();
    let (is_weight, is_price) = (count('w') > 0, count('p') > 0);
    if layout.len() != LEN || !layout.chars().all(|sign| sign.is_ascii_digit() || "iwpxc".contains(sign)) {
        Some("a layout has thirteen signs: digits, i, w, p, x and c")
    } else if !layout.starts_with('2') {
        Some("a layout begins with 2: other numbers are not the shop's own")
    } else if count('c') != 1 || !layout.ends_with('c') {
        Some("a layout ends in c, the check digit, and has it nowhere else")
    } else if count('i') == 0 || count('i') == 8 {
        // Eight digits would be an EAN-8.
        Some("a layout has i, the goods' number, one to seven times or nine")
    } else if is_weight == is_price {
        Some("a layout has either w, grams, or p, minor units")
    } else {
        None
    }
}

impl TryFrom<String> for Labels {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let layouts: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if layouts.len() > LAYOUTS_MAX {
            return Err(format!("scale_labels has at most {LAYOUTS_MAX} layouts"));
        }
        match layouts.iter().find_map(|layout| fault(layout).map(|why| (layout, why))) {
            Some((layout, why)) => Err(format!("scale_labels: {layout:?}: {why}, as in 22iiiiiwwwwwc")),
            None => Ok(Self(layouts)),
        }
    }
}

impl From<Labels> for String {
    fn from(labels: Labels) -> Self {
        labels.to_string()
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shops_own_layouts_say_what_stands_where() {
        let labels = Labels::try_from("21iiiiipppppc  22iiiiiwwwwwc 2iiiixwwwwwxc".to_owned()).unwrap();
        assert_eq!(labels.to_string(), "21iiiiipppppc 22iiiiiwwwwwc 2iiiixwwwwwxc");
        for (code, told) in [
            ("2112345005843", Some(("12345", Inside::Price(584)))),
            ("2200123004567", Some(("00123", Inside::Weight(Grams(456))))),
            // The third layout has no digits of its own but the first.
            ("2345670123481", Some(("3456", Inside::Weight(Grams(1_234))))),
            ("4006381333931", None),
            ("2112345", None),
        ] {
            let barcode: Barcode = code.parse().unwrap();
            let told = told.map(|(item, inside)| Label { item: item.to_owned(), inside });
            assert_eq!(labels.read(&barcode), told, "{code}");
            assert_eq!(Labels::default().read(&barcode), None);
        }
    }

    #[test]
    fn what_is_no_layout_is_refused_with_what_is_wrong() {
        for (text, why) in [
            ("22iiiiiwwwwc", "thirteen signs"),
            ("22iiiiiwwwwwz", "thirteen signs"),
            ("92iiiiiwwwwwc", "begins with 2"),
            ("22iiiiiwwwwww", "ends in c"),
            ("22xxxxxwwwwwc", "the goods' number"),
            ("2iiiiiiiiwwwc", "the goods' number"),
            ("22iiiiixxxxxc", "either w"),
            ("22iiiiiwwpppc", "either w"),
            ("22iiiiiwwwwwc é2iiiiiwwwwc", "thirteen signs"),
            (
                "2iiiiiiwwwwwc 2iiiiiiwwwwwc 2iiiiiiwwwwwc 2iiiiiiwwwwwc 2iiiiiiwwwwwc 2iiiiiiwwwwwc 2iiiiiiwwwwwc \
              2iiiiiiwwwwwc 2iiiiiiwwwwwc",
                "at most 8",
            ),
        ] {
            let error = Labels::try_from(text.to_owned()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert_eq!(Labels::try_from(String::new()), Ok(Labels::default()));
    }
}
