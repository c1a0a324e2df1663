//! There is no way from the public listener to what is the operator's, nor to any other server: not by a path, not by a host, not by a copy's source.

use std::time::Duration;

use http::Method;
use tokio::net::TcpListener;

use super::{Target, Then, code, status};
use crate::{
    logs::{Program, Serving},
    support::{client, form::TestForm},
};

/// What only the operator's listener tells.
const OPERATORS: &[&str] = &[
    "postern_",
    "\"generation\"",
    "\"digest\"",
    "ok\n",
    "\"link_id\"",
    "there are /healthz",
];

#[tokio::test]
async fn the_operators_paths_are_keys_and_buckets_on_the_public_port() {
    let serving = Serving::start(Program::new().command(&["serve"]));
    let public = serving.address();
    let admin = serving
        .said
        .iter()
        .find_map(|line| line.strip_prefix("admin listens on http://"))
        .unwrap();
    let link = serving.link().split_once('?').unwrap().1.to_owned();
    for path in [
        "healthz",
        "readyz",
        "metrics",
        "transfers",
        "explain",
        "explain/0000000000000000",
    ] {
        for (target, host) in [
            (format!("/{path}"), public.to_string()),
            (format!("/{path}"), admin.to_owned()),
            (format!("/{path}"), "localhost".to_owned()),
            (format!("/{path}?{link}"), public.to_string()),
            (format!("//{path}"), public.to_string()),
            (format!("/../{path}"), public.to_string()),
            (format!("/pres-url-test/../{path}"), public.to_string()),
            (format!("/%2e%2e/{path}"), public.to_string()),
            (format!("http://{admin}/{path}"), admin.to_owned()),
            (format!("http://{admin}/{path}"), public.to_string()),
        ] {
            for method in ["GET", "HEAD", "POST", "CONNECT", "TRACE"] {
                let request =
                    format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
                let answer = client::raw(public, request.as_bytes()).await;
                assert!((400..500).contains(&status(&answer)), "{request}: {answer}");
                let ours =
                    answer.is_empty() || answer.contains("server: postern") || code(&answer).is_empty();
                assert!(
                    ours && !OPERATORS.iter().any(|told| answer.contains(told)),
                    "{request}: {answer}"
                );
            }
        }
    }
    // The operator's own port knows them, by its own address and no name.
    let ask = |host: &str| format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let address = admin.parse().unwrap();
    assert_eq!(status(&client::raw(address, ask(admin).as_bytes()).await), 200);
    assert_eq!(
        status(&client::raw(address, ask("rebound.example").as_bytes()).await),
        403
    );
    // And it serves no objects.
    let object = serving.link().replacen(&public.to_string(), admin, 1);
    assert_eq!(
        client::send(address, Method::GET, &object, &[])
            .await
            .status
            .as_u16(),
        404
    );
}

#[tokio::test]
async fn no_request_makes_the_gateway_ask_another_server() {
    let target = Target::start().await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", elsewhere.local_addr().unwrap());
    for source in [
        format!("{url}/good"),
        format!("{url}/pres-url-test/good"),
        format!("/{url}/pres-url-test/good"),
        format!("//{}/pres-url-test/good", elsewhere.local_addr().unwrap()),
        "file:///etc/passwd".to_owned(),
        "/etc/passwd".to_owned(),
        "/pres-url-test/../../etc/passwd".to_owned(),
        "pres-url-test/%2e%2e/%2e%2e/etc/passwd".to_owned(),
        "..%2f..%2fetc/passwd".to_owned(),
        "arn:aws:s3:us-east-1:1:accesspoint/a/object/x".to_owned(),
    ] {
        for name in ["x-amz-copy-source", "x-amz-website-redirect-location"] {
            let headers = [(name, source.as_str())];
            let put = target.gateway.sign(&Method::PUT, "new", &[], &headers);
            let answer = client::send(target.gateway.address, Method::PUT, &put, &headers).await;
            let copies = name == "x-amz-copy-source";
            assert!(
                !copies || answer.status.as_u16() >= 400,
                "{source}: {}",
                answer.text()
            );
            assert!(!answer.text().contains("root:"), "{source}");
            if copies {
                target.assert_nothing_written("new", &source);
            }
        }
        _ = std::fs::remove_file(target.gateway.folder.path().join("data/pres-url-test/new"));
    }
    // A form's redirect is the browser's to follow.
    let conditions =
        "[\"starts-with\", \"$key\", \"\"], [\"starts-with\", \"$success_action_redirect\", \"\"]";
    let fields = [("key", "form"), ("success_action_redirect", url.as_str())];
    let answer = TestForm::signed("2026-11-24T13:00:00Z", conditions, &fields)
        .send(&target.gateway)
        .await;
    assert_eq!(answer.status.as_u16(), 303);
    // As does an absolute target, or a proxy's method.
    for line in [
        format!(
            "GET {url}/good HTTP/1.1\r\nhost: {}",
            url.trim_start_matches("http://")
        ),
        format!(
            "CONNECT {} HTTP/1.1\r\nhost: a",
            url.trim_start_matches("http://")
        ),
    ] {
        let (answer, then) = target.attack(&line, format!("{line}\r\n\r\n").as_bytes()).await;
        assert!((400..500).contains(&status(&answer)), "{line}: {answer}");
        assert!(
            code(&answer) == "AccessDenied" || then == Then::Closed,
            "{line}: {answer}"
        );
    }
    let asked = tokio::time::timeout(Duration::from_millis(300), elsewhere.accept()).await;
    assert!(asked.is_err(), "somebody connected");
}
