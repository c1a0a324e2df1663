//! The public listener: accepts until it is told to stop, then lets what is in flight end.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{metrics::Metrics, types::Scheme};

use super::{Handler, ServerError, Settings, connection::Serving, tls, workers::Workers};

/// How long accepting rests when the process has no descriptor left; connections that end give some back.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);

/// A bound socket, with its certificate where it speaks HTTPS.
pub struct PublicListener {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    settings: Settings,
    metrics: Metrics,
}

impl PublicListener {
    /// Reads the TLS files, then binds: what is wrong with either is told before a client can connect.
    pub async fn bind(settings: &Settings) -> Result<Self, ServerError> {
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let (listener, address) = bind(&settings.listen, "server.listen").await?;
        Ok(Self {
            listener,
            address,
            tls,
            settings: settings.clone(),
            metrics: Metrics::default(),
        })
    }

    /// Counts its connections here.
    pub fn counting_into(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
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
            metrics: self.metrics,
        });
        let workers = match Workers::start(&serving, &handler) {
            Ok(workers) => workers,
            Err(error) => return tracing::error!(%error, "cannot start the threads that serve connections"),
        };
        let graceful = GracefulShutdown::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = self.listener.accept() => {
                    let served = accepted.and_then(|(stream, peer)| workers.serve(stream, peer, graceful.watcher()));
                    // Neither a client that is gone before it is accepted nor a lack of descriptors ends the loop.
                    if let Err(error) = served {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
                    }
                }
            }
        }
        drop(self.listener);
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
