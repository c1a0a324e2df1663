//! What browsers, players and download managers use, over HTTP/1.1, and over TLS in both versions of HTTP.

use http::{Method, StatusCode};

use crate::support::{TestGateway, client};

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
