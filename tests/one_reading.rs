//! A signature has one reading: whatever the bytes on the wire, a request that verifies selects
//! what was signed.

use http::{Method, StatusCode};
use postern::{
    sigv4::{AddressingStyle, Endpoint, SignRequest},
    types::{BucketName, ObjectKey},
    verdict::{PublicUrl, Settings},
};

use crate::support::{ALICE, BUCKET, TestGateway, Wishes, client, form::TestForm, policy, sign_as};

const ALL: &str = "[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";

/// A gateway whose signer may do everything, with buckets beside the usual one.
async fn gateway(public_urls: &[&str], statements: &[&str], buckets: &[&str]) -> TestGateway {
    let public_urls = public_urls
        .iter()
        .map(|text| PublicUrl::parse(text).unwrap())
        .collect();
    let statements: Vec<_> = [ALL].iter().chain(statements).copied().collect();
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&statements)),
        verdict: Some(Settings {
            public_urls,
            ..Settings::default()
        }),
        ..Wishes::default()
    })
    .await;
    for bucket in buckets {
        std::fs::create_dir(gateway.folder.path().join("data").join(bucket)).unwrap();
    }
    gateway
}

fn put_file(gateway: &TestGateway, path: &str, content: &str) {
    let file = gateway.folder.path().join("data").join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, content).unwrap();
}

fn exists(gateway: &TestGateway, path: &str) -> bool {
    gateway.folder.path().join("data").join(path).exists()
}

fn sign(gateway: &TestGateway, method: &Method, endpoint: &str, bucket: &str, key: &str) -> String {
    let request = SignRequest {
        method,
        endpoint: &Endpoint::parse(endpoint).unwrap(),
        style: AddressingStyle::Path,
        bucket: Some(&BucketName::parse(bucket).unwrap()),
        key: Some(&ObjectKey::parse(key).unwrap()),
        headers: &[],
        query: &[],
        session_token: None,
    };
    sign_as(ALICE, &request, gateway.clock.now())
}

#[tokio::test]
async fn encoded_prefix_opens_no_other_bucket() {
    let gateway = gateway(&["http://files.test/files"], &[], &["files", "public"]).await;
    put_file(&gateway, "public/report.pdf", "public");
    put_file(&gateway, "files/public/report.pdf", "private");
    let link = |method| {
        sign(
            &gateway,
            method,
            "http://files.test/files",
            "public",
            "report.pdf",
        )
    };
    let variants = |link: String| {
        [
            "/%66iles/public/",
            "/files%2Fpublic/",
            "/%66%69les/%70ublic/",
            "/files/public/",
            "/public/",
        ]
        .map(|path| link.replacen("/files/public/", path, 1))
    };
    for url in variants(link(&Method::GET)) {
        let answer = gateway.get(&url).await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::OK, "public"),
            "{url}"
        );
    }
    for url in variants(link(&Method::DELETE)) {
        let answer = client::send(gateway.address, Method::DELETE, &url, &[]).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{url}");
    }
    assert!(exists(&gateway, "files/public/report.pdf") && !exists(&gateway, "public/report.pdf"));
    for url in variants(link(&Method::PUT)) {
        let body = "new".into();
        let answer = client::send_body(gateway.address, Method::PUT, &url, &[], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{url}");
    }
    let kept = std::fs::read_to_string(gateway.folder.path().join("data/files/public/report.pdf"));
    assert_eq!(kept.unwrap(), "private");
    // The record names what was opened.
    for record in gateway.records() {
        assert_eq!(record.bucket.as_deref(), Some("public"));
    }
}

#[tokio::test]
async fn longest_public_prefix_wins_for_every_request() {
    let urls = ["http://files.test", "http://files.test/media"];
    let gateway = gateway(&urls, &[], &["media", "reports"]).await;
    put_file(&gateway, "media/reports/q3.pdf", "of media");
    put_file(&gateway, "reports/q3.pdf", "of reports");
    // Two ways to come to one signed path, and one bucket by both.
    let link = sign(
        &gateway,
        &Method::GET,
        "http://files.test",
        "media",
        "reports/q3.pdf",
    );
    for url in [link.clone(), link.replacen("/media/", "/", 1)] {
        assert_eq!(gateway.get(&url).await.text(), "of reports", "{url}");
    }
    let link = sign(&gateway, &Method::GET, "http://files.test", "reports", "q3.pdf");
    assert_eq!(gateway.get(&link).await.text(), "of reports");
}

