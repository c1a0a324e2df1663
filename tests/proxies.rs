//! Behind proxies: who is believed, by what they say in headers and at the beginning of a connection; what no header can change. The proxies
//! themselves are run by `tests/proxies/run`.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use postern::{
    audit::Outcome,
    gateway,
    server::{self, ProxyProtocol},
    types::{ForwardedHeader, Forwarding, Span, TrustedProxies},
    verdict::{self, PublicUrl},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    support::{BUCKET, TestGateway, Wishes, client, policy},
    transport,
};

/// Alice may read from one network, and over HTTPS alone.
const FROM_THERE: &str = "
[[signer.statement]]
Effect = 'Allow'
Action = 's3:GetObject'
Resource = '*'
Condition = { IpAddress = { 'aws:SourceIp' = ['203.0.113.0/24', '2001:db8::/32'] }, Bool = { 'aws:SecureTransport' = true } }
";
const EVERYTHING: &str = "\n[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";

/// A gateway that trusts these proxies, and this header of theirs.
async fn behind(proxies: &[&str], header: ForwardedHeader, statements: &str) -> TestGateway {
    let forwarding = Forwarding {
        proxies: TrustedProxies::parse(proxies.iter().copied()).unwrap(),
        header,
    };
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&[statements])),
        gateway: Some(gateway::Settings {
            forwarding,
            ..gateway::Settings::default()
        }),
        ..Wishes::default()
    })
    .await;
    gateway.put("a", "content");
    gateway
}

/// A gateway whose connections begin with a PROXY header.
async fn requiring(proxies: &[&str], tls: bool, statements: &str) -> TestGateway {
    let trusted = TrustedProxies::parse(proxies.iter().copied()).unwrap();
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&[statements])),
        tls,
        server: Some(server::Settings {
            proxy_protocol: ProxyProtocol::Require,
            trusted_proxies: trusted.clone(),
            head_timeout: Span::from_seconds(5),
            ..server::Settings::default()
        }),
        gateway: Some(gateway::Settings {
            forwarding: Forwarding {
                proxies: trusted,
                header: ForwardedHeader::XForwardedFor,
            },
            ..gateway::Settings::default()
        }),
        ..Wishes::default()
    })
    .await;
    gateway.put("a", "content");
    gateway
}

async fn status(gateway: &TestGateway, headers: &[(&str, &str)]) -> u16 {
    let link = gateway.link(&Method::GET, "a");
    let answer = client::send(gateway.address, Method::GET, &link, headers).await;
    answer.status.as_u16()
}

#[tokio::test]
async fn conditions_hold_of_the_client_that_a_trusted_proxy_names() {
    use ForwardedHeader::{Forwarded, XForwardedFor};
    let (https, http) = (("x-forwarded-proto", "https"), ("x-forwarded-proto", "http"));
    let client = ("x-forwarded-for", "203.0.113.7");
    let forwarded = ("forwarded", "for=\"[2001:db8::7]:5\";proto=https");
    for (proxies, header, headers, expected) in [
        (&["127.0.0.1"][..], XForwardedFor, &[client, https][..], 200),
        (
            &["127.0.0.0/8", "10.0.0.0/8"],
            XForwardedFor,
            &[("x-forwarded-for", "203.0.113.7, 10.0.0.1"), https],
            200,
        ),
        (&["127.0.0.1"], Forwarded, &[forwarded], 200),
        // Not the client, or not by HTTPS.
        (&["127.0.0.1"], XForwardedFor, &[client, http], 403),
        (&["127.0.0.1"], XForwardedFor, &[client], 403),
        (
            &["127.0.0.1"],
            XForwardedFor,
            &[("x-forwarded-for", "203.0.113.7, 198.51.100.1"), https],
            403,
        ),
        (
            &["127.0.0.1"],
            XForwardedFor,
            &[("x-forwarded-for", "203.0.113.7, unknown"), https],
            403,
        ),
        (&["127.0.0.1"], XForwardedFor, &[https], 403),
        // The other header, which this proxy passes on as it came.
        (&["127.0.0.1"], XForwardedFor, &[forwarded], 403),
        (&["127.0.0.1"], Forwarded, &[client, https], 403),
        // Of nobody who is not trusted.
        (&[], XForwardedFor, &[client, https, forwarded], 403),
        (&["10.0.0.0/8"], XForwardedFor, &[client, https, forwarded], 403),
        (&["10.0.0.0/8"], Forwarded, &[client, https, forwarded], 403),
    ] {
        let gateway = behind(proxies, header, FROM_THERE).await;
        assert_eq!(
            status(&gateway, headers).await,
            expected,
            "{proxies:?} {headers:?}"
        );
    }
}

