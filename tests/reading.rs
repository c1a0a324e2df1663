//! What browsers, players and download managers use, over HTTP/1.1, and over TLS in both versions of HTTP.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{
    support::{TestGateway, Wishes, client},
    transport::connect,
};

const CONTENT: &str = "0123456789";

#[tokio::test]
async fn ranges_are_answered_as_on_aws() {
    let gateway = TestGateway::start().await;
    gateway.put("a.txt", CONTENT);
    gateway.put("empty", "");
    for (key, range, status, body, content_range) in [
        ("a.txt", "bytes=0-3", 206, "0123", "bytes 0-3/10"),
        ("a.txt", "bytes=4-", 206, "456789", "bytes 4-9/10"),
        ("a.txt", "bytes=-2", 206, "89", "bytes 8-9/10"),
        ("a.txt", "bytes=8-99", 206, "89", "bytes 8-9/10"),
        ("a.txt", "bytes=0-1,4-5", 200, CONTENT, ""),
        ("a.txt", "lines=1-2", 200, CONTENT, ""),
        ("empty", "lines=1-2", 200, "", ""),
    ] {
        let link = gateway.link(&Method::GET, key);
        let answer = client::send(gateway.address, Method::GET, &link, &[("range", range)]).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (status, body), "{range}");
        assert_eq!(answer.header("content-range"), content_range);
        assert_eq!(answer.header("content-length"), body.len().to_string());
        assert_eq!(answer.header("accept-ranges"), "bytes");
    }
    for (key, range) in [
        ("a.txt", "bytes=10-"),
        ("a.txt", "bytes=-0"),
        ("empty", "bytes=0-0"),
    ] {
        let link = gateway.link(&Method::GET, key);
        let answer = client::send(gateway.address, Method::GET, &link, &[("range", range)]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (416, "InvalidRange"),
            "{range}"
        );
        assert_eq!(answer.element("RangeRequested").as_deref(), Some(range));
    }
}

#[tokio::test]
async fn preconditions_and_overrides_work_on_get_and_head() {
    let gateway = TestGateway::start().await;
    gateway.put("a.txt", CONTENT);
    for method in [Method::GET, Method::HEAD] {
        let link = gateway.link(&method, "a.txt");
        let first = client::send(gateway.address, method.clone(), &link, &[]).await;
        assert_eq!(
            (first.status, first.header("content-length")),
            (StatusCode::OK, "10")
        );
        assert_eq!(first.header("content-type"), "text/plain");
        assert_eq!(first.body.len(), if method == Method::GET { 10 } else { 0 });
        let (etag, date) = (
            first.header("etag").to_owned(),
            first.header("last-modified").to_owned(),
        );
        for (name, value, status) in [
            ("if-none-match", etag.as_str(), 304),
            ("if-none-match", "\"other\"", 200),
            ("if-match", etag.as_str(), 200),
            ("if-match", "\"other\"", 412),
            ("if-modified-since", date.as_str(), 304),
            ("if-unmodified-since", date.as_str(), 200),
            ("if-unmodified-since", "Mon, 01 Jan 2001 00:00:00 GMT", 412),
        ] {
            let answer = client::send(gateway.address, method.clone(), &link, &[(name, value)]).await;
            assert_eq!(answer.status.as_u16(), status, "{method} {name}: {value}");
            if status == 304 {
                assert_eq!((answer.header("etag"), answer.body.len()), (etag.as_str(), 0));
            }
        }
        let overrides = [
            ("response-content-type", "text/html"),
            ("response-content-disposition", "attachment; filename=\"x y.txt\""),
            ("response-cache-control", "no-store"),
            ("response-content-language", "de"),
            ("response-content-encoding", "identity"),
            ("response-expires", "0"),
        ];
        let link = gateway.sign(&method, "a.txt", &overrides, &[]);
        let answer = client::send(gateway.address, method.clone(), &link, &[]).await;
        for (parameter, value) in overrides {
            assert_eq!(answer.header(parameter.strip_prefix("response-").unwrap()), value);
        }
    }
}