#[tokio::test]
async fn signed_copy_source_has_one_value() {
    let gateway = gateway(&[], &[], &[]).await;
    gateway.put("a", "of a");
    gateway.put("a,x", "of a,x");
    gateway.put("a b", "of a b");
    gateway.put("a  b", "of a  b");
    let link = |source: &str| gateway.sign(&Method::PUT, "copy", &[], &[("x-amz-copy-source", source)]);
    let read = || std::fs::read_to_string(gateway.folder.path().join("data").join(BUCKET).join("copy"));
    let comma = link(&format!("/{BUCKET}/a,x"));
    let two = [
        ("x-amz-copy-source", &*format!("/{BUCKET}/a")),
        ("x-amz-copy-source", "x"),
    ];
    let answer = client::send(gateway.address, Method::PUT, &comma, &two).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (400, "InvalidArgument")
    );
    assert_eq!(
        answer.element("ArgumentName").as_deref(),
        Some("x-amz-copy-source")
    );
    assert!(read().is_err(), "nothing was copied");
    let space = link(&format!("/{BUCKET}/a b"));
    for sent in [
        format!("/{BUCKET}/a b"),
        format!("/{BUCKET}/a  b"),
        format!("/{BUCKET}/a   b"),
    ] {
        let answer = client::send(
            gateway.address,
            Method::PUT,
            &space,
            &[("x-amz-copy-source", &sent)],
        )
        .await;
        assert_eq!(answer.status, StatusCode::OK, "{sent}");
        assert_eq!(read().unwrap(), "of a b", "{sent}");
    }
}

#[tokio::test]
async fn signed_tags_have_one_value() {
    let deny = "[[signer.statement]]\nEffect = 'Deny'\nAction = 's3:PutObject'\nResource = '*'\n\
        Condition = { StringEquals = { 's3:RequestObjectTag/class' = 'a' } }\n";
    let gateway = gateway(&[], &[deny], &[]).await;
    let link = gateway.sign(&Method::PUT, "k", &[], &[("x-amz-tagging", "class=a,b")]);
    let two = [("x-amz-tagging", "class=a"), ("x-amz-tagging", "b")];
    let answer = client::send_body(gateway.address, Method::PUT, &link, &two, "x".into()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (400, "InvalidArgument")
    );
    let one = [("x-amz-tagging", "class=a,b")];
    let answer = client::send_body(gateway.address, Method::PUT, &link, &one, "x".into()).await;
    assert_eq!(answer.status, StatusCode::OK);
    // A value that is not text does not count as none.
    let link = gateway.sign(&Method::PUT, "k", &[], &[("x-amz-tagging", "class=\u{e9}")]);
    let odd = [("x-amz-tagging", "class=\u{e9}")];
    let answer = client::send_body(gateway.address, Method::PUT, &link, &odd, "x".into()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (400, "InvalidArgument")
    );
}

#[tokio::test]
async fn reordered_parameters_select_nothing_else() {
    let gateway = gateway(&[], &[], &[]).await;
    gateway.put("k", "content");
    let pair = [
        ("response-content-type", "text/plain"),
        ("response-content-type", "text/html"),
    ];
    let link = gateway.sign(&Method::GET, "k", &pair, &[]);
    let (plain, html) = (
        "response-content-type=text%2Fplain",
        "response-content-type=text%2Fhtml",
    );
    let swapped = link
        .replacen(html, "@", 1)
        .replacen(plain, html, 1)
        .replacen('@', plain, 1);
    for url in [link, swapped] {
        let answer = gateway.get(&url).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "InvalidArgument"),
            "{url}"
        );
        assert_eq!(
            answer.element("ArgumentName").as_deref(),
            Some("response-content-type")
        );
    }
}

