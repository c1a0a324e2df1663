//! The public listener: accepts until it is told to stop, then lets what is in flight end.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::types::Scheme;

use super::{
    Handler, ServerError, Settings, Sockets, connection::Serving, draining::Draining, sockets, tls,
    workers::Workers,
};

/// How long accepting rests when the process has no descriptor left; connections that end give some back.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);
/// How many that wait in a socket's queue are served yet when it closes: as many as the queue holds.
const LONGEST_QUEUE: usize = 1024;

/// A bound socket, with its certificate where it speaks HTTPS.
pub struct PublicListener {
    listener: TcpListener,
    address: SocketAddr,
    /// Does the socket outlive this process?
    inherited: bool,
    tls: Option<TlsAcceptor>,
    settings: Settings,
}

impl PublicListener {
    /// Reads the TLS files, then binds: what is wrong with either is told before a client can connect.
    pub async fn bind(settings: &Settings) -> Result<Self, ServerError> {
        Self::bind_to(settings, &mut Sockets::none()).await
    }

    /// The same, on the socket `http` (or `https`, where it speaks that) where there is one.
    pub async fn bind_to(settings: &Settings, sockets: &mut Sockets) -> Result<Self, ServerError> {
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let bound = bind(
            sockets,
            sockets::public_name(settings),
            &settings.listen,
            "server.listen",
        )
        .await?;
        Ok(Self {
            listener: bound.listener,
            address: bound.address,
            inherited: bound.inherited,
            tls,
            settings: settings.clone(),
        })
    }

    /// Where it listens: with port 0 configured, the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// HTTP, or HTTPS where there is a certificate.
    pub fn scheme(&self) -> Scheme {
        if self.tls.is_some() {
            Scheme::Https
        } else {
            Scheme::Http
        }
    }

    /// Accepts until `stop` ends. Then nothing more is accepted, idle connections are closed, and transfers in flight have
    /// `shutdown_grace` to end before they are broken off.
    pub async fn run<H: Handler>(self, handler: H, stop: impl Future<Output = ()>) {
        let grace = self.settings.shutdown_grace.duration();
        let serving = Arc::new(Serving {
            tls: self.tls,
            settings: self.settings,
        });
        let workers = match Workers::start(&serving, &handler) {
            Ok(workers) => workers,
            Err(error) => return tracing::error!(%error, "cannot start the threads that serve connections"),
        };
        let draining = Draining::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = self.listener.accept() => {
                    let served = accepted.and_then(|(stream, peer)| workers.serve(stream, peer, draining.watcher()));
                    // Neither a client that is gone before it is accepted nor a lack of descriptors ends the loop.
                    if let Err(error) = served {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
                    }
                }
            }
        }
        close(self.listener, self.inherited, |stream, peer| {
            workers.serve(stream, peer, draining.watcher())
        });
        if tokio::time::timeout(grace, draining.finish()).await.is_err() {
            tracing::warn!(
                seconds = grace.as_secs(),
                connections = workers.connections(),
                "grace is over: breaking off what is left"
            );
        }
        workers.end().await;
    }
}

/// Closes the socket. One that was passed is only let go of: whoever waits in its queue waits for the next process. With a socket of our own the
/// queue would go too, and a client that is in it would find its connection reset: so it is emptied first.
fn close(
    listener: TcpListener,
    inherited: bool,
    serve: impl Fn(TcpStream, SocketAddr) -> std::io::Result<()>,
) {
    if inherited {
        return;
    }
    let Ok(listener) = listener.into_std() else { return };
    for _ in 0..LONGEST_QUEUE {
        let Ok((stream, peer)) = listener.accept() else {
            return;
        };
        let served = stream
            .set_nonblocking(true)
            .and_then(|()| TcpStream::from_std(stream))
            .and_then(|stream| serve(stream, peer));
        if served.is_err() {
            return;
        }
    }
}

/// A socket to accept from.
pub(super) struct Bound {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) inherited: bool,
}

/// Takes the socket of this name if there is one, and else binds the address; asks for the one that was given.
pub(super) async fn bind(
    sockets: &mut Sockets,
    name: &str,
    address: &str,
    setting: &'static str,
) -> Result<Bound, ServerError> {
    let failed = |source| ServerError::Bind {
        address: address.to_owned(),
        setting,
        source,
    };
    let (listener, inherited) = match sockets.take(name)? {
        Some(socket) => (
            TcpListener::from_std(socket.listener).map_err(failed)?,
            socket.passed,
        ),
        None => (TcpListener::bind(address).await.map_err(failed)?, false),
    };
    let address = listener.local_addr().map_err(failed)?;
    Ok(Bound {
        listener,
        address,
        inherited,
    })
}
