//! The public listener, plain or HTTPS or both: accepts until it is told to stop, then lets what is in flight end.

use std::{future::Future, io, net::SocketAddr, sync::Arc};

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{clock::Clock, types::Scheme};

use super::{
    Certificates, Handler, ServerError, Settings,
    connection::Serving,
    failures::Failures,
    tls::{self, Renewal},
    workers::{Accepted, Workers},
};

/// A bound socket, and how it speaks HTTPS where it does.
struct Door {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

/// The bound sockets, with the certificates where HTTPS is spoken.
pub struct PublicListener {
    first: Door,
    /// HTTPS, where the first one is plain HTTP.
    second: Option<Door>,
    certificates: Option<(Certificates, Renewal)>,
    settings: Settings,
}

impl PublicListener {
    /// Reads the TLS files, then binds: what is wrong with either is told before a client can connect.
    pub async fn bind(settings: &Settings) -> Result<Self, ServerError> {
        let (mut tls, certificates) = match &settings.tls {
            None => (None, None),
            Some(tls) => {
                let (acceptor, certificates, renewal) = tls::acceptor(tls, Clock::system())?;
                (Some(acceptor), Some((certificates, renewal)))
            }
        };
        let besides = settings.tls.as_ref().and_then(|tls| tls.listen.as_deref());
        let second = match besides {
            None => None,
            Some(listen) => Some(Door::bind(listen, "server.tls.listen", tls.take()).await?),
        };
        Ok(Self {
            first: Door::bind(&settings.listen, "server.listen", tls).await?,
            second,
            certificates,
            settings: settings.clone(),
        })
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
            settings: self.settings,
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
        let graceful = GracefulShutdown::new();
        let mut failures = Failures::new("public");
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = accept(&first, second.as_ref()) => {
                    let served = accepted.and_then(|accepted| workers.serve(accepted, graceful.watcher()));
                    // Neither a client that is gone before it is accepted nor a lack of descriptors ends the loop.
                    match served {
                        Ok(()) => failures.none(),
                        Err(error) => failures.another(&error).await,
                    }
                }
            }
        }
        drop((first, second));
        if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
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
        address: &str,
        setting: &'static str,
        tls: Option<TlsAcceptor>,
    ) -> Result<Self, ServerError> {
        let (listener, address) = bind(address, setting).await?;
        Ok(Self {
            listener,
            address,
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

/// Binds an address, and asks for the one that was given.
pub(super) async fn bind(
    address: &str,
    setting: &'static str,
) -> Result<(TcpListener, SocketAddr), ServerError> {
    let failed = |source| ServerError::Bind {
        address: address.to_owned(),
        setting,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
