//! (in work)

use std::net::SocketAddr;

use crate::types::Scheme;

/// Who is at the other end of a connection, as the socket says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address and port.
    pub address: SocketAddr,
    /// Plain HTTP, or HTTP over TLS.
    pub scheme: Scheme,
}