#[tokio::test]
async fn every_key_that_s3_allows_can_be_linked_to() {
    let gateway = TestGateway::start().await;
    for (key, path) in [
        ("a b+c&d=e?f#g.txt", "a b+c&d=e?f#g.txt"),
        ("100%.txt", "100%.txt"),
        ("%2F", "%2F"),
        ("grüße/日本.txt", "grüße/日本.txt"),
        ("a//b", "a/~=/b"),
        ("../x", "~=%2e%2e/x"),
        ("it's \"quoted\"", "it's \"quoted\""),
        ("ends/", "ends/~="),
    ] {
        gateway.put(path, key);
        let answer = gateway.get(&gateway.link(&Method::GET, key)).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, key));
    }
    let long = "k".repeat(200) + "/" + &"m".repeat(823);
    gateway.put(
        &postern::store::disk::mapping::to_path(&postern::types::ObjectKey::parse(&long).unwrap()),
        "long",
    );
    assert_eq!(
        gateway.get(&gateway.link(&Method::GET, &long)).await.text(),
        "long"
    );
}

#[tokio::test]
async fn a_large_object_arrives_whole() {
    let gateway = TestGateway::start().await;
    let content: Vec<u8> = (0..5_000_003u32).map(|i| (i % 251) as u8).collect();
    gateway.put("large", &content);
    let answer = gateway.get(&gateway.link(&Method::GET, "large")).await;
    assert!(answer.body == content, "every byte in its place");
}

/// One way to the gateway: plain, or TLS with one of the two versions of HTTP.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Plain,
    Tls,
    Http2,
}

const WAYS: [By; 3] = [By::Plain, By::Tls, By::Http2];

async fn gateway(by: By) -> TestGateway {
    TestGateway::with(Wishes {
        tls: by != By::Plain,
        ..Wishes::default()
    })
    .await
}

/// Asks for the same several times in a row over one connection, and reads slowly where that is wanted.
async fn fetch(by: By, gateway: &TestGateway, asked: &[(String, &str)]) -> Vec<(StatusCode, Vec<u8>)> {
    let mut sender = connection(by, gateway).await;
    let mut answers = Vec::new();
    for (link, range) in asked {
        let mut request = Request::get(match by {
            By::Http2 => link.replacen("http://", "https://", 1),
            By::Plain | By::Tls => link.replacen(&gateway.endpoint(), "", 1),
        });
        if by != By::Http2 {
            request = request.header("host", gateway.address.to_string());
        }
        if !range.is_empty() {
            request = request.header("range", *range);
        }
        let response = sender.send(request.body(Empty::new()).unwrap()).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        answers.push((status, body.to_vec()));
    }
    answers
}

enum Sender {
    One(hyper::client::conn::http1::SendRequest<Empty<Bytes>>),
    Two(hyper::client::conn::http2::SendRequest<Empty<Bytes>>),
}

impl Sender {
    async fn send(&mut self, request: Request<Empty<Bytes>>) -> http::Response<hyper::body::Incoming> {
        match self {
            Self::One(sender) => sender.send_request(request).await.unwrap(),
            Self::Two(sender) => sender.send_request(request).await.unwrap(),
        }
    }
}

async fn connection(by: By, gateway: &TestGateway) -> Sender {
    use hyper::client::conn::{http1, http2};
    let version = &rustls::version::TLS13;
    match by {
        By::Plain => {
            let stream = TcpStream::connect(gateway.address).await.unwrap();
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            Sender::One(sender)
        }
        By::Tls => {
            let stream = connect(gateway, version, b"http/1.1").await;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            Sender::One(sender)
        }
        By::Http2 => {
            let stream = connect(gateway, version, b"h2").await;
            let io = TokioIo::new(stream);
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            Sender::Two(sender)
        }
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 + 1).collect()
}

