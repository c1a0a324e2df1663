//! What keeps a listener from starting, in words that name the setting and the fix.

use std::{io, path::PathBuf};

/// Why a listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be bound.
    #[error(
        "cannot listen on {address} ({setting}): {source}; is another process using it? Set another address, or port 0 for a free one"
    )]
    Bind {
        /// The address as configured.
        address: String,
        /// The configuration's key.
        setting: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A socket that was passed cannot be served.
    #[error("the socket {name:?} that was passed to postern (LISTEN_FDS): {problem}")]
    Passed {
        /// Its name.
        name: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A TLS file cannot be read, or holds no PEM of the kind wanted.
    #[error("{} ({setting}): {problem}", path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// The configuration's key.
        setting: String,
        /// What is wrong, and what it should hold.
        problem: String,
    },
    /// The files are fine each, and do not fit together.
    #[error("{setting}: the key in {} does not fit the certificate in {}: {problem}", private_key.display(), certificate.display())]
    TlsPair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        private_key: PathBuf,
        /// The configuration's section.
        setting: String,
        /// What rustls says.
        problem: String,
    },
}
