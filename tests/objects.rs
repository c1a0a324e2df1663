//! Every operation of plain object work, asked for by AWS's own SDK, which signs in the Authorization header.

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider},
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{
        ChecksumAlgorithm, ChecksumMode, Delete, EncodingType, MetadataDirective, ObjectAttributes,
        ObjectIdentifier, Tag, Tagging,
    },
};
use postern::clock::Clock;

use crate::support::{ALICE, BUCKET, TestGateway, Wishes, policy};

/// Alice may do everything.
pub(crate) fn everything() -> String {
    policy(&["\n[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n"])
}

/// The SDK signs with the time of day, so the gateway keeps it too.
pub(crate) async fn gateway() -> TestGateway {
    TestGateway::with(Wishes {
        policy: Some(everything()),
        clock: Some(Clock::system()),
        ..Wishes::default()
    })
    .await
}

fn sdk_with(gateway: &TestGateway, secret: &str) -> Client {
    sdk_with_keys(gateway, (ALICE.0, secret))
}

pub(crate) fn sdk_with_keys(gateway: &TestGateway, (id, secret): (&str, &str)) -> Client {
    let credentials = Credentials::new(id, secret, None, None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(gateway.endpoint())
        .force_path_style(true)
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

pub(crate) fn sdk(gateway: &TestGateway) -> Client {
    sdk_with(gateway, ALICE.1)
}

/// The code and the status of a failure.
pub(crate) fn failure<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    outcome: Result<T, SdkError<E, aws_sdk_s3::config::http::HttpResponse>>,
) -> (String, u16) {
    let error = outcome.unwrap_err();
    let status = error
        .raw_response()
        .map_or(0, |response| response.status().as_u16());
    (error.code().unwrap_or_default().to_owned(), status)
}

pub(crate) fn is(code: &str, status: u16) -> (String, u16) {
    (code.to_owned(), status)
}

async fn put(s3: &Client, key: &str, body: impl Into<Vec<u8>>) {
    let body = ByteStream::from(body.into());
    s3.put_object()
        .bucket(BUCKET)
        .key(key)
        .body(body)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn an_object_comes_back_as_it_was_put() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let put = s3
        .put_object()
        .bucket(BUCKET)
        .key("films/a b+c.bin")
        .body(ByteStream::from(content.clone()))
        .content_type("video/x-test")
        .cache_control("max-age=60")
        .content_disposition("attachment")
        .content_encoding("gzip")
        .content_language("de")
        .metadata("title", "A film")
        .tagging("a=1&b=2")
        .checksum_algorithm(ChecksumAlgorithm::Crc32C)
        .send()
        .await
        .unwrap();
    let got = s3
        .get_object()
        .bucket(BUCKET)
        .key("films/a b+c.bin")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert_eq!(got.e_tag(), put.e_tag());
    assert_eq!(got.checksum_crc32_c(), put.checksum_crc32_c());
    assert!(put.checksum_crc32_c().is_some());
    assert_eq!(
        (
            got.content_type(),
            got.cache_control(),
            got.content_disposition(),
            got.content_encoding(),
            got.content_language()
        ),
        (
            Some("video/x-test"),
            Some("max-age=60"),
            Some("attachment"),
            Some("gzip"),
            Some("de")
        )
    );
    assert_eq!(got.metadata().unwrap()["title"], "A film");
    assert_eq!(got.tag_count(), Some(2));
    assert_eq!(got.body.collect().await.unwrap().to_vec(), content);
    // What an operator sees is the plain file.
    let file = gateway
        .folder
        .path()
        .join("data")
        .join(BUCKET)
        .join("films/a b+c.bin");
    assert_eq!(std::fs::read(file).unwrap(), content);
}

#[tokio::test]
async fn a_wrong_secret_a_wrong_checksum_and_a_changed_body_leave_nothing() {
    let gateway = gateway().await;
    let wrong = sdk_with(&gateway, "wrong");
    let outcome = wrong
        .put_object()
        .bucket(BUCKET)
        .key("never")
        .body(ByteStream::from_static(b"x"))
        .send()
        .await;
    assert_eq!(failure(outcome), is("SignatureDoesNotMatch", 403));
    let s3 = sdk(&gateway);
    let outcome = s3
        .put_object()
        .bucket(BUCKET)
        .key("never")
        .body(ByteStream::from_static(b"x"))
        .checksum_crc32("AAAAAA==")
        .send()
        .await;
    assert_eq!(failure(outcome), is("BadDigest", 400));
    let outcome = s3
        .put_object()
        .bucket(BUCKET)
        .key("never")
        .body(ByteStream::from_static(b"x"))
        .content_md5("1B2M2Y8AsgTpgAmY7PhCfg==")
        .send()
        .await;
    assert_eq!(failure(outcome), is("BadDigest", 400));
    let outcome = s3
        .put_object()
        .bucket(BUCKET)
        .key("never")
        .body(ByteStream::from_static(b"x"))
        .content_md5("short")
        .send()
        .await;
    assert_eq!(failure(outcome), is("InvalidDigest", 400));
    let outcome = s3.head_object().bucket(BUCKET).key("never").send().await;
    assert_eq!(failure(outcome).1, 404);
    let own = gateway.folder.path().join("data").join(BUCKET).join("~!tmp");
    assert_eq!(
        std::fs::read_dir(own).map_or(0, Iterator::count),
        0,
        "nothing is left behind"
    );
}

#[tokio::test]
async fn conditional_writes_hold_and_one_of_many_racing_writers_wins() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let racers = (0..8).map(|n| {
        let s3 = s3.clone();
        tokio::spawn(async move {
            let body = ByteStream::from(vec![n; 100_000]);
            s3.put_object()
                .bucket(BUCKET)
                .key("once")
                .if_none_match("*")
                .body(body)
                .send()
                .await
                .is_ok()
        })
    });
    let mut won = 0;
    for racer in racers.collect::<Vec<_>>() {
        won += usize::from(racer.await.unwrap());
    }
    assert_eq!(won, 1);
    let etag = s3
        .head_object()
        .bucket(BUCKET)
        .key("once")
        .send()
        .await
        .unwrap()
        .e_tag()
        .unwrap()
        .to_owned();
    let outcome = s3
        .put_object()
        .bucket(BUCKET)
        .key("once")
        .if_match("\"0\"")
        .body(ByteStream::from_static(b"x"))
        .send()
        .await;
    assert_eq!(failure(outcome), is("PreconditionFailed", 412));
    s3.put_object()
        .bucket(BUCKET)
        .key("once")
        .if_match(etag)
        .body(ByteStream::from_static(b"x"))
        .send()
        .await
        .unwrap();
    let outcome = s3
        .put_object()
        .bucket(BUCKET)
        .key("none")
        .if_match("*")
        .body(ByteStream::from_static(b"x"))
        .send()
        .await;
    assert_eq!(failure(outcome), is("NoSuchKey", 404));
}

