//! What a publisher signs about a component. Unknown fields are refused: nobody signs what nobody here understands.
//!
//! A reader that meets a newer format says so instead of guessing; a writer writes the one format there is.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    error::VetError,
    facts::{Facts, Kind},
};
use crate::conformance::{CaseReport, Report, Verdict, coverage::Stated};

const FORMAT: u64 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement {
    format: u64,
    /// Missing of a channel. A reader from before there were others refuses it as a field that it does not know.
    #[serde(default, skip_serializing_if = "Kind::is_default")]
    pub(super) kind: Kind,
    pub(super) plugin: String,
    pub(super) version: String,
    pub(super) contract: String,
    pub(super) component_sha256: String,
    pub(super) component_bytes: usize,
    /// What the manifest declares of what cases need, or the rules that there are; the host holds it to the component's own word.
    pub(super) offers: BTreeSet<String>,
    pub(super) kit: KitStatement,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KitStatement {
    pub(super) version: String,
    cases: Vec<CaseStatement>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseStatement {
    case: String,
    verdict: Verdict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Of any format: what tells which.
#[derive(Deserialize)]
struct OfSomeFormat {
    format: u64,
}

impl Statement {
    pub(super) fn of(said: Facts, bytes: usize, report: &Report) -> Self {
        let case = |report: &CaseReport| CaseStatement {
            case: report.case.clone(),
            verdict: report.verdict,
            why: report.skipped.clone(),
        };
        Self {
            format: FORMAT,
            kind: said.kind,
            plugin: said.id,
            version: said.version,
            contract: said.contract,
            component_sha256: said.component,
            component_bytes: bytes,
            offers: said.offers,
            kit: KitStatement { version: report.kit.clone(), cases: report.cases.iter().map(case).collect() },
        }
    }

    pub(super) fn read(payload: &[u8]) -> Result<Self, VetError> {
        let unreadable = |error: serde_json::Error| VetError::Statement(error.to_string());
        let OfSomeFormat { format } = serde_json::from_slice(payload).map_err(unreadable)?;
        if format != FORMAT {
            return Err(VetError::Format { found: format });
        }
        serde_json::from_slice(payload).map_err(unreadable)
    }
}

impl KitStatement {
    pub(super) fn stated(&self) -> impl Iterator<Item = Stated<'_>> {
        self.cases.iter().map(|case| Stated { case: &case.case, verdict: case.verdict, why: case.why.as_deref() })
    }
}
