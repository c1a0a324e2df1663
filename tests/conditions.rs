//! Conditions on the wire: what the request says of itself, and what the object's own tags say.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Tag, Tagging, TaggingDirective};
use http::Method;
use postern::clock::Clock;
use time::macros::datetime;

use crate::{
    objects::{failure, sdk},
    support::{BUCKET, TestGateway, Wishes, client, form::TestForm, policy},
};

/// Everything is allowed, save what these statements say of it.
async fn gateway(statements: &str) -> TestGateway {
    gateway_at(statements, None).await
}

async fn gateway_at(statements: &str, clock: Option<Clock>) -> TestGateway {
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&[statements])),
        clock,
        ..Wishes::default()
    })
    .await;
    gateway.put("a.txt", "content");
    gateway
}

fn allow(action: &str, condition: &str) -> String {
    statement("Allow", action, condition)
}

fn deny(action: &str, condition: &str) -> String {
    statement("Deny", action, condition)
}

fn statement(effect: &str, action: &str, condition: &str) -> String {
    format!(
        "\n[[signer.statement]]\nEffect = '{effect}'\nAction = '{action}'\nResource = '*'\n{}",
        match condition {
            "" => String::new(),
            condition => format!("Condition = {{ {condition} }}\n"),
        }
    )
}

async fn status(gateway: &TestGateway, link: &str, headers: &[(&str, &str)]) -> u16 {
    let answer = client::send(gateway.address, Method::GET, link, headers).await;
    if answer.status == 403 {
        assert_eq!(answer.code(), "AccessDenied");
    }
    answer.status.as_u16()
}

#[tokio::test]
async fn a_link_is_judged_by_what_the_verified_request_says() {
    for (condition, expected) in [
        ("IpAddress = { 'aws:SourceIp' = '127.0.0.0/8' }", 200),
        ("NotIpAddress = { 'aws:SourceIp' = '127.0.0.1' }", 403),
        ("Bool = { 'aws:SecureTransport' = false }", 200),
        ("Null = { 's3:TlsVersion' = true }", 200),
        ("StringEquals = { 's3:authType' = 'REST-QUERY-STRING' }", 200),
        ("StringEquals = { 's3:authType' = 'REST-HEADER' }", 403),
        (
            "StringEquals = { 's3:signatureversion' = 'AWS4-HMAC-SHA256' }",
            200,
        ),
        (
            "StringEquals = { 's3:x-amz-content-sha256' = 'UNSIGNED-PAYLOAD' }",
            200,
        ),
        ("StringEquals = { 'aws:username' = '${aws:userid}' }", 200),
        (
            "ArnLike = { 'aws:PrincipalArn' = 'arn:aws:iam::000000000000:user/al*' }",
            200,
        ),
        ("StringLike = { 'aws:UserAgent' = 'Mozilla/*' }", 200),
        ("StringLike = { 'aws:Referer' = 'https://example.com/*' }", 200),
        ("StringNotLike = { 'aws:Referer' = 'https://example.com/*' }", 403),
        ("DateLessThan = { 'aws:CurrentTime' = 2026-11-24T12:00:01Z }", 200),
        (
            "DateGreaterThan = { 'aws:CurrentTime' = 2026-11-24T12:00:01Z }",
            403,
        ),
        ("NumericLessThan = { 's3:signatureAge' = 1 }", 200),
        ("StringEquals = { 's3:prefix' = '' }", 403),
    ] {
        let gateway = gateway(&allow("s3:GetObject", condition)).await;
        let link = gateway.link(&Method::GET, "a.txt");
        let headers = [
            ("user-agent", "Mozilla/5.0 (X)"),
            ("referer", "https://example.com/page"),
            // Nobody is believed who says so of himself.
            ("x-forwarded-for", "10.0.0.1"),
            ("s3-authtype", "REST-HEADER"),
        ];
        assert_eq!(status(&gateway, &link, &headers).await, expected, "{condition}");
    }
}

#[tokio::test]
async fn a_link_may_be_made_to_live_shorter_than_it_says() {
    let gateway = gateway(&allow(
        "s3:GetObject",
        "NumericLessThanEquals = { 's3:signatureAge' = 60000 }",
    ))
    .await;
    let link = gateway.link(&Method::GET, "a.txt");
    assert_eq!(status(&gateway, &link, &[]).await, 200);
    gateway.clock.set(datetime!(2026-11-24 12:01 UTC));
    assert_eq!(status(&gateway, &link, &[]).await, 200);
    gateway.clock.set(datetime!(2026-11-24 12:01:00.001 UTC));
    assert_eq!(status(&gateway, &link, &[]).await, 403);
}

