//! HTTPS for terminals: the same API as for everyone, and the client certificate says who calls.
//!
//! A certificate is optional, since enrolment happens without one; one that is shown must be from core's CA, or the
//! handshake fails. Whether it is revoked is asked of the database at each request, not here.

use std::{any::Any, sync::Arc};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::{dev::Extensions, rt::net::TcpStream};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    server::WebPkiClientVerifier,
};

use super::ca::{Ca, ServerIdentity, terminal_of};
use crate::http::auth::TerminalCertificate;

/// Why the listener cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("use core's CA to verify terminals")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    #[error("use core's certificate for terminals")]
    Certificate(#[from] rustls::Error),
}

/// TLS 1.2 and 1.3 with core's certificate; client certificates of `ca` are verified if shown.
///
/// # Errors
/// Only if the CA or the identity cannot be used, which their making excludes.
pub fn tls_config(ca: &Ca, identity: ServerIdentity) -> Result<ServerConfig, TlsError> {
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()?;
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain, identity.key)?)
}

/// For `HttpServer::on_connect`: notes whom the verified client certificate names, for `http::auth`.
pub fn note_certificate(connection: &dyn Any, data: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TlsStream<TcpStream>>() else { return };
    let (_, session) = stream.get_ref();
    let named = session.peer_certificates().and_then(|chain| chain.first()).and_then(terminal_of);
    if let Some((terminal, serial)) = named {
        data.insert(TerminalCertificate { terminal, serial });
    }
}
