//! One connection, from its first byte to its last, within bounds of bytes and time.

use std::{convert::Infallible, sync::Arc};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::Instant};

use crate::{
    gateway::{Connection, Delivery, Strangers},
    metrics::{Limit, Listener, Metrics},
    types::{Peer, TlsVersion},
};

use super::{
    Handler, Settings,
    abortable::Abortable,
    addresses::Addresses,
    draining::{FirstRequest, Watcher},
    half_head::HalfHead,
    http2::{self, SendBuffers},
    misdirected,
    patience::{Answered, Course, Patient, Speaks},
    proxy_protocol,
    workers::Accepted,
};

/// hyper's smallest read buffer.
const SMALLEST_HEAD: usize = 8 * 1024;

/// What every connection is served by.
pub(super) struct Serving {
    pub(super) settings: Settings,
    /// Where connections are counted.
    pub(super) metrics: Metrics,
    /// How many connections each address has.
    pub(super) addresses: Addresses,
    /// Heads of which only a part has come.
    pub(super) half_heads: Strangers,
    /// What HTTP/2 connections hold of their answers.
    pub(super) send_buffers: SendBuffers,
}

impl Serving {
    /// Speaks HTTP on a fresh connection until it ends. Nothing that a client does is an error here: it is told in HTTP or not at all.
    pub(super) async fn serve<H: Handler>(
        self: Arc<Self>,
        Accepted {
            mut stream,
            peer,
            tls,
        }: Accepted,
        handler: H,
        watcher: Watcher,
    ) {
        let settings = &self.settings;
        let _open = self.metrics.connection(match tls {
            Some(_) => Listener::Https,
            None => Listener::Http,
        });
        // Without this the last part of a small answer waits for an acknowledgement.
        let _ = stream.set_nodelay(true);
        // What is boxed is given back once it is over: a connection that waits for years carries none of it along.
        let Some(peer) = Box::pin(proxy_protocol::begin(&mut stream, peer, settings)).await else {
            return;
        };
        let Some(_place) = self.addresses.take(&peer, &settings.trusted_proxies) else {
            return self.metrics.limited(Limit::ConnectionsPerAddress);
        };
        let since = Instant::now();
        let Some(tls) = tls else {
            if !Box::pin(self.has_begun(&stream, &watcher)).await {
                return;
            }
            let (stream, connection) = plain(stream);
            let client = Client::new(peer, connection, since);
            return Box::pin(self.http1(stream, client, handler, watcher)).await;
        };
        let connection = Connection::new();
        let handshake = async {
            if misdirected::is_plain(&stream).await? {
                return misdirected::answer(stream).await.map(|()| None);
            }
            let stream = Abortable::new(stream, connection.clone());
            tls.accept(stream).await.map(Some)
        };
        let handshake = tokio::time::timeout(settings.head_timeout.duration(), Box::pin(handshake));
        let Ok(handshake) = handshake.await else {
            return self.metrics.limited(Limit::HeadTimeout);
        };
        let Ok(Some(stream)) = handshake else { return };
        let peer = Peer {
            tls: Some(match stream.get_ref().1.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => TlsVersion::V1_3,
                _ => TlsVersion::V1_2,
            }),
            ..peer
        };
        let client = Client::new(peer, connection, Instant::now());
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            Box::pin(self.http2(stream, client, handler, watcher)).await;
        } else {
            Box::pin(self.http1(stream, client, handler, watcher)).await;
        }
    }

    /// Waits until anything comes. Until then a connection has no buffers.
    async fn has_begun(&self, stream: &TcpStream, watcher: &Watcher) -> bool {
        let nothing = FirstRequest::default();
        tokio::select! {
            ready = stream.readable() => ready.is_ok(),
            () = watcher.stopped(&nothing) => false,
            () = tokio::time::sleep(self.settings.head_timeout.duration()) => {
                self.metrics.limited(Limit::HeadTimeout);
                false
            }
        }
    }

    async fn http1<I, H>(&self, io: I, client: Client, handler: H, watcher: Watcher)
    where
        I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
        H: Handler,
    {
        let settings = &self.settings;
        let connection = http1::Builder::new()
            // `Patient` waits for heads.
            .header_read_timeout(None)
            // Whoever has sent all that it will may say so and still be answered. (Watching for the end of what is sent also costs memory for the next head
            // before this one is gone.)
            .half_close(true)
            .max_buf_size(settings.max_head_bytes.max(SMALLEST_HEAD))
            .max_headers(settings.max_headers)
            // Bodies are passed on as they are, never copied: see `file_socket`.
            .writev(true)
            .serve_connection(
                TokioIo::new(self.patient(io, Speaks::Http1, &client)),
                service(handler, client.clone()),
            );
        until_the_end(&client, watcher.watch(connection, &client.first_request)).await;
    }

    async fn http2<I, H>(&self, io: I, client: Client, handler: H, watcher: Watcher)
    where
        I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
        H: Handler,
    {
        let io = self.patient(io, Speaks::Http2, &client);
        let speaking = http2::serve(io, self, &client, handler, watcher);
        until_the_end(&client, speaking).await;
    }

    fn patient<I>(&self, io: I, speaks: Speaks, client: &Client) -> Patient<I> {
        let told = (&self.settings, &self.metrics);
        let (course, connection) = (client.course.clone(), client.connection.clone());
        let half_head = HalfHead::new(&self.half_heads, &client.peer, &self.settings);
        Patient::new(io, speaks, course, connection, half_head, client.since, told)
    }
}

/// A socket that sends files by itself.
#[cfg(target_os = "linux")]
fn plain(stream: TcpStream) -> (super::file_socket::FileSocket, Connection) {
    let (connection, files) = Connection::sending_files();
    let socket = Abortable::new(stream, connection.clone());
    (super::file_socket::FileSocket::new(socket, files), connection)
}

/// There is no such call that we know to use here.
#[cfg(not(target_os = "linux"))]
fn plain(stream: TcpStream) -> (Abortable, Connection) {
    let connection = Connection::new();
    (Abortable::new(stream, connection.clone()), connection)
}

/// Who is at the other end, and the handle by which the connection may be broken off.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) peer: Peer,
    pub(super) connection: Connection,
    pub(super) first_request: FirstRequest,
    pub(super) course: Course,
    /// When it came.
    since: Instant,
}

impl Client {
    fn new(peer: Peer, connection: Connection, since: Instant) -> Self {
        Self {
            peer,
            connection,
            first_request: FirstRequest::default(),
            course: Course::default(),
            since,
        }
    }
}

/// Speaks until the connection ends, or is broken off: then nothing more is written to it, not even an end.
async fn until_the_end<E: std::fmt::Display>(client: &Client, speaking: impl Future<Output = Result<(), E>>) {
    tokio::select! {
        biased;
        () = client.connection.broken_off() => {}
        ended = speaking => if let Err(error) = ended {
            tracing::debug!(peer = %client.peer.address, %error, "connection ended early");
        }
    }
}

/// A handler as hyper calls it: it always has an answer.
fn service<H: Handler>(
    handler: H,
    client: Client,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<Answered<Delivery>>,
    Error = Infallible,
    Future: Send + 'static,
> {
    let own = Arc::new((handler, client));
    service_fn(move |request| {
        let own = own.clone();
        own.1.first_request.has_come();
        let asked = own.1.course.begin();
        async move {
            let (handler, client) = &*own;
            let response = handler
                .handle(request, client.peer, client.connection.clone())
                .await;
            Ok(response.map(|body| asked.answered(body)))
        }
    })
}