#[tokio::test]
async fn an_objects_own_tags_decide_who_reads_it_and_who_does_not_learn_of_it() {
    let statements = [
        allow(
            "s3:GetObject*",
            "StringEquals = { 's3:ExistingObjectTag/class' = 'open' }",
        ),
        allow("s3:PutObject*", ""),
        allow("s3:ListBucket", ""),
    ];
    let gateway = gateway_at(&statements.concat(), Some(Clock::system())).await;
    let client = sdk(&gateway);
    let put = |key: &str, tags: &str| {
        let put = client.put_object().bucket(BUCKET).key(key).tagging(tags);
        put.body(b"content".to_vec().into()).send()
    };
    put("open", "class=open").await.unwrap();
    put("secret", "class=secret").await.unwrap();
    let get = |key: &str| client.get_object().bucket(BUCKET).key(key).send();
    let body = get("open").await.unwrap().body.collect().await.unwrap();
    assert_eq!(body.to_vec(), b"content");
    for key in ["secret", "a.txt", "nowhere"] {
        assert_eq!(failure(get(key).await), ("AccessDenied".to_owned(), 403), "{key}");
    }
    let head = client.head_object().bucket(BUCKET).key("secret").send();
    assert_eq!(failure(head.await).1, 403);
    let tags = |key: &str| client.get_object_tagging().bucket(BUCKET).key(key).send();
    assert_eq!(tags("open").await.unwrap().tag_set.len(), 1);
    assert_eq!(failure(tags("secret").await).1, 403);
    // A copy reads its source.
    let copy = |from: &str| {
        let copy = client.copy_object().bucket(BUCKET).key("copy");
        copy.copy_source(format!("{BUCKET}/{from}")).send()
    };
    assert_eq!(failure(copy("secret").await).1, 403);
    copy("open").await.unwrap();
    assert_eq!(failure(get("nowhere").await).1, 403);
}

#[tokio::test]
async fn object_whose_tags_cannot_be_read_is_denied_where_they_count() {
    let by_tag = deny(
        "s3:GetObject",
        "StringEquals = { 's3:ExistingObjectTag/class' = 'secret' }",
    );
    for (statements, expected) in [
        (allow("s3:*", "") + &by_tag, ("AccessDenied", 403)),
        (allow("s3:*", ""), ("InternalError", 500)),
    ] {
        let gateway = gateway_at(&statements, Some(Clock::system())).await;
        let client = sdk(&gateway);
        // A file of the bucket, so that its path is known.
        let path = gateway.put("damaged", "content");
        let attribute = rustix::fs::setxattr(&path, "user.postern", b"{", rustix::fs::XattrFlags::empty());
        if attribute.is_err() {
            return;
        }
        let get = client.get_object().bucket(BUCKET).key("damaged").send();
        let found = failure(get.await);
        assert_eq!((found.0.as_str(), found.1), expected);
        let head = client.head_object().bucket(BUCKET).key("damaged").send();
        assert_eq!(failure(head.await).1, expected.1);
    }
}

#[tokio::test]
async fn a_denial_by_tag_holds_whatever_allows() {
    let statements = [
        allow("s3:*", ""),
        deny(
            "s3:GetObject",
            "StringEquals = { 's3:ExistingObjectTag/class' = 'secret' }",
        ),
    ];
    let gateway = gateway_at(&statements.concat(), Some(Clock::system())).await;
    let client = sdk(&gateway);
    let put = |tags: &str| {
        client
            .put_object()
            .bucket(BUCKET)
            .key("a")
            .tagging(tags)
            .body(b"x".to_vec().into())
            .send()
    };
    let get = || client.get_object().bucket(BUCKET).key("a").send();
    put("CLASS=secret").await.unwrap();
    assert_eq!(failure(get().await), ("AccessDenied".to_owned(), 403));
    put("class=open").await.unwrap();
    get().await.unwrap();
    let nowhere = client.get_object().bucket(BUCKET).key("nowhere").send().await;
    assert_eq!(failure(nowhere), ("NoSuchKey".to_owned(), 404));
}

