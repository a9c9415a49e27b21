//! Why a package is not made, and why one is not believed.

use super::envelope::SIGNATURES_MAX;
use crate::conformance::{CoverageError, KIT_VERSION};

/// Why a component is not signed. In order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error(
        "the report has format {found}, which this program does not know; make it with this program's `saoma plugin test`"
    )]
    Format { found: u32 },
    #[error("the report is by the kit of version {report}, and this is {KIT_VERSION}; play the component again")]
    OtherKit { report: String },
    #[error("the report is about another component (sha256 {report}, not {given}); play this one again")]
    OtherComponent { report: String, given: String },
    #[error("the report names another plugin, version or contract than the component does; play it again")]
    OtherFacts,
    #[error(transparent)]
    Kit(#[from] CoverageError),
    #[error("the statement cannot be written")]
    Statement(#[from] serde_json::Error),
}

/// Why a package is refused. In order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VetError {
    #[error("the component has {given} bytes; at most {max} are taken")]
    ComponentTooLarge { given: usize, max: usize },
    #[error("the envelope has {given} bytes; at most {max} are taken")]
    EnvelopeTooLarge { given: usize, max: usize },
    #[error("this is no signed envelope ({0}); give the file that `saoma plugin sign` wrote beside the component")]
    NotAnEnvelope(String),
    #[error("the envelope holds {found:?}, which is no statement about a plugin")]
    PayloadType { found: String },
    #[error("the envelope has {given} signatures; it must have 1 to {SIGNATURES_MAX}")]
    Signatures { given: usize },
    #[error("the envelope's {0} is not Base64; give the file as `saoma plugin sign` wrote it")]
    NotBase64(&'static str),
    /// The key ids are the envelope's word, which nobody has vouched for.
    #[error(
        "no trusted publisher signed it (it names {}); have the publisher's key trusted, or take the package from one who is",
        if key_ids.is_empty() { "no key".to_owned() } else { key_ids.join(" and ") }
    )]
    Untrusted { key_ids: Vec<String> },
    #[error(
        "the signature of the trusted key {key_id} does not fit: the envelope was changed after it was signed; fetch it again"
    )]
    BadSignature { key_id: String },
    #[error("the statement cannot be read ({0}); sign the component again with the tools of this version")]
    Statement(String),
    #[error(
        "the statement has format {found}, which is not known here; update core, or sign with the tools of this version"
    )]
    Format { found: u64 },
    #[error(
        "the statement is about another component (sha256 {stated}, not {given}); give the component that was signed"
    )]
    OtherComponent { stated: String, given: String },
    #[error("the statement is about a component of {stated} bytes, not {given}; sign it again")]
    OtherSize { stated: usize, given: usize },
    #[error("the statement's id {0:?} is no plugin's; sign the component again")]
    PluginId(String),
    #[error("the statement's version {0:?} is not of the form 1.2.3; sign the component again")]
    Version(String),
    #[error(transparent)]
    Kit(#[from] CoverageError),
    #[error("the component's {what} is {found:?}, and its publisher signed {stated:?}; play and sign it again")]
    OtherManifest { what: &'static str, stated: String, found: String },
}
