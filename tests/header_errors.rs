//! Requests signed in the Authorization header that must not work, and bodies that are not what they were declared to be: status, code and
//! elements as AWS gives them, and nothing stored.

use bytes::Bytes;
use http::{HeaderMap, Method};
use postern::{
    sigv4::{AddressingStyle, Endpoint, SignRequest, sign_header},
    types::{AccessKeyId, BucketName, ObjectKey, Region, SecretKey, Span},
};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    objects::everything,
    support::{
        ALICE, BUCKET, TestGateway, Wishes,
        client::{self, Answer},
    },
};

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

async fn gateway() -> TestGateway {
    let gateway = TestGateway::with(Wishes {
        policy: Some(everything()),
        ..Wishes::default()
    })
    .await;
    gateway.put("there", "content");
    gateway
}

/// A request of alice's on a key, signed now.
fn signed(
    gateway: &TestGateway,
    method: &Method,
    key: &str,
    headers: &[(&str, &str)],
    payload: &str,
) -> (String, HeaderMap) {
    let owned: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let request = SignRequest {
        method,
        endpoint: &Endpoint::parse(&gateway.endpoint()).unwrap(),
        style: AddressingStyle::Path,
        bucket: Some(&BucketName::parse(BUCKET).unwrap()),
        key: Some(&ObjectKey::parse(key).unwrap()),
        headers: &owned,
        query: &[],
        session_token: None,
    };
    let id = AccessKeyId::parse(ALICE.0).unwrap();
    let secret = SecretKey::parse(ALICE.1.to_owned()).unwrap();
    let region = Region::parse("us-east-1").unwrap();
    let signed = sign_header(&request, &id, &secret, &region, gateway.clock.now(), payload).unwrap();
    (signed.url, signed.headers)
}

async fn send(
    gateway: &TestGateway,
    method: Method,
    (url, headers): &(String, HeaderMap),
    body: &[u8],
) -> Answer {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    client::send_body(
        gateway.address,
        method,
        url,
        &headers,
        Bytes::copy_from_slice(body),
    )
    .await
}

/// The same request with one header changed, or removed where there is no new value.
fn with(
    request: &(String, HeaderMap),
    name: &'static str,
    change: impl Fn(&str) -> Option<String>,
) -> (String, HeaderMap) {
    let (url, mut headers) = request.clone();
    let old = headers
        .remove(name)
        .map_or_else(String::new, |value| value.to_str().unwrap().to_owned());
    if let Some(new) = change(&old) {
        headers.insert(name, new.parse().unwrap());
    }
    (url, headers)
}

fn stored(gateway: &TestGateway, key: &str) -> bool {
    gateway.folder.path().join("data").join(BUCKET).join(key).exists()
}

/// Headers, payload line, body, and the status and code that are told.
type Row<'r> = (&'r [(&'r str, &'r str)], &'r str, &'r [u8], u16, &'r str);

/// Nothing is on its way, and nothing has arrived.
fn assert_nothing_kept(gateway: &TestGateway, case: &str) {
    assert!(!stored(gateway, "new"), "{case}");
    let own = gateway.folder.path().join("data").join(BUCKET).join("~!tmp");
    assert_eq!(std::fs::read_dir(own).map_or(0, Iterator::count), 0, "{case}");
}

