//! Connections: TLS in both versions of HTTP, bounds on heads, an answer to everything, and an end that loses nothing.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use postern::{server::Settings, types::Span};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::support::{TestGateway, Wishes, client};

pub(crate) async fn connect(
    gateway: &TestGateway,
    version: &'static SupportedProtocolVersion,
    alpn: &[u8],
) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    handshake(gateway, stream, version, alpn).await
}

/// Speaks TLS on a connection that there is.
pub(crate) async fn handshake(
    gateway: &TestGateway,
    stream: TcpStream,
    version: &'static SupportedProtocolVersion,
    alpn: &[u8],
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(gateway.folder.path().join("cert.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("localhost").unwrap(), stream)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_link_opens_over_tls_1_2_and_1_3_by_http_1_and_http_2() {
    let gateway = TestGateway::with(Wishes {
        tls: true,
        ..Wishes::default()
    })
    .await;
    let content: Vec<u8> = (0..700_001u32).map(|i| (i % 251) as u8).collect();
    gateway.put("a", &content);
    let link = gateway.link(&Method::GET, "a");
    let query = link
        .split_once('/')
        .and_then(|_| link.strip_prefix(&gateway.endpoint()))
        .unwrap()
        .to_owned();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let io = TokioIo::new(connect(&gateway, version, b"http/1.1").await);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(&query)
            .header("host", gateway.address.to_string())
            .body(Empty::<Bytes>::new())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.into_body().collect().await.unwrap().to_bytes() == content);

        let io = TokioIo::new(connect(&gateway, version, b"h2").await);
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
            .await
            .unwrap();
        tokio::spawn(connection);
        let url = format!("https://{}{query}", gateway.address);
        for (url, status) in [
            (url.clone(), 200),
            (url.replace("Expires=900", "Expires=901"), 403),
        ] {
            let request = Request::get(url).body(Empty::<Bytes>::new()).unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status().as_u16(), status);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(status == 403 || body == content);
        }
    }
}

#[tokio::test]
async fn every_malformed_head_is_answered() {
    let gateway = TestGateway::start().await;
    let long = "a".repeat(300_000);
    for (head, status) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n".to_owned(), "400"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
        ("GET /\u{1} HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), "400"),
        (format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"), "4"),
        (format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"), "431"),
        (format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(200)), "431"),
        ("GET /%zz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(), "403"),
        ("OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n".to_owned(), "4"),
    ] {
        // The first row has no connection: close; an HTTP/1.1 head without a host leaves the connection open.
        let head = head.replacen("HTTP/1.1\r\n\r\n", "HTTP/1.1\r\nconnection: close\r\n\r\n", 1);
        let answer = client::raw(gateway.address, head.as_bytes()).await;
        let expected = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&expected), "{} → {answer:?}", head.chars().take(60).collect::<String>());
    }
}

#[tokio::test]
async fn whoever_says_that_nothing_more_will_come_is_still_answered() {
    let gateway = TestGateway::start().await;
    let content = vec![7; 12 << 20];
    gateway.put("small", &content[..100]);
    gateway.put("large", &content);
    for (key, size) in [("small", 100), ("large", content.len())] {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        let target = gateway.link(&Method::GET, key);
        let head = format!("GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", gateway.address);
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
        ended.await.expect("the connection ends").unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{key}");
        assert!(answer.ends_with(&content[..size]), "{key}");
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_closed() {
    let server = Settings {
        head_timeout: Span::from_seconds(1),
        ..Settings::default()
    };
    let gateway = TestGateway::with(Wishes {
        server: Some(server),
        ..Wishes::default()
    })
    .await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the connection is closed by the gateway");
}

#[tokio::test]
async fn a_transfer_in_flight_ends_whole_while_nothing_new_is_accepted() {
    let mut gateway = TestGateway::start().await;
    let content = vec![7; 32 << 20];
    gateway.put("large", &content);
    let link = gateway.link(&Method::GET, "large");
    let path = link.strip_prefix(&gateway.endpoint()).unwrap();
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", gateway.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 4096];
    let mut seen = stream.read(&mut first).await.unwrap();
    assert!(seen > 0);
    let header = first.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    gateway.stop();
    let refused = async {
        while TcpStream::connect(gateway.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused)
        .await
        .expect("nothing new is accepted");
    let mut rest = Vec::new();
    seen += stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(seen - header, content.len());
    tokio::time::timeout(Duration::from_secs(20), &mut gateway.running)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_transfer_that_outlasts_the_grace_is_broken_off() {
    let server = Settings {
        shutdown_grace: Span::from_seconds(0),
        ..Settings::default()
    };
    let mut gateway = TestGateway::with(Wishes {
        server: Some(server),
        ..Wishes::default()
    })
    .await;
    gateway.put("large", vec![7; 64 << 20]);
    let link = gateway.link(&Method::GET, "large");
    let path = link.strip_prefix(&gateway.endpoint()).unwrap();
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", gateway.address).as_bytes())
        .await
        .unwrap();
    stream.read_exact(&mut [0; 16]).await.unwrap();
    gateway.stop();
    tokio::time::timeout(Duration::from_secs(20), &mut gateway.running)
        .await
        .unwrap()
        .unwrap();
    let mut rest = Vec::new();
    _ = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < 64 << 20, "a cut transfer must not look whole");
}