#[tokio::test]
async fn the_tags_that_a_request_gives_are_judged_from_header_body_and_form() {
    let condition = "'ForAllValues:StringEquals' = { 's3:RequestObjectTagKeys' = ['team', 'class'] }, \
        StringEquals = { 's3:RequestObjectTag/team' = '${aws:username}' }";
    let statements = [allow("s3:PutObject*", condition), allow("s3:GetObject*", "")];
    let gateway = gateway_at(&statements.concat(), Some(Clock::system())).await;
    let client = sdk(&gateway);
    let put = |tags: &str| {
        let put = client.put_object().bucket(BUCKET).key("a").tagging(tags);
        put.body(b"x".to_vec().into()).send()
    };
    put("team=alice&class=open").await.unwrap();
    for tags in ["team=bob", "team=alice&other=1", "class=open"] {
        assert_eq!(
            failure(put(tags).await),
            ("AccessDenied".to_owned(), 403),
            "{tags}"
        );
    }
    let tag = |value: &str| {
        let tag = Tag::builder().key("team").value(value).build().unwrap();
        let tagging = Tagging::builder().tag_set(tag).build().unwrap();
        client
            .put_object_tagging()
            .bucket(BUCKET)
            .key("a")
            .tagging(tagging)
            .send()
    };
    assert_eq!(failure(tag("bob").await), ("AccessDenied".to_owned(), 403));
    let tags = client
        .get_object_tagging()
        .bucket(BUCKET)
        .key("a")
        .send()
        .await
        .unwrap();
    assert_eq!(tags.tag_set.len(), 2, "nothing was changed");
    tag("alice").await.unwrap();
    let copy = |tags: &str| {
        let copy = client
            .copy_object()
            .bucket(BUCKET)
            .key("copy")
            .copy_source(format!("{BUCKET}/a"));
        copy.tagging_directive(TaggingDirective::Replace)
            .tagging(tags)
            .send()
    };
    assert_eq!(failure(copy("team=bob").await).1, 403);
    copy("team=alice").await.unwrap();
}

#[tokio::test]
async fn copied_tags_are_decided_as_given_tags() {
    let secret = "StringEquals = { 's3:RequestObjectTag/class' = 'secret' }";
    for action in ["s3:PutObject", "s3:PutObjectTagging"] {
        let statements = [allow("s3:*", ""), deny(action, secret)];
        let gateway = gateway_at(&allow("s3:*", ""), Some(Clock::system())).await;
        let client = sdk(&gateway);
        for class in ["secret", "open"] {
            let put = client.put_object().bucket(BUCKET).key(class);
            let put = put.tagging(format!("class={class}")).body(b"x".to_vec().into());
            put.send().await.unwrap();
        }
        gateway.save_policy(&policy(&[&statements.concat()])).await;
        let copy = |from: &str, to: &str| {
            let copy = client.copy_object().bucket(BUCKET).key(to);
            copy.copy_source(format!("{BUCKET}/{from}"))
                .metadata_directive(aws_sdk_s3::types::MetadataDirective::Replace)
        };
        for to in ["copy", "secret"] {
            let copied = copy("secret", to).send().await;
            assert_eq!(failure(copied), ("AccessDenied".to_owned(), 403), "{action} {to}");
        }
        copy("open", "copy").send().await.unwrap();
        copy("a.txt", "copy").send().await.unwrap();
        let replaced = copy("secret", "copy").tagging_directive(TaggingDirective::Replace);
        replaced.tagging("class=open").send().await.unwrap();
    }
}

#[tokio::test]
async fn completion_is_decided_with_the_tags_of_its_upload() {
    let secret = "StringEquals = { 's3:RequestObjectTag/class' = 'secret' }";
    for action in ["s3:PutObject", "s3:PutObjectTagging"] {
        let gateway = gateway_at(&allow("s3:*", ""), Some(Clock::system())).await;
        let client = sdk(&gateway);
        let mut uploads = Vec::new();
        for class in ["secret", "open"] {
            let create = client.create_multipart_upload().bucket(BUCKET).key(class);
            let made = create.tagging(format!("class={class}")).send().await.unwrap();
            let id = made.upload_id().unwrap().to_owned();
            let part = client.upload_part().bucket(BUCKET).key(class).upload_id(&id);
            let sent = part
                .part_number(1)
                .body(b"x".to_vec().into())
                .send()
                .await
                .unwrap();
            uploads.push((class, id, sent.e_tag().unwrap().to_owned()));
        }
        let statements = [allow("s3:*", ""), deny(action, secret)];
        gateway.save_policy(&policy(&[&statements.concat()])).await;
        for (class, id, etag) in uploads {
            let part = CompletedPart::builder().part_number(1).e_tag(etag).build();
            let parts = CompletedMultipartUpload::builder().parts(part).build();
            let complete = client.complete_multipart_upload().bucket(BUCKET).key(class);
            let completed = complete.upload_id(id).multipart_upload(parts).send().await;
            match class {
                "open" => _ = completed.unwrap(),
                _ => assert_eq!(failure(completed), ("AccessDenied".to_owned(), 403), "{action}"),
            }
        }
    }
}