#[tokio::test]
async fn the_record_names_the_client_and_the_proxy_that_named_it() {
    let gateway = behind(&["127.0.0.1"], ForwardedHeader::XForwardedFor, EVERYTHING).await;
    status(&gateway, &[("x-forwarded-for", "1.1.1.1, 203.0.113.7")]).await;
    let record = gateway.record(|record| record.outcome == Outcome::Served).await;
    assert_eq!(record.client.as_deref(), Some("203.0.113.7"));
    assert!(record.proxy.unwrap().starts_with("127.0.0.1:"));

    let gateway = behind(&[], ForwardedHeader::XForwardedFor, EVERYTHING).await;
    status(&gateway, &[("x-forwarded-for", "203.0.113.7")]).await;
    let record = gateway.record(|record| record.outcome == Outcome::Served).await;
    assert!(record.client.unwrap().starts_with("127.0.0.1:"));
    assert_eq!(record.proxy, None);
}

#[tokio::test]
async fn no_header_names_a_bucket_or_a_signed_host() {
    let gateway = behind(&["127.0.0.1"], ForwardedHeader::XForwardedFor, EVERYTHING).await;
    let link = gateway.link(&Method::GET, "a");
    let elsewhere = "other.s3.localhost";
    let host = gateway.address.to_string();
    for (name, value) in [
        ("x-forwarded-host", elsewhere),
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/other"),
        ("x-original-host", elsewhere),
        ("forwarded", "for=203.0.113.7;host=other.s3.localhost"),
    ] {
        let answer = client::send(gateway.address, Method::GET, &link, &[(name, value)]).await;
        assert_eq!(answer.text(), "content", "{name}");
        // Nor does it stand in for the host that was signed.
        let headers = [("host", "wrong.example"), (name, host.as_str())];
        let answer = client::send(gateway.address, Method::GET, &link, &headers).await;
        assert_eq!(answer.code(), "SignatureDoesNotMatch", "{name}");
    }
}

#[tokio::test]
async fn the_record_names_the_public_url_that_was_signed_for_and_no_other() {
    let public = ["https://one.example", "https://files.example.com/s3"];
    let public_urls = public.map(|text| PublicUrl::parse(text).unwrap()).to_vec();
    let gateway = TestGateway::with(Wishes {
        verdict: Some(verdict::Settings {
            public_urls,
            ..verdict::Settings::default()
        }),
        ..Wishes::default()
    })
    .await;
    gateway.put("a", "content");
    let own = gateway.link(&Method::GET, "a");
    let sign = |endpoint: &str| {
        let request = postern::sigv4::SignRequest {
            method: &Method::GET,
            endpoint: &postern::sigv4::Endpoint::parse(endpoint).unwrap(),
            style: postern::sigv4::AddressingStyle::Path,
            bucket: Some(&postern::types::BucketName::parse(BUCKET).unwrap()),
            key: Some(&postern::types::ObjectKey::parse("a").unwrap()),
            headers: &[],
            query: &[],
            session_token: None,
        };
        crate::support::sign_as(crate::support::ALICE, &request, gateway.clock.now())
    };
    let wrong = sign("https://two.example");
    for (link, origin, outcome) in [
        (own, None, Outcome::Served),
        (sign(public[0]), Some(public[0]), Outcome::Served),
        (sign(public[1]), Some(public[1]), Outcome::Served),
        (wrong, None, Outcome::Denied),
    ] {
        let own_host = gateway.address.to_string();
        let answer = client::send(gateway.address, Method::GET, &link, &[("host", &own_host)]).await;
        let id = answer.header("x-amz-request-id").to_owned();
        let record = gateway.record(|record| record.request_id == id).await;
        assert_eq!(
            (record.origin.as_deref(), record.outcome),
            (origin, outcome),
            "{link}"
        );
    }
}

