//! TLS by rustls: from PEM files to an acceptor for TLS 1.2 and 1.3 that offers HTTP/2 and HTTP/1.1. What a client is shown is chosen by the name that it
//! asks for, and taken anew when its files are renewed; connections that are open do not notice.

mod certificates;
mod pair;
mod renewal;
mod shown;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::{ServerConfig, crypto::ring};
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;

pub use certificates::{CertificateStatus, Certificates, InForce};
pub(super) use renewal::Renewal;

use super::{ServerError, TlsSettings};

/// An acceptor, the certificates that it shows, and what renews them once it is started.
pub(super) fn acceptor(
    settings: &TlsSettings,
    clock: Clock,
) -> Result<(TlsAcceptor, Certificates, Renewal), ServerError> {
    let (certificates, renewal) = Certificates::load(settings, clock)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ServerError::TlsPair {
            certificate: settings.certificate.clone(),
            private_key: settings.private_key.clone(),
            setting: "server.tls".to_owned(),
            problem: error.to_string(),
        })?
        .with_no_client_auth()
        .with_cert_resolver(certificates.resolver());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), certificates, renewal))
}

/// What is wrong with the files as they stand, or soon will be, as `serve` would tell it.
pub fn remarks(settings: &TlsSettings, clock: Clock) -> Vec<String> {
    match Certificates::load(settings, clock) {
        Ok((certificates, _)) => certificates.remarks(),
        Err(error) => vec![format!("{error}; `postern serve` will not start")],
    }
}
