//! The public listener, plain or HTTPS or both: accepts until it is told to stop, then lets what is in flight end.

use std::{future::Future, io, net::SocketAddr, sync::Arc};

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{
    clock::Clock,
    gateway::Strangers,
    metrics::{Limit, Metrics},
    types::Scheme,
};

use super::{
    Certificates, Handler, ServerError, Settings, Sockets,
    addresses::Addresses,
    connection::Serving,
    draining::Draining,
    failures::Failures,
    http2::SendBuffers,
    sockets,
    tls::{self, Renewal},
    workers::{Accepted, Workers},
};

/// How many that wait in a socket's queue are served yet when it closes: as many as the queue holds.
const LONGEST_QUEUE: usize = 1024;

/// A bound socket, and how it speaks HTTPS where it does.
struct Door {
    listener: TcpListener,
    address: SocketAddr,
    /// Does the socket outlive this process?
    inherited: bool,
    tls: Option<TlsAcceptor>,
}

/// The bound sockets, with the certificates where HTTPS is spoken.
pub struct PublicListener {
    first: Door,
    /// HTTPS, where the first one is plain HTTP.
    second: Option<Door>,
    certificates: Option<(Certificates, Renewal)>,
    settings: Settings,
    metrics: Metrics,
}

impl PublicListener {
    /// Reads the TLS files, then binds: what is wrong with either is told before a client can connect.
    pub async fn bind(settings: &Settings) -> Result<Self, ServerError> {
        Self::bind_to(settings, &mut Sockets::none()).await
    }

    /// The same, on the sockets `http` and `https` where there are such.
    pub async fn bind_to(settings: &Settings, sockets: &mut Sockets) -> Result<Self, ServerError> {
        let (mut tls, certificates) = match &settings.tls {
            None => (None, None),
            Some(tls) => {
                let (acceptor, certificates, renewal) = tls::acceptor(tls, Clock::system())?;
                (Some(acceptor), Some((certificates, renewal)))
            }
        };
        let besides = settings.tls.as_ref().and_then(|tls| tls.listen.as_deref());
        let secure = besides.and_then(|_| tls.take());
        let name = sockets::public_name(settings);
        let first = Door::bind(sockets, name, (&settings.listen, "server.listen"), tls).await?;
        let second = match besides {
            None => None,
            Some(listen) => {
                let listen = (listen, "server.tls.listen");
                Some(Door::bind(sockets, sockets::HTTPS, listen, secure).await?)
            }
        };
        Ok(Self {
            first,
            second,
            certificates,
            settings: settings.clone(),
            metrics: Metrics::default(),
        })
    }

    /// Counts its connections here.
    pub fn counting_into(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Where `server.listen` is: with port 0 configured, the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.first.address
    }

    /// What is spoken there: HTTP, or HTTPS where there is a certificate and no address of its own for it.
    pub fn scheme(&self) -> Scheme {
        self.first.scheme()
    }

    /// Every address with what is spoken there, that of `server.listen` first.
    pub fn addresses(&self) -> impl Iterator<Item = (Scheme, SocketAddr)> {
        [Some(&self.first), self.second.as_ref()]
            .into_iter()
            .flatten()
            .map(|door| (door.scheme(), door.address))
    }

    /// The certificates, where HTTPS is spoken.
    pub fn certificates(&self) -> Option<Certificates> {
        let (certificates, _) = self.certificates.as_ref()?;
        Some(certificates.clone())
    }

    /// Accepts until `stop` ends. Then nothing more is accepted, idle connections are closed, and transfers in flight have
    /// `shutdown_grace` to end before they are broken off.
    pub async fn run<H: Handler>(self, handler: H, stop: impl Future<Output = ()>) {
        let grace = self.settings.shutdown_grace.duration();
        let serving = Arc::new(Serving {
            addresses: Addresses::new(
                self.settings.limits.connections,
                self.settings.limits.connections_per_address,
            ),
            half_heads: Strangers::default(),
            send_buffers: SendBuffers::new(self.settings.limits.http2_send_buffers),
            settings: self.settings,
            metrics: self.metrics,
        });
        let started = Workers::start(&serving, &handler).and_then(|workers| {
            let renewal = self
                .certificates
                .map(|(_, renewal)| renewal.start())
                .transpose()?;
            Ok((workers, renewal))
        });
        let (workers, _renewal) = match started {
            Ok(started) => started,
            Err(error) => return tracing::error!(%error, "cannot start the threads that serve connections"),
        };
        let (first, second) = (self.first, self.second);
        let draining = Draining::new();
        let mut failures = Failures::new("public");
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = accept(&first, second.as_ref()) => {
                    if workers.connections() >= serving.settings.limits.connections {
                        // It is closed as it is dropped, and its client may try again.
                        serving.metrics.limited(Limit::Connections);
                        continue;
                    }
                    let served = accepted.and_then(|accepted| workers.serve(accepted, draining.watcher()));
                    // Neither a client that is gone before it is accepted nor a lack of descriptors ends the loop.
                    match served {
                        Ok(()) => failures.none(),
                        Err(error) => failures.another(&error).await,
                    }
                }
            }
        }
        for door in [Some(first), second].into_iter().flatten() {
            door.close(|accepted| workers.serve(accepted, draining.watcher()));
        }
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

impl Door {
    async fn bind(
        sockets: &mut Sockets,
        name: &str,
        (address, setting): (&str, &'static str),
        tls: Option<TlsAcceptor>,
    ) -> Result<Self, ServerError> {
        let bound = bind(sockets, name, address, setting).await?;
        Ok(Self {
            listener: bound.listener,
            address: bound.address,
            inherited: bound.inherited,
            tls,
        })
    }

    fn scheme(&self) -> Scheme {
        match self.tls {
            Some(_) => Scheme::Https,
            None => Scheme::Http,
        }
    }

    async fn accept(&self) -> io::Result<Accepted> {
        let (stream, peer) = self.listener.accept().await?;
        let tls = self.tls.clone();
        Ok(Accepted { stream, peer, tls })
    }

    /// Closes the socket. One that was passed is only let go of: whoever waits in its queue waits for the next process. With a socket of our own the
    /// queue would go too, and a client that is in it would find its connection reset: so it is emptied first.
    fn close(self, serve: impl Fn(Accepted) -> io::Result<()>) {
        if self.inherited {
            return;
        }
        let Ok(listener) = self.listener.into_std() else {
            return;
        };
        for _ in 0..LONGEST_QUEUE {
            let Ok((stream, peer)) = listener.accept() else {
                return;
            };
            let tls = self.tls.clone();
            let served = stream
                .set_nonblocking(true)
                .and_then(|()| TcpStream::from_std(stream))
                .and_then(|stream| serve(Accepted { stream, peer, tls }));
            if served.is_err() {
                return;
            }
        }
    }
}

/// The next connection at either door; where both have one, by chance, so that neither waits for the other to be idle.
async fn accept(first: &Door, second: Option<&Door>) -> io::Result<Accepted> {
    match second {
        None => first.accept().await,
        Some(second) => tokio::select! {
            accepted = first.accept() => accepted,
            accepted = second.accept() => accepted,
        },
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