/// Sends a request behind these bytes and gives everything that comes back.
async fn behind_bytes(gateway: &TestGateway, bytes: &[u8], headers: &str) -> String {
    let link = gateway.link(&Method::GET, "a");
    let path = link.strip_prefix(&gateway.endpoint()).unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\n{headers}connection: close\r\n\r\n",
        gateway.address
    );
    client::raw(gateway.address, &[bytes, head.as_bytes()].concat()).await
}

/// Version 2, for a client of IPv4.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, rest].concat()
}

#[tokio::test]
async fn a_proxy_header_says_who_the_client_is_and_its_own_headers_say_nothing() {
    let from_there = FROM_THERE.replace("'aws:SecureTransport' = true", "'aws:SecureTransport' = false");
    let gateway = requiring(&["127.0.0.1"], false, &from_there).await;
    let there = [203, 0, 113, 7, 192, 0, 2, 1, 0, 5, 0, 80];
    let elsewhere = [198, 51, 100, 1, 192, 0, 2, 1, 0, 5, 0, 80];
    let with_tlvs = [&there[..], &[4, 0, 2, 1, 2]].concat();
    let spoofed = "x-forwarded-for: 203.0.113.7\r\n";
    for (header, lines, expected) in [
        (
            b"PROXY TCP4 203.0.113.7 192.0.2.1 5 80\r\n".to_vec(),
            "",
            "HTTP/1.1 200",
        ),
        (binary(0x21, 0x11, &there), "", "HTTP/1.1 200"),
        (binary(0x21, 0x11, &with_tlvs), "", "HTTP/1.1 200"),
        (binary(0x21, 0x11, &elsewhere), "", "HTTP/1.1 403"),
        (binary(0x21, 0x11, &elsewhere), spoofed, "HTTP/1.1 403"),
        // Somebody's whom nobody knows: not the proxy's own, whose headers would be believed.
        (b"PROXY UNKNOWN\r\n".to_vec(), spoofed, "HTTP/1.1 403"),
        (binary(0x21, 0x00, &[]), spoofed, "HTTP/1.1 403"),
        (binary(0x20, 0x00, &[]), "", "HTTP/1.1 403"),
        (binary(0x20, 0x00, &[]), spoofed, "HTTP/1.1 200"),
        // No header, half a header, a wrong one: no answer at all.
        (Vec::new(), spoofed, ""),
        (b"PROXY TCP4 203.0.113.7 192.0.2.1 5\r\n".to_vec(), "", ""),
        (binary(0x21, 0x11, &there[..11]), "", ""),
    ] {
        let answer = behind_bytes(&gateway, &header, lines).await;
        let line = answer.get(..12).unwrap_or_default();
        assert_eq!(line, expected, "{:?}", String::from_utf8_lossy(&header));
    }
    let record = gateway.record(|record| record.outcome == Outcome::Served).await;
    assert_eq!(record.client.as_deref(), Some("203.0.113.7:5"));
    assert!(record.proxy.unwrap().starts_with("127.0.0.1:"));
}