#[tokio::test]
async fn each_failure_of_an_authorization_header_is_told_as_aws_tells_it() {
    let gateway = gateway().await;
    let good = signed(&gateway, &Method::GET, "there", &[], EMPTY);
    let answer = send(&gateway, Method::GET, &good, b"").await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "content"));
    let authorization = |from: &str, to: &str| {
        let (from, to) = (from.to_owned(), to.to_owned());
        with(&good, "authorization", move |old| {
            assert!(old.contains(&from), "{old} holds no {from}");
            Some(old.replacen(&from, &to, 1))
        })
    };
    let malformed = "The authorization header is malformed; ";
    let three =
        "the authorization header requires three components: Credential, SignedHeaders, and Signature.";
    let rows: Vec<((String, HeaderMap), u16, &str, String)> = vec![
        (
            authorization(", SignedHeaders=", ", Other="),
            400,
            "AuthorizationHeaderMalformed",
            format!("{malformed}{three}"),
        ),
        (
            authorization("SignedHeaders=", "Signature="),
            400,
            "AuthorizationHeaderMalformed",
            format!("{malformed}{three}"),
        ),
        (
            authorization("Credential=AKIAALICE00000000000/", "Credential="),
            400,
            "AuthorizationHeaderMalformed",
            format!(
                "{malformed}the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
            ),
        ),
        (
            authorization("/us-east-1/", "/mars/"),
            400,
            "AuthorizationHeaderMalformed",
            format!("{malformed}the region 'mars' is wrong; expecting 'us-east-1'"),
        ),
        (
            authorization("/s3/", "/sqs/"),
            400,
            "AuthorizationHeaderMalformed",
            format!("{malformed}incorrect service \"sqs\". This endpoint belongs to \"s3\"."),
        ),
        (
            authorization("/aws4_request", "/aws5_request"),
            400,
            "AuthorizationHeaderMalformed",
            format!("{malformed}incorrect terminal \"aws5_request\". This endpoint uses \"aws4_request\"."),
        ),
        (
            authorization("/20261124/", "/20261123/"),
            400,
            "AuthorizationHeaderMalformed",
            format!(
                "{malformed}Invalid credential date \"20261123\". This date is not the same as X-Amz-Date: \"20261124\"."
            ),
        ),
        (
            authorization("AKIAALICE00000000000", "AKIANOBODY0000000000"),
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.".to_owned(),
        ),
        (
            authorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"),
            400,
            "InvalidArgument",
            "Unsupported Authorization Type".to_owned(),
        ),
        (
            authorization("Signature=", "Signature=0"),
            403,
            "SignatureDoesNotMatch",
            String::new(),
        ),
        (
            authorization("host;", ""),
            403,
            "AccessDenied",
            "There were headers present in the request which were not signed".to_owned(),
        ),
        (
            with(&good, "x-amz-date", |_| None),
            403,
            "AccessDenied",
            "AWS authentication requires a valid Date or x-amz-date header".to_owned(),
        ),
        (
            with(&good, "x-amz-date", |_| Some("yesterday".to_owned())),
            403,
            "AccessDenied",
            "AWS authentication requires a valid Date or x-amz-date header".to_owned(),
        ),
        (
            with(&good, "x-amz-content-sha256", |_| None),
            400,
            "InvalidRequest",
            "Missing required header for this request: x-amz-content-sha256".to_owned(),
        ),
        (
            with(&good, "x-amz-content-sha256", |_| {
                Some("UNSIGNED-PAYLOAD".to_owned())
            }),
            403,
            "SignatureDoesNotMatch",
            String::new(),
        ),
        (
            with(&good, "x-amz-acl", |_| Some("private".to_owned())),
            403,
            "AccessDenied",
            "There were headers present in the request which were not signed".to_owned(),
        ),
        (
            with(&good, "x-amz-security-token", |_| Some("t".to_owned())),
            403,
            "AccessDenied",
            "There were headers present in the request which were not signed".to_owned(),
        ),
        (
            (format!("{}?x=1", good.0), good.1.clone()),
            403,
            "SignatureDoesNotMatch",
            String::new(),
        ),
        (
            (good.0.replace("there", "their"), good.1.clone()),
            403,
            "SignatureDoesNotMatch",
            String::new(),
        ),
    ];
    for (request, status, code, message) in &rows {
        let answer = send(&gateway, Method::GET, request, b"").await;
        let told = answer.element("Message").unwrap_or_default();
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (*status, *code),
            "{told}"
        );
        assert!(message.is_empty() || told == *message, "{told}");
        assert!(!answer.text().contains("content</"));
    }
    let region = send(&gateway, Method::GET, &rows[3].0, b"").await;
    assert_eq!(region.element("Region").as_deref(), Some("us-east-1"));
    // Another method with the same signature, and two mechanisms at once.
    assert_eq!(
        send(&gateway, Method::DELETE, &good, b"").await.code(),
        "SignatureDoesNotMatch"
    );
    assert!(stored(&gateway, "there"));
    let both = (gateway.link(&Method::GET, "there"), good.1.clone());
    assert_eq!(
        send(&gateway, Method::GET, &both, b"").await.code(),
        "InvalidArgument"
    );
}

