//! Limits on what strangers may ask: what is over one is closed or told so, in AWS's words where there are any, counted, and disturbs nobody else.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use postern::{
    gateway::{self, LowestRate},
    server::{self, ProxyProtocol},
    types::{ForwardedHeader, Forwarding, Span, TrustedProxies},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    support::{BUCKET, TestGateway, Wishes, client, form::TestForm, policy},
    transport::connect,
};

const EVERYTHING: &str = "\n[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";
/// More than all buffers between the disk and a reader hold.
const LARGE: u64 = 64 << 20;
/// Far more than a second's reading or sending of a client that stops.
const FAST: LowestRate = LowestRate {
    bytes_per_second: 100 << 20,
    over: Span::from_seconds(1),
};

async fn gateway(server: server::Limits, limits: gateway::Limits, tls: bool) -> TestGateway {
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING])),
        server: Some(server::Settings {
            limits: server,
            head_timeout: Span::from_seconds(2),
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
    let file = std::fs::File::create(gateway.put("large", "")).unwrap();
    file.set_len(LARGE).unwrap();
    gateway
}

fn request(gateway: &TestGateway, method: &str, link: &str, headers: &str) -> String {
    let target = link.split_once("://").unwrap().1;
    let target = target.find('/').map_or("/", |at| &target[at..]);
    format!(
        "{method} {target} HTTP/1.1\r\nhost: {}\r\n{headers}\r\n",
        gateway.address
    )
}

/// Asks, and reads the head of the answer and whatever of its body comes with it.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut answer));
    let read = read.await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// Whether the connection ends by itself, without a reader, and how long that takes.
async fn ends(mut stream: impl AsyncRead + Unpin) -> Duration {
    let began = Instant::now();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest));
    _ = ended.await.expect("the gateway ends the connection");
    began.elapsed()
}

