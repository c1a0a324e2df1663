//! A small HTTP/1.1 client: what is sent is exactly what the test says, `Host` from the URL.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }

    /// An element of an error document, unescaped.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        let (_, rest) = self.text().split_once(&format!("<{name}>"))?;
        let (value, _) = rest.split_once(&format!("</{name}>"))?;
        Some(quick_xml::escape::unescape(value).unwrap().into_owned())
    }

    pub(crate) fn code(&self) -> String {
        self.element("Code").unwrap_or_default()
    }
}

/// Sends one request without a body.
pub(crate) async fn send(to: SocketAddr, method: Method, url: &str, headers: &[(&str, &str)]) -> Answer {
    send_body(to, method, url, headers, Bytes::new()).await
}

/// Sends one request to this address, whatever host the URL names.
pub(crate) async fn send_body(
    to: SocketAddr,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Answer {
    let uri: Uri = url.parse().unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(uri.path_and_query().unwrap().as_str());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = request.header("host", uri.authority().unwrap().as_str());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let stream = TcpStream::connect(to).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let response = sender
        .send_request(request.body(Full::new(body)).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

/// Sends bytes as they are and gives everything that comes back until the connection ends.
pub(crate) async fn raw(to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
