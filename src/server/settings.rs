//! What an operator may set of the sockets: `[server]`, `[server.tls]` and `[admin]`.

use std::path::PathBuf;

use crate::types::{Span, TrustedProxies};

/// How the public listener is bound and bounded.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port; port 0 takes a free one, which is printed.
    pub listen: String,
    /// A certificate and its key, where HTTPS is to be spoken.
    pub tls: Option<TlsSettings>,
    /// The most bytes of a request's head (the request line included).
    pub max_head_bytes: usize,
    /// The most header lines of a request.
    pub max_headers: usize,
    /// How long a client may take to send a head, and a TLS client to finish its handshake.
    pub head_timeout: Span,
    /// How long transfers in flight may take to end after SIGTERM.
    pub shutdown_grace: Span,
    /// Must connections begin with a PROXY header?
    pub proxy_protocol: ProxyProtocol,
    /// Whose PROXY header is believed.
    #[serde(skip)]
    pub trusted_proxies: TrustedProxies,
}

/// Must connections begin with a PROXY header?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    /// They do not, and one is a malformed request.
    #[default]
    Off,
    /// Each must, of version 1 or 2, and come from a trusted proxy.
    Require,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9000".to_owned(),
            tls: None,
            max_head_bytes: 64 * 1024,
            max_headers: 100,
            head_timeout: Span::from_seconds(30),
            shutdown_grace: Span::from_seconds(30),
            proxy_protocol: ProxyProtocol::Off,
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

/// Where HTTPS is spoken, and the files that it needs.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// Where HTTPS is spoken besides plain HTTP on `server.listen`. Without it, HTTPS is spoken there, and plain HTTP nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// The certificate and, behind it, its chain. It is shown to whoever asks for no name that another one has.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
    /// Certificates for other names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<CertificateFiles>,
}

/// A certificate and its key, both in PEM form.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The certificate and, behind it, its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
}

impl TlsSettings {
    /// HTTPS on `server.listen`, by one certificate.
    pub fn new(certificate: impl Into<PathBuf>, private_key: impl Into<PathBuf>) -> Self {
        Self {
            listen: None,
            certificate: certificate.into(),
            private_key: private_key.into(),
            further: Vec::new(),
        }
    }

    /// Every certificate with the section that names it, the first one first.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (String, CertificateFiles)> {
        let first = CertificateFiles {
            certificate: self.certificate.clone(),
            private_key: self.private_key.clone(),
        };
        let further = self.further.iter().zip(1..).map(|(files, number)| {
            let section = format!("server.tls.further[{number}]");
            (section, files.clone())
        });
        std::iter::once(("server.tls".to_owned(), first)).chain(further)
    }
}

/// How the operator's own listener is bound.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminSettings {
    /// Address and port; port 0 takes a free one, which is printed.
    pub listen: String,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9001".to_owned(),
        }
    }
}
