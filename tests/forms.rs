//! Uploads by a browser's form: what its policy lets through, and each thing that it does not.

use http::Method;

use crate::{
    objects::everything,
    support::{
        BUCKET, TestGateway, Wishes, client,
        form::{BOUNDARY, TestForm},
        policy, reader,
    },
};

const SOON: &str = "2026-11-24T12:30:00.000Z";
const KEY: &str = r#"["starts-with", "$key", "up/"]"#;

async fn gateway() -> TestGateway {
    TestGateway::with(Wishes {
        policy: Some(everything()),
        ..Wishes::default()
    })
    .await
}

fn form(conditions: &str, fields: &[(&str, &str)]) -> TestForm {
    TestForm::signed(SOON, conditions, fields)
}

/// Nothing was stored, and nothing is left of what was tried.
fn nothing_is_kept(gateway: &TestGateway) {
    let bucket = gateway.folder.path().join("data").join(BUCKET);
    let left: Vec<_> = std::fs::read_dir(&bucket)
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name != "~!tmp")
        .collect();
    assert_eq!(left, [""; 0]);
    let tmp = std::fs::read_dir(bucket.join("~!tmp"))
        .into_iter()
        .flatten()
        .count();
    assert_eq!(tmp, 0);
}

#[tokio::test]
async fn a_form_stores_its_file_under_the_name_that_the_browser_gives() {
    let gateway = gateway().await;
    let conditions = format!(
        r#"{KEY}, ["starts-with", "$Content-Type", "video/"], {{"x-amz-meta-by": "a form"}}, ["content-length-range", 1, 100]"#
    );
    let fields = [
        ("key", "up/${filename}"),
        ("Content-Type", "video/mp4"),
        ("x-amz-meta-by", "a form"),
        ("x-ignore-me", "1"),
    ];
    let answer = form(&conditions, &fields).send(&gateway).await;
    assert_eq!(answer.status.as_u16(), 204, "{}", answer.text());
    let etag = answer.header("etag").to_owned();
    assert_eq!(
        answer.header("location"),
        format!("{}/{BUCKET}/up/a%20film.mp4", gateway.endpoint())
    );
    let got = gateway.get(&gateway.link(&Method::GET, "up/a film.mp4")).await;
    assert_eq!(got.text(), "content of the file");
    assert_eq!(
        (got.header("etag"), got.header("content-type")),
        (etag.as_str(), "video/mp4")
    );
    assert_eq!(got.header("x-amz-meta-by"), "a form");
}

#[tokio::test]
async fn a_success_is_told_as_the_form_wants_it() {
    let gateway = gateway().await;
    let conditions = format!(
        r#"{KEY}, ["starts-with", "$success_action_status", ""], ["starts-with", "$success_action_redirect", ""]"#
    );
    let form = form(&conditions, &[("key", "up/a & b")]);
    let answer = form
        .clone()
        .with("success_action_status", "201")
        .send(&gateway)
        .await;
    assert_eq!(answer.status.as_u16(), 201);
    for (element, expected) in [("Bucket", BUCKET), ("Key", "up/a & b")] {
        assert_eq!(answer.element(element).as_deref(), Some(expected));
    }
    assert_eq!(answer.element("ETag").as_deref(), Some(answer.header("etag")));
    assert_eq!(
        answer.element("Location").as_deref(),
        Some(answer.header("location"))
    );
    let answer = form
        .clone()
        .with("success_action_status", "200")
        .send(&gateway)
        .await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, ""));
    let answer = form
        .with("success_action_redirect", "https://example.com/done?x=1#here")
        .send(&gateway)
        .await;
    assert_eq!(answer.status.as_u16(), 303);
    let etag = answer.header("etag").trim_matches('"').to_owned();
    let expected = format!(
        "https://example.com/done?x=1&bucket=pres%2Durl%2Dtest&key=up%2Fa%20%26%20b&etag=%22{etag}%22#here"
    );
    assert_eq!(answer.header("location"), expected);
}

