//! Sockets: accepting, TLS, limits, shutdown, and the operator's own listener. In goes a [`Handler`], which knows nothing of sockets; out
//! come answered connections.
//!
//! Plain HTTP is HTTP/1.1 only; HTTPS is HTTP/2 as well. There may be both at once, on two ports. A head that hyper cannot take is answered by hyper itself with
//! a bare 400, 414 or 431.

mod abortable;
mod addresses;
mod admin;
mod connection;
mod draining;
mod error;
mod failures;
#[cfg(target_os = "linux")]
mod file_socket;
mod half_head;
mod http2;
mod limits;
mod listener;
mod misdirected;
mod patience;
mod proxy_protocol;
mod settings;
mod shutdown;
mod sockets;
pub mod supervisor;
mod tls;
mod workers;

pub use admin::{AdminListener, Readiness, Source};
pub use error::ServerError;
pub use limits::Limits;
pub use listener::PublicListener;
pub use settings::{AdminSettings, CertificateFiles, ProxyProtocol, Settings, TlsSettings};
pub use shutdown::{reload_signals, termination};
pub use sockets::Sockets;
pub use tls::{CertificateStatus, Certificates, InForce, remarks as certificate_remarks};

use std::future::Future;

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    gateway::{Connection, Delivery, Gateway},
    store::Store,
    types::Peer,
};

/// Whatever answers requests.
pub trait Handler: Clone + Send + Sync + 'static {
    /// Another handle on the same, for the requests that one thread serves.
    fn for_thread(&self) -> Self;

    /// Answers one request of this peer, which came by this connection.
    fn handle<B>(
        &self,
        request: Request<B>,
        peer: Peer,
        connection: Connection,
    ) -> impl Future<Output = Response<Delivery>> + Send
    where
        B: http_body::Body<Data = Bytes> + Unpin + Send + 'static;
}

impl<S: Store> Handler for Gateway<S> {
    fn for_thread(&self) -> Self {
        Gateway::for_thread(self)
    }

    fn handle<B>(
        &self,
        request: Request<B>,
        peer: Peer,
        connection: Connection,
    ) -> impl Future<Output = Response<Delivery>> + Send
    where
        B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    {
        Gateway::handle(self, request, peer, connection)
    }
}

#[cfg(test)]
mod tests {
    use hyper::body::Incoming;

    use super::*;
    use crate::store::DiskStore;

    /// Each connection has room for one of them, and it is moved several times before it runs.
    #[test]
    fn the_future_of_a_request_is_small() {
        fn size<'g, F>(
            _: impl FnOnce(&'g Gateway<DiskStore>, Request<Incoming>, Peer, Connection) -> F,
        ) -> usize {
            size_of::<F>()
        }
        let size = size(Gateway::<DiskStore>::handle::<Incoming>);
        assert!((1..=2_560).contains(&size), "{size}");
    }
}