#[tokio::test]
async fn listings_page_roll_up_and_carry_every_key() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let keys = ["a b", "a+b", "a-b", "a/1", "a/2", "a0", "x\u{1}y", "ü"];
    for key in keys {
        put(&s3, key, key).await;
    }
    let mut seen = Vec::new();
    let mut pages = s3
        .list_objects_v2()
        .bucket(BUCKET)
        .max_keys(3)
        .encoding_type(EncodingType::Url)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.key_count().unwrap() <= 3);
        for object in page.contents() {
            let key = percent_encoding::percent_decode_str(object.key().unwrap())
                .decode_utf8()
                .unwrap()
                .into_owned();
            assert_eq!(object.size(), Some(key.len() as i64));
            seen.push(key);
        }
    }
    assert_eq!(seen, keys);
    let rolled = s3
        .list_objects_v2()
        .bucket(BUCKET)
        .delimiter("/")
        .prefix("a")
        .start_after("a+b")
        .fetch_owner(true)
        .send()
        .await
        .unwrap();
    let prefixes: Vec<_> = rolled
        .common_prefixes()
        .iter()
        .map(|prefix| prefix.prefix().unwrap())
        .collect();
    let names: Vec<_> = rolled
        .contents()
        .iter()
        .map(|object| object.key().unwrap())
        .collect();
    assert_eq!((prefixes, names), (vec!["a/"], vec!["a-b", "a0"]));
    assert_eq!(rolled.contents()[0].owner().unwrap().id(), Some("000000000000"));
    let first = s3
        .list_objects()
        .bucket(BUCKET)
        .delimiter("/")
        .prefix("a")
        .max_keys(4)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (first.is_truncated(), first.next_marker()),
        (Some(true), Some("a/"))
    );
    let second = s3
        .list_objects()
        .bucket(BUCKET)
        .delimiter("/")
        .prefix("a")
        .marker("a/")
        .send()
        .await
        .unwrap();
    assert_eq!(
        second
            .contents()
            .iter()
            .map(|object| object.key().unwrap())
            .collect::<Vec<_>>(),
        ["a0"]
    );
    let outcome = s3
        .list_objects_v2()
        .bucket(BUCKET)
        .continuation_token("made up")
        .send()
        .await;
    assert_eq!(failure(outcome), is("InvalidArgument", 400));
    let outcome = s3.list_objects_v2().bucket("not-there").send().await;
    assert_eq!(failure(outcome), is("NoSuchBucket", 404));
}

