//! Who a request is from, as far as is believed.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use super::{Announced, Peer, Scheme, TlsVersion};

/// Who a request is from: the peer of its connection, or whoever a trusted proxy says. Made from a [`Peer`] alone, or by
/// [`Forwarding::client`](super::Forwarding::client).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address; never an IPv4 address within an IPv6 one.
    pub address: IpAddr,
    /// Its port, where somebody tells it.
    pub port: Option<u16>,
    /// How it sent the request.
    pub scheme: Scheme,
    /// The version of TLS that it spoke, where it spoke TLS with us.
    pub tls: Option<TlsVersion>,
    /// Whose connection the request came by, where that was a proxy's.
    pub proxy: Option<SocketAddr>,
}

impl From<Peer> for Client {
    /// Believes the socket, and what its PROXY header said.
    fn from(peer: Peer) -> Self {
        let (address, proxy) = match peer.announced {
            Announced::Client(address) => (address, Some(peer.address)),
            Announced::Itself | Announced::Unknown => (peer.address, None),
        };
        Self {
            address: address.ip().to_canonical(),
            port: Some(address.port()),
            scheme: peer.scheme(),
            tls: peer.tls,
            proxy,
        }
    }
}

impl fmt::Display for Client {
    /// `203.0.113.7:51544`, or without a port that nobody told: `203.0.113.7`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).fmt(formatter),
            None => self.address.fmt(formatter),
        }
    }
}