/// Waits until a limit has stopped so many.
async fn limited(gateway: &TestGateway, limit: &str, times: u64) {
    let line = format!("postern_limited_total{{limit=\"{limit}\"}} {times}");
    let began = Instant::now();
    loop {
        let text = gateway.telemetry.metrics.text(&postern::metrics::Now::default());
        if text.lines().any(|found| found == line) {
            return;
        }
        assert!(began.elapsed().as_secs() < 20, "{line} is not in\n{text}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed_and_those_that_are_there_go_on() {
    let limits = server::Limits {
        connections: 2,
        ..server::Limits::default()
    };
    let gateway = gateway(limits, gateway::Limits::default(), false).await;
    let link = gateway.link(&Method::GET, "small");
    let asking = request(&gateway, "GET", &link, "");
    let mut first = TcpStream::connect(gateway.address).await.unwrap();
    let mut second = TcpStream::connect(gateway.address).await.unwrap();
    for stream in [&mut first, &mut second] {
        assert!(ask(stream, &asking).await.starts_with("HTTP/1.1 200"));
    }
    let third = TcpStream::connect(gateway.address).await.unwrap();
    ends(third).await;
    limited(&gateway, "connections", 1).await;
    assert!(ask(&mut first, &asking).await.starts_with("HTTP/1.1 200"));
    drop(second);
    let began = Instant::now();
    loop {
        let mut next = TcpStream::connect(gateway.address).await.unwrap();
        _ = next.write_all(asking.as_bytes()).await;
        let mut answer = [0; 12];
        if next
            .read_exact(&mut answer)
            .await
            .is_ok_and(|_| answer == *b"HTTP/1.1 200")
        {
            break;
        }
        assert!(began.elapsed().as_secs() < 20, "its place is free again");
    }
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_others_theirs() {
    let gateway = TestGateway::with(Wishes {
        server: Some(server::Settings {
            limits: server::Limits {
                connections_per_address: 1,
                ..server::Limits::default()
            },
            proxy_protocol: ProxyProtocol::Require,
            trusted_proxies: TrustedProxies::parse(["127.0.0.0/8"]).unwrap(),
            ..server::Settings::default()
        }),
        ..Wishes::default()
    })
    .await;
    gateway.put("small", "small");
    let asking = request(&gateway, "GET", &gateway.link(&Method::GET, "small"), "");
    let from = async |address: &str| {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        let header = format!("PROXY TCP4 {address} 127.0.0.1 1000 9000\r\n");
        stream.write_all(header.as_bytes()).await.unwrap();
        stream
    };
    let mut kept = from("203.0.113.7").await;
    assert!(ask(&mut kept, &asking).await.starts_with("HTTP/1.1 200"));
    ends(from("203.0.113.7").await).await;
    limited(&gateway, "connections_per_address", 1).await;
    assert!(
        ask(&mut from("203.0.113.8").await, &asking)
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert!(ask(&mut kept, &asking).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn requests_beyond_the_bound_hear_slow_down_until_one_is_over() {
    let limits = gateway::Limits {
        requests: 1,
        ..gateway::Limits::default()
    };
    let gateway = gateway(server::Limits::default(), limits, false).await;
    let (large, small) = (
        gateway.link(&Method::GET, "large"),
        gateway.link(&Method::GET, "small"),
    );
    let mut reader = TcpStream::connect(gateway.address).await.unwrap();
    let answer = ask(&mut reader, &request(&gateway, "GET", &large, "")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let refused = gateway.get(&small).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (503, "SlowDown")
    );
    assert_eq!(refused.header("connection"), "close");
    limited(&gateway, "requests", 1).await;
    drop(reader);
    let began = Instant::now();
    while gateway.get(&small).await.status != 200 {
        assert!(began.elapsed().as_secs() < 20, "its place is free again");
    }
}

#[tokio::test]
async fn a_connection_without_a_request_ends_and_one_with_a_request_does_not() {
    let limits = server::Limits {
        idle_timeout: Span::from_seconds(1),
        ..server::Limits::default()
    };
    let gateway = gateway(limits, gateway::Limits::default(), false).await;
    let asking = request(&gateway, "GET", &gateway.link(&Method::GET, "small"), "");
    let put = gateway.link(&Method::PUT, "slowly");
    let mut uploading = TcpStream::connect(gateway.address).await.unwrap();
    let head = request(&gateway, "PUT", &put, "content-length: 5\r\n");
    uploading.write_all(head.as_bytes()).await.unwrap();
    let mut idle = TcpStream::connect(gateway.address).await.unwrap();
    for _ in 0..3 {
        assert!(ask(&mut idle, &asking).await.starts_with("HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert!(
        ask(&mut idle, &asking).await.starts_with("HTTP/1.1 200"),
        "each request starts anew"
    );
    let took = ends(idle).await;
    assert!(took >= Duration::from_millis(900), "{took:?}");
    limited(&gateway, "idle_timeout", 1).await;
    // The other one has been without a byte for longer.
    assert!(ask(&mut uploading, "12345").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_head_has_its_time_also_after_other_requests() {
    let gateway = gateway(server::Limits::default(), gateway::Limits::default(), false).await;
    let asking = request(&gateway, "GET", &gateway.link(&Method::GET, "small"), "");
    let mut never = TcpStream::connect(gateway.address).await.unwrap();
    never.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
    let mut later = TcpStream::connect(gateway.address).await.unwrap();
    assert!(ask(&mut later, &asking).await.starts_with("HTTP/1.1 200"));
    later.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
    ends(never).await;
    ends(later).await;
    limited(&gateway, "head_timeout", 2).await;
}

#[tokio::test]
async fn whoever_does_not_read_an_answer_is_broken_off_by_each_way() {
    let limits = server::Limits {
        lowest_rate: FAST,
        ..server::Limits::default()
    };
    for tls in [false, true] {
        let gateway = gateway(limits.clone(), gateway::Limits::default(), tls).await;
        let asking = request(&gateway, "GET", &gateway.link(&Method::GET, "large"), "");
        if tls {
            let mut reader = connect(&gateway, &rustls::version::TLS13, b"http/1.1").await;
            assert!(ask(&mut reader, &asking).await.starts_with("HTTP/1.1 200"));
            limited(&gateway, "lowest_rate_reading", 1).await;
        } else {
            let mut reader = TcpStream::connect(gateway.address).await.unwrap();
            assert!(ask(&mut reader, &asking).await.starts_with("HTTP/1.1 200"));
            limited(&gateway, "lowest_rate_reading", 1).await;
            let mut rest = Vec::new();
            let read = reader.read_to_end(&mut rest).await;
            assert!(
                read.is_err() && (rest.len() as u64) < LARGE,
                "a cut is never an end: {read:?}"
            );
        }
        let record = gateway
            .record(|record| record.key.as_deref() == Some("large"))
            .await;
        assert!(!record.completed);
    }
}

#[tokio::test]
async fn a_stream_of_http_2_that_nobody_reads_is_broken_off() {
    let limits = server::Limits {
        lowest_rate: FAST,
        ..server::Limits::default()
    };
    let gateway = gateway(limits, gateway::Limits::default(), true).await;
    let io = TokioIo::new(connect(&gateway, &rustls::version::TLS13, b"h2").await);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let link = gateway.link(&Method::GET, "large");
    let request = Request::get(link).body(Empty::<Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    limited(&gateway, "lowest_rate_reading", 1).await;
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_hears_so_and_nothing_is_kept() {
    let limits = gateway::Limits {
        lowest_rate: FAST,
        ..gateway::Limits::default()
    };
    let gateway = gateway(server::Limits::default(), limits, false).await;
    let put = gateway.link(&Method::PUT, "slow");
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = request(&gateway, "PUT", &put, "content-length: 1000\r\n");
    let answer = ask(&mut stream, &format!("{head}some of it")).await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("<Code>RequestTimeout</Code>"),
        "{answer}"
    );
    limited(&gateway, "lowest_rate_sending", 1).await;
    assert_eq!(gateway.get(&gateway.link(&Method::GET, "slow")).await.status, 404);
    let own = gateway.folder.path().join("data").join(BUCKET).join("~!tmp");
    assert!(std::fs::read_dir(own).map_or(0, |files| files.count()) == 0);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_it_comes() {
    let limits = gateway::Limits {
        upload_bytes: 10,
        ..gateway::Limits::default()
    };
    let gateway = gateway(server::Limits::default(), limits, false).await;
    let put = gateway.link(&Method::PUT, "long");
    let ten = client::send_body(gateway.address, Method::PUT, &put, &[], "1234567890".into()).await;
    assert_eq!(ten.status, 200);
    let eleven = client::send_body(gateway.address, Method::PUT, &put, &[], "12345678901".into()).await;
    assert_eq!(
        (eleven.status.as_u16(), eleven.code().as_str()),
        (400, "EntityTooLarge")
    );
    assert_eq!(eleven.element("MaxSizeAllowed").as_deref(), Some("10"));
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = request(
        &gateway,
        "PUT",
        &put,
        "content-length: 11\r\nexpect: 100-continue\r\n",
    );
    assert!(
        ask(&mut stream, &head).await.starts_with("HTTP/1.1 400"),
        "it is not asked for"
    );
    limited(&gateway, "upload_bytes", 2).await;
    assert_eq!(
        gateway.get(&gateway.link(&Method::GET, "long")).await.text(),
        "1234567890"
    );
    let forged = put.replace("X-Amz-Expires=900", "X-Amz-Expires=901");
    let refused = client::send_body(gateway.address, Method::PUT, &forged, &[], "12345678901".into()).await;
    assert_eq!(refused.status, 403, "a stranger does not learn what the limit is");
    let form = TestForm::signed(
        "2026-11-24T12:10:00Z",
        r#"["eq", "$key", "form"]"#,
        &[("key", "form")],
    );
    assert_eq!(form.send(&gateway).await.code(), "EntityTooLarge");
    let forged = form
        .without("x-amz-signature")
        .with("x-amz-signature", &"0".repeat(64));
    assert_eq!(forged.send(&gateway).await.code(), "SignatureDoesNotMatch");
}

#[tokio::test]
async fn forged_signatures_are_counted_by_address_and_a_right_one_always_passes() {
    let proxies = TrustedProxies::parse(["127.0.0.0/8"]).unwrap();
    let gateway = TestGateway::with(Wishes {
        gateway: Some(gateway::Settings {
            limits: gateway::Limits {
                failed_authentications: 3,
                ..gateway::Limits::default()
            },
            forwarding: Forwarding {
                proxies,
                header: ForwardedHeader::default(),
            },
            ..gateway::Settings::default()
        }),
        ..Wishes::default()
    })
    .await;
    gateway.put("small", "small");
    let link = gateway.link(&Method::GET, "small");
    let forged = link.replace("X-Amz-Expires=900", "X-Amz-Expires=901");
    let unknown = link.replace("AKIAALICE", "AKIAMALLORY");
    let from = async |address: &str, url: &str| {
        let headers = [("x-forwarded-for", address)];
        let answer = client::send(gateway.address, Method::GET, url, &headers).await;
        (answer.status.as_u16(), answer.code())
    };
    let told = |status: u16, code: &str| (status, code.to_owned());
    for (url, code) in [
        (&forged, "SignatureDoesNotMatch"),
        (&unknown, "InvalidAccessKeyId"),
        (&forged, "SignatureDoesNotMatch"),
    ] {
        assert_eq!(from("203.0.113.7", url).await, told(403, code));
    }
    assert_eq!(from("203.0.113.7", &forged).await, told(503, "SlowDown"));
    assert_eq!(from("203.0.113.7", &unknown).await, told(503, "SlowDown"));
    assert_eq!(
        from("203.0.113.7", &link).await.0,
        200,
        "who can prove himself is never kept waiting"
    );
    assert_eq!(
        from("203.0.113.8", &forged).await,
        told(403, "SignatureDoesNotMatch")
    );
    limited(&gateway, "failed_authentications", 2).await;
    let denied = gateway
        .records()
        .into_iter()
        .filter(|record| record.status == Some(503));
    assert_eq!(denied.count(), 2, "each leaves a record all the same");
}

#[tokio::test]
async fn a_client_that_resets_streams_faster_than_they_are_answered_loses_its_connection() {
    let limits = server::Limits {
        http2_resets: 5,
        ..server::Limits::default()
    };
    let gateway = gateway(limits, gateway::Limits::default(), true).await;
    let mut stream = connect(&gateway, &rustls::version::TLS13, b"h2").await;
    // The preface, empty settings, then streams that are opened and reset at once (RFC 9113, sections 3.4, 6.2 and 6.4).
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00".to_vec();
    // `:method: GET`, `:scheme: https`, `:path: /`, and `:authority: a` as a literal (RFC 7541, appendix A and section 6.2.2).
    let head = b"\x82\x87\x84\x01\x01a";
    for stream in (1u32..2000).step_by(2) {
        sent.extend([0, 0, head.len() as u8, 1, 5]);
        sent.extend(stream.to_be_bytes());
        sent.extend(head);
        sent.extend([0, 0, 4, 3, 0]);
        sent.extend(stream.to_be_bytes());
        sent.extend(8u32.to_be_bytes());
    }
    _ = stream.write_all(&sent).await;
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    _ = ended.await.expect("the gateway ends the connection");
    // GOAWAY (type 7) with ENHANCE_YOUR_CALM (11), section 7.
    let mut rest = &answer[..];
    let mut calm = false;
    while let [a, b, c, kind, _, _, _, _, _, behind @ ..] = rest {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        calm |= *kind == 7 && behind.get(4..8) == Some(&[0, 0, 0, 11]);
        rest = behind.get(length..).unwrap_or_default();
    }
    assert!(calm, "{answer:?}");
    assert_eq!(
        gateway.records().len(),
        0,
        "none of them came as far as a request, or was one's record lost?"
    );
}

/// Opens connections that send half a head each.
async fn half_heads(gateway: &TestGateway, count: usize) -> Vec<TcpStream> {
    let mut opened = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
        opened.push(stream);
    }
    opened
}

/// Whether the gateway has left the connection open.
fn is_open(stream: &TcpStream) -> bool {
    let read = stream.try_read(&mut [0]);
    read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn half_heads_of_one_source_are_bounded() {
    let limits = server::Limits {
        unverified_requests_per_source: 2,
        ..server::Limits::default()
    };
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING])),
        server: Some(server::Settings {
            limits,
            ..server::Settings::default()
        }),
        ..Wishes::default()
    })
    .await;
    gateway.put("small", "small");
    // This machine has four times as many.
    let opened = half_heads(&gateway, 12).await;
    limited(&gateway, "unverified_requests", 4).await;
    // Whole heads pass all the same, and half a head after an answer counts too.
    let link = gateway.link(&Method::GET, "small");
    let asking = request(&gateway, "GET", &link, "");
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    for _ in 0..2 {
        assert!(ask(&mut stream, &asking).await.starts_with("HTTP/1.1 200"));
    }
    stream.write_all(b"GET / HT").await.unwrap();
    ends(stream).await;
    limited(&gateway, "unverified_requests", 5).await;
    let mut kept: Vec<_> = opened.into_iter().filter(is_open).collect();
    assert_eq!(kept.len(), 8);
    // A head that becomes whole gives its place back.
    let rest = format!("{}\r\n\r\n", gateway.address);
    assert!(ask(&mut kept[0], &rest).await.starts_with("HTTP/1.1 403"));
    let _one_more = half_heads(&gateway, 2).await;
    limited(&gateway, "unverified_requests", 6).await;
}

#[tokio::test]
async fn first_head_is_timed_from_the_connections_beginning() {
    let gateway = TestGateway::with(Wishes {
        server: Some(server::Settings {
            head_timeout: Span::from_seconds(2),
            ..server::Settings::default()
        }),
        ..Wishes::default()
    })
    .await;
    for pause in [None, Some(Duration::from_millis(1_200))] {
        let began = Instant::now();
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
            stream.write_all(b"GET / HT").await.unwrap();
        }
        ends(stream).await;
        let taken = began.elapsed();
        let expected = Duration::from_millis(1_900)..Duration::from_millis(3_000);
        assert!(expected.contains(&taken), "{pause:?}: {taken:?}");
    }
    limited(&gateway, "head_timeout", 2).await;
}
