//! The operator's own listener: `/healthz`, `/readyz`, `/transfers`, `/metrics` and `/explain`, and nothing that a stranger may see.
//!
//! `/readyz` is 200 while requests are decided by a valid policy, also while a broken edit waits to be mended and the last good one is
//! in force: its `problem` says so. It is 503 when everything is denied for want of one, when the audit trail must be written and cannot be, and while
//! something is wrong with a folder of the store (`storage_problem`).

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::{
    metrics::{Listener, Metrics},
    types::Span,
};

use super::{AdminSettings, ServerError, Sockets, failures::Failures, listener};

/// How long the operator's client may take to send a head.
const HEAD_TIMEOUT: Span = Span::from_seconds(10);
/// The most bytes of a question: a head of 64 KiB, escaped.
const MOST_ASKED: usize = 256 * 1024;
const JSON: &str = "application/json";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What `/readyz` tells.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Readiness {
    /// Are requests decided by a valid policy, and can they be served?
    pub ready: bool,
    /// The number of the snapshot in force.
    pub generation: u64,
    /// The SHA-256 of the files that it was made of.
    pub digest: String,
    /// When it was put in force, by RFC 3339.
    pub loaded_at: String,
    /// What is wrong with the files as they stand now, if anything is.
    pub problem: Option<String>,
    /// What keeps audit records from being written, if anything does.
    pub audit_problem: Option<String>,
    /// What is wrong with the folders of the store, if anything is.
    pub storage_problem: Option<String>,
    /// What keeps a renewed certificate from being taken, or clients from taking the one in force, if anything does.
    pub certificate_problem: Option<String>,
}

/// Where the answers come from.
pub trait Source: Send + Sync + 'static {
    /// What `/readyz` tells.
    fn readiness(&self) -> Readiness;

    /// What `/transfers` tells: those in flight, as a JSON list of audit records. What ended before it is in the audit trail by then.
    fn transfers(&self) -> impl Future<Output = String> + Send;

    /// What `/metrics` tells, in the OpenMetrics form.
    fn metrics(&self) -> impl Future<Output = String> + Send;

    /// Explains the request that a JSON document describes; the answer is another.
    fn explain(&self, question: Bytes) -> impl Future<Output = (StatusCode, String)> + Send;

    /// Explains a request that was refused lately.
    fn explain_request(&self, id: &str) -> impl Future<Output = (StatusCode, String)> + Send;
}

/// A bound socket.
pub struct AdminListener {
    listener: TcpListener,
    address: SocketAddr,
    metrics: Metrics,
}

impl AdminListener {
    /// Binds the configured address.
    pub async fn bind(settings: &AdminSettings) -> Result<Self, ServerError> {
        Self::bind_to(settings, &mut Sockets::none()).await
    }

    /// The same, on the socket `admin` where there is one.
    pub async fn bind_to(settings: &AdminSettings, sockets: &mut Sockets) -> Result<Self, ServerError> {
        let bound = listener::bind(sockets, "admin", &settings.listen, "admin.listen").await?;
        Ok(Self {
            listener: bound.listener,
            address: bound.address,
            metrics: Metrics::default(),
        })
    }

    /// Counts its connections here.
    pub fn counting_into(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is dropped.
    pub async fn run(self, source: impl Source) {
        let source = Arc::new(source);
        let mut failures = Failures::new("admin");
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    failures.another(&error).await;
                    continue;
                }
            };
            failures.none();
            let (source, open) = (source.clone(), self.metrics.connection(Listener::Admin));
            let service = service_fn(move |request: Request<Incoming>| {
                let source = source.clone();
                async move { Ok::<_, Infallible>(answer(request, source.as_ref()).await) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT.duration());
            let connection = http.serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                _ = connection.await;
                drop(open);
            });
        }
    }
}

async fn answer<B>(request: Request<B>, source: &impl Source) -> Response<Full<Bytes>>
where
    B: http_body::Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
{
    let plain = |status, text: &str| (status, "text/plain", text.to_owned());
    let path = request.uri().path().to_owned();
    let (status, kind, text) = match (request.method(), path.as_str()) {
        // A web page can point a name of its own at this address; it cannot make a browser send another Host.
        _ if !host_is_ours(&request) => plain(StatusCode::FORBIDDEN, "ask by IP address or as localhost\n"),
        (&Method::GET | &Method::HEAD, "/healthz") => plain(StatusCode::OK, "ok\n"),
        (&Method::GET | &Method::HEAD, "/readyz") => {
            let readiness = source.readiness();
            let status = if readiness.ready {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            let text = serde_json::to_string(&readiness).unwrap_or_default() + "\n";
            (status, JSON, text)
        }
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, OPENMETRICS, source.metrics().await),
        (&Method::GET | &Method::HEAD, "/transfers") => {
            (StatusCode::OK, JSON, source.transfers().await + "\n")
        }
        // A page of another origin cannot send this type without asking first, and is not answered then.
        (&Method::POST, "/explain") if !is_json(&request) => plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send a JSON document, with Content-Type: application/json\n",
        ),
        (&Method::POST, "/explain") => match Limited::new(request.into_body(), MOST_ASKED).collect().await {
            Ok(question) => {
                let (status, text) = source.explain(question.to_bytes()).await;
                (status, JSON, text + "\n")
            }
            Err(_) => plain(StatusCode::PAYLOAD_TOO_LARGE, "a question has at most 256 KiB\n"),
        },
        (&Method::GET, path) if path.starts_with("/explain/") => {
            let id = path.strip_prefix("/explain/").unwrap_or_default();
            let (status, text) = source.explain_request(id).await;
            (status, JSON, text + "\n")
        }
        (_, "/healthz" | "/readyz" | "/transfers" | "/metrics") => {
            plain(StatusCode::METHOD_NOT_ALLOWED, "use GET\n")
        }
        (_, "/explain") => plain(StatusCode::METHOD_NOT_ALLOWED, "use POST\n"),
        (_, _) => plain(
            StatusCode::NOT_FOUND,
            "there are /healthz, /readyz, /transfers, /metrics and /explain\n",
        ),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    response
}

