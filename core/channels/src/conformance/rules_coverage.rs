//! What a list of verdicts proves of a merchant's rules: each rule that is offered decided about every sale of the kit, under each of
//! the settings that it was played under.
//!
//! There is no far side that could be short of something, so that nothing is ever left out.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    coverage::{CoverageError, Stated},
    report::Verdict,
    rules::rule_of,
};

/// Holds the verdicts to the sales of their kit, of which these are the names.
///
/// # Errors
/// See [`CoverageError`].
pub(crate) fn proven<'a>(
    names: &[String],
    offers: &BTreeSet<String>,
    stated: impl IntoIterator<Item = Stated<'a>>,
) -> Result<(), CoverageError> {
    let mut verdicts = BTreeMap::new();
    for stated in stated {
        if verdicts.insert(stated.case, stated.verdict).is_some() {
            return Err(CoverageError::Twice(stated.case.to_owned()));
        }
    }
    let is_offered = |name: &str| rule_of(name).is_some_and(|rule| offers.contains(rule.text()));
    // By the settings' name, which is empty if there were no two.
    let mut runs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (case, verdict) in &verdicts {
        let (bare, settings) = parted(names, case).ok_or_else(|| CoverageError::Unknown((*case).to_owned()))?;
        let played = runs.entry(settings).or_default();
        if *verdict != Verdict::Skipped {
            played.insert(bare);
        }
    }
    if runs.is_empty() {
        runs.insert("", BTreeSet::new());
    }
    let missing: Vec<String> = runs
        .iter()
        .flat_map(|(settings, played)| {
            let missing = names.iter().filter(|name| is_offered(name) && !played.contains(name.as_str()));
            missing.map(move |name| if settings.is_empty() { name.clone() } else { format!("{name}-{settings}") })
        })
        .collect();
    if let Some(first) = missing.first() {
        return Err(CoverageError::Missing { count: missing.len(), first: first.clone() });
    }
    for (case, verdict) in verdicts {
        if verdict == Verdict::Failed {
            return Err(CoverageError::Failed(case.to_owned()));
        }
        if let Some(rule) = rule_of(case).filter(|_| !is_offered(case)) {
            let unmet = format!("the description does not offer {}", rule.text());
            return Err(CoverageError::Unplayable { case: case.to_owned(), unmet });
        }
    }
    Ok(())
}

/// The name of a case without the settings that it was played under, and theirs.
fn parted<'n, 'c>(names: &'n [String], case: &'c str) -> Option<(&'n str, &'c str)> {
    let parts = names.iter().filter_map(|name| {
        let rest = case.strip_prefix(name.as_str())?;
        let settings = if rest.is_empty() { rest } else { rest.strip_prefix('-').filter(|name| !name.is_empty())? };
        Some((name.as_str(), settings))
    });
    // Should one sale's name ever begin with another's, the longer one is meant.
    parts.max_by_key(|(name, _)| name.len())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::conformance::rules::{rule_names, rule_names_of};

    /// What an honest run states of these rules under these settings.
    pub(crate) fn honest(rules: &[&str], settings: &[&str]) -> Vec<(String, Verdict)> {
        let is_played = |name: &&String| rule_of(name).is_some_and(|rule| rules.contains(&rule.text()));
        let names: Vec<String> = rule_names().iter().filter(is_played).cloned().collect();
        if settings.len() < 2 {
            return names.into_iter().map(|name| (name, Verdict::Passed)).collect();
        }
        let under = |settings: &&str| {
            let name = (*settings).to_owned();
            names.iter().map(move |bare| (format!("{bare}-{name}"), Verdict::Passed)).collect::<Vec<_>>()
        };
        settings.iter().flat_map(under).collect()
    }

    fn judged(rules: &[&str], verdicts: &[(String, Verdict)]) -> Result<(), CoverageError> {
        judged_by(&rule_names(), rules, verdicts)
    }

    fn judged_by(names: &[String], rules: &[&str], verdicts: &[(String, Verdict)]) -> Result<(), CoverageError> {
        let offers = rules.iter().map(|rule| (*rule).to_owned()).collect();
        proven(names, &offers, verdicts.iter().map(|(case, verdict)| Stated { case, verdict: *verdict, why: None }))
    }

    /// A sale that a kit did not have yet is not asked for, and cannot have been played by it.
    #[test]
    fn verdicts_are_judged_by_their_own_kit() {
        let mut before = rule_names();
        before.retain(|name| name != "price-epoch");
        let mut verdicts = honest(&["price"], &[]);
        assert_eq!(judged_by(&before, &["price"], &verdicts), Err(CoverageError::Unknown("price-epoch".to_owned())));
        verdicts.retain(|(case, _)| case != "price-epoch");
        assert_eq!(judged_by(&before, &["price"], &verdicts), Ok(()));
        assert!(rule_names_of(0).is_empty() && rule_names_of(1).len() <= rule_names().len());
    }

    #[test]
    fn honest_runs_prove_whatever_is_offered() {
        for rules in [&["price", "route", "risk", "receipt-lines"][..], &["receipt-lines"], &["risk", "price"]] {
            for settings in [&[][..], &["none"], &["weekdays", "holidays"], &["a", "a-b", "usual"]] {
                assert_eq!(judged(rules, &honest(rules, settings)), Ok(()), "{rules:?} {settings:?}");
            }
        }
    }

    /// Each way to be wrong, one change away from an honest run.
    #[test]
    fn what_proves_nothing_is_refused() {
        type Change = fn(&mut Vec<(String, Verdict)>);
        let case = |name: &str| name.to_owned();
        let missing = |count, first: &str| CoverageError::Missing { count, first: first.to_owned() };
        let rows: [(&str, &[&str], Change, CoverageError); 10] = [
            ("unknown", &[], |rows| rows[0].0 = "price-dance".to_owned(), CoverageError::Unknown(case("price-dance"))),
            ("no settings", &[], |rows| rows[0].0.push('-'), CoverageError::Unknown(case("price-usual-"))),
            ("twice", &[], |rows| rows.push(rows[3].clone()), CoverageError::Twice(case("price-no-digits"))),
            ("nothing", &[], Vec::clear, missing(32, "price-usual")),
            ("one missing", &[], |rows| drop(rows.remove(1)), missing(1, "price-least")),
            ("a rule missing", &[], |rows| rows.retain(|row| row.0.starts_with("price")), missing(16, "risk-usual")),
            ("left out", &[], |rows| rows[1].1 = Verdict::Skipped, missing(1, "price-least")),
            ("one of two", &["a", "b"], |rows| drop(rows.remove(33)), missing(1, "price-least-b")),
            ("failed", &[], |rows| rows[0].1 = Verdict::Failed, CoverageError::Failed(case("price-usual"))),
            (
                "unplayable",
                &[],
                |rows| rows.push(("route-usual".to_owned(), Verdict::Passed)),
                CoverageError::Unplayable {
                    case: case("route-usual"),
                    unmet: "the description does not offer route".to_owned(),
                },
            ),
        ];
        for (what, settings, change, expected) in rows {
            let mut verdicts = honest(&["price", "risk"], settings);
            change(&mut verdicts);
            assert_eq!(judged(&["price", "risk"], &verdicts), Err(expected), "{what}");
        }
    }
}