#[tokio::test]
async fn who_is_no_trusted_proxy_is_not_served_where_proxy_headers_are_required() {
    let gateway = requiring(&["10.0.0.0/8"], false, EVERYTHING).await;
    for header in [&b"PROXY TCP4 10.0.0.1 192.0.2.1 5 80\r\n"[..], b""] {
        assert_eq!(behind_bytes(&gateway, header, "").await, "");
    }
    // Where they are not, one is no request.
    let gateway = behind(&["127.0.0.1"], ForwardedHeader::XForwardedFor, EVERYTHING).await;
    let answer = behind_bytes(&gateway, b"PROXY TCP4 203.0.113.7 192.0.2.1 5 80\r\n", "").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn tls_begins_behind_the_proxy_header_in_both_versions_of_http() {
    let gateway = requiring(&["127.0.0.1"], true, FROM_THERE).await;
    let link = gateway.link(&Method::GET, "a");
    let path = link.strip_prefix(&gateway.endpoint()).unwrap();
    for (line, expected) in [
        ("PROXY TCP4 203.0.113.7 192.0.2.1 5 443\r\n", 200),
        ("PROXY TCP6 2001:db8::7 2001:db8::1 5 443\r\n", 200),
        ("PROXY TCP4 198.51.100.1 192.0.2.1 5 443\r\n", 403),
    ] {
        for alpn in [&b"http/1.1"[..], b"h2"] {
            let mut stream = TcpStream::connect(gateway.address).await.unwrap();
            stream.write_all(line.as_bytes()).await.unwrap();
            let io =
                TokioIo::new(transport::handshake(&gateway, stream, &rustls::version::TLS13, alpn).await);
            let request = Request::get(match alpn {
                b"h2" => format!("https://{}{path}", gateway.address),
                _ => path.to_owned(),
            });
            let response = if alpn == b"h2" {
                let builder = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
                let (mut sender, connection) = builder.await.unwrap();
                tokio::spawn(connection);
                sender
                    .send_request(request.body(Empty::<Bytes>::new()).unwrap())
                    .await
            } else {
                let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
                tokio::spawn(connection);
                let request = request.header("host", gateway.address.to_string());
                sender
                    .send_request(request.body(Empty::<Bytes>::new()).unwrap())
                    .await
            };
            let response = response.unwrap();
            assert_eq!(response.status().as_u16(), expected, "{line}");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(expected != 200 || body == "content");
        }
    }
}

#[tokio::test]
async fn files_are_sent_whole_behind_a_proxy_header_one_after_another() {
    let gateway = requiring(&["127.0.0.1"], false, EVERYTHING).await;
    let content: Vec<u8> = (0..5_000_011_u32).map(|i| (i % 251) as u8).collect();
    gateway.put("large", &content);
    let link = gateway.link(&Method::GET, "large");
    let path = link.strip_prefix(&gateway.endpoint()).unwrap();
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = |connection: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: {connection}\r\n\r\n",
            gateway.address
        )
    };
    // The header and two requests in one piece: nothing behind the header is lost.
    let sent = [
        b"PROXY TCP4 203.0.113.7 192.0.2.1 5 80\r\n",
        head("keep-alive").as_bytes(),
        head("close").as_bytes(),
    ]
    .concat();
    stream.write_all(&sent).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let mut rest = &answer[..];
    for _ in 0..2 {
        assert!(rest.starts_with(b"HTTP/1.1 200"));
        let body = rest.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        assert!(rest[body..body + content.len()] == content);
        rest = &rest[body + content.len()..];
    }
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_refusal_arrives_though_a_large_body_is_still_being_sent_and_one_without_end_is_cut() {
    let gateway = behind(&[], ForwardedHeader::XForwardedFor, EVERYTHING).await;
    let link = gateway.link(&Method::GET, "a");
    let path = link.strip_prefix(&gateway.endpoint()).unwrap();
    let piece = vec![7; 1 << 20];
    for (mebibytes, arrives) in [(8, true), (1000, false)] {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        // The method is another than the signed one.
        let head = format!(
            "PUT {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
            gateway.address,
            mebibytes << 20
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut sent = 0;
        while sent < mebibytes && stream.write_all(&piece).await.is_ok() {
            sent += 1;
        }
        assert_eq!(sent == mebibytes, arrives, "{sent} MiB were sent");
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            !arrives || (read.is_ok() && answer.starts_with("HTTP/1.1 403")),
            "{answer}"
        );
    }
}
