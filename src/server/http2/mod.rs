//! HTTP/2 over the h2 library, one connection at a time.
//!
//! hyper's own HTTP/2 server asks a body for bytes only while the client's window is open, and
//! tells nobody what became of them. So it can neither reset a stream that stalls nor bound what
//! all streams hold, and counts buffered bytes as sent. This module does all three: it takes no
//! byte from a body before there is room for it ([`send`]), counts each byte until the socket has
//! taken it ([`buffers`]), and resets one stream without touching the others.

mod buffers;
mod receive;
mod send;
mod stream;

use std::{sync::Arc, time::Duration};

use h2::{Reason, server};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};

pub(super) use buffers::SendBuffers;
use buffers::{Chunk, ConnectionBuffers, MOST_PER_STREAM};
use stream::Stream;

use crate::types::Network;

use super::{
    Handler,
    connection::{Client, Serving},
    draining::Watcher,
    patience::Patient,
};

/// How long a client may take to answer a ping before it is taken for gone.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// The window for bodies that come, of a stream and of a connection.
const RECEIVE_WINDOW: u32 = 1024 * 1024;

/// Serves one connection until its end.
pub(super) async fn serve<I, H>(
    io: Patient<I>,
    serving: &Serving,
    client: &Client,
    handler: H,
    watcher: Watcher,
) -> Result<(), h2::Error>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let settings = &serving.settings;
    let handshake = server::Builder::new()
        .initial_window_size(RECEIVE_WINDOW)
        .initial_connection_window_size(RECEIVE_WINDOW)
        .max_header_list_size(u32::try_from(settings.max_head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(settings.limits.http2_streams)
        .max_pending_accept_reset_streams(settings.limits.http2_resets)
        .max_send_buffer_size(MOST_PER_STREAM)
        .handshake(io);
    let Ok(connection) = timeout(settings.head_timeout.duration(), handshake).await else {
        serving.metrics.limited(crate::metrics::Limit::HeadTimeout);
        return Ok(());
    };
    let mut connection = connection?;
    let mut streams = JoinSet::new();
    let served = accept(&mut connection, &mut streams, serving, client, handler, &watcher).await;
    // Streams that still work notice that the connection is gone, and leave their records.
    drop(connection);
    while streams.join_next().await.is_some() {}
    // Until here a shutdown waits for the connection.
    drop(watcher);
    served
}

/// Accepts streams until the connection ends.
async fn accept<I, H>(
    connection: &mut server::Connection<Patient<I>, Chunk>,
    streams: &mut JoinSet<()>,
    serving: &Serving,
    client: &Client,
    handler: H,
    watcher: &Watcher,
) -> Result<(), h2::Error>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let settings = &serving.settings;
    let source = Network::of(crate::types::Client::from(client.peer).address);
    let buffers = ConnectionBuffers::new(serving.send_buffers.clone(), source);
    let buffers = Arc::new(buffers);
    let pings = connection.ping_pong();
    let mut unanswered = Box::pin(unanswered(pings, settings.head_timeout.duration()));
    let mut is_gone = false;
    let mut stop = Box::pin(watcher.stopped(&client.first_request));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            biased;
            () = &mut stop, if !is_stopping => {
                is_stopping = true;
                connection.graceful_shutdown();
            }
            Some(_) = streams.join_next(), if !streams.is_empty() => {}
            () = &mut unanswered, if !is_gone => {
                is_gone = true;
                connection.abrupt_shutdown(Reason::NO_ERROR);
            }
            accepted = connection.accept() => {
                let Some(accepted) = accepted else { return Ok(()) };
                let (request, respond) = accepted?;
                client.first_request.has_come();
                let stream = Stream {
                    respond,
                    client: client.clone(),
                    buffers: buffers.clone(),
                    metrics: serving.metrics.clone(),
                    limits: settings.limits.clone(),
                };
                streams.spawn(stream.serve(request, handler.clone()));
            }
        }
    }
}

/// Asks the client now and then whether it is still there. Ends once it has not answered in time.
async fn unanswered(ping_pong: Option<h2::PingPong>, every: Duration) {
    let Some(mut ping_pong) = ping_pong else {
        return std::future::pending().await;
    };
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match timeout(PING_TIMEOUT, ping_pong.ping(h2::Ping::opaque())).await {
            Ok(Ok(_)) => {}
            // The connection ends by itself.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_) => return,
        }
    }
}