#[tokio::test]
async fn tags_may_be_changed_only_where_the_tags_that_are_there_allow_it() {
    let statements = [
        allow("s3:PutObject*", ""),
        allow("s3:DeleteObject*", ""),
        deny(
            "s3:*Tagging",
            "StringEquals = { 's3:ExistingObjectTag/locked' = 'yes' }",
        ),
    ];
    let gateway = gateway_at(&statements.concat(), Some(Clock::system())).await;
    let client = sdk(&gateway);
    let put = |key: &str, tags: &str| {
        let put = client.put_object().bucket(BUCKET).key(key).tagging(tags);
        put.body(b"x".to_vec().into()).send()
    };
    put("locked", "locked=yes").await.unwrap();
    put("free", "locked=no").await.unwrap();
    let untag = |key: &str| client.delete_object_tagging().bucket(BUCKET).key(key).send();
    assert_eq!(failure(untag("locked").await), ("AccessDenied".to_owned(), 403));
    untag("free").await.unwrap();
}

#[tokio::test]
async fn listings_are_held_to_prefix_delimiter_and_number() {
    let condition = "StringLike = { 's3:prefix' = 'home/${aws:username}/*' }, StringEquals = { 's3:delimiter' = '/' }, \
        NumericLessThanEquals = { 's3:max-keys' = 10 }";
    let gateway = gateway_at(&allow("s3:ListBucket", condition), Some(Clock::system())).await;
    let client = sdk(&gateway);
    let list = |prefix: &str, delimiter: &str, keys: i32| {
        let list = client.list_objects_v2().bucket(BUCKET).prefix(prefix);
        list.delimiter(delimiter).max_keys(keys).send()
    };
    list("home/alice/", "/", 10).await.unwrap();
    for (prefix, delimiter, keys) in [
        ("home/bob/", "/", 10),
        ("home/alice/", "-", 10),
        ("home/alice/", "/", 11),
    ] {
        assert_eq!(
            failure(list(prefix, delimiter, keys).await),
            ("AccessDenied".to_owned(), 403)
        );
    }
    assert_eq!(
        failure(client.list_objects_v2().bucket(BUCKET).send().await).1,
        403
    );
}

#[tokio::test]
async fn uploads_are_held_to_their_source_their_acl_and_how_they_were_signed() {
    let statements = [
        allow("s3:*", ""),
        deny(
            "s3:PutObject",
            "StringNotLike = { 's3:x-amz-copy-source' = 'pres-url-test/a*' }, Null = { 's3:x-amz-copy-source' = false }",
        ),
        deny("s3:PutObject", "StringEquals = { 's3:x-amz-acl' = 'private' }"),
        deny(
            "s3:PutObject",
            "StringEquals = { 's3:x-amz-content-sha256' = 'UNSIGNED-PAYLOAD' }",
        ),
    ];
    let gateway = gateway_at(&statements.concat(), Some(Clock::system())).await;
    gateway.put("b.txt", "other");
    let client = sdk(&gateway);
    let copy = |from: &str| {
        let copy = client
            .copy_object()
            .bucket(BUCKET)
            .key("c")
            .copy_source(format!("{BUCKET}/{from}"));
        copy.send()
    };
    copy("a.txt").await.unwrap();
    assert_eq!(failure(copy("b.txt").await), ("AccessDenied".to_owned(), 403));
    let put = || {
        client
            .put_object()
            .bucket(BUCKET)
            .key("d")
            .body(b"x".to_vec().into())
    };
    put().send().await.unwrap();
    let private = put()
        .acl(aws_sdk_s3::types::ObjectCannedAcl::Private)
        .send()
        .await;
    assert_eq!(failure(private), ("AccessDenied".to_owned(), 403));
}

#[tokio::test]
async fn a_form_is_judged_by_its_fields_and_by_being_one() {
    let form = || {
        TestForm::signed(
            "2026-11-24T12:30:00Z",
            r#"["starts-with", "$key", ""], {"acl": "private"}"#,
            &[("key", "f"), ("acl", "private")],
        )
    };
    for (condition, expected) in [
        ("StringEquals = { 's3:authType' = 'POST' }", 204),
        ("StringEquals = { 's3:authType' = 'REST-QUERY-STRING' }", 403),
        ("StringEquals = { 's3:x-amz-acl' = 'private' }", 204),
        (
            "StringNotEquals = { 's3:x-amz-content-sha256' = 'UNSIGNED-PAYLOAD' }",
            403,
        ),
        ("Null = { 's3:RequestObjectTagKeys' = true }", 204),
    ] {
        let gateway = gateway(&allow("s3:PutObject", condition)).await;
        assert_eq!(
            form().send(&gateway).await.status.as_u16(),
            expected,
            "{condition}"
        );
    }
}
