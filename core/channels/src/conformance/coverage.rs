//! What a list of verdicts proves: every case of the table once, nothing failed, and nothing left out that could have been played.
//!
//! A case is left out for one of two reasons. Its capability is missing from the manifest: then there is nothing to play, and a
//! verdict that it passed would be a lie. Or the far side cannot play its fault: then its reason stands in words for whoever
//! decides about the channel, and for a mandatory case it is refused.
//!
//! Verdicts are judged by the table of the kit that they are of: of this one, or of the one before, so that what was signed with the
//! tools of the last release can still be published. What an older kit did not ask for yet is not known of it, and what a newer one
//! asks for cannot be judged here.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    report::Verdict,
    table::{Case, Table},
};
use crate::manifest::{Capability, Manifest};

/// A case that the far side could not play, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplayed {
    pub case: String,
    pub why: String,
}

/// Why verdicts do not prove that a channel keeps the contract. In order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoverageError {
    #[error("the table of cases cannot be read: {0}")]
    Table(String),
    #[error(
        "it was played by the kit {found}, and this release judges what the kit {newest} or the one before says; play it again with this \
         release's `saoma plugin test`, or update core if the kit is a newer one"
    )]
    OtherKit { found: String, newest: u32 },
    #[error("its kit has no case {0:?}; play the component again")]
    Unknown(String),
    #[error("the case {0:?} has two verdicts; it must have one")]
    Twice(String),
    #[error("{count} cases were not played, {first:?} the first; play all of them, without --only")]
    Missing { count: usize, first: String },
    #[error("the case {0:?} failed; mend what the report says, and play it again")]
    Failed(String),
    #[error("the case {case:?} cannot have been played, since {unmet}; play the component again")]
    Unplayable { case: String, unmet: String },
    #[error("the case {0:?} was left out without a reason; play the component again")]
    Unreasoned(String),
    #[error(
        "the case {case:?} is mandatory and was left out ({why}); give the far side that part, or take the capability out of the \
         manifest"
    )]
    LeftOut { case: String, why: String },
}

/// One verdict as somebody states it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stated<'a> {
    pub(crate) case: &'a str,
    pub(crate) verdict: Verdict,
    /// Of a case that was left out.
    pub(crate) why: Option<&'a str>,
}

/// The word among what a manifest offers for having secrets at all.
const SECRETS: &str = "secrets";
/// The word for having codes, of either side. What takes cards alone cannot be asked about them: an acquirer's wire has no question.
const CODES: &str = "codes";

/// The word for exporting `settlement`, which no manifest says.
pub(super) const SETTLEMENT: &str = "settlement";
/// The same of `stored`.
pub(super) const STORED: &str = "stored";

/// What the cases' needs are held to: the manifest's capabilities as the contract spells them, `settlement` and `stored` if the component exports
/// them, and `secrets` if the manifest lists any.
pub(crate) fn offers(manifest: &Manifest) -> BTreeSet<String> {
    let settles = manifest.settlement.map(|_| SETTLEMENT.to_owned());
    let forwards = manifest.forwards.then(|| STORED.to_owned());
    let exported = settles.into_iter().chain(forwards);
    offered(manifest.capabilities.iter().copied().map(word).chain(exported), !manifest.secrets.is_empty())
}

pub(super) fn offered(capabilities: impl Iterator<Item = String>, has_secrets: bool) -> BTreeSet<String> {
    capabilities.chain(has_secrets.then(|| SECRETS.to_owned())).collect()
}

/// A capability as the contract spells it.
pub(super) fn word(capability: Capability) -> String {
    capability.text().replace('_', "-")
}

/// Which of the needs is not met, in words; `None` if all are.
pub(super) fn unmet(needs: &[String], offers: &BTreeSet<String>) -> Option<String> {
    needs.iter().find_map(|need| {
        let (is_wanted, word) = need.strip_prefix("not ").map_or((true, need.as_str()), |rest| (false, rest));
        let does = if is_wanted { "does not declare" } else { "declares" };
        let has = match word {
            CODES => ["merchant-presented", "customer-presented"].iter().any(|code| offers.contains(*code)),
            word => offers.contains(word),
        };
        (has != is_wanted).then(|| format!("the manifest {does} {word}"))
    })
}

