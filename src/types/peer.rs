//! Who is at the other end of a connection.

use std::net::SocketAddr;

use super::Scheme;

/// The version of TLS that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2, RFC 5246.
    V1_2,
    /// TLS 1.3, RFC 8446.
    V1_3,
}

/// Who is at the other end of a connection, as the socket says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address and port.
    pub address: SocketAddr,
    /// Plain HTTP, or HTTP over TLS of this version.
    pub tls: Option<TlsVersion>,
}

impl Peer {
    /// HTTP or HTTPS.
    pub fn scheme(&self) -> Scheme {
        match self.tls {
            None => Scheme::Http,
            Some(_) => Scheme::Https,
        }
    }
}

impl TlsVersion {
    /// `1.2` or `1.3`
    pub fn number(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        }
    }
}
