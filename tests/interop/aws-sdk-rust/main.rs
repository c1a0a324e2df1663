//! What the AWS SDK for Rust does with a store: one function a case of ../cases.txt.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing
)] // a case stops at its first surprise, and says what it was on standard output

use std::{env, future::Future, process::ExitCode, sync::Arc, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
    presigning::{PresignedRequest, PresigningConfig},
    primitives::ByteStream,
    types::{
        ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, CorsConfiguration,
        CorsRule, Delete, ObjectIdentifier, Tag, Tagging,
    },
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy, rt::TokioExecutor};
use md5::{Digest, Md5};

const MIB: usize = 1024 * 1024;
const STRANGE_KEYS: [&str; 10] = [
    "plain.txt",
    "with space and + plus",
    "ünïcode/日本語.txt",
    "double//slash",
    "/leading",
    "trailing/",
    "percent%20%2F%",
    "quotes'\"`<>&",
    "dots/../and/./more",
    "~=tilde/~@",
];

type Failure<E> = SdkError<E, aws_sdk_s3::config::http::HttpResponse>;

/// The store, by the SDK.
struct Store {
    s3: Client,
    bucket: String,
}

fn client(secret: &str) -> Client {
    let id = env::var("AWS_ACCESS_KEY_ID").unwrap();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(env::var("ENDPOINT").unwrap())
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .credentials_provider(Credentials::new(id, secret, None, None, "interop"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

fn fails<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    outcome: Result<T, Failure<E>>,
    code: &str,
    status: u16,
) {
    let error = outcome.expect_err(code);
    let told = error.raw_response().map(|response| response.status().as_u16());
    assert_eq!((error.code().unwrap_or(code), told), (code, Some(status)));
}

fn random(size: usize) -> Vec<u8> {
    let mut body = vec![0; size];
    getrandom::fill(&mut body).unwrap();
    body
}

fn stream(body: &[u8]) -> ByteStream {
    ByteStream::from(body.to_vec())
}

/// Uses a link with plain HTTP.
async fn follow(link: &PresignedRequest, method: &str, body: &[u8]) -> Response<Bytes> {
    fetch(link.uri(), method, link.headers(), body).await
}

async fn fetch<'h>(
    url: &str,
    method: &str,
    headers: impl Iterator<Item = (&'h str, &'h str)>,
    body: &[u8],
) -> Response<Bytes> {
    let http = legacy::Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers.filter(|(name, _)| *name != "content-length") {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
    let (parts, body) = http.request(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

fn life() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(900)).unwrap()
}

impl Store {
    async fn put(&self, key: &str, body: &[u8]) {
        let put = self
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .body(stream(body));
        put.send().await.unwrap();
    }

    async fn get(&self, key: &str) -> Vec<u8> {
        let found = self
            .s3
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
            .unwrap();
        found.body.collect().await.unwrap().to_vec()
    }

    async fn keys(&self, prefix: &str) -> Vec<String> {
        let list = self
            .s3
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .max_keys(2);
        let mut pages = list.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            keys.extend(
                page.unwrap()
                    .contents()
                    .iter()
                    .map(|found| found.key().unwrap().to_owned()),
            );
        }
        keys
    }

    async fn remove(&self, keys: &[String]) {
        let objects = keys
            .iter()
            .map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
        let delete = Delete::builder()
            .set_objects(Some(objects.collect()))
            .build()
            .unwrap();
        let done = self
            .s3
            .delete_objects()
            .bucket(&self.bucket)
            .delete(delete)
            .send()
            .await
            .unwrap();
        assert!(done.errors().is_empty(), "{:?}", done.errors());
    }

    async fn is_missing(&self, key: &str) {
        fails(
            self.s3.head_object().bucket(&self.bucket).key(key).send().await,
            "NotFound",
            404,
        );
    }

    async fn begin(&self, key: &str) -> String {
        let begun = self
            .s3
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await;
        begun.unwrap().upload_id().unwrap().to_owned()
    }

    async fn complete(&self, key: &str, id: &str, etags: &[String]) {
        let parts = (1..)
            .zip(etags)
            .map(|(number, etag)| CompletedPart::builder().part_number(number).e_tag(etag).build());
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.collect()))
            .build();
        let complete = self.s3.complete_multipart_upload().bucket(&self.bucket).key(key);
        complete
            .upload_id(id)
            .multipart_upload(parts)
            .send()
            .await
            .unwrap();
    }

    async fn put_get(&self) {
        for body in [Vec::new(), b"some content\n".to_vec(), random(3_000_000)] {
            self.put("object", &body).await;
            assert!(self.get("object").await == body);
        }
    }

    async fn head(&self) {
        let body = random(1000);
        let put = self
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key("object")
            .body(stream(&body));
        put.content_type("text/x-test")
            .metadata("one", "1")
            .send()
            .await
            .unwrap();
        let told = self
            .s3
            .head_object()
            .bucket(&self.bucket)
            .key("object")
            .send()
            .await
            .unwrap();
        let etag = format!("\"{}\"", hex::encode(Md5::digest(&body)));
        assert_eq!(
            (told.content_length(), told.e_tag()),
            (Some(1000), Some(etag.as_str()))
        );
        assert_eq!(
            (told.content_type(), &told.metadata().unwrap()["one"]),
            (Some("text/x-test"), &"1".to_owned())
        );
        self.is_missing("none").await;
    }

    async fn ranges(&self) {
        let body = random(1000);
        self.put("object", &body).await;
        let ranged = |range: &str| {
            self.s3
                .get_object()
                .bucket(&self.bucket)
                .key("object")
                .range(range)
                .send()
        };
        for (range, expected) in [
            ("bytes=0-9", 0..10),
            ("bytes=100-199", 100..200),
            ("bytes=-10", 990..1000),
        ] {
            let part = ranged(range)
                .await
                .unwrap()
                .body
                .collect()
                .await
                .unwrap()
                .to_vec();
            assert!(part == body[expected], "{range}");
        }
        fails(ranged("bytes=1000-").await, "InvalidRange", 416);
    }

    async fn list(&self) {
        let names = ["l/a-b", "l/a.b", "l/a/1", "l/a/2", "l/a0", "l/b"];
        for name in names {
            self.put(name, b"").await;
        }
        assert_eq!(self.keys("l/").await, names);
        let rolled = self
            .s3
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix("l/")
            .delimiter("/")
            .send()
            .await
            .unwrap();
        assert_eq!(rolled.common_prefixes()[0].prefix(), Some("l/a/"));
        assert_eq!((rolled.common_prefixes().len(), rolled.contents().len()), (1, 4));
    }

    async fn copy(&self) {
        let put = self
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key("from")
            .body(stream(b"content"));
        put.content_type("text/one").send().await.unwrap();
        let copy = |from: &str| {
            let source = format!("{}/{from}", self.bucket);
            self.s3
                .copy_object()
                .bucket(&self.bucket)
                .key("to")
                .copy_source(source)
                .send()
        };
        copy("from").await.unwrap();
        assert_eq!(self.get("to").await, b"content");
        let told = self
            .s3
            .head_object()
            .bucket(&self.bucket)
            .key("to")
            .send()
            .await
            .unwrap();
        assert_eq!(told.content_type(), Some("text/one"));
        fails(copy("none").await, "NoSuchKey", 404);
    }

    async fn delete(&self) {
        for name in ["d/1", "d/2", "d/3"] {
            self.put(name, b"").await;
        }
        self.s3
            .delete_object()
            .bucket(&self.bucket)
            .key("d/1")
            .send()
            .await
            .unwrap();
        fails(
            self.s3.get_object().bucket(&self.bucket).key("d/1").send().await,
            "NoSuchKey",
            404,
        );
        self.remove(&["d/2".to_owned(), "d/3".to_owned()]).await;
        assert_eq!(self.keys("d/").await, [""; 0]);
    }

    async fn tags(&self) {
        self.put("tagged", b"").await;
        let tag = Tag::builder()
            .key("project")
            .value("blue & green")
            .build()
            .unwrap();
        let tagging = Tagging::builder().tag_set(tag.clone()).build().unwrap();
        let put = self
            .s3
            .put_object_tagging()
            .bucket(&self.bucket)
            .key("tagged")
            .tagging(tagging);
        put.send().await.unwrap();
        let read = || {
            self.s3
                .get_object_tagging()
                .bucket(&self.bucket)
                .key("tagged")
                .send()
        };
        assert_eq!(read().await.unwrap().tag_set(), [tag]);
        self.s3
            .delete_object_tagging()
            .bucket(&self.bucket)
            .key("tagged")
            .send()
            .await
            .unwrap();
        assert!(read().await.unwrap().tag_set().is_empty());
    }

    async fn conditional_write(&self) {
        let once = |body: &[u8]| {
            let put = self.s3.put_object().bucket(&self.bucket).key("once");
            put.if_none_match("*").body(stream(body)).send()
        };
        once(b"1").await.unwrap();
        fails(once(b"2").await, "PreconditionFailed", 412);
        assert_eq!(self.get("once").await, b"1");
    }

    async fn checksums(&self) {
        for algorithm in [
            ChecksumAlgorithm::Crc32,
            ChecksumAlgorithm::Crc32C,
            ChecksumAlgorithm::Crc64Nvme,
            ChecksumAlgorithm::Sha1,
            ChecksumAlgorithm::Sha256,
        ] {
            let put = self
                .s3
                .put_object()
                .bucket(&self.bucket)
                .key("sum")
                .body(stream(b"content"));
            let sent = put.checksum_algorithm(algorithm).send().await.unwrap();
            let head = self.s3.head_object().bucket(&self.bucket).key("sum");
            let told = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
            let told = [
                told.checksum_crc32(),
                told.checksum_crc32_c(),
                told.checksum_crc64_nvme(),
                told.checksum_sha1(),
                told.checksum_sha256(),
            ];
            let sent = [
                sent.checksum_crc32(),
                sent.checksum_crc32_c(),
                sent.checksum_crc64_nvme(),
                sent.checksum_sha1(),
                sent.checksum_sha256(),
            ];
            assert!(told == sent && told.iter().any(Option::is_some));
        }
        let put = self
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key("never")
            .body(stream(b"content"));
        fails(put.checksum_crc32("AAAAAA==").send().await, "BadDigest", 400);
        self.is_missing("never").await;
    }

    async fn strange_keys(&self) {
        let long = "k".repeat(1024);
        let strange: Vec<_> = STRANGE_KEYS
            .into_iter()
            .chain([long.as_str()])
            .map(str::to_owned)
            .collect();
        for key in &strange {
            self.put(key, key.as_bytes()).await;
            assert_eq!(self.get(key).await, key.as_bytes());
            assert_eq!(self.keys(key).await.first(), Some(key));
        }
        self.remove(&strange).await;
        let left = self.keys("").await;
        assert!(strange.iter().all(|key| !left.contains(key)));
    }

    /// The SDK has no transfer manager of its own: 13 parts, three at a time.
    async fn multipart(&self) {
        let body = random(100 * MIB);
        let id = self.begin("large").await;
        let mut etags = Vec::new();
        let pieces: Vec<_> = (1..).zip(body.chunks(8 * MIB)).collect();
        for batch in pieces.chunks(3) {
            let mut sending = Vec::new();
            for (number, piece) in batch {
                let part = self
                    .s3
                    .upload_part()
                    .bucket(&self.bucket)
                    .key("large")
                    .upload_id(&id);
                sending.push(tokio::spawn(part.part_number(*number).body(stream(piece)).send()));
            }
            for sent in sending {
                etags.push(sent.await.unwrap().unwrap().e_tag().unwrap().to_owned());
            }
        }
        self.complete("large", &id, &etags).await;
        let told = self
            .s3
            .head_object()
            .bucket(&self.bucket)
            .key("large")
            .send()
            .await
            .unwrap();
        assert!(told.e_tag().unwrap().ends_with("-13\""));
        assert!(self.get("large").await == body);
    }

    async fn multipart_steps(&self) {
        let id = self.begin("steps").await;
        let part = self
            .s3
            .upload_part()
            .bucket(&self.bucket)
            .key("steps")
            .upload_id(&id)
            .part_number(1);
        let sent = part.body(stream(&random(5 * MIB))).send().await.unwrap();
        let parts = || {
            self.s3
                .list_parts()
                .bucket(&self.bucket)
                .key("steps")
                .upload_id(&id)
                .send()
        };
        let listed = parts().await.unwrap();
        let part = &listed.parts()[0];
        assert_eq!(
            (part.part_number(), part.size(), part.e_tag()),
            (Some(1), Some(5 * MIB as i64), sent.e_tag())
        );
        let uploads = || self.s3.list_multipart_uploads().bucket(&self.bucket).send();
        let listed = uploads().await.unwrap();
        let upload = &listed.uploads()[0];
        assert_eq!(
            (upload.key(), upload.upload_id()),
            (Some("steps"), Some(id.as_str()))
        );
        let abort = self
            .s3
            .abort_multipart_upload()
            .bucket(&self.bucket)
            .key("steps")
            .upload_id(&id);
        abort.send().await.unwrap();
        fails(parts().await, "NoSuchUpload", 404);
        assert!(uploads().await.unwrap().uploads().is_empty());
    }

    async fn multipart_copy(&self) {
        let body = random(6 * MIB);
        self.put("from", &body).await;
        let id = self.begin("to").await;
        let mut etags = Vec::new();
        for (number, range) in [(1, None), (2, Some("bytes=10-19".to_owned()))] {
            let copy = self
                .s3
                .upload_part_copy()
                .bucket(&self.bucket)
                .key("to")
                .upload_id(&id)
                .part_number(number);
            let copy = copy
                .copy_source(format!("{}/from", self.bucket))
                .set_copy_source_range(range);
            let done = copy.send().await.unwrap();
            etags.push(done.copy_part_result().unwrap().e_tag().unwrap().to_owned());
        }
        self.complete("to", &id, &etags).await;
        assert!(self.get("to").await == [&body[..], &body[10..20]].concat());
    }

    async fn link_to_get(&self, key: &str) -> PresignedRequest {
        self.s3
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .presigned(life())
            .await
            .unwrap()
    }

    async fn presigned_get(&self) {
        for key in ["plain", "presigned/key +&ü.txt"] {
            self.put(key, b"by link").await;
            let answer = follow(&self.link_to_get(key).await, "GET", b"").await;
            assert_eq!(
                (answer.status().as_u16(), &answer.body()[..]),
                (200, &b"by link"[..])
            );
        }
    }

    async fn presigned_head(&self) {
        self.put("plain", b"by link").await;
        let link = self
            .s3
            .head_object()
            .bucket(&self.bucket)
            .key("plain")
            .presigned(life())
            .await
            .unwrap();
        let answer = follow(&link, "HEAD", b"").await;
        assert_eq!(
            (
                answer.status().as_u16(),
                answer.headers()["content-length"].as_bytes()
            ),
            (200, &b"7"[..])
        );
        assert_eq!(follow(&link, "GET", b"").await.status(), 403);
    }

    async fn presigned_put(&self) {
        let link = self
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key("put")
            .presigned(life())
            .await
            .unwrap();
        assert_eq!(follow(&link, "PUT", b"by link").await.status(), 200);
        assert_eq!(self.get("put").await, b"by link");
    }

    async fn presigned_delete(&self) {
        self.put("gone", b"").await;
        let link = self
            .s3
            .delete_object()
            .bucket(&self.bucket)
            .key("gone")
            .presigned(life())
            .await
            .unwrap();
        assert_eq!(follow(&link, "DELETE", b"").await.status(), 204);
        self.is_missing("gone").await;
    }

    async fn presigned_parts(&self) {
        let id = self.begin("by parts").await;
        let bodies = [random(5 * MIB), random(1024)];
        let mut etags = Vec::new();
        for (number, body) in (1..).zip(&bodies) {
            let part = self
                .s3
                .upload_part()
                .bucket(&self.bucket)
                .key("by parts")
                .upload_id(&id);
            let link = part.part_number(number).presigned(life()).await.unwrap();
            let answer = follow(&link, "PUT", body).await;
            assert_eq!(answer.status(), 200, "{:?}", answer.body());
            etags.push(answer.headers()["etag"].to_str().unwrap().to_owned());
        }
        self.complete("by parts", &id, &etags).await;
        assert!(self.get("by parts").await == bodies.concat());
    }

    async fn wrong_secret(&self) {
        let stranger = client("wrong");
        fails(
            stranger.list_objects_v2().bucket(&self.bucket).send().await,
            "SignatureDoesNotMatch",
            403,
        );
        let put = stranger
            .put_object()
            .bucket(&self.bucket)
            .key("never")
            .body(stream(b"x"));
        fails(put.send().await, "SignatureDoesNotMatch", 403);
        self.is_missing("never").await;
    }

    async fn tampered_url(&self) {
        self.put("object", b"").await;
        let link = self.link_to_get("object").await.uri().to_owned();
        for tampered in [
            link.replacen("/object", "/signed", 1),
            link.replacen("X-Amz-Expires=900", "X-Amz-Expires=901", 1),
            format!("{link}&x=y"),
        ] {
            let answer = fetch(&tampered, "GET", std::iter::empty(), b"").await;
            let told = String::from_utf8_lossy(answer.body()).into_owned();
            assert!(
                answer.status() == 403 && told.contains("SignatureDoesNotMatch"),
                "{told}"
            );
        }
    }

    async fn cors(&self) {
        let rule = CorsRule::builder()
            .allowed_origins("https://a.example")
            .allowed_methods("GET")
            .build()
            .unwrap();
        let rules = CorsConfiguration::builder().cors_rules(rule).build().unwrap();
        self.s3
            .put_bucket_cors()
            .bucket(&self.bucket)
            .cors_configuration(rules)
            .send()
            .await
            .unwrap();
        let read = || self.s3.get_bucket_cors().bucket(&self.bucket).send();
        assert_eq!(
            read().await.unwrap().cors_rules()[0].allowed_origins(),
            ["https://a.example"]
        );
        self.s3
            .delete_bucket_cors()
            .bucket(&self.bucket)
            .send()
            .await
            .unwrap();
        fails(read().await, "NoSuchCORSConfiguration", 404);
    }

    async fn buckets(&self) {
        let all = self.s3.list_buckets().send().await.unwrap();
        assert!(
            all.buckets()
                .iter()
                .any(|found| found.name() == Some(&self.bucket))
        );
        self.put("object", b"").await;
        fails(
            self.s3.delete_bucket().bucket(&self.bucket).send().await,
            "BucketNotEmpty",
            409,
        );
        self.remove(&self.keys("").await).await;
        self.s3.delete_bucket().bucket(&self.bucket).send().await.unwrap();
        fails(
            self.s3.head_bucket().bucket(&self.bucket).send().await,
            "NotFound",
            404,
        );
    }
}

