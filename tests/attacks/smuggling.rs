//! One request that two readers could take for two (RFC 9112 section 11.2): a whole request lies in the body of another, and must never be
//! answered, nor written, nor keep the next one from its answer.

use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{Target, Then, code, status};
use crate::{
    support::{TestGateway, Wishes},
    transport,
};

/// The lines behind the request line and `Host`; what follows the head. `%n` stands for the inner request's length, `%x` for the same in hexadecimal,
/// `%i` for the inner request.
type Row = (&'static str, &'static str, u16, &'static str, Then);

use Then::{Closed, InSync};

/// A bare 400 is hyper's, which closes; an error with a code is ours.
const OF_LENGTHS: &[Row] = &[
    ("content-length: 0\r\ncontent-length: %n", "%i", 400, "", Closed),
    ("content-length: %n, %n", "%i", 400, "", Closed),
    ("content-length: +%n", "%i", 400, "", Closed),
    ("content-length: -1", "%i", 400, "", Closed),
    ("content-length: 1 0", "%i", 400, "", Closed),
    ("content-length: 0x%x", "%i", 400, "", Closed),
    ("content-length: 18446744073709551617", "%i", 400, "", Closed),
    ("content-length: ", "%i", 400, "", Closed),
    ("content-length : %n", "%i", 400, "", Closed),
    ("content-length\t: %n", "%i", 400, "", Closed),
    ("content-length: %n\u{b}", "%i", 400, "", Closed),
];

const OF_CODINGS: &[Row] = &[
    // Both at once, in either order: the body is read by its chunks (the length is dropped), and the connection is closed behind it.
    (
        "content-length: %n\r\ntransfer-encoding: chunked",
        "0\r\n\r\n%i",
        411,
        "MissingContentLength",
        Closed,
    ),
    (
        "transfer-encoding: chunked\r\ncontent-length: 4",
        "%x\r\n%i\r\n0\r\n\r\n",
        411,
        "MissingContentLength",
        Closed,
    ),
    (
        "transfer-encoding: chunked",
        "%x\r\n%i\r\n0\r\n\r\n",
        411,
        "MissingContentLength",
        InSync,
    ),
    (
        "transfer-encoding:\tchunked",
        "%x\r\n%i\r\n0\r\n\r\n",
        411,
        "MissingContentLength",
        InSync,
    ),
    (
        "transfer-encoding: gzip, chunked",
        "%x\r\n%i\r\n0\r\n\r\n",
        400,
        "InvalidRequest",
        Closed,
    ),
    (
        "transfer-encoding: identity\r\ntransfer-encoding: chunked",
        "%x\r\n%i\r\n0\r\n\r\n",
        400,
        "InvalidRequest",
        Closed,
    ),
    (
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "%x\r\n%i\r\n0\r\n\r\n",
        400,
        "InvalidRequest",
        Closed,
    ),
    (
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "%x\r\n%i\r\n0\r\n\r\n",
        400,
        "",
        Closed,
    ),
    (
        "transfer-encoding: chunked, identity",
        "%x\r\n%i\r\n0\r\n\r\n",
        400,
        "",
        Closed,
    ),
    (
        "transfer-encoding: xchunked",
        "%x\r\n%i\r\n0\r\n\r\n",
        400,
        "",
        Closed,
    ),
    (
        "transfer-encoding: \"chunked\"",
        "%x\r\n%i\r\n0\r\n\r\n",
        400,
        "",
        Closed,
    ),
    (
        "transfer-encoding: \u{b}chunked",
        "%x\r\n%i\r\n0\r\n\r\n",
        400,
        "",
        Closed,
    ),
    (
        "transfer-encoding : chunked",
        "%x\r\n%i\r\n0\r\n\r\n",
        400,
        "",
        Closed,
    ),
    (
        "transfer-encoding:\r\n chunked",
        "%x\r\n%i\r\n0\r\n\r\n",
        400,
        "",
        Closed,
    ),
];

const OF_CHUNKS: &[Row] = &[
    (
        "transfer-encoding: chunked",
        "%x;a=\"\r\n%i\r\n0\r\n\r\n",
        411,
        "MissingContentLength",
        InSync,
    ),
    (
        "transfer-encoding: chunked",
        "2;\nxx%x\r\n0\r\n\r\n%i",
        411,
        "MissingContentLength",
        Closed,
    ),
    (
        "transfer-encoding: chunked",
        "0x%x\r\n%i\r\n0\r\n\r\n",
        411,
        "MissingContentLength",
        Closed,
    ),
    (
        "transfer-encoding: chunked",
        "-1\r\n%i\r\n0\r\n\r\n",
        411,
        "MissingContentLength",
        Closed,
    ),
    (
        "transfer-encoding: chunked",
        "1000000000000000%x\r\n%i\r\n0\r\n\r\n",
        411,
        "MissingContentLength",
        Closed,
    ),
    (
        "transfer-encoding: chunked",
        "1\r\nxyy0\r\n\r\n%i",
        411,
        "MissingContentLength",
        Closed,
    ),
    (
        "transfer-encoding: chunked",
        "%x\n%i\n0\n\n",
        411,
        "MissingContentLength",
        Closed,
    ),
    // A trailer field is no header field.
    (
        "transfer-encoding: chunked",
        "0\r\ncontent-length: %n\r\nhost: evil.example\r\n\r\n",
        411,
        "MissingContentLength",
        InSync,
    ),
];

const OF_LINES: &[Row] = &[
    (
        "x: y\rtransfer-encoding: chunked",
        "%x\r\n%i\r\n0\r\n\r\n",
        400,
        "",
        Closed,
    ),
    (
        "x: y\r\n transfer-encoding: chunked",
        "%x\r\n%i\r\n0\r\n\r\n",
        400,
        "",
        Closed,
    ),
    ("x: a\0b", "", 400, "", Closed),
    ("x y: z", "", 400, "", Closed),
    (": z", "", 400, "", Closed),
    ("x", "", 400, "", Closed),
    ("host: evil.example", "", 400, "InvalidRequest", Closed),
    // A line feed alone ends a line, as RFC 9112 section 2.2 allows: what is behind it is a header, and never part of a value.
    (
        "x: y\ntransfer-encoding: chunked",
        "%x\r\n%i\r\n0\r\n\r\n",
        411,
        "MissingContentLength",
        InSync,
    ),
];

#[tokio::test]
async fn no_request_is_smuggled_in_the_body_of_another() {
    let target = Target::start().await;
    let (put, host) = (target.path(&Method::PUT, "new"), &target.host);
    let inner = target.get("inner", "");
    for (lines, body, wanted, its_code, then) in [OF_LENGTHS, OF_CODINGS, OF_CHUNKS, OF_LINES].concat() {
        let (n, x) = (inner.len().to_string(), format!("{:x}", inner.len()));
        let fill = |text: &str| text.replace("%n", &n).replace("%x", &x).replace("%i", &inner);
        let attack = format!(
            "PUT {put} HTTP/1.1\r\nhost: {host}\r\n{}\r\n\r\n{}",
            fill(lines),
            fill(body)
        );
        let name = format!("{lines:?} {body:?}");
        let (answer, found) = target.attack(&name, attack.as_bytes()).await;
        assert_eq!(
            (status(&answer), code(&answer), found),
            (wanted, its_code, then),
            "{name}: {answer}"
        );
        target.assert_nothing_written("new", &name);
    }
}

#[tokio::test]
async fn one_length_told_twice_is_one_length() {
    let target = Target::start().await;
    let (put, host, inner) = (
        target.path(&Method::PUT, "new"),
        &target.host,
        target.get("inner", ""),
    );
    let length = format!("content-length: {}\r\n", inner.len());
    let attack = format!("PUT {put} HTTP/1.1\r\nhost: {host}\r\n{length}{length}\r\n{inner}");
    let (answer, found) = target.attack("one length twice", attack.as_bytes()).await;
    assert_eq!((status(&answer), found), (200, InSync), "{answer}");
    let stored = target.gateway.folder.path().join("data/pres-url-test/new");
    assert_eq!(std::fs::read(stored).unwrap(), inner.as_bytes());
}

#[tokio::test]
async fn a_request_line_has_one_reading() {
    let target = Target::start().await;
    let (path, host) = (target.path(&Method::GET, "inner"), &target.host);
    for (attack, wanted, its_code, then) in [
        ("GET /pres-url-test/inner\r\n\r\n".to_owned(), 400, "", Closed),
        ("GET /pres-url-test/inner \r\n\r\n".to_owned(), 400, "", Closed),
        (
            format!("GET {path} HTTP/1.2\r\nhost: {host}\r\n\r\n"),
            400,
            "",
            Closed,
        ),
        (
            format!("GET {path} HTTP/2.0\r\nhost: {host}\r\n\r\n"),
            400,
            "",
            Closed,
        ),
        (
            format!("GET  {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"),
            400,
            "",
            Closed,
        ),
        (
            format!("GET\t{path}\tHTTP/1.1\r\nhost: {host}\r\n\r\n"),
            400,
            "",
            Closed,
        ),
        (
            format!("GET {path} HTTP/1.1 \r\nhost: {host}\r\n\r\n"),
            400,
            "",
            Closed,
        ),
        (
            format!("GET {path} x HTTP/1.1\r\nhost: {host}\r\n\r\n"),
            400,
            "",
            Closed,
        ),
        // HTTP/2 without TLS is not spoken: not asked for by a preface, nor by an upgrade.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 0, "", Closed),
        (
            format!(
                "GET /pres-url-test/inner HTTP/1.1\r\nhost: {host}\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n"
            ),
            403,
            "AccessDenied",
            InSync,
        ),
        (
            format!("GET http://evil.example{path} HTTP/1.1\r\nhost: {host}\r\n\r\n"),
            400,
            "InvalidRequest",
            Closed,
        ),
        (
            format!("GET {path} HTTP/1.1\r\nhost: evil.example\r\n\r\n"),
            403,
            "SignatureDoesNotMatch",
            InSync,
        ),
        // A chunked body of HTTP/1.0 is none.
        (
            format!(
                "PUT {path} HTTP/1.0\r\nhost: {host}\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
            "",
            Closed,
        ),
    ] {
        let (answer, found) = target.attack(&attack, attack.as_bytes()).await;
        let found = (status(&answer), code(&answer), found);
        assert_eq!(found, (wanted, its_code, then), "{attack:?}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_was_refused_is_never_read_as_a_request() {
    let target = Target::start().await;
    let (inner, host) = (target.get("inner", ""), &target.host);
    let n = inner.len();
    let put = target.path(&Method::PUT, "new");
    for (name, head, then) in [
        (
            "a body of a GET",
            format!("GET /pres-url-test/x HTTP/1.1\r\nhost: {host}\r\ncontent-length: {n}\r\n"),
            InSync,
        ),
        (
            "a body of a DELETE",
            format!("DELETE /pres-url-test/x HTTP/1.1\r\nhost: {host}\r\ncontent-length: {n}\r\n"),
            InSync,
        ),
        (
            "a body of a preflight",
            format!(
                "OPTIONS /pres-url-test/x HTTP/1.1\r\nhost: {host}\r\norigin: http://a\r\naccess-control-request-method: GET\r\ncontent-length: {n}\r\n"
            ),
            InSync,
        ),
        (
            "a body that waits to be asked for",
            format!(
                "PUT /pres-url-test/x HTTP/1.1\r\nhost: {host}\r\nexpect: 100-continue\r\ncontent-length: {n}\r\n"
            ),
            Closed,
        ),
        (
            "an upload that is refused",
            format!("PUT {put}0 HTTP/1.1\r\nhost: {host}\r\ncontent-length: {n}\r\n"),
            InSync,
        ),
        (
            "a body that is said to be longer than it is",
            format!("GET /pres-url-test/x HTTP/1.1\r\nhost: {host}\r\ncontent-length: 2000000\r\n"),
            Closed,
        ),
    ] {
        let attack = format!("{head}\r\n{inner}");
        let mut stream = attack.into_bytes();
        if then == Closed {
            // So long a body is not read to its end.
            stream.extend(std::iter::repeat_n(b'x', 1_999_000));
        }
        let (answer, found) = target.attack(name, &stream).await;
        assert!(status(&answer) >= 400, "{name}: {answer}");
        assert_eq!(found, then, "{name}: {answer}");
        target.assert_nothing_written("new", name);
    }
}

#[tokio::test]
async fn http_2_names_one_host_and_carries_no_framing_of_http_1() {
    let gateway = TestGateway::with(Wishes {
        tls: true,
        ..Wishes::default()
    })
    .await;
    gateway.put("a", "content");
    let link = gateway.link(&Method::GET, "a");
    let target = link.strip_prefix(&gateway.endpoint()).unwrap();
    let url = format!("https://{}{target}", gateway.address);
    for (name, value, wanted) in [
        ("host", gateway.address.to_string(), 200),
        ("host", "evil.example".to_owned(), 400),
        ("content-length", "5".to_owned(), 0),
        ("transfer-encoding", "chunked".to_owned(), 0),
        ("connection", "keep-alive".to_owned(), 0),
        ("te", "gzip".to_owned(), 0),
    ] {
        let io = TokioIo::new(transport::connect(&gateway, &rustls::version::TLS13, b"h2").await);
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
            .await
            .unwrap();
        tokio::spawn(connection);
        let request = Request::get(&url)
            .header(name, &value)
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        let response = sender.send_request(request).await;
        let status = match response {
            Ok(response) => {
                let status = response.status().as_u16();
                let body = response.into_body().collect().await.map(|body| body.to_bytes());
                assert!(status != 200 || body.unwrap() == "content", "{name}: {value}");
                status
            }
            Err(_) => 0,
        };
        // Some of these the client keeps to itself; what arrives is refused or read without them.
        assert!(
            status == wanted || (wanted == 0 && [0, 200, 400, 403].contains(&status)),
            "{name}: {value}: {status}"
        );
    }
}
