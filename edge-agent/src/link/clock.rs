//! Core's certificate before a machine's clock that may be wrong.
//!
//! One that is behind keeps nobody from core. There is a day before which it cannot be: that on which core's CA, or later this terminal's
//! own certificate, began; core dates none into the future, and its own back to its CA's first day. Nothing on a terminal proves
//! that a clock is ahead, so that it is believed: a certificate that is over by it is over, and a person is told.
//! What core has said of the time is not gone by: a core whose clock was once years ahead would shut its terminals out for good.

use std::{error::Error, fmt, io, sync::Arc, time::Duration};

use rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsFailure, RootCertStore, SignatureScheme,
    client::{
        VerifierBuilderError, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use saoma_protocol::Millis;
use time::OffsetDateTime;

/// rustls' own verifier, asked at no moment before a day that is certain.
#[derive(Debug)]
pub(super) struct VerifierSince {
    inner: Arc<WebPkiServerVerifier>,
    since: UnixTime,
}

impl VerifierSince {
    /// `since`: a moment that is over for certain.
    ///
    /// # Errors
    /// If there is no root.
    pub(super) fn new(
        roots: RootCertStore,
        provider: Arc<CryptoProvider>,
        since: Option<Millis>,
    ) -> Result<Self, VerifierBuilderError> {
        let seconds = since.and_then(|since| u64::try_from(since.0.div_euclid(1_000)).ok()).unwrap_or(0);
        let since = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        Ok(Self { inner: WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?, since })
    }
}

impl ServerCertVerifier for VerifierSince {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsFailure> {
        let verify = |at| self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at);
        verify(now.max(self.since)).map_err(|error| {
            // Its days come before all else, and anybody can make one that is over: whether it is core's shows on a day when it is good.
            // It is refused in any case.
            match edge(&error).map(verify) {
                None | Some(Ok(_)) => error,
                // Core's has one signature above it, and nothing else of which the days could be wrong.
                Some(Err(again)) if edge(&again).is_some() => CertificateError::UnknownIssuer.into(),
                Some(Err(stranger)) => stranger,
            }
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsFailure> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsFailure> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// The day nearest to the clock on which the certificate is good; none if it was not refused for its days.
const fn edge(error: &TlsFailure) -> Option<UnixTime> {
    match error {
        TlsFailure::InvalidCertificate(
            CertificateError::NotValidYetContext { not_before: edge, .. }
            | CertificateError::ExpiredContext { not_after: edge, .. },
        ) => Some(*edge),
        _ => None,
    }
}

/// Core's certificate, and nobody else's, is not good by this machine's clock, and nothing is wrong with it besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untimely {
    Early { not_before: Millis },
    Over { not_after: Millis },
}

impl Untimely {
    /// Among the causes of a connection's failure.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(failure) = error.downcast_ref::<TlsFailure>() {
                return Self::of_tls(failure);
            }
            // What an error of I/O was made of is not its source.
            cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(made_of) => Some(made_of),
                None => error.source(),
            };
        }
        None
    }

    fn of_tls(failure: &TlsFailure) -> Option<Self> {
        let edge = Millis(i64::try_from(edge(failure)?.as_secs()).ok()?.checked_mul(1_000)?);
        let is_early = matches!(failure, TlsFailure::InvalidCertificate(CertificateError::NotValidYetContext { .. }));
        Some(if is_early { Self::Early { not_before: edge } } else { Self::Over { not_after: edge } })
    }

    /// For a person, with what the machine's clock says.
    #[must_use]
    pub fn by(self, machine: Millis) -> String {
        format!("this machine's clock says {}, and {self}", day(machine))
    }
}

impl fmt::Display for Untimely {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Early { not_before } => write!(f, "core's certificate is good only from {} on", day(*not_before)),
            Self::Over { not_after } => write!(f, "core's certificate was good until {}", day(*not_after)),
        }
    }
}

/// In UTC.
fn day(at: Millis) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1_000));
    moment.map_or_else(|_| "no day of the calendar".to_owned(), |moment| moment.date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_clock_is_to_blame_for_is_found_wherever_it_is_wrapped() {
        const DAY: u64 = 86_400;
        let at = |days| UnixTime::since_unix_epoch(Duration::from_secs(days * DAY));
        let early = CertificateError::NotValidYetContext { time: at(0), not_before: at(20_000) };
        let over = CertificateError::ExpiredContext { time: at(30_000), not_after: at(20_000) };
        let refused = |why| TlsFailure::InvalidCertificate(why);
        let wrapped = |failure: TlsFailure| io::Error::other(io::Error::new(io::ErrorKind::InvalidData, failure));
        for (failure, words) in [
            (refused(early), "clock says 1970-01-02, and core's certificate is good only from 2024-10-04 on"),
            (refused(over), "clock says 1970-01-02, and core's certificate was good until 2024-10-04"),
        ] {
            let untimely = Untimely::of(&failure).unwrap();
            assert_eq!(Untimely::of(&wrapped(failure)), Some(untimely));
            assert_eq!(untimely.by(Millis(86_400_000)), format!("this machine's {words}"));
        }
        for failure in [refused(CertificateError::UnknownIssuer), TlsFailure::DecryptError] {
            assert_eq!(Untimely::of(&wrapped(failure)), None);
        }
        assert_eq!(Untimely::of(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
    }
}
