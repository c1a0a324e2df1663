//! Lines of the attacker's own in an answer: by the parameters and fields that become headers of it, by keys, by metadata that is read back.

use http::Method;

use super::{Target, Then, code, status};
use crate::support::{client, form::TestForm};

/// A line break in each way that somebody may write it; decoded, each is one or holds one, or is taken for one by a browser.
const BREAKS: &[&str] = &["\r\n", "\n", "\r", "\r\n ", "\0", "\u{b}"];

#[tokio::test]
async fn what_a_link_sets_of_its_answer_is_one_line() {
    let target = Target::start().await;
    for name in [
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
    ] {
        for line in BREAKS {
            let value = format!("x{line}set-cookie: evil=1");
            let url = target.gateway.sign(&Method::GET, "good", &[(name, &value)], &[]);
            let answer = target.gateway.get(&url).await;
            let seen = format!("{name} {line:?}");
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (400, "InvalidArgument"),
                "{seen}"
            );
            assert!(!answer.headers.contains_key("set-cookie"), "{seen}");
            assert!(!answer.text().contains("THE GOOD ONE"), "{seen}");
        }
        // Decoded once and not twice: what stays encoded is text.
        let url = target
            .gateway
            .sign(&Method::GET, "good", &[(name, "x%0d%0aset-cookie: evil=1")], &[]);
        let answer = target.gateway.get(&url).await;
        assert_eq!(answer.status.as_u16(), 200);
        assert!(!answer.headers.contains_key("set-cookie"));
        assert_eq!(
            answer.header(name.strip_prefix("response-").unwrap()),
            "x%0d%0aset-cookie: evil=1"
        );
    }
}

#[tokio::test]
async fn a_key_with_line_breaks_stays_a_key() {
    let target = Target::start().await;
    let key = "a\r\nset-cookie: evil=1\r\n\r\n<script>alert(1)</script>";
    let put = target.gateway.link(&Method::PUT, key);
    let answer = client::send_body(target.gateway.address, Method::PUT, &put, &[], "x".into()).await;
    assert_eq!(answer.status.as_u16(), 200);
    for (method, key, query) in [
        (Method::GET, key, &[][..]),
        (Method::GET, "", &[("prefix", "a\r\n")][..]),
        (Method::GET, &format!("{key}?"), &[]),
        (Method::POST, key, &[("uploads", "")]),
        (Method::GET, key, &[("uploadId", "a\r\nset-cookie: evil=1")]),
    ] {
        let url = target.gateway.sign(&method, key, query, &[]);
        let answer = client::send(target.gateway.address, method, &url, &[]).await;
        assert!(!answer.headers.contains_key("set-cookie"), "{query:?}");
        assert!(
            !answer.text().contains("<script>"),
            "{query:?}: {}",
            answer.text()
        );
    }
    // One line of the trail is one request, whatever is in the key.
    let records = target.gateway.records();
    let lines = target.gateway.trail_text().lines().count();
    assert_eq!(lines, records.len());
}

#[tokio::test]
async fn what_a_form_redirects_to_is_one_line_and_an_address() {
    let target = Target::start().await;
    for (number, line) in BREAKS.iter().enumerate() {
        for field in ["success_action_redirect", "redirect"] {
            let address = format!("http://a.example/{line}set-cookie: evil=1");
            let key = format!("form-{number}");
            let conditions =
                format!("[\"starts-with\", \"$key\", \"\"], [\"starts-with\", \"${field}\", \"\"]");
            let form = TestForm::signed(
                "2026-11-24T13:00:00Z",
                &conditions,
                &[("key", &key), (field, &address)],
            );
            let answer = form.send(&target.gateway).await;
            assert!(!answer.headers.contains_key("set-cookie"), "{field} {line:?}");
            assert!(
                !answer.headers.contains_key("location") || !answer.header("location").contains("evil"),
                "{field} {line:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_field_of_a_form_that_becomes_a_header_is_one_line() {
    let target = Target::start().await;
    for field in [
        "Content-Type",
        "Content-Disposition",
        "Cache-Control",
        "x-amz-meta-note",
        "x-amz-website-redirect-location",
    ] {
        for line in BREAKS {
            let value = format!("x{line}set-cookie: evil=1");
            let conditions =
                format!("[\"starts-with\", \"$key\", \"\"], [\"starts-with\", \"${field}\", \"\"]");
            let form = TestForm::signed(
                "2026-11-24T13:00:00Z",
                &conditions,
                &[("key", "form"), (field, &value)],
            );
            let answer = form.send(&target.gateway).await;
            assert!(answer.status.is_client_error(), "{field} {line:?}: {answer:?}");
            target.assert_nothing_written("form", field);
        }
    }
}

#[tokio::test]
async fn metadata_comes_back_as_one_line_each() {
    let target = Target::start().await;
    let (put, host) = (target.path(&Method::PUT, "new"), &target.host);
    for line in ["\r\n ", "\0", "\u{b}", "\r"] {
        let attack = format!(
            "PUT {put} HTTP/1.1\r\nhost: {host}\r\nx-amz-meta-a: x{line}set-cookie: evil=1\r\ncontent-length: 0\r\n\r\n"
        );
        let (answer, then) = target.attack("metadata", attack.as_bytes()).await;
        assert_eq!(
            (status(&answer), code(&answer), then),
            (400, "", Then::Closed),
            "{line:?}: {answer}"
        );
        target.assert_nothing_written("new", "metadata");
    }
    // An element of an error is text, whatever was sent.
    let url = target
        .gateway
        .sign(&Method::GET, "</Key><Code>Forged</Code>", &[], &[]);
    let answer = target.gateway.get(&url).await;
    assert_eq!(
        (answer.code().as_str(), answer.element("Key").unwrap().as_str()),
        ("NoSuchKey", "</Key><Code>Forged</Code>")
    );
}