#[tokio::test]
async fn copies_tags_and_attributes() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    s3.put_object()
        .bucket(BUCKET)
        .key("from")
        .body(ByteStream::from_static(b"content"))
        .content_type("text/one")
        .metadata("a", "1")
        .tagging("t=1")
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await
        .unwrap();
    s3.copy_object()
        .bucket(BUCKET)
        .key("to")
        .copy_source(format!("{BUCKET}/from"))
        .send()
        .await
        .unwrap();
    let to = s3
        .head_object()
        .bucket(BUCKET)
        .key("to")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (to.content_type(), to.metadata().unwrap()["a"].as_str()),
        (Some("text/one"), "1")
    );
    assert!(to.checksum_sha256().is_some());
    s3.copy_object()
        .bucket(BUCKET)
        .key("to")
        .copy_source(format!("{BUCKET}/to"))
        .metadata_directive(MetadataDirective::Replace)
        .content_type("text/two")
        .send()
        .await
        .unwrap();
    let to = s3.head_object().bucket(BUCKET).key("to").send().await.unwrap();
    assert_eq!(
        (
            to.content_type(),
            to.metadata().map_or(0, |metadata| metadata.len())
        ),
        (Some("text/two"), 0)
    );
    let outcome = s3
        .copy_object()
        .bucket(BUCKET)
        .key("to")
        .copy_source(format!("{BUCKET}/to"))
        .send()
        .await;
    assert_eq!(failure(outcome), is("InvalidRequest", 400));
    let outcome = s3
        .copy_object()
        .bucket(BUCKET)
        .key("to")
        .copy_source(format!("{BUCKET}/from"))
        .copy_source_if_match("\"0\"")
        .send()
        .await;
    assert_eq!(failure(outcome), is("PreconditionFailed", 412));
    // A dropped-in file has no MD5 until it is copied.
    gateway.put("dropped.txt", "dropped in");
    let copied = s3
        .copy_object()
        .bucket(BUCKET)
        .key("copied")
        .copy_source(format!("{BUCKET}/dropped.txt"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        copied.copy_object_result().unwrap().e_tag(),
        Some("\"3c48884f302b46198645ebab10713fd0\"")
    );

    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build().unwrap();
    let tags = Tagging::builder().tag_set(tag("x", "1 & 2")).build().unwrap();
    s3.put_object_tagging()
        .bucket(BUCKET)
        .key("dropped.txt")
        .tagging(tags)
        .send()
        .await
        .unwrap();
    let read = s3
        .get_object_tagging()
        .bucket(BUCKET)
        .key("dropped.txt")
        .send()
        .await
        .unwrap();
    assert_eq!(read.tag_set(), [tag("x", "1 & 2")]);
    s3.delete_object_tagging()
        .bucket(BUCKET)
        .key("dropped.txt")
        .send()
        .await
        .unwrap();
    assert!(
        s3.get_object_tagging()
            .bucket(BUCKET)
            .key("dropped.txt")
            .send()
            .await
            .unwrap()
            .tag_set()
            .is_empty()
    );
    let same = Tagging::builder()
        .tag_set(tag("x", ""))
        .tag_set(tag("x", ""))
        .build()
        .unwrap();
    let outcome = s3
        .put_object_tagging()
        .bucket(BUCKET)
        .key("to")
        .tagging(same)
        .send()
        .await;
    assert_eq!(failure(outcome), is("InvalidTag", 400));

    let told = s3
        .get_object_attributes()
        .bucket(BUCKET)
        .key("from")
        .object_attributes(ObjectAttributes::Etag)
        .object_attributes(ObjectAttributes::ObjectSize)
        .object_attributes(ObjectAttributes::Checksum)
        .object_attributes(ObjectAttributes::StorageClass)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (told.object_size(), told.e_tag()),
        (Some(7), Some("9a0364b9e99bb480dd25e1f0284c8555"))
    );
    assert_eq!(
        told.checksum().unwrap().checksum_sha256(),
        Some("7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M=")
    );
}