fn is_json<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok()).is_some_and(|kind| {
        kind.split(';')
            .next()
            .unwrap_or(kind)
            .trim()
            .eq_ignore_ascii_case(JSON)
    })
}

fn host_is_ours<B>(request: &Request<B>) -> bool {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let Ok(authority) = host.parse::<http::uri::Authority>() else {
        return false;
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Known(bool);

    impl Source for Known {
        fn readiness(&self) -> Readiness {
            Readiness {
                ready: self.0,
                generation: 1,
                digest: "d".to_owned(),
                loaded_at: "2026-11-24T12:00:00Z".to_owned(),
                problem: None,
                audit_problem: None,
                storage_problem: None,
                certificate_problem: None,
            }
        }

        async fn transfers(&self) -> String {
            "[]".to_owned()
        }

        async fn metrics(&self) -> String {
            "# EOF\n".to_owned()
        }

        async fn explain(&self, question: Bytes) -> (StatusCode, String) {
            (StatusCode::OK, question.len().to_string())
        }

        async fn explain_request(&self, id: &str) -> (StatusCode, String) {
            (StatusCode::NOT_FOUND, id.to_owned())
        }
    }

    async fn ask(method: &str, path: &str, host: &str, ready: bool) -> u16 {
        asked(method, path, &[("host", host)], ready, String::new()).await
    }

    async fn asked(method: &str, path: &str, headers: &[(&str, &str)], ready: bool, body: String) -> u16 {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::<Bytes>::from(body)).unwrap();
        answer(request, &Known(ready)).await.status().as_u16()
    }

    #[tokio::test]
    async fn questions_are_json_of_a_bounded_size_and_from_this_machine() {
        let json = ("content-type", "application/json");
        for (method, path, headers, length, status) in [
            (
                "POST",
                "/explain",
                vec![("host", "localhost:9001"), json],
                100,
                200,
            ),
            (
                "POST",
                "/explain",
                vec![("host", "localhost:9001"), json],
                MOST_ASKED + 1,
                413,
            ),
            ("POST", "/explain", vec![("host", "localhost:9001")], 100, 415),
            (
                "POST",
                "/explain",
                vec![("host", "localhost:9001"), ("content-type", "text/plain")],
                100,
                415,
            ),
            ("POST", "/explain", vec![("host", "evil.example"), json], 100, 403),
            ("GET", "/explain", vec![("host", "localhost")], 0, 405),
            (
                "GET",
                "/explain/0123456789ABCDEF",
                vec![("host", "127.0.0.1")],
                0,
                404,
            ),
            (
                "GET",
                "/explain/0123456789ABCDEF",
                vec![("host", "evil.example")],
                0,
                403,
            ),
        ] {
            let body = "a".repeat(length);
            assert_eq!(
                asked(method, path, &headers, true, body).await,
                status,
                "{method} {path} {headers:?}"
            );
        }
    }

    #[tokio::test]
    async fn health_and_readiness_are_told_and_nothing_else() {
        for (method, path, host, ready, status) in [
            ("GET", "/healthz", "127.0.0.1:9001", false, 200),
            ("HEAD", "/healthz", "localhost:9001", true, 200),
            ("GET", "/readyz", "[::1]:9001", true, 200),
            ("GET", "/readyz", "127.0.0.1", false, 503),
            ("GET", "/metrics", "localhost", false, 200),
            ("GET", "/metrics", "evil.example", true, 403),
            ("POST", "/readyz", "127.0.0.1", true, 405),
            ("GET", "/", "127.0.0.1", true, 404),
            ("GET", "/pres-url-test/test.txt", "127.0.0.1", true, 404),
            ("GET", "/healthz", "evil.example", true, 403),
            ("GET", "/healthz", "localhost.evil.example", true, 403),
            ("GET", "/healthz", "", true, 403),
        ] {
            assert_eq!(
                ask(method, path, host, ready).await,
                status,
                "{method} {path} {host}"
            );
        }
    }
}
