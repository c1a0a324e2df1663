//! A client without a key attacks from one address, or one link is used against all others. A signer
//! at another address is answered all the while. Addresses come by PROXY headers.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use postern::{
    gateway,
    server::{self, ProxyProtocol},
    types::{Span, TrustedProxies},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_rustls::client::TlsStream;

use crate::{
    support::{BUCKET, TestGateway, Wishes, policy},
    transport::handshake,
};

const EVERYTHING: &str = "\n[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";
const STRANGER: &str = "203.0.113.66";
const SIGNER: &str = "198.51.100.9";

async fn gateway(tls: bool, server: server::Limits, limits: gateway::Limits) -> TestGateway {
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING])),
        server: Some(server::Settings {
            limits: server,
            proxy_protocol: ProxyProtocol::Require,
            trusted_proxies: TrustedProxies::parse(["127.0.0.0/8"]).unwrap(),
            ..server::Settings::default()
        }),
        gateway: Some(gateway::Settings {
            limits,
            ..gateway::Settings::default()
        }),
        tls,
        ..Wishes::default()
    })
    .await;
    gateway.put("small", "small");
    gateway.put("some", vec![7; 100_000]);
    gateway
}

async fn default_gateway(tls: bool) -> TestGateway {
    gateway(tls, server::Limits::default(), gateway::Limits::default()).await
}

/// Small limits, so that few connections are over them.
async fn small_gateway(tls: bool) -> TestGateway {
    let server = server::Limits {
        connections: 200,
        connections_per_address: 150,
        ..server::Limits::default()
    };
    let limits = gateway::Limits {
        requests: 64,
        unverified_requests: 32,
        unverified_requests_per_source: 8,
        ..gateway::Limits::default()
    };
    gateway(tls, server, limits).await
}

async fn plain_from(gateway: &TestGateway, address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let header = format!("PROXY TCP4 {address} 127.0.0.1 1000 9000\r\n");
    stream.write_all(header.as_bytes()).await.unwrap();
    stream
}

async fn tls_from(gateway: &TestGateway, address: &str, alpn: &[u8]) -> TlsStream<TcpStream> {
    let stream = plain_from(gateway, address).await;
    handshake(gateway, stream, &rustls::version::TLS13, alpn).await
}

/// Asks for the small object many times. Each answer is 200, and comes within two seconds. (On a
/// machine where a signer waits long without an attack too, ten times as long as then.)
async fn signer_is_served(gateway: &TestGateway, tls: bool, what: &str) {
    let calm = small_gateway(tls).await;
    let usual = slowest_of(&calm, tls, 3, "no attack").await;
    let slowest = slowest_of(gateway, tls, 20, what).await;
    let longest = Duration::from_secs(2).max(usual * 10);
    assert!(slowest < longest, "{what}: {slowest:?}, and {usual:?} without");
}

/// How long the slowest of so many answers takes. Each must be 200.
async fn slowest_of(gateway: &TestGateway, tls: bool, rounds: usize, what: &str) -> Duration {
    let mut slowest = Duration::ZERO;
    let link = gateway.link(&Method::GET, "small");
    let path = link.strip_prefix(&gateway.endpoint()).unwrap();
    let asking = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        gateway.address
    );
    for round in 0..rounds {
        let began = Instant::now();
        let mut answer = Vec::new();
        if tls {
            let mut stream = tls_from(gateway, SIGNER, b"http/1.1").await;
            stream.write_all(asking.as_bytes()).await.unwrap();
            _ = stream.read_to_end(&mut answer).await;
        } else {
            let mut stream = plain_from(gateway, SIGNER).await;
            stream.write_all(asking.as_bytes()).await.unwrap();
            _ = stream.read_to_end(&mut answer).await;
        }
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with("HTTP/1.1 200"),
            "{what}, round {round}: {answer}"
        );
        slowest = slowest.max(began.elapsed());
    }
    slowest
}

/// An HTTP/2 client with this window for each stream.
async fn http2_from(
    gateway: &TestGateway,
    address: &str,
    window: u32,
) -> (h2::client::SendRequest<Bytes>, JoinHandle<()>) {
    let stream = tls_from(gateway, address, b"h2").await;
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(window)
        .initial_connection_window_size(1 << 30)
        .initial_max_send_streams(200)
        .handshake(stream)
        .await
        .unwrap();
    let running = tokio::spawn(async move { _ = connection.await });
    (sender, running)
}

fn form_request(gateway: &TestGateway) -> Request<()> {
    Request::post(format!("https://{}/{BUCKET}", gateway.address))
        .header("content-type", "multipart/form-data; boundary=B")
        .body(())
        .unwrap()
}

#[tokio::test]
async fn forms_on_http_2_streams_take_no_signers_slot() {
    let gateway = default_gateway(true).await;
    let mut kept = Vec::new();
    for _ in 0..32 {
        let (sender, running) = http2_from(&gateway, STRANGER, 65_535).await;
        let mut sender = sender.ready().await.unwrap();
        for _ in 0..128 {
            // The stream stays open: no body comes, and no end.
            kept.push(sender.send_request(form_request(&gateway), false).unwrap());
        }
        tokio::spawn(async move {
            _ = running.await;
            drop(sender);
        });
    }
    signer_is_served(&gateway, true, "forms").await;
    // Only as many as one source may have are still open; the others are answered and reset.
    let mut open = 0;
    for (response, _stream) in kept {
        match tokio::time::timeout(Duration::from_millis(20), response).await {
            Ok(Ok(response)) => assert_eq!(response.status(), 503),
            Ok(Err(error)) => assert!(error.is_reset(), "{error}"),
            Err(_) => open += 1,
        }
        if open > 64 {
            break;
        }
    }
    assert!((1..=64).contains(&open), "{open}");
    let record = gateway.record(|record| record.reason.as_deref() == Some("TooManyUnverified"));
    assert_eq!(record.await.status, Some(503));
}