#[tokio::test]
async fn a_request_is_good_for_15_minutes_around_its_date() {
    let gateway = gateway().await;
    let early = signed(&gateway, &Method::GET, "there", &[], EMPTY);
    gateway.clock.advance(Span::from_seconds(900));
    assert_eq!(
        send(&gateway, Method::GET, &early, b"").await.status.as_u16(),
        200
    );
    gateway.clock.advance(Span::from_seconds(1));
    let answer = send(&gateway, Method::GET, &early, b"").await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (403, "RequestTimeTooSkewed")
    );
    for (element, value) in [
        ("RequestTime", "20261124T120000Z"),
        ("ServerTime", "2026-11-24T12:15:01Z"),
        ("MaxAllowedSkewMilliseconds", "900000"),
    ] {
        assert_eq!(answer.element(element).as_deref(), Some(value));
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_was_declared_is_refused_and_the_old_object_stays_and_nothing_else() {
    let gateway = gateway().await;
    let hash = hex::encode(Sha256::digest(b"body"));
    let good = signed(&gateway, &Method::PUT, "good", &[], &hash);
    assert_eq!(
        send(&gateway, Method::PUT, &good, b"body").await.status.as_u16(),
        200
    );
    assert!(stored(&gateway, "good"));

    let large = vec![b'x'; 3_000_000];
    let unsigned_trailer = [
        ("x-amz-decoded-content-length", "4"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("content-encoding", "aws-chunked"),
    ];
    let signed_chunks = [
        ("x-amz-decoded-content-length", "4"),
        ("content-encoding", "aws-chunked"),
    ];
    let trailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    let chunks = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    let forged = format!(
        "4;chunk-signature={}\r\nbody\r\n0;chunk-signature={}\r\n\r\n",
        "0".repeat(64),
        "0".repeat(64)
    );
    let rows: [Row<'_>; 13] = [
        (&[], &hash, b"other", 400, "XAmzContentSHA256Mismatch"),
        (&[], &hash, &large, 400, "XAmzContentSHA256Mismatch"),
        (
            &[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")],
            "UNSIGNED-PAYLOAD",
            b"body",
            400,
            "BadDigest",
        ),
        (
            &[("x-amz-checksum-crc32", "AAAAAA==")],
            "UNSIGNED-PAYLOAD",
            b"body",
            400,
            "BadDigest",
        ),
        (
            &[("x-amz-checksum-crc32", "short")],
            "UNSIGNED-PAYLOAD",
            b"body",
            400,
            "InvalidRequest",
        ),
        (
            &unsigned_trailer,
            trailer,
            b"4\r\nbody\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
            400,
            "BadDigest",
        ),
        (
            &unsigned_trailer,
            trailer,
            b"4\r\nbody\r\n0\r\n\r\n",
            400,
            "MalformedTrailerError",
        ),
        (&unsigned_trailer, trailer, b"4\r\nbo", 400, "IncompleteBody"),
        (
            &unsigned_trailer,
            trailer,
            b"5\r\nbodyy\r\n0\r\n\r\n",
            400,
            "InvalidRequest",
        ),
        (&unsigned_trailer, trailer, b"body\r\n", 400, "InvalidRequest"),
        (
            &[("x-amz-trailer", "x-amz-checksum-crc32")],
            trailer,
            b"4\r\nbody\r\n0\r\n\r\n",
            411,
            "MissingContentLength",
        ),
        (
            &signed_chunks,
            chunks,
            forged.as_bytes(),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            &signed_chunks,
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
            b"x",
            501,
            "NotImplemented",
        ),
    ];
    let keys = ["new", "good"];
    for (key, (headers, payload, body, status, code)) in
        keys.iter().flat_map(|key| rows.map(|row| (key, row)))
    {
        let request = signed(&gateway, &Method::PUT, key, headers, payload);
        let answer = send(&gateway, Method::PUT, &request, body).await;
        let case = format!("{headers:?} {payload} {}", body.len());
        // A length that no header tells is that of the chunked form: it is refused before the body is looked at.
        let told = (answer.status.as_u16(), answer.code());
        assert_eq!(told, (status, code.to_owned()), "{case}");
        for _ in 0..200 {
            let own = gateway.folder.path().join("data").join(BUCKET).join("~!tmp");
            if std::fs::read_dir(own).map_or(0, Iterator::count) == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_nothing_kept(&gateway, &case);
        let old = gateway.get(&gateway.link(&Method::GET, "good")).await;
        assert_eq!(old.text(), "body", "{case}: the old object is whole");
    }
    // The same body with its own checksum is stored, without the chunks' coding.
    let trailing = signed(&gateway, &Method::PUT, "new", &unsigned_trailer, trailer);
    let body = b"4\r\nbody\r\n0\r\nx-amz-checksum-crc32:26gLsg==\r\n\r\n";
    assert_eq!(
        send(&gateway, Method::PUT, &trailing, body).await.status.as_u16(),
        200
    );
    let read = gateway.get(&gateway.link(&Method::GET, "new")).await;
    assert_eq!((read.text(), read.header("content-encoding")), ("body", ""));
}

/// What comes back on a raw connection until it is silent or closed.
async fn exchange(gateway: &TestGateway, request: &(String, HeaderMap), extra: &str, body: &[u8]) -> String {
    let (url, headers) = request;
    let path = url.strip_prefix(&gateway.endpoint()).unwrap();
    let mut text = format!("PUT {path} HTTP/1.1\r\nhost: {}\r\n", gateway.address);
    for (name, value) in headers {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    text.push_str(extra);
    text.push_str("connection: close\r\n\r\n");
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        if read == 0 {
            return String::from_utf8_lossy(&answer).into_owned();
        }
        answer.extend_from_slice(&buffer[..read]);
        if answer.ends_with(b"100 Continue\r\n\r\n") {
            stream.write_all(body).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_body_is_asked_for_only_once_the_request_is_authorised() {
    let gateway = gateway().await;
    let waiting = "content-length: 4\r\nexpect: 100-continue\r\n";
    let good = signed(&gateway, &Method::PUT, "new", &[], "UNSIGNED-PAYLOAD");
    let answer = exchange(&gateway, &good, waiting, b"body").await;
    assert!(
        answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"),
        "{answer}"
    );
    assert!(stored(&gateway, "new"));
    std::fs::remove_file(gateway.folder.path().join("data").join(BUCKET).join("new")).unwrap();

    let forged = with(&good, "authorization", |old| {
        Some(old.replace("Signature=", "Signature=0"))
    });
    let refused = exchange(&gateway, &forged, waiting, b"body").await;
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    let no_length = exchange(
        &gateway,
        &good,
        "transfer-encoding: chunked\r\nexpect: 100-continue\r\n",
        b"",
    )
    .await;
    assert!(
        no_length.starts_with("HTTP/1.1 411 ") && no_length.contains("MissingContentLength"),
        "{no_length}"
    );
    let too_large = exchange(
        &gateway,
        &good,
        "content-length: 5368709121\r\nexpect: 100-continue\r\n",
        b"",
    )
    .await;
    assert!(
        too_large.starts_with("HTTP/1.1 400 ") && too_large.contains("EntityTooLarge"),
        "{too_large}"
    );
    assert_nothing_kept(&gateway, "expect");
}