/// The kit that verdicts are of, if they can be judged: this one, or the one before.
///
/// # Errors
/// `OtherKit`, `Table`.
pub(crate) fn known_kit(found: &str) -> Result<u32, CoverageError> {
    let newest = Table::ours().map_err(CoverageError::Table)?.kit;
    among(found, newest)
}

fn among(found: &str, newest: u32) -> Result<u32, CoverageError> {
    let known = (newest.saturating_sub(1).max(1)..=newest).find(|kit| kit.to_string() == found);
    known.ok_or_else(|| CoverageError::OtherKit { found: found.to_owned(), newest })
}

/// Holds the verdicts to the table of their kit. Returns the cases that were left out for the far side's sake.
///
/// # Errors
/// See [`CoverageError`].
pub(crate) fn proven<'a>(
    kit: u32,
    offers: &BTreeSet<String>,
    stated: impl IntoIterator<Item = Stated<'a>>,
) -> Result<Vec<Unplayed>, CoverageError> {
    let cases = Table::ours().and_then(|table| table.of_kit(kit)).map_err(CoverageError::Table)?;
    proven_by(&cases, offers, stated)
}

fn proven_by<'a>(
    cases: &[Case],
    offers: &BTreeSet<String>,
    stated: impl IntoIterator<Item = Stated<'a>>,
) -> Result<Vec<Unplayed>, CoverageError> {
    let mut verdicts = BTreeMap::new();
    for stated in stated {
        if verdicts.insert(stated.case, stated).is_some() {
            return Err(CoverageError::Twice(stated.case.to_owned()));
        }
    }
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    if let Some(unknown) = verdicts.keys().find(|name| !names.contains(*name)) {
        return Err(CoverageError::Unknown((*unknown).to_owned()));
    }
    let missing: Vec<&Case> = cases.iter().filter(|case| !verdicts.contains_key(case.name.as_str())).collect();
    if let Some(first) = missing.first() {
        return Err(CoverageError::Missing { count: missing.len(), first: first.name.clone() });
    }
    let mut unplayed = Vec::new();
    for case in cases {
        if let Some(stated) = verdicts.get(case.name.as_str()) {
            unplayed.extend(held_to(case, offers, *stated)?);
        }
    }
    Ok(unplayed)
}

