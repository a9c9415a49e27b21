//! What came of a run, for an author to act on and for a machine to read.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{coverage::Stated, far_side::Heard};
use crate::registry::ContentHash;

/// Of the report's shape.
pub(crate) const FORMAT: u32 = 1;
/// Of the program whose kit this is: what [`Report::kit`] says.
pub const KIT_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Everything that was played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Of this shape of the report.
    pub format: u32,
    /// The component's id and version, as its manifest says.
    pub plugin: String,
    pub version: String,
    /// SHA-256 of the component, in hex.
    pub content_hash: String,
    /// The version of `saoma:channel` that it was built for.
    pub contract: String,
    /// Of the program whose kit this was.
    pub kit: String,
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    pub cases: Vec<CaseReport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseReport {
    pub case: String,
    pub verdict: Verdict,
    /// What the contract says about it.
    pub why: String,
    /// Why it was not played.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What was done, and what came of each.
    pub done: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
    /// The requests that the far side heard, of a case that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heard: Vec<Heard>,
    /// What the component logged, of a case that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logged: Vec<String>,
    pub duration_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Passed,
    Failed,
    Skipped,
}

/// What was not as the contract wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub expected: String,
    pub came: String,
    /// It is not what the case is about: something that the case needs did not come about, the far side failed, or time ran out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aside: bool,
}

/// Longest that a body is shown for persons, in characters; the JSON report has more of it.
const BODY_CHARS_MAX: usize = 300;

impl Report {
    pub(super) fn of(
        plugin: &str,
        version: &str,
        content_hash: ContentHash,
        contract: &str,
        cases: Vec<CaseReport>,
    ) -> Self {
        let count = |verdict| cases.iter().filter(|case| case.verdict == verdict).count();
        Self {
            format: FORMAT,
            plugin: plugin.to_owned(),
            version: version.to_owned(),
            content_hash: content_hash.to_string(),
            contract: contract.to_owned(),
            kit: KIT_VERSION.to_owned(),
            passed: count(Verdict::Passed),
            failed: count(Verdict::Failed),
            skipped: count(Verdict::Skipped),
            cases,
        }
    }

    /// Whether nothing failed, and something passed.
    #[must_use]
    pub const fn is_passed(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}

impl CaseReport {
    /// Of a case in which nothing was done yet, and nothing is wrong.
    pub(crate) fn of(case: String, why: &str) -> Self {
        Self {
            case,
            verdict: Verdict::Passed,
            why: why.to_owned(),
            skipped: None,
            done: Vec::new(),
            finding: None,
            heard: Vec::new(),
            logged: Vec::new(),
            duration_ms: 0,
        }
    }

    pub(crate) fn stated(&self) -> Stated<'_> {
        Stated { case: &self.case, verdict: self.verdict, why: self.skipped.as_deref() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}, contract {}, sha256 {}", self.plugin, self.version, self.contract, self.content_hash)?;
        for case in self.cases.iter().filter(|case| case.verdict == Verdict::Failed) {
            write!(f, "\n{case}")?;
        }
        let skipped: Vec<_> = self.cases.iter().filter_map(|case| Some((case, case.skipped.as_ref()?))).collect();
        if !skipped.is_empty() {
            writeln!(f, "\nnot played:")?;
        }
        for (case, why) in skipped {
            writeln!(f, "  {:<34} {why}", case.case)?;
        }
        writeln!(f, "\n{} passed, {} failed, {} not played", self.passed, self.failed, self.skipped)
    }
}

impl fmt::Display for CaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "FAILED  {}", self.case)?;
        writeln!(f, "  the contract  {}", self.why)?;
        for line in &self.done {
            writeln!(f, "  done          {line}")?;
        }
        if let Some(finding) = &self.finding {
            writeln!(f, "  expected      {}", finding.expected)?;
            writeln!(f, "  came          {}", finding.came)?;
        }
        for heard in &self.heard {
            let body: String = heard.body.chars().take(BODY_CHARS_MAX).collect();
            writeln!(f, "  heard         [{}] {} {} {body}", heard.act, heard.method, heard.path)?;
        }
        for line in &self.logged {
            writeln!(f, "  logged        {line}")?;
        }
        Ok(())
    }
}
