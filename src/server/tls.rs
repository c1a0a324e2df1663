//! TLS by rustls: from two PEM files to an acceptor for TLS 1.2 and 1.3 that offers HTTP/2 and HTTP/1.1.

use std::{path::Path, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

use super::{ServerError, TlsSettings};

/// Reads the files. Errors name the file, the setting and what the file should hold.
pub(super) fn acceptor(settings: &TlsSettings) -> Result<TlsAcceptor, ServerError> {
    let problem = |path: &Path, setting, problem: String| ServerError::TlsFile {
        path: path.to_owned(),
        setting,
        problem,
    };
    let certificate_problem = |text| problem(&settings.certificate, "server.tls.certificate", text);
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&settings.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| certificate_problem(error.to_string()))?;
    if chain.is_empty() {
        let text =
            "holds no certificate; it must hold PEM blocks «BEGIN CERTIFICATE», the server's own first";
        return Err(certificate_problem(text.to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&settings.private_key).map_err(|error| {
        let text = format!("holds no private key ({error}); it must hold a PEM block «BEGIN PRIVATE KEY»");
        problem(&settings.private_key, "server.tls.private_key", text)
    })?;
    let pair = |error: rustls::Error| ServerError::TlsPair {
        certificate: settings.certificate.clone(),
        private_key: settings.private_key.clone(),
        problem: error.to_string(),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn load(certificate: &str, key: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let settings = TlsSettings {
            certificate: folder.path().join("cert.pem"),
            private_key: folder.path().join("key.pem"),
        };
        fs::write(&settings.certificate, certificate).unwrap();
        fs::write(&settings.private_key, key).unwrap();
        acceptor(&settings).map(|_| ()).map_err(|error| error.to_string())
    }

    #[test]
    fn files_that_fit_make_an_acceptor() {
        let (certificate, key) = pair();
        assert_eq!(load(&certificate, &key), Ok(()));
    }

    #[test]
    fn files_that_do_not_fit_are_named_with_their_setting() {
        let ((certificate, key), (_, other)) = (pair(), pair());
        for (certificate, key, says) in [
            (
                "",
                key.as_str(),
                "cert.pem (server.tls.certificate): holds no certificate",
            ),
            (
                &key,
                &key,
                "cert.pem (server.tls.certificate): holds no certificate",
            ),
            (
                &certificate,
                "",
                "key.pem (server.tls.private_key): holds no private key",
            ),
            (
                &certificate,
                &certificate,
                "key.pem (server.tls.private_key): holds no private key",
            ),
            (&certificate, &other, "does not fit the certificate"),
        ] {
            let said = load(certificate, key).unwrap_err();
            assert!(said.contains(says), "{said:?} should say {says:?}");
        }
        let missing = TlsSettings {
            certificate: "/nowhere/c.pem".into(),
            private_key: "/nowhere/k.pem".into(),
        };
        let said = acceptor(&missing).map(|_| ()).unwrap_err().to_string();
        assert!(said.contains("/nowhere/c.pem (server.tls.certificate)"), "{said}");
    }
}