/// Tells what became of a case; every one runs, whatever became of the one before.
async fn run(name: &str, case: impl Future<Output = ()> + Send + 'static) -> bool {
    match tokio::spawn(case).await {
        Ok(()) => {
            println!("ok {name}");
            true
        }
        Err(error) => {
            let panicked = error.into_panic();
            let told = panicked.downcast_ref::<String>().map_or("", String::as_str);
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            println!("not ok {name}: {}", told.chars().take(250).collect::<String>());
            false
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    println!("version aws-sdk-s3 {}", aws_sdk_s3::meta::PKG_VERSION);
    println!("n/a presigned-post: the AWS SDK for Rust does not sign forms");
    let store = Store {
        s3: client(&env::var("AWS_SECRET_ACCESS_KEY").unwrap()),
        bucket: env::var("BUCKET").unwrap(),
    };
    store
        .s3
        .create_bucket()
        .bucket(&store.bucket)
        .send()
        .await
        .unwrap();
    let store = Arc::new(store);
    let mut all = true;
    macro_rules! cases {
        ($($name:literal $case:ident,)*) => {
            $({
                let store = store.clone();
                all &= run($name, async move { store.$case().await }).await;
            })*
        };
    }
    cases! {
        "put-get" put_get,
        "head" head,
        "ranges" ranges,
        "list" list,
        "copy" copy,
        "delete" delete,
        "tags" tags,
        "conditional-write" conditional_write,
        "checksums" checksums,
        "keys" strange_keys,
        "multipart" multipart,
        "multipart-steps" multipart_steps,
        "multipart-copy" multipart_copy,
        "presigned-get" presigned_get,
        "presigned-head" presigned_head,
        "presigned-put" presigned_put,
        "presigned-delete" presigned_delete,
        "presigned-parts" presigned_parts,
        "wrong-secret" wrong_secret,
        "tampered-url" tampered_url,
        "cors" cors,
        "buckets" buckets,
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