#[tokio::test]
async fn encoded_copy_source_does_not_evade_a_deny() {
    for pattern in ["pres-url-test/private/*", "/pres-url-test/private/*"] {
        let deny = format!(
            "[[signer.statement]]\nEffect = 'Deny'\nAction = 's3:PutObject'\nResource = '*'\n\
             Condition = {{ StringLike = {{ 's3:x-amz-copy-source' = '{pattern}' }} }}\n"
        );
        let gateway = gateway(&[], &[&deny], &[]).await;
        gateway.put("private/a", "secret");
        gateway.put("public/a", "open");
        for (source, status) in [
            ("pres-url-test/private/a", 403),
            ("/pres-url-test/private/a", 403),
            ("/pres-url-test/%70rivate/a", 403),
            ("pres-url-test%2Fprivate%2Fa", 403),
            ("%2Fpres-url-test/private/a", 403),
            ("/pres-url-test/private/a?versionId=null", 403),
            ("/pres-url-test/public/a", 200),
        ] {
            let headers = [("x-amz-copy-source", source)];
            let link = gateway.sign(&Method::PUT, "copy", &[], &headers);
            let answer = client::send(gateway.address, Method::PUT, &link, &headers).await;
            assert_eq!(answer.status.as_u16(), status, "{pattern}: {source}");
        }
    }
}

#[tokio::test]
async fn unreadable_condition_is_never_dropped() {
    let gateway = gateway(&[], &[], &[]).await;
    let file = gateway.put("k", "old");
    let link = gateway.link(&Method::PUT, "k");
    for (name, value, status, code) in [
        ("if-match", &b"\"\xc3\xa9\""[..], 412, "PreconditionFailed"),
        ("if-match", b"\"\xff\"", 412, "PreconditionFailed"),
        ("if-match", b"*\xff", 400, "InvalidArgument"),
        ("if-none-match", b"*\xff", 400, "InvalidArgument"),
        ("if-none-match", b"\"\xc3\xa9\"", 501, "NotImplemented"),
    ] {
        let target = link.split_once("://").unwrap().1;
        let target = &target[target.find('/').unwrap()..];
        let mut request = format!("PUT {target} HTTP/1.1\r\nHost: {}\r\n", gateway.address).into_bytes();
        request.extend_from_slice(format!("Content-Length: 3\r\nConnection: close\r\n{name}: ").as_bytes());
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n\r\nnew");
        let answer = client::raw(gateway.address, &request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{name} {value:?}: {answer}"
        );
        assert!(
            answer.contains(&format!("<Code>{code}</Code>")),
            "{name} {value:?}: {answer}"
        );
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "old", "{name} {value:?}");
    }
}

#[tokio::test]
async fn reserved_names_are_refused() {
    let gateway = gateway(&[], &[], &[]).await;
    gateway.put("k", "content");
    for name in ["x-postern-max-uses", "X-Postern-IP", "X-POSTERN-unknown"] {
        let link = gateway.sign(&Method::GET, "k", &[(name, "1")], &[]);
        let answer = gateway.get(&link).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "InvalidArgument"),
            "{name}"
        );
        assert_eq!(answer.element("ArgumentName").as_deref(), Some(name));
        assert_eq!(answer.element("ArgumentValue").as_deref(), Some("1"));
        let headers = [(name, "1")];
        for signed in [&headers[..], &[]] {
            let link = gateway.sign(&Method::GET, "k", &[], signed);
            let answer = client::send(gateway.address, Method::GET, &link, &headers).await;
            let lower = name.to_ascii_lowercase();
            assert_eq!(answer.code(), "InvalidArgument", "{name}");
            assert_eq!(answer.element("ArgumentName"), Some(lower));
        }
    }
}

#[tokio::test]
async fn reserved_field_of_a_form_is_refused() {
    let gateway = gateway(&[], &[], &[]).await;
    let conditions = r#"["starts-with", "$key", ""], ["starts-with", "$x-postern-label", ""]"#;
    let form = TestForm::signed("2026-11-24T12:30:00.000Z", conditions, &[("key", "k")]);
    let answer = form.clone().with("X-Postern-Label", "a").send(&gateway).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (400, "InvalidArgument")
    );
    assert_eq!(answer.element("ArgumentName").as_deref(), Some("x-postern-label"));
    let url = format!("{}/{BUCKET}?x-postern-ip=1", gateway.endpoint());
    let answer = form.send_to(&gateway, &url).await;
    assert_eq!(answer.element("ArgumentName").as_deref(), Some("x-postern-ip"));
}