#[tokio::test]
async fn what_the_policy_does_not_cover_is_refused_and_nothing_is_kept() {
    let gateway = gateway().await;
    let sized = format!(r#"{KEY}, ["content-length-range", 10, 20]"#);
    let good = || form(&sized, &[("key", "up/a")]);
    let file = |bytes: usize| TestForm {
        file: vec![b'x'; bytes],
        ..good()
    };
    let condition = "Invalid according to Policy: Policy Condition failed: ";
    let missing = |name: &str| {
        format!(
            "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
        )
    };
    let rows: Vec<(&str, TestForm, u16, &str, String)> = vec![
        (
            "another key",
            good().with("key", "elsewhere"),
            403,
            "AccessDenied",
            format!(r#"{condition}["starts-with", "$key", "up/"]"#),
        ),
        (
            "a field that no condition covers",
            good().with("x-amz-meta-a", "b"),
            403,
            "AccessDenied",
            "Invalid according to Policy: Extra input fields: x-amz-meta-a".into(),
        ),
        (
            "a type that no condition covers",
            good().with("Content-Type", "text/html"),
            403,
            "AccessDenied",
            "Invalid according to Policy: Extra input fields: content-type".into(),
        ),
        (
            "another date",
            good().with("x-amz-date", "20261124T115959Z"),
            403,
            "AccessDenied",
            format!(r#"{condition}["eq", "$x-amz-date", "20261124T120000Z"]"#),
        ),
        (
            "another policy",
            good().with("policy", "e30="),
            403,
            "SignatureDoesNotMatch",
            String::new(),
        ),
        (
            "another signature",
            good().with("x-amz-signature", &"0".repeat(64)),
            403,
            "SignatureDoesNotMatch",
            String::new(),
        ),
        (
            "no signature",
            good().without("x-amz-signature"),
            400,
            "InvalidArgument",
            missing("x-amz-signature"),
        ),
        (
            "no policy",
            good().without("policy"),
            400,
            "InvalidArgument",
            missing("policy"),
        ),
        (
            "no key",
            good().without("key"),
            400,
            "InvalidArgument",
            missing("key"),
        ),
        (
            "no date",
            good().without("x-amz-date"),
            400,
            "InvalidArgument",
            missing("x-amz-date"),
        ),
        (
            "nothing signed at all",
            TestForm {
                fields: vec![("key".into(), "up/a".into())],
                file: vec![],
            },
            403,
            "AccessDenied",
            "Access Denied".into(),
        ),
        (
            "Signature Version 2",
            good()
                .without("x-amz-signature")
                .without("x-amz-credential")
                .with("signature", "x")
                .with("AWSAccessKeyId", "x"),
            400,
            "InvalidRequest",
            String::new(),
        ),
        (
            "an unknown key",
            good().with(
                "x-amz-credential",
                "AKIANOBODY/20261124/us-east-1/s3/aws4_request",
            ),
            403,
            "InvalidAccessKeyId",
            String::new(),
        ),
        (
            "another region",
            good().with(
                "x-amz-credential",
                "AKIAALICE00000000000/20261124/eu-west-1/s3/aws4_request",
            ),
            400,
            "AuthorizationQueryParametersError",
            String::new(),
        ),
        (
            "a session token",
            good().with("x-amz-security-token", "t"),
            400,
            "InvalidToken",
            String::new(),
        ),
        (
            "too many bytes",
            file(21),
            400,
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size".into(),
        ),
        (
            "far too many bytes",
            file(3_000_000),
            400,
            "EntityTooLarge",
            String::new(),
        ),
        (
            "too few bytes",
            file(9),
            400,
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size".into(),
        ),
        (
            "a policy that has expired",
            TestForm::signed("2026-11-24T12:00:00Z", KEY, &[("key", "up/a")]),
            403,
            "AccessDenied",
            "Invalid according to Policy: Policy expired.".into(),
        ),
        (
            "a policy that is none",
            TestForm::signed("tomorrow", KEY, &[("key", "up/a")]),
            400,
            "InvalidPolicyDocument",
            "Invalid Policy: Invalid 'expiration' value.".into(),
        ),
        (
            "a condition on what was not sent",
            form(&format!(r#"{KEY}, {{"acl": "private"}}"#), &[("key", "up/a")]),
            403,
            "AccessDenied",
            format!(r#"{condition}["eq", "$acl", "private"]"#),
        ),
        (
            "a public object",
            form(
                &format!(r#"{KEY}, {{"acl": "public-read"}}"#),
                &[("key", "up/a"), ("acl", "public-read")],
            ),
            400,
            "AccessControlListNotSupported",
            String::new(),
        ),
        (
            "a checksum that does not hold",
            form(
                &format!(r#"{KEY}, ["starts-with", "$x-amz-checksum-crc32", ""]"#),
                &[("key", "up/a"), ("x-amz-checksum-crc32", "AAAAAA==")],
            ),
            400,
            "BadDigest",
            String::new(),
        ),
        (
            "a copy by form",
            form(
                &format!(r#"{KEY}, ["starts-with", "$x-amz-server-side-encryption", ""]"#),
                &[("key", "up/a"), ("x-amz-server-side-encryption", "AES256")],
            ),
            501,
            "NotImplemented",
            String::new(),
        ),
    ];
    for (what, form, status, code, message) in rows {
        let answer = form.send(&gateway).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{what}: {}",
            answer.text()
        );
        if !message.is_empty() {
            assert_eq!(answer.element("Message"), Some(message), "{what}");
        }
        nothing_is_kept(&gateway);
    }
    assert_eq!(file(20).send(&gateway).await.status.as_u16(), 204);
}

#[tokio::test]
async fn a_form_is_good_for_its_bucket_and_its_week_alone() {
    let gateway = gateway().await;
    let good = TestForm::signed("2036-11-24T12:00:00Z", KEY, &[("key", "up/a")]);
    std::fs::create_dir(gateway.folder.path().join("data/other")).unwrap();
    let other = good
        .send_to(&gateway, &format!("{}/other", gateway.endpoint()))
        .await;
    assert_eq!(
        other.element("Message").unwrap(),
        format!("Invalid according to Policy: Policy Condition failed: [\"eq\", \"$bucket\", \"{BUCKET}\"]")
    );
    // The field named bucket says nothing.
    let named = good
        .clone()
        .with("bucket", BUCKET)
        .send_to(&gateway, &format!("{}/other", gateway.endpoint()))
        .await;
    assert_eq!(named.status.as_u16(), 403);
    for (at, status, message) in [
        (time::macros::datetime!(2026-12-01 11:59:59 UTC), 204, None),
        (
            time::macros::datetime!(2026-12-01 12:00 UTC),
            403,
            Some("Invalid according to Policy: Policy expired."),
        ),
        (
            time::macros::datetime!(2026-11-24 11:44 UTC),
            403,
            Some("Request is not yet valid"),
        ),
    ] {
        gateway.clock.set(at);
        let answer = good.send(&gateway).await;
        assert_eq!(answer.status.as_u16(), status, "{at}");
        assert_eq!(answer.element("Message").as_deref(), message, "{at}");
    }
}

#[tokio::test]
async fn a_form_needs_its_signers_permission_as_it_stands_now() {
    let gateway = TestGateway::start().await;
    let good = form(KEY, &[("key", "up/a")]);
    assert_eq!(good.send(&gateway).await.status.as_u16(), 204);
    gateway.save_policy(&policy(&[])).await;
    assert_eq!(good.send(&gateway).await.code(), "AccessDenied");
    gateway.save_policy(&reader()).await;
    assert_eq!(good.send(&gateway).await.status.as_u16(), 204);
}

#[tokio::test]
async fn what_is_no_form_is_told_so_and_a_cut_one_leaves_the_old_object() {
    let gateway = gateway().await;
    let url = format!("{}/{BUCKET}", gateway.endpoint());
    let send = |content_type: String, body: Vec<u8>| {
        let (address, url) = (gateway.address, url.clone());
        async move {
            client::send_body(
                address,
                Method::POST,
                &url,
                &[("content-type", &content_type)],
                body.into(),
            )
            .await
        }
    };
    let form_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let good = form(KEY, &[("key", "up/a")]);
    assert_eq!(good.send(&gateway).await.status.as_u16(), 204);
    let whole = good.body();
    for (content_type, body, code) in [
        ("application/json".to_owned(), whole.clone(), "PreconditionFailed"),
        (
            "multipart/form-data".to_owned(),
            whole.clone(),
            "MalformedPOSTRequest",
        ),
        (
            form_type.replace("7MA4", "other"),
            whole.clone(),
            "IncompleteBody",
        ),
        (
            form_type.clone(),
            vec![b'x'; 30_000],
            "MaxPostPreDataLengthExceeded",
        ),
        (form_type.clone(), Vec::new(), "IncompleteBody"),
        (
            form_type.clone(),
            whole[..whole.len() - BOUNDARY.len() - 12].to_vec(),
            "IncompleteBody",
        ),
    ] {
        let answer = send(content_type.clone(), body).await;
        assert_eq!(answer.code(), code, "{content_type}: {}", answer.text());
    }
    let got = gateway.get(&gateway.link(&Method::GET, "up/a")).await;
    assert_eq!(got.text(), "content of the file");
    // A form beside another way of signing.
    let link = gateway.sign(&Method::POST, "", &[], &[]);
    assert_eq!(good.send_to(&gateway, &link).await.code(), "PreconditionFailed");
}
