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

/// Who is at the other end of a connection, as the socket says. Who a request is from is [`Client`](super::Client)'s to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address and port.
    pub address: SocketAddr,
    /// Whose connection it is, where a trusted proxy began it with a PROXY header.
    pub announced: Announced,
    /// Plain HTTP, or HTTP over TLS of this version.
    pub tls: Option<TlsVersion>,
}

/// What a PROXY header at the beginning of a connection said of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Announced {
    /// There was none, or it said that the connection is the proxy's own.
    #[default]
    Itself,
    /// It is passed on for this client.
    Client(SocketAddr),
    /// It is passed on for somebody whose address cannot be told.
    Unknown,
}

impl Peer {
    /// A connection over plain HTTP, of which nothing was announced.
    pub fn plain(address: SocketAddr) -> Self {
        Self {
            address,
            announced: Announced::Itself,
            tls: None,
        }
    }

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
