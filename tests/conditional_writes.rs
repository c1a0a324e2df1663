//! Conditions of writes and deletions on the object that is there: who may ask, and who could guess
//! at it.

use aws_sdk_s3::{
    Client,
    types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier},
};
use postern::clock::Clock;

use crate::{
    objects::{failure, is, sdk},
    support::{BUCKET, TestGateway, Wishes, policy},
};

const SECRET: &str = "secret.txt";

/// A gateway with one object, whose content is a PIN, and its ETag.
async fn gateway(statements: &str) -> (TestGateway, String) {
    let everything = "\n[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&[everything])),
        clock: Some(Clock::system()),
        ..Wishes::default()
    })
    .await;
    let put = sdk(&gateway)
        .put_object()
        .bucket(BUCKET)
        .key(SECRET)
        .tagging("class=pin");
    let stored = put.body(b"4711".to_vec().into()).send().await.unwrap();
    gateway.save_policy(&policy(&[statements])).await;
    (gateway, stored.e_tag().unwrap().to_owned())
}

fn allow(actions: &str) -> String {
    format!("\n[[signer.statement]]\nEffect = 'Allow'\nAction = [{actions}]\nResource = '*'\n")
}

/// The failure of every call that compares an object with this ETag, each by its operation.
async fn outcomes(s3: &Client, etag: &str) -> Vec<(&'static str, (String, u16))> {
    let put = s3.put_object().bucket(BUCKET).key(SECRET).if_match(etag);
    let delete = s3.delete_object().bucket(BUCKET).key(SECRET).if_match(etag);
    let copy = s3.copy_object().bucket(BUCKET).key(SECRET).if_match(etag);
    let made = s3
        .create_multipart_upload()
        .bucket(BUCKET)
        .key(SECRET)
        .send()
        .await
        .unwrap();
    let id = made.upload_id().unwrap();
    let part = s3
        .upload_part()
        .bucket(BUCKET)
        .key(SECRET)
        .upload_id(id)
        .part_number(1);
    let part = part.body(b"x".to_vec().into()).send().await.unwrap();
    let part = CompletedPart::builder()
        .part_number(1)
        .e_tag(part.e_tag().unwrap())
        .build();
    let complete = s3
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key(SECRET)
        .upload_id(id);
    let complete = complete
        .multipart_upload(CompletedMultipartUpload::builder().parts(part).build())
        .if_match(etag);
    let listed = ObjectIdentifier::builder()
        .key(SECRET)
        .e_tag(etag)
        .build()
        .unwrap();
    let listed = Delete::builder().objects(listed).build().unwrap();
    let deleted = s3
        .delete_objects()
        .bucket(BUCKET)
        .delete(listed)
        .send()
        .await
        .unwrap();
    let code = deleted
        .errors()
        .first()
        .and_then(|error| error.code())
        .unwrap_or("deleted");
    vec![
        ("PutObject", failure(put.body(b"y".to_vec().into()).send().await)),
        ("DeleteObject", failure(delete.send().await)),
        (
            "CopyObject",
            failure(copy.copy_source(format!("{BUCKET}/open.txt")).send().await),
        ),
        ("CompleteMultipartUpload", failure(complete.send().await)),
        ("DeleteObjects", (code.to_owned(), 200)),
    ]
}

#[tokio::test]
async fn condition_on_content_needs_the_right_to_read_it() {
    let writes = "'s3:PutObject', 's3:DeleteObject'";
    let source = "\n[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:GetObject'\n\
        Resource = 'arn:aws:s3:::*/open.txt'\n";
    let (gateway, etag) = gateway(&(allow(writes) + source)).await;
    gateway.put("open.txt", "open");
    let s3 = sdk(&gateway);
    for guess in [etag.as_str(), "\"0123456789abcdef0123456789abcdef\""] {
        for (operation, (code, _)) in outcomes(&s3, guess).await {
            assert_eq!(code, "AccessDenied", "{operation} of {guess}");
        }
    }
    // Whether there is an object is no content.
    let put = || {
        s3.put_object()
            .bucket(BUCKET)
            .key(SECRET)
            .body(b"4711".to_vec().into())
    };
    assert_eq!(
        failure(put().if_none_match("*").send().await),
        is("PreconditionFailed", 412)
    );
    put().if_match("*").send().await.unwrap();
    s3.delete_object()
        .bucket(BUCKET)
        .key(SECRET)
        .if_match("*")
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn condition_on_content_is_answered_to_readers() {
    let (gateway, etag) = gateway(&allow("'s3:*'")).await;
    gateway.put("open.txt", "open");
    let s3 = sdk(&gateway);
    for (operation, (code, _)) in outcomes(&s3, "\"0123456789abcdef0123456789abcdef\"").await {
        assert_eq!(code, "PreconditionFailed", "{operation}");
    }
    let put = s3.put_object().bucket(BUCKET).key(SECRET).if_match(etag);
    let stored = put.body(b"4712".to_vec().into()).send().await.unwrap();
    let delete = s3.delete_object().bucket(BUCKET).key(SECRET);
    delete.if_match(stored.e_tag().unwrap()).send().await.unwrap();
}

#[tokio::test]
async fn condition_on_content_obeys_the_objects_tags() {
    let pins = "\n[[signer.statement]]\nEffect = 'Deny'\nAction = 's3:GetObject'\nResource = '*'\n\
        Condition = { StringEquals = { 's3:ExistingObjectTag/class' = 'pin' } }\n";
    let (gateway, etag) = gateway(&(allow("'s3:*'") + pins)).await;
    gateway.put("open.txt", "open");
    let s3 = sdk(&gateway);
    for guess in [etag.as_str(), "\"0123456789abcdef0123456789abcdef\""] {
        for (operation, (code, _)) in outcomes(&s3, guess).await {
            assert_eq!(code, "AccessDenied", "{operation} of {guess}");
        }
    }
    // Another object is as readable as before.
    let put = |tag: &str| {
        let put = s3.put_object().bucket(BUCKET).key("open.txt").if_match(tag);
        put.body(b"new".to_vec().into()).send()
    };
    assert_eq!(failure(put("\"0\"").await), is("PreconditionFailed", 412));
    let head = s3
        .head_object()
        .bucket(BUCKET)
        .key("open.txt")
        .send()
        .await
        .unwrap();
    put(head.e_tag().unwrap()).await.unwrap();
}