#[tokio::test]
async fn http_1_attacks_of_one_address_disturb_no_other() {
    let gateway = small_gateway(false).await;
    let host = gateway.address;
    let link = gateway
        .link(&Method::PUT, "up")
        .replace("Expires=900", "Expires=901");
    let forged = link.strip_prefix(&gateway.endpoint()).unwrap();
    for (what, begin) in [
        (
            "forms",
            format!(
                "POST /{BUCKET} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 100000\r\n\
                 content-type: multipart/form-data; boundary=B\r\n\r\n"
            ),
        ),
        (
            "slow heads",
            format!("GET /{BUCKET}/small HTTP/1.1\r\nhost: {host}\r\nx-a: "),
        ),
        (
            "slow bodies",
            format!("PUT {forged} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 900000\r\n\r\n1234"),
        ),
        ("nothing", String::new()),
    ] {
        let mut kept = Vec::new();
        for _ in 0..180 {
            let mut stream = plain_from(&gateway, STRANGER).await;
            _ = stream.write_all(begin.as_bytes()).await;
            kept.push(stream);
        }
        signer_is_served(&gateway, false, what).await;
    }
}

#[tokio::test]
async fn handshakes_and_forged_signatures_disturb_no_other() {
    let gateway = small_gateway(true).await;
    let mut kept = Vec::new();
    for _ in 0..180 {
        let mut stream = plain_from(&gateway, STRANGER).await;
        // The first bytes of a handshake that never goes on.
        _ = stream.write_all(&[22, 3, 1, 2, 0, 1, 0]).await;
        kept.push(stream);
    }
    signer_is_served(&gateway, true, "handshakes").await;
    drop(kept);

    let gateway = small_gateway(false).await;
    let link = gateway
        .link(&Method::GET, "small")
        .replace("Expires=900", "Expires=901");
    let forged = link.strip_prefix(&gateway.endpoint()).unwrap();
    let asking = format!("GET {forged} HTTP/1.1\r\nhost: {}\r\n\r\n", gateway.address);
    let mut stream = plain_from(&gateway, STRANGER).await;
    let flood = tokio::spawn(async move {
        let many = asking.repeat(1_000);
        _ = stream.write_all(many.as_bytes()).await;
        stream
    });
    signer_is_served(&gateway, false, "forged signatures").await;
    drop(flood.await.unwrap());
}

#[tokio::test]
async fn one_link_takes_at_most_its_share_of_the_slots() {
    let gateway = default_gateway(true).await;
    let link = gateway.link(&Method::GET, "some").replace("http://", "https://");
    let mut kept = Vec::new();
    for _ in 0..20 {
        let (sender, running) = http2_from(&gateway, STRANGER, 0).await;
        let mut sender = sender.ready().await.unwrap();
        for _ in 0..128 {
            let request = Request::get(&link).body(()).unwrap();
            kept.push(sender.send_request(request, true).unwrap().0);
        }
        tokio::spawn(async move {
            _ = running.await;
            drop(sender);
        });
    }
    signer_is_served(&gateway, true, "one link").await;
    let text = gateway.telemetry.metrics.text(&postern::metrics::Now::default());
    let stopped = text
        .lines()
        .filter(|line| line.starts_with("postern_limited_total{limit=\"requests_per_"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum::<u64>();
    assert!(stopped > 0, "{text}");
}

#[tokio::test]
async fn stream_that_makes_no_progress_gives_its_slot_up() {
    let server = server::Limits {
        stall_timeout: Span::from_seconds(1),
        ..server::Limits::default()
    };
    let gateway = gateway(true, server, gateway::Limits::default()).await;
    let link = gateway.link(&Method::GET, "some").replace("http://", "https://");
    let (sender, _running) = http2_from(&gateway, STRANGER, 16_000).await;
    let mut sender = sender.ready().await.unwrap();
    let request = || Request::get(&link).body(()).unwrap();
    let (stalled, _) = sender.send_request(request(), true).unwrap();
    let mut stalled = stalled.await.unwrap().into_body();
    let mut received = 0;
    let error = loop {
        // Read, and never given back to the window.
        match stalled.data().await.expect("the stream does not end in peace") {
            Ok(data) => received += data.len(),
            Err(error) => break error,
        }
    };
    assert_eq!(received, 16_000);
    assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
    let record = gateway.record(|record| record.bytes_sent == 16_000).await;
    assert!(!record.completed, "{record:?}");
    // The connection goes on.
    let (again, _) = sender.send_request(request(), true).unwrap();
    assert_eq!(again.await.unwrap().status(), 200);
}

#[tokio::test]
async fn body_that_stops_is_refused_after_its_time() {
    let limits = gateway::Limits {
        body_timeout: Span::from_seconds(1),
        ..gateway::Limits::default()
    };
    let gateway = gateway(false, server::Limits::default(), limits).await;
    let link = gateway.link(&Method::PUT, "up");
    let path = link.strip_prefix(&gateway.endpoint()).unwrap();
    let mut stream = plain_from(&gateway, SIGNER).await;
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: 100\r\n\r\nhalf",
        gateway.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let began = Instant::now();
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut answer));
    let read = read.await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("<Code>RequestTimeout</Code>"),
        "{answer}"
    );
    assert!(began.elapsed() >= Duration::from_secs(1));
    let up = gateway.folder.path().join("data").join(BUCKET).join("up");
    assert!(!up.exists());
}