#[tokio::test]
async fn objects_and_ranges_of_every_size_arrive_to_the_byte_by_every_way_and_one_after_another() {
    const KIB: usize = 1024;
    let sizes = [
        0,
        1,
        4 * KIB,
        32 * KIB,
        32 * KIB + 1,
        64 * KIB + 1,
        256 * KIB,
        1024 * KIB,
        1024 * KIB + 1,
        5 * 1024 * KIB + 3,
    ];
    for by in WAYS {
        let gateway = gateway(by).await;
        let (mut asked, mut expected) = (Vec::new(), Vec::new());
        for size in sizes {
            let (key, content) = (format!("of-{size}"), pattern(size));
            gateway.put(&key, &content);
            let link = gateway.link(&Method::GET, &key);
            asked.push((link.clone(), ""));
            expected.push((StatusCode::OK, content.clone()));
            if size > 3 * 1024 * KIB {
                for (range, bytes) in [
                    ("bytes=1-2500000", 1..2_500_001),
                    ("bytes=262143-4000000", 262_143..4_000_001),
                    ("bytes=-1500000", size - 1_500_000..size),
                    ("bytes=7-9", 7..10),
                ] {
                    asked.push((link.clone(), range));
                    expected.push((StatusCode::PARTIAL_CONTENT, content[bytes].to_vec()));
                }
            }
        }
        // Small ones behind large ones, on the same connection.
        asked.extend(asked.clone().into_iter().rev());
        expected.extend(expected.clone().into_iter().rev());
        let answers = fetch(by, &gateway, &asked).await;
        for (at, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
            assert!(answer == expected, "{by:?} {:?}", asked[at]);
        }
    }
}

#[tokio::test]
async fn a_reader_that_takes_a_little_at_a_time_gets_every_byte_and_no_other() {
    let gateway = TestGateway::start().await;
    let content = pattern(3_000_001);
    gateway.put("large", &content);
    gateway.put("small", "behind it");
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(gateway.address).await.unwrap();
    // Two requests at once: the second answer comes right behind the first.
    for (key, end) in [("large", ""), ("small", "connection: close\r\n")] {
        let link = gateway.link(&Method::GET, key);
        let target = link.strip_prefix(&gateway.endpoint()).unwrap();
        let head = format!("GET {target} HTTP/1.1\r\nhost: {}\r\n{end}\r\n", gateway.address);
        stream.write_all(head.as_bytes()).await.unwrap();
    }
    let (mut all, mut buffer) = (Vec::new(), [0; 1733]);
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
    let end = |bytes: &[u8]| bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let rest = &all[end(&all)..];
    assert!(rest[..content.len()] == content);
    let second = &rest[content.len()..];
    assert!(second.starts_with(b"HTTP/1.1 200"));
    assert_eq!(&second[end(second)..], b"behind it");
}

#[tokio::test]
async fn a_file_that_is_cut_while_it_is_sent_ends_the_connection_and_is_never_padded() {
    let gateway = TestGateway::start().await;
    let file = gateway.put("large", pattern(16 << 20));
    let link = gateway.link(&Method::GET, "large");
    let target = link.strip_prefix(&gateway.endpoint()).unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(gateway.address).await.unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", gateway.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut all = vec![0; 100_000];
    stream.read_exact(&mut all).await.unwrap();
    std::fs::OpenOptions::new()
        .write(true)
        .open(file)
        .unwrap()
        .set_len(5 << 20)
        .unwrap();
    _ = stream.read_to_end(&mut all).await;
    let start = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = &all[start..];
    assert!(body.len() < 16 << 20, "it is shorter than what was promised");
    // What was sent before the cut, or after it: the kernel may have sent zeros only of the page in which the file ends.
    let whole = body.len().min(5 << 20);
    assert!(body[..whole] == pattern(whole)[..]);
}