fn held_to(case: &Case, offers: &BTreeSet<String>, stated: Stated<'_>) -> Result<Option<Unplayed>, CoverageError> {
    let name = || case.name.clone();
    let why = stated.why.map(str::trim).filter(|why| !why.is_empty());
    match (stated.verdict, unmet(&case.needs, offers)) {
        (Verdict::Failed, _) => Err(CoverageError::Failed(name())),
        (Verdict::Passed, None) => Ok(None),
        (Verdict::Passed, Some(unmet)) => Err(CoverageError::Unplayable { case: name(), unmet }),
        (Verdict::Skipped, Some(_)) => Ok(None),
        (Verdict::Skipped, None) => match why {
            None => Err(CoverageError::Unreasoned(name())),
            Some(why) if case.is_mandatory => Err(CoverageError::LeftOut { case: name(), why: why.to_owned() }),
            Some(why) => Ok(Some(Unplayed { case: name(), why: why.to_owned() })),
        },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::conformance::table;

    /// Every capability that the contract has, settlement, and secrets.
    pub(crate) const ALL: [&str; 13] = [
        "merchant-presented",
        "customer-presented",
        "cancel",
        "refund",
        "partial-refund",
        "notifications",
        "bills",
        "amounts-not-named",
        "card",
        SETTLEMENT,
        STORED,
        SECRETS,
        "in-app",
    ];

    pub(crate) fn offering(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// What an honest run states whose far side plays everything.
    pub(crate) fn honest(offers: &BTreeSet<String>) -> Vec<(String, Verdict, Option<String>)> {
        table::cases()
            .expect("sound")
            .into_iter()
            .map(|case| match unmet(&case.needs, offers) {
                None => (case.name, Verdict::Passed, None),
                Some(why) => (case.name, Verdict::Skipped, Some(why)),
            })
            .collect()
    }

    fn judged(
        offers: &BTreeSet<String>,
        verdicts: &[(String, Verdict, Option<String>)],
    ) -> Result<Vec<Unplayed>, CoverageError> {
        judged_by(&table::cases().expect("sound"), offers, verdicts)
    }

    fn judged_by(
        cases: &[Case],
        offers: &BTreeSet<String>,
        verdicts: &[(String, Verdict, Option<String>)],
    ) -> Result<Vec<Unplayed>, CoverageError> {
        let stated =
            verdicts.iter().map(|(case, verdict, why)| Stated { case, verdict: *verdict, why: why.as_deref() });
        proven_by(cases, offers, stated)
    }

    /// What was played by the kit before this one proves what that one asked for; what is of any other kit proves nothing here.
    #[test]
    fn verdicts_are_judged_by_their_own_kit() {
        let row = |name: &str, more: &str| {
            format!(
                "[[case]]\nname = \"{name}\"\n{more}\nmandatory = true\nwhy = \"x\"\nsteps = [\"query -> failed\"]\n"
            )
        };
        let rows = [row("kept", ""), row("gone", "until = 2"), row("added", "since = 3")].concat();
        let table = Table::read(&format!("kit = 3\n{rows}")).expect("sound");
        let cases = |kit: &str| among(kit, table.kit).map(|kit| table.of_kit(kit).expect("sound"));
        let passed =
            |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), Verdict::Passed, None)).collect::<Vec<_>>();
        let (before, now) = (passed(&["kept", "gone"]), passed(&["kept", "added"]));
        let judged = |kit: &str, verdicts: &[_]| judged_by(&cases(kit)?, &offering(&[]), verdicts);
        assert_eq!(judged("2", &before), Ok(Vec::new()), "the row that came later is not asked for");
        assert_eq!(judged("3", &now), Ok(Vec::new()));
        assert_eq!(judged("3", &before), Err(CoverageError::Unknown("gone".to_owned())));
        assert_eq!(judged("2", &now), Err(CoverageError::Unknown("added".to_owned())));
        assert_eq!(judged("3", &now[..1]), Err(CoverageError::Missing { count: 1, first: "added".to_owned() }));
        let failed = [before[0].clone(), ("gone".to_owned(), Verdict::Failed, None)];
        assert_eq!(judged("2", &failed), Err(CoverageError::Failed("gone".to_owned())));
        for other in ["1", "4", "0", "03", "0.1.0", ""] {
            let refused = judged(other, &now).expect_err(other);
            assert_eq!(refused, CoverageError::OtherKit { found: other.to_owned(), newest: 3 });
            assert!(refused.to_string().contains("update core"), "{refused}");
        }
        assert_eq!(among("0", 1).map_err(|_| ()), Err(()), "the first has none before it");
    }

    #[test]
    fn the_table_asks_for_what_manifests_can_offer() {
        let cases = table::cases().expect("sound");
        for need in cases.iter().flat_map(|case| &case.needs) {
            let word = need.trim_start_matches("not ");
            assert!(word == CODES || ALL.contains(&word), "{need}");
        }
        // Of the design's fault matrix, by name: a row that is renamed or loses its mark is noticed here.
        for name in [
            "charge-lost-answer-silent",
            "charge-lost-answer-cancelled-cut",
            "create-lost-answer-silent",
            "refund-lost-answer-silent",
            "query-lost-answer-silent",
            "notification-of-payment",
            "notification-late",
            "notification-after-cancel",
            "notification-about-another-amount",
            "bill-with-missing-row",
            "bill-with-extra-row",
            "in-app-lost-answer-silent",
        ] {
            assert!(cases.iter().any(|case| case.name == name && case.is_mandatory), "{name}");
        }
    }

    #[test]
    fn honest_runs_prove_whatever_the_manifest_offers() {
        for words in [&ALL[..], &ALL[..1], &ALL[1..7], &["merchant-presented", "cancel", "bills"], &[]] {
            let offers = offering(words);
            assert_eq!(judged(&offers, &honest(&offers)), Ok(Vec::new()), "{words:?}");
        }
    }

    /// Each way to be wrong, one change away from an honest run.
    #[test]
    fn what_proves_nothing_is_refused() {
        type Change = fn(&mut Vec<(String, Verdict, Option<String>)>);
        let skip = |name: &str, why: Option<&str>, verdicts: &mut Vec<(String, Verdict, Option<String>)>| {
            let row = verdicts.iter_mut().find(|row| row.0 == name).expect("a case");
            (row.1, row.2) = (Verdict::Skipped, why.map(str::to_owned));
        };
        let offers = offering(&["merchant-presented", "cancel", "bills"]);
        let case = |name: &str| name.to_owned();
        let rows: [(&str, Change, CoverageError); 8] = [
            ("unknown", |rows| rows[0].0 = "dance".to_owned(), CoverageError::Unknown(case("dance"))),
            ("twice", |rows| rows.push(rows[3].clone()), CoverageError::Twice(case("foreign-secrets"))),
            ("missing", |rows| drop(rows.drain(1..3)), CoverageError::Missing { count: 2, first: case("self-test") }),
            ("failed", |rows| rows[0].1 = Verdict::Failed, CoverageError::Failed(case("manifest-fits-script"))),
            (
                "unplayable",
                |rows| rows.iter_mut().find(|row| row.0 == "charge-succeeds").expect("a case").1 = Verdict::Passed,
                CoverageError::Unplayable {
                    case: case("charge-succeeds"),
                    unmet: "the manifest does not declare customer-presented".to_owned(),
                },
            ),
            ("no reason", |rows| rows[4].1 = Verdict::Skipped, CoverageError::Unreasoned(case("determinism"))),
            (
                "a blank reason",
                |rows| (rows[4].1, rows[4].2) = (Verdict::Skipped, Some(" ".to_owned())),
                CoverageError::Unreasoned(case("determinism")),
            ),
            (
                "mandatory",
                |rows| (rows[1].1, rows[1].2) = (Verdict::Skipped, Some("tired".to_owned())),
                CoverageError::LeftOut { case: case("self-test"), why: "tired".to_owned() },
            ),
        ];
        for (what, change, expected) in rows {
            let mut verdicts = honest(&offers);
            change(&mut verdicts);
            assert_eq!(judged(&offers, &verdicts), Err(expected), "{what}");
        }
        // What is not mandatory may be left out, and is told.
        let mut verdicts = honest(&offers);
        skip("query-left-open-busy", Some("this far side does not play busy"), &mut verdicts);
        let told = Unplayed { case: case("query-left-open-busy"), why: "this far side does not play busy".to_owned() };
        assert_eq!(judged(&offers, &verdicts), Ok(vec![told]));
        // No mandatory case of what is offered can be left out, whichever it is.
        for mandatory in table::cases().expect("sound").into_iter().filter(|case| case.is_mandatory) {
            let all: BTreeSet<String> = offering(&ALL).into_iter().filter(|word| word != "amounts-not-named").collect();
            let mut verdicts = honest(&all);
            skip(&mandatory.name, Some("the far side cannot"), &mut verdicts);
            let judged = judged(&all, &verdicts);
            assert!(matches!(judged, Err(CoverageError::LeftOut { .. })), "{}: {judged:?}", mandatory.name);
        }
    }
}