#[tokio::test]
async fn objects_are_deleted_one_by_one_and_many_at_once() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    for key in ["a", "b", "deep/er/c", "deep"] {
        put(&s3, key, "x").await;
    }
    s3.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    s3.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    let object = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder()
        .objects(object("b"))
        .objects(object("deep/er/c"))
        .objects(object("none"))
        .build()
        .unwrap();
    let done = s3
        .delete_objects()
        .bucket(BUCKET)
        .delete(delete)
        .send()
        .await
        .unwrap();
    assert_eq!((done.deleted().len(), done.errors().len()), (3, 0));
    let left = s3.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(
        left.contents()
            .iter()
            .map(|object| object.key().unwrap())
            .collect::<Vec<_>>(),
        ["deep"]
    );
}

#[tokio::test]
async fn buckets_are_made_found_described_and_removed() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    s3.create_bucket().bucket("films").send().await.unwrap();
    s3.create_bucket().bucket("films").send().await.unwrap();
    s3.head_bucket().bucket("films").send().await.unwrap();
    let listed = s3.list_buckets().send().await.unwrap();
    assert_eq!(
        listed
            .buckets()
            .iter()
            .map(|bucket| bucket.name().unwrap())
            .collect::<Vec<_>>(),
        ["films", BUCKET]
    );
    let page = s3.list_buckets().max_buckets(1).send().await.unwrap();
    let rest = s3
        .list_buckets()
        .continuation_token(page.continuation_token().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(rest.buckets()[0].name(), Some(BUCKET));
    let location = s3.get_bucket_location().bucket("films").send().await.unwrap();
    assert_eq!(
        location
            .location_constraint()
            .map_or("", |region| region.as_str()),
        ""
    );
    assert!(
        s3.get_bucket_versioning()
            .bucket("films")
            .send()
            .await
            .unwrap()
            .status()
            .is_none()
    );
    let outcome = s3
        .get_bucket_lifecycle_configuration()
        .bucket("films")
        .send()
        .await;
    assert_eq!(failure(outcome), is("NoSuchLifecycleConfiguration", 404));
    let outcome = s3.get_bucket_encryption().bucket("films").send().await;
    assert_eq!(
        failure(outcome),
        is("ServerSideEncryptionConfigurationNotFoundError", 404)
    );
    let outcome = s3.delete_bucket_lifecycle().bucket("films").send().await;
    assert_eq!(failure(outcome), is("NotImplemented", 501));
    s3.put_object()
        .bucket("films")
        .key("x")
        .body(ByteStream::from_static(b"x"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        failure(s3.delete_bucket().bucket("films").send().await),
        is("BucketNotEmpty", 409)
    );
    s3.delete_object().bucket("films").key("x").send().await.unwrap();
    s3.delete_bucket().bucket("films").send().await.unwrap();
    assert_eq!(
        failure(s3.delete_bucket().bucket("films").send().await),
        is("NoSuchBucket", 404)
    );
}

#[tokio::test]
async fn every_action_and_resource_of_a_call_needs_its_own_permission() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    put(&s3, "open/a", "x").await;
    put(&s3, "secret/a", "x").await;
    s3.create_bucket().bucket("other").send().await.unwrap();
    let statement = |effect: &str, action: &str, resource: &str| {
        format!(
            "\n[[signer.statement]]\nEffect = '{effect}'\nAction = [{action}]\nResource = 'arn:aws:s3:::{resource}'\n"
        )
    };
    let allowed = statement(
        "Allow",
        "'s3:GetObject', 's3:PutObject', 's3:DeleteObject'",
        "pres-url-test/open/*",
    );
    gateway.save_policy(&policy(&[&allowed])).await;
    // The target is allowed, the source is not.
    let outcome = s3
        .copy_object()
        .bucket(BUCKET)
        .key("open/b")
        .copy_source(format!("{BUCKET}/secret/a"))
        .send()
        .await;
    assert_eq!(failure(outcome), is("AccessDenied", 403));
    // The source is allowed, the target is not.
    let outcome = s3
        .copy_object()
        .bucket(BUCKET)
        .key("secret/b")
        .copy_source(format!("{BUCKET}/open/a"))
        .send()
        .await;
    assert_eq!(failure(outcome), is("AccessDenied", 403));
    // Tags need a permission of their own.
    let outcome = s3
        .put_object()
        .bucket(BUCKET)
        .key("open/t")
        .tagging("a=1")
        .body(ByteStream::from_static(b"x"))
        .send()
        .await;
    assert_eq!(failure(outcome), is("AccessDenied", 403));
    s3.put_object()
        .bucket(BUCKET)
        .key("open/t")
        .body(ByteStream::from_static(b"x"))
        .send()
        .await
        .unwrap();
    // Each key of many is asked for by itself.
    let object = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder()
        .objects(object("open/a"))
        .objects(object("secret/a"))
        .build()
        .unwrap();
    let done = s3
        .delete_objects()
        .bucket(BUCKET)
        .delete(delete)
        .send()
        .await
        .unwrap();
    assert_eq!(
        done.deleted()
            .iter()
            .map(|done| done.key().unwrap())
            .collect::<Vec<_>>(),
        ["open/a"]
    );
    assert_eq!(
        (done.errors()[0].key(), done.errors()[0].code()),
        (Some("secret/a"), Some("AccessDenied"))
    );
    for outcome in [
        failure(s3.list_buckets().send().await),
        failure(s3.list_objects_v2().bucket(BUCKET).send().await),
        failure(s3.create_bucket().bucket("third").send().await),
        failure(s3.delete_bucket().bucket("other").send().await),
    ] {
        assert_eq!(outcome, is("AccessDenied", 403));
    }
    assert!(!gateway.folder.path().join("data/third").exists());
}

