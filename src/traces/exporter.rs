//! Takes spans to the collector: now and then, many at a time, by a task that no request waits for.

use std::{
    error::Error,
    fmt::Write,
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use super::{Span, otlp, queue::Queue};

/// How long spans are gathered.
const GATHER: Duration = Duration::from_millis(500);
/// The most spans of a request to the collector: some hundred KiB.
const BATCH: usize = 512;
/// How long the collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most of its answer that is read.
const MOST_ANSWERED: usize = 64 * 1024;

/// A way to the collector.
pub(super) struct Exporter {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    target: Uri,
    failing: AtomicBool,
}

impl Exporter {
    /// Nothing is sent yet. An error where an HTTPS endpoint cannot be verified, as there are no certificates to trust.
    pub(super) fn new(target: Uri) -> io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(PATIENCE));
        let provider = rustls::crypto::ring::default_provider();
        let https = HttpsConnectorBuilder::new();
        let https = if target.scheme_str() == Some("https") {
            https.with_provider_and_native_roots(provider)?.https_only()
        } else {
            // Reading the system's certificates takes its time, and plain HTTP has no use for them.
            let tls = rustls::ClientConfig::builder_with_provider(provider.into())
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            https.with_tls_config(tls).https_or_http()
        };
        let connector = https.enable_http1().wrap_connector(tcp);
        Ok(Self {
            http: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .build(connector),
            target,
            failing: AtomicBool::new(false),
        })
    }

    /// Takes what waits to the collector, for as long as somebody may put more there.
    pub(super) async fn run(self: Arc<Self>, queue: Weak<Queue>) {
        let mut rounds = tokio::time::interval(GATHER);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            let Some(queue) = queue.upgrade() else { return };
            self.export(&queue).await;
        }
    }

    /// Takes what waits now. What the collector does not take is dropped: it is worth no memory, and no second try in the way of what comes next.
    pub(super) async fn export(&self, queue: &Queue) {
        for batch in queue.take().chunks(BATCH) {
            match self.send(batch).await {
                Ok(()) => {
                    queue.exported(batch.len());
                    if self.failing.swap(false, Ordering::Relaxed) {
                        tracing::info!("the collector of traces takes spans again");
                    }
                }
                Err(problem) => {
                    queue.not_taken(batch.len());
                    if !self.failing.swap(true, Ordering::Relaxed) {
                        tracing::warn!(
                            "no spans can be sent to {}, and they are dropped until they can: {problem}",
                            self.target
                        );
                    }
                }
            }
        }
    }

    async fn send(&self, batch: &[Span]) -> Result<(), String> {
        let mut request = Request::new(Full::from(otlp::document(batch)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.clone();
        for (name, value) in [
            (header::CONTENT_TYPE, "application/json"),
            (header::USER_AGENT, concat!("postern/", env!("CARGO_PKG_VERSION"))),
        ] {
            request
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        let answered = async {
            let response = self.http.request(request).await.map_err(|error| told(&error))?;
            let status = response.status();
            // Read to its end, so that the connection can be used again.
            _ = Limited::new(response.into_body(), MOST_ANSWERED).collect().await;
            match status.is_success() {
                true => Ok(()),
                false => Err(format!("it answers {status}")),
            }
        };
        let late = |_| format!("no answer within {} s", PATIENCE.as_secs());
        tokio::time::timeout(PATIENCE, answered).await.map_err(late)?
    }
}

/// An error with what is behind it: a client's own says little.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(behind) = source {
        _ = write!(text, ": {behind}");
        source = behind.source();
    }
    text
}
