//! The end of serving: which connections are still waited for when the process is told to stop, and when each is asked to end.
//!
//! hyper closes a connection at once from which it has read nothing yet, also where the request has been sent and waits in the socket. A client
//! that was accepted a moment before the end would get no answer. So whoever has asked for nothing yet has a moment to do so.

use std::{pin::pin, sync::Arc, time::Duration};

use hyper_util::server::graceful::{self, GracefulConnection};
use tokio::sync::SetOnce;
use tokio_util::sync::CancellationToken;

/// How long a connection that has asked for nothing yet is waited for: some round trips to a far client, with a TLS handshake.
const FIRST_REQUEST: Duration = Duration::from_secs(2);

/// Whether anything has been asked by a connection yet. A copy is another handle on the same.
#[derive(Clone, Default)]
pub(super) struct FirstRequest(Arc<SetOnce<()>>);

impl FirstRequest {
    /// A request has come, this time or before.
    pub(super) fn has_come(&self) {
        if !self.0.initialized() {
            _ = self.0.set(());
        }
    }
}

/// Counts connections, and tells them to end.
#[derive(Default)]
pub(super) struct Draining {
    connections: graceful::GracefulShutdown,
    stopping: CancellationToken,
}

impl Draining {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// One more connection, which is waited for until this is gone.
    pub(super) fn watcher(&self) -> Watcher {
        Watcher {
            counted: self.connections.watcher(),
            stopping: self.stopping.clone(),
        }
    }

    /// Tells every connection to end what it is at and then itself, and waits until all have.
    pub(super) async fn finish(self) {
        self.stopping.cancel();
        self.connections.shutdown().await;
    }
}

/// A connection's part in it.
pub(super) struct Watcher {
    counted: graceful::Watcher,
    stopping: CancellationToken,
}

impl Watcher {
    /// Ends when the connection should end: at the stop, once what is being asked has come. A
    /// shutdown waits for the connection until the watcher is dropped.
    pub(super) async fn stopped(&self, first_request: &FirstRequest) {
        self.stopping.cancelled().await;
        tokio::select! {
            _ = first_request.0.wait() => {}
            () = tokio::time::sleep(FIRST_REQUEST) => {}
        }
    }

    /// Speaks on a connection until its end. After the stop it answers what is being asked, and takes nothing more.
    pub(super) async fn watch<C: GracefulConnection>(
        self,
        connection: C,
        first_request: &FirstRequest,
    ) -> C::Output {
        let _counted = self.counted;
        let mut connection = pin!(connection);
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            () = self.stopping.cancelled() => {}
        }
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            _ = first_request.0.wait() => {}
            () = tokio::time::sleep(FIRST_REQUEST) => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    }
}