#[tokio::test]
async fn the_number_of_tags_is_told_to_whoever_may_read_them() {
    let deny = |line: &str| {
        let deny = "\n[[statement]]\nEffect = 'Deny'\nAction = 's3:GetObjectTagging'\nResource = '*'\n";
        everything() + deny + line + "\n"
    };
    let other = "Condition = { StringEquals = { 's3:ExistingObjectTag/a' = '2' } }";
    let same = "Condition = { StringEquals = { 's3:ExistingObjectTag/a' = '1' } }";
    for (policy, count) in [
        (everything(), Some(2)),
        (deny(""), None),
        (deny(same), None),
        (deny(other), Some(2)),
    ] {
        let gateway = gateway().await;
        let s3 = sdk(&gateway);
        let body = ByteStream::from_static(b"tagged");
        let put = s3
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .tagging("a=1&b=2")
            .body(body);
        put.send().await.unwrap();
        gateway
            .save_policy(&(policy.clone() + "\n# another generation\n"))
            .await;
        let got = s3.get_object().bucket(BUCKET).key("k").send().await.unwrap();
        let head = s3.head_object().bucket(BUCKET).key("k").send().await.unwrap();
        assert_eq!((got.tag_count(), head.tag_count()), (count, count), "{policy}");
    }
}

#[tokio::test]
async fn what_is_no_folder_is_no_way_for_a_key() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let outside = tempfile::tempdir().unwrap();
    let bucket = gateway.folder.path().join("data").join(BUCKET);
    std::fs::create_dir(bucket.join("a")).unwrap();
    std::os::unix::fs::symlink(outside.path(), bucket.join("a/link")).unwrap();
    for key in ["a/link/k", "a/link/b/k", "a/link"] {
        let put = s3.put_object().bucket(BUCKET).key(key);
        let put = put.body(ByteStream::from_static(b"x")).send().await;
        assert_eq!(failure(put), is("InvalidRequest", 400), "{key}");
        let get = s3.get_object().bucket(BUCKET).key(key).send().await;
        assert_eq!(failure(get), is("NoSuchKey", 404), "{key}");
    }
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    let record = gateway
        .record(|record| record.reason.as_deref() == Some("InTheWay"))
        .await;
    assert_eq!(record.status, Some(400));
}

/// The content of a copy that needs a new checksum is hashed in pieces of 16 MiB, and shared piece by piece.
#[tokio::test]
async fn long_copy_with_a_new_checksum_is_the_source() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let content: Vec<u8> = (0..(17 << 20) + 7_u32)
        .map(|at| (at.wrapping_mul(31) >> 5) as u8)
        .collect();
    put(&s3, "source", content.clone()).await;
    let copied = s3
        .copy_object()
        .bucket(BUCKET)
        .key("copy")
        .copy_source(format!("{BUCKET}/source"))
        .checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Sha1)
        .send()
        .await
        .unwrap();
    let result = copied.copy_object_result().unwrap();
    assert!(result.checksum_sha1().is_some());
    for key in ["source", "copy"] {
        let found = s3.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        assert_eq!(found.e_tag(), result.e_tag());
        assert!(
            found.body.collect().await.unwrap().into_bytes() == content,
            "{key}"
        );
    }
}
