//! Nothing is ever unpacked: a few bytes that would become gigabytes stay a few bytes. Nothing is packed either, so no length of an answer tells what
//! is in it beside a secret (BREACH).

use http::Method;

use super::Target;
use crate::support::client;

/// The head of a gzip file, and what would be a bomb were it read.
const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xed\xc1\x01\x0d\x00\x00\x00\xc2\xa0\xf7Om\x0e7\xa0\x00\x00\x00";

#[tokio::test]
async fn a_packed_body_is_stored_and_sent_as_it_came() {
    let target = Target::start().await;
    for coding in ["gzip", "br", "zstd", "deflate", "gzip, gzip", "aws-chunked, gzip"] {
        let put = target.gateway.link(&Method::PUT, "new");
        let headers = [("content-encoding", coding)];
        let answer =
            client::send_body(target.gateway.address, Method::PUT, &put, &headers, GZIP.into()).await;
        assert_eq!(answer.status.as_u16(), 200, "{coding}: {}", answer.text());
        let headers = [("accept-encoding", "gzip, br, zstd, deflate")];
        let get = target.gateway.link(&Method::GET, "new");
        let answer = client::send(target.gateway.address, Method::GET, &get, &headers).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body[..]),
            (200, GZIP),
            "{coding}"
        );
    }
}

#[tokio::test]
async fn a_packed_document_is_no_document_and_a_packed_transfer_is_refused() {
    let target = Target::start().await;
    let digest = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        <md5::Md5 as md5::Digest>::digest(GZIP),
    );
    let headers = [("content-md5", digest.as_str()), ("content-encoding", "gzip")];
    for (method, key, query) in [
        (Method::POST, "", "delete"),
        (Method::PUT, "good", "tagging"),
        (Method::PUT, "", "cors"),
    ] {
        let url = target.gateway.sign(&method, key, &[(query, "")], &[]);
        let answer = client::send_body(target.gateway.address, method, &url, &headers, GZIP.into()).await;
        assert_eq!(answer.code(), "MalformedXML", "{query}: {}", answer.text());
    }
    let (put, host) = (target.path(&Method::PUT, "new"), &target.host);
    for coding in ["gzip", "gzip, chunked", "deflate, chunked"] {
        let attack =
            format!("PUT {put} HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: {coding}\r\n\r\n0\r\n\r\n");
        let (answer, _) = target.attack(coding, attack.as_bytes()).await;
        assert_eq!(super::status(&answer), 400, "{coding}: {answer}");
        target.assert_nothing_written("new", coding);
    }
}

#[tokio::test]
async fn no_answer_is_packed() {
    let target = Target::start().await;
    target.gateway.put("long.txt", "a".repeat(100_000));
    let accept = [("accept-encoding", "gzip, br, zstd, deflate")];
    for (url, length) in [
        (target.gateway.link(&Method::GET, "long.txt"), Some(100_000)),
        (
            target.gateway.sign(&Method::GET, "", &[("list-type", "2")], &[]),
            None,
        ),
        (target.gateway.link(&Method::GET, "none"), None),
    ] {
        let answer = client::send(target.gateway.address, Method::GET, &url, &accept).await;
        assert!(!answer.headers.contains_key("content-encoding"), "{url}");
        assert!(length.is_none_or(|length| answer.body.len() == length));
        assert!(length.is_some() || answer.text().starts_with("<?xml"));
    }
}
