//! Uploads in parts: by AWS's own SDK, by links, and by whoever should not.

use std::fs;

use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{
        ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
        ObjectAttributes,
    },
};
use http::Method;
use postern::clock::Clock;

use crate::{
    objects::{everything, failure, gateway, is, sdk, sdk_with_keys},
    support::{BUCKET, TestGateway, Wishes, client},
};

const MIB: usize = 1024 * 1024;

fn content(bytes: usize, salt: u32) -> Vec<u8> {
    (0..bytes as u32)
        .map(|n| ((n.wrapping_mul(31) >> 3) + salt) as u8)
        .collect()
}

async fn create(s3: &Client, key: &str) -> String {
    let made = s3
        .create_multipart_upload()
        .bucket(BUCKET)
        .key(key)
        .content_type("text/x-parts")
        .send();
    made.await.unwrap().upload_id().unwrap().to_owned()
}

async fn part(s3: &Client, key: &str, id: &str, number: i32, body: &[u8]) -> CompletedPart {
    let sent = s3
        .upload_part()
        .bucket(BUCKET)
        .key(key)
        .upload_id(id)
        .part_number(number)
        .body(ByteStream::from(body.to_vec()))
        .send()
        .await
        .unwrap();
    CompletedPart::builder()
        .part_number(number)
        .e_tag(sent.e_tag().unwrap())
        .build()
}

fn all(parts: Vec<CompletedPart>) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder().set_parts(Some(parts)).build()
}

/// What is left in the bucket of uploads on their way.
fn litter(gateway: &TestGateway) -> Vec<String> {
    let bucket = gateway.folder.path().join("data").join(BUCKET);
    let names = ["~!tmp", "~!uploads"].map(|own| {
        let entries = fs::read_dir(bucket.join(own)).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path().display().to_string())
            .collect::<Vec<_>>()
    });
    names.concat()
}

#[tokio::test]
async fn parts_become_one_object_in_the_order_of_their_numbers() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let id = create(&s3, "film").await;
    let (one, two, three) = (content(5 * MIB, 1), content(5 * MIB + 7, 2), content(3, 3));
    let third = part(&s3, "film", &id, 9, &three).await;
    part(&s3, "film", &id, 2, b"replaced below").await;
    let first = part(&s3, "film", &id, 1, &one).await;
    let second = part(&s3, "film", &id, 2, &two).await;
    assert_eq!(
        failure(s3.get_object().bucket(BUCKET).key("film").send().await),
        is("NoSuchKey", 404)
    );
    let done = s3
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("film")
        .upload_id(&id)
        .multipart_upload(all(vec![first, second, third]))
        .send()
        .await
        .unwrap();
    let etag = done.e_tag().unwrap().to_owned();
    assert!(etag.ends_with("-3\""), "{etag}");
    assert_eq!(
        done.location(),
        Some(format!("{}/{BUCKET}/film", gateway.endpoint()).as_str())
    );
    let got = s3.get_object().bucket(BUCKET).key("film").send().await.unwrap();
    assert_eq!(
        (got.e_tag(), got.content_type()),
        (Some(etag.as_str()), Some("text/x-parts"))
    );
    let body = got.body.collect().await.unwrap().into_bytes();
    assert!(body == [one, two.clone(), three].concat());
    assert_eq!(litter(&gateway), [""; 0]);

    let second = s3
        .get_object()
        .bucket(BUCKET)
        .key("film")
        .part_number(2)
        .send()
        .await
        .unwrap();
    assert_eq!(second.parts_count(), Some(3));
    assert_eq!(second.content_range(), Some("bytes 5242880-10485766/10485770"));
    assert!(second.body.collect().await.unwrap().into_bytes() == two);
    let head = s3
        .head_object()
        .bucket(BUCKET)
        .key("film")
        .part_number(3)
        .send()
        .await
        .unwrap();
    assert_eq!((head.content_length(), head.parts_count()), (Some(3), Some(3)));
    let beyond = s3
        .get_object()
        .bucket(BUCKET)
        .key("film")
        .part_number(4)
        .send()
        .await;
    assert_eq!(failure(beyond), is("InvalidPartNumber", 416));
}

#[tokio::test]
async fn a_completion_that_names_what_did_not_come_is_refused_and_the_upload_goes_on() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let id = create(&s3, "film").await;
    let small = part(&s3, "film", &id, 1, b"too small").await;
    let last = part(&s3, "film", &id, 2, b"last").await;
    let named = |number: i32, etag: &str| CompletedPart::builder().part_number(number).e_tag(etag).build();
    for (parts, code) in [
        (vec![small.clone(), last.clone()], "EntityTooSmall"),
        (vec![last.clone(), small.clone()], "InvalidPartOrder"),
        (vec![last.clone(), last.clone()], "InvalidPartOrder"),
        (vec![named(3, last.e_tag().unwrap())], "InvalidPart"),
        (vec![named(2, small.e_tag().unwrap())], "InvalidPart"),
        (vec![], "MalformedXML"),
    ] {
        let refused = s3
            .complete_multipart_upload()
            .bucket(BUCKET)
            .key("film")
            .upload_id(&id)
            .multipart_upload(all(parts))
            .send()
            .await;
        assert_eq!(failure(refused), is(code, 400));
    }
    let complete = || {
        s3.complete_multipart_upload()
            .bucket(BUCKET)
            .key("film")
            .upload_id(&id)
            .multipart_upload(all(vec![last.clone()]))
    };
    assert_eq!(
        failure(complete().mpu_object_size(5).send().await),
        is("InvalidRequest", 400)
    );
    assert_eq!(
        failure(complete().if_match("\"none\"").send().await),
        is("NoSuchKey", 404)
    );
    let done = complete().if_none_match("*").send().await.unwrap();
    // A client that lost the answer asks again.
    assert_eq!(complete().send().await.unwrap().e_tag(), done.e_tag());
    let got = s3.get_object().bucket(BUCKET).key("film").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), "last");
    let late = s3
        .upload_part()
        .bucket(BUCKET)
        .key("film")
        .upload_id(&id)
        .part_number(1);
    assert_eq!(
        failure(late.body(ByteStream::from_static(b"x")).send().await),
        is("NoSuchUpload", 404)
    );
    s3.delete_object()
        .bucket(BUCKET)
        .key("film")
        .send()
        .await
        .unwrap();
    assert_eq!(failure(complete().send().await), is("NoSuchUpload", 404));
    assert_eq!(litter(&gateway), [""; 0]);
}

#[tokio::test]
async fn checksums_of_parts_make_up_that_of_the_object() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let bodies = [content(5 * MIB, 1), content(100, 2)];
    for (algorithm, kind) in [
        (ChecksumAlgorithm::Crc32, ChecksumType::Composite),
        (ChecksumAlgorithm::Crc32, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc32C, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject),
        (ChecksumAlgorithm::Sha1, ChecksumType::Composite),
        (ChecksumAlgorithm::Sha256, ChecksumType::Composite),
    ] {
        let name = format!("{algorithm}-{kind}");
        let made = s3
            .create_multipart_upload()
            .bucket(BUCKET)
            .key(&name)
            .checksum_algorithm(algorithm.clone())
            .checksum_type(kind.clone())
            .send()
            .await
            .unwrap();
        let id = made.upload_id().unwrap();
        let mut parts = Vec::new();
        for (number, body) in (1..).zip(&bodies) {
            let sent = s3
                .upload_part()
                .bucket(BUCKET)
                .key(&name)
                .upload_id(id)
                .part_number(number)
                .checksum_algorithm(algorithm.clone())
                .body(ByteStream::from(body.clone()))
                .send()
                .await
                .unwrap();
            parts.push(
                CompletedPart::builder()
                    .part_number(number)
                    .e_tag(sent.e_tag().unwrap())
                    .set_checksum_crc32(sent.checksum_crc32().map(str::to_owned))
                    .set_checksum_crc32_c(sent.checksum_crc32_c().map(str::to_owned))
                    .set_checksum_crc64_nvme(sent.checksum_crc64_nvme().map(str::to_owned))
                    .set_checksum_sha1(sent.checksum_sha1().map(str::to_owned))
                    .set_checksum_sha256(sent.checksum_sha256().map(str::to_owned))
                    .build(),
            );
        }
        let complete = |parts| {
            s3.complete_multipart_upload()
                .bucket(BUCKET)
                .key(&name)
                .upload_id(id)
                .multipart_upload(all(parts))
        };
        if kind == ChecksumType::Composite {
            let bare: Vec<_> = parts
                .iter()
                .map(|p| {
                    CompletedPart::builder()
                        .set_part_number(p.part_number())
                        .set_e_tag(p.e_tag().map(str::to_owned))
                        .build()
                })
                .collect();
            assert_eq!(
                failure(complete(bare).send().await),
                is("InvalidRequest", 400),
                "{name}"
            );
        } else {
            // What one upload of the whole has is what its parts must come to.
            let whole = s3
                .put_object()
                .bucket(BUCKET)
                .key("whole")
                .checksum_algorithm(algorithm.clone())
                .body(ByteStream::from(bodies.concat()));
            let whole = whole.send().await.unwrap();
            let wrong = complete(parts.clone())
                .set_checksum_crc32(whole.checksum_crc32().map(|_| "AAAAAA==".to_owned()))
                .set_checksum_crc32_c(whole.checksum_crc32_c().map(|_| "AAAAAA==".to_owned()))
                .set_checksum_crc64_nvme(whole.checksum_crc64_nvme().map(|_| "AAAAAAAAAAA=".to_owned()));
            assert_eq!(failure(wrong.send().await), is("BadDigest", 400), "{name}");
        }
        let done = complete(parts).checksum_type(kind.clone()).send().await.unwrap();
        let got = s3
            .get_object()
            .bucket(BUCKET)
            .key(&name)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .unwrap();
        assert_eq!(got.checksum_type(), Some(&kind), "{name}");
        assert_eq!(
            (
                got.checksum_crc32(),
                got.checksum_crc32_c(),
                got.checksum_crc64_nvme(),
                got.checksum_sha1(),
                got.checksum_sha256()
            ),
            (
                done.checksum_crc32(),
                done.checksum_crc32_c(),
                done.checksum_crc64_nvme(),
                done.checksum_sha1(),
                done.checksum_sha256()
            ),
        );
        // The SDK holds a full object's checksum against the bytes itself.
        assert!(
            got.body.collect().await.unwrap().into_bytes() == bodies.concat(),
            "{name}"
        );
        let told = s3
            .get_object_attributes()
            .bucket(BUCKET)
            .key(&name)
            .object_attributes(ObjectAttributes::ObjectParts)
            .max_parts(1)
            .part_number_marker("1");
        let told = told.send().await.unwrap();
        let told = told.object_parts().unwrap();
        assert_eq!(
            (told.total_parts_count(), told.is_truncated()),
            (Some(2), Some(false))
        );
        assert_eq!(
            (told.parts()[0].part_number(), told.parts()[0].size()),
            (Some(2), Some(100))
        );
    }
    for (algorithm, kind) in [
        (ChecksumAlgorithm::Sha256, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc64Nvme, ChecksumType::Composite),
    ] {
        let odd = s3.create_multipart_upload().bucket(BUCKET).key("odd");
        let odd = odd.checksum_algorithm(algorithm).checksum_type(kind).send().await;
        assert_eq!(failure(odd), is("InvalidRequest", 400));
    }
}

#[tokio::test]
async fn parts_are_copied_from_objects() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let source = content(6 * MIB, 1);
    s3.put_object()
        .bucket(BUCKET)
        .key("from")
        .body(ByteStream::from(source.clone()))
        .send()
        .await
        .unwrap();
    let id = create(&s3, "to").await;
    let copy = |number: i32| {
        s3.upload_part_copy()
            .bucket(BUCKET)
            .key("to")
            .upload_id(&id)
            .part_number(number)
            .copy_source(format!("{BUCKET}/from"))
    };
    let done = |number, etag: &str| CompletedPart::builder().part_number(number).e_tag(etag).build();
    let whole = copy(1).send().await.unwrap();
    let range = copy(2).copy_source_range("bytes=10-19").send().await.unwrap();
    for outside in ["bytes=0-6291456", "bytes=5-4", "bytes=0-", "0-5"] {
        assert_eq!(
            failure(copy(3).copy_source_range(outside).send().await),
            is("InvalidArgument", 400),
            "{outside}"
        );
    }
    let stale = copy(3).copy_source_if_match("\"other\"").send().await;
    assert_eq!(failure(stale), is("PreconditionFailed", 412));
    let etag = |part: &aws_sdk_s3::operation::upload_part_copy::UploadPartCopyOutput| {
        part.copy_part_result().unwrap().e_tag().unwrap().to_owned()
    };
    s3.complete_multipart_upload()
        .bucket(BUCKET)
        .key("to")
        .upload_id(&id)
        .multipart_upload(all(vec![done(1, &etag(&whole)), done(2, &etag(&range))]))
        .send()
        .await
        .unwrap();
    let got = s3.get_object().bucket(BUCKET).key("to").send().await.unwrap();
    assert!(got.body.collect().await.unwrap().into_bytes() == [&source[..], &source[10..20]].concat());
}

#[tokio::test]
async fn parts_and_uploads_are_listed_page_by_page_and_an_abort_leaves_none() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let id = create(&s3, "a/1").await;
    for (number, body) in [(1, "one"), (3, "three"), (200, "many")] {
        part(&s3, "a/1", &id, number, body.as_bytes()).await;
    }
    let list = |marker: Option<&str>| {
        s3.list_parts()
            .bucket(BUCKET)
            .key("a/1")
            .upload_id(&id)
            .max_parts(2)
            .set_part_number_marker(marker.map(str::to_owned))
    };
    let page = list(None).send().await.unwrap();
    let numbers = |page: &aws_sdk_s3::operation::list_parts::ListPartsOutput| {
        page.parts()
            .iter()
            .map(|part| (part.part_number().unwrap(), part.size().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (numbers(&page), page.is_truncated()),
        (vec![(1, 3), (3, 5)], Some(true))
    );
    assert!(page.initiator().unwrap().id().unwrap().ends_with(":user/alice"));
    let rest = list(page.next_part_number_marker()).send().await.unwrap();
    assert_eq!(
        (numbers(&rest), rest.is_truncated()),
        (vec![(200, 4)], Some(false))
    );

    let (again, other) = (create(&s3, "a/1").await, create(&s3, "b").await);
    let mut seen = Vec::new();
    let (mut key, mut marker) = (None, None);
    loop {
        let page = s3
            .list_multipart_uploads()
            .bucket(BUCKET)
            .max_uploads(1)
            .set_key_marker(key)
            .set_upload_id_marker(marker)
            .send()
            .await
            .unwrap();
        seen.extend(
            page.uploads()
                .iter()
                .map(|upload| upload.upload_id().unwrap().to_owned()),
        );
        if page.is_truncated() != Some(true) {
            break;
        }
        (key, marker) = (
            page.next_key_marker().map(str::to_owned),
            page.next_upload_id_marker().map(str::to_owned),
        );
    }
    seen.sort();
    let mut expected = vec![id.clone(), again.clone(), other.clone()];
    expected.sort();
    assert_eq!(seen, expected);
    let rolled = s3
        .list_multipart_uploads()
        .bucket(BUCKET)
        .delimiter("/")
        .send()
        .await
        .unwrap();
    assert_eq!(rolled.common_prefixes()[0].prefix(), Some("a/"));
    assert_eq!(rolled.uploads().len(), 1);

    for (key, id) in [("a/1", &id), ("a/1", &again), ("b", &other)] {
        s3.abort_multipart_upload()
            .bucket(BUCKET)
            .key(key)
            .upload_id(id)
            .send()
            .await
            .unwrap();
        let again = s3
            .abort_multipart_upload()
            .bucket(BUCKET)
            .key(key)
            .upload_id(id)
            .send()
            .await;
        assert_eq!(failure(again), is("NoSuchUpload", 404));
    }
    assert_eq!(failure(list(None).send().await), is("NoSuchUpload", 404));
    assert!(
        s3.list_multipart_uploads()
            .bucket(BUCKET)
            .send()
            .await
            .unwrap()
            .uploads()
            .is_empty()
    );
    assert_eq!(litter(&gateway), [""; 0]);
}

#[tokio::test]
async fn an_upload_is_its_initiators_its_keys_and_its_buckets_alone() {
    let (id, secret) = ("AKIABOB0000000000000", "bob/secret");
    let bob = format!(
        "\n[[signer]]\nname = 'bob'\naccess_key_id = '{id}'\nsecret_access_key = '{secret}'\n\
         [[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n"
    );
    let gateway = TestGateway::with(Wishes {
        policy: Some(everything() + &bob),
        clock: Some(Clock::system()),
        ..Wishes::default()
    })
    .await;
    let (alice, bob) = (sdk(&gateway), sdk_with_keys(&gateway, (id, secret)));
    alice.create_bucket().bucket("other").send().await.unwrap();
    let id = create(&alice, "film").await;
    let last = part(&alice, "film", &id, 1, b"alice's").await;
    let send = |s3: &Client, bucket: &str, key: &str, id: &str| {
        let sent = s3
            .upload_part()
            .bucket(bucket)
            .key(key)
            .upload_id(id)
            .part_number(1);
        sent.body(ByteStream::from_static(b"bob's")).send()
    };
    for (s3, bucket, key, id) in [
        (&bob, BUCKET, "film", id.as_str()),
        (&alice, BUCKET, "other", &id),
        (&alice, "other", "film", &id),
        (&alice, BUCKET, "film", "0123456789abcdef0123456789abcdef"),
        (&alice, BUCKET, "film", "../~!tmp"),
        (&alice, BUCKET, "film", "..%2f"),
    ] {
        assert_eq!(
            failure(send(s3, bucket, key, id).await),
            is("NoSuchUpload", 404),
            "{bucket} {key} {id}"
        );
    }
    let steal = bob
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("film")
        .upload_id(&id)
        .multipart_upload(all(vec![last]));
    assert_eq!(failure(steal.send().await), is("NoSuchUpload", 404));
    // An operator cleans up after others.
    bob.abort_multipart_upload()
        .bucket(BUCKET)
        .key("film")
        .upload_id(&id)
        .send()
        .await
        .unwrap();
    assert_eq!(litter(&gateway), [""; 0]);
}

#[tokio::test]
async fn a_part_that_fails_at_its_last_byte_leaves_the_one_before() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let id = create(&s3, "film").await;
    let good = part(&s3, "film", &id, 1, b"good").await;
    let wrong = s3
        .upload_part()
        .bucket(BUCKET)
        .key("film")
        .upload_id(&id)
        .part_number(1);
    let wrong = wrong
        .checksum_crc32("AAAAAA==")
        .body(ByteStream::from_static(b"bad"));
    assert_eq!(failure(wrong.send().await), is("BadDigest", 400));
    let parts = s3
        .list_parts()
        .bucket(BUCKET)
        .key("film")
        .upload_id(&id)
        .send()
        .await
        .unwrap();
    assert_eq!(parts.parts()[0].e_tag(), good.e_tag());
    assert_eq!(parts.parts().len(), 1);
    assert_eq!(litter(&gateway).len(), 1);
}

#[tokio::test]
async fn links_for_each_part_make_up_an_object() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let id = create(&s3, "by link").await;
    let mut document = String::from("<CompleteMultipartUpload>");
    let bodies = [content(5 * MIB, 1), b"end".to_vec()];
    for (number, body) in (1..).zip(&bodies) {
        let query = [("partNumber", number.to_string()), ("uploadId", id.clone())];
        let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
        let url = gateway.sign(&Method::PUT, "by link", &query, &[]);
        let answer = client::send_body(gateway.address, Method::PUT, &url, &[], body.clone().into()).await;
        assert_eq!(answer.status.as_u16(), 200);
        let etag = answer.headers["etag"].to_str().unwrap();
        document += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
        let other = url.replace(&format!("partNumber={number}"), "partNumber=7");
        let answer = client::send_body(gateway.address, Method::PUT, &other, &[], "x".into()).await;
        assert_eq!(answer.status.as_u16(), 403);
    }
    document += "</CompleteMultipartUpload>";
    let url = gateway.sign(&Method::POST, "by link", &[("uploadId", &id)], &[]);
    let answer = client::send_body(gateway.address, Method::POST, &url, &[], document.into()).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let answer = gateway.get(&gateway.link(&Method::GET, "by link")).await;
    assert!(answer.body == bodies.concat());
}

#[tokio::test]
async fn completions_at_once_all_get_the_one_object() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let id = create(&s3, "film").await;
    let parts = all(vec![
        part(&s3, "film", &id, 1, &content(5 * MIB, 1)).await,
        part(&s3, "film", &id, 2, b"end").await,
    ]);
    let complete = || {
        let complete = s3.complete_multipart_upload().bucket(BUCKET).key("film");
        complete.upload_id(&id).multipart_upload(parts.clone()).send()
    };
    let (one, two, three, four) = tokio::join!(complete(), complete(), complete(), complete());
    let tags = [one, two, three, four].map(|done| done.unwrap().e_tag().unwrap().to_owned());
    assert!(tags.iter().all(|tag| *tag == tags[0]), "{tags:?}");
    assert_eq!(litter(&gateway), [""; 0]);
}

#[tokio::test]
async fn a_finished_upload_is_completed_again_by_its_initiator() {
    let (id, secret) = ("AKIABOB0000000000000", "bob/secret");
    let bob = format!(
        "\n[[signer]]\nname = 'bob'\naccess_key_id = '{id}'\nsecret_access_key = '{secret}'\n\
         [[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n"
    );
    let gateway = TestGateway::with(Wishes {
        policy: Some(everything() + &bob),
        clock: Some(Clock::system()),
        ..Wishes::default()
    })
    .await;
    let (alice, bob) = (sdk(&gateway), sdk_with_keys(&gateway, (id, secret)));
    let id = create(&alice, "film").await;
    let parts = all(vec![part(&alice, "film", &id, 1, b"alice's").await]);
    let complete = |s3: &Client| {
        let complete = s3.complete_multipart_upload().bucket(BUCKET).key("film");
        complete.upload_id(&id).multipart_upload(parts.clone()).send()
    };
    let first = complete(&alice).await.unwrap();
    let again = complete(&alice).await.unwrap();
    assert_eq!(first.e_tag(), again.e_tag());
    assert_eq!(failure(complete(&bob).await), is("NoSuchUpload", 404));
}

#[tokio::test]
async fn a_missing_part_is_told_before_a_small_one() {
    let gateway = gateway().await;
    let s3 = sdk(&gateway);
    let id = create(&s3, "film").await;
    let one = part(&s3, "film", &id, 1, b"small").await;
    let two = part(&s3, "film", &id, 2, b"small").await;
    let missing = CompletedPart::builder()
        .part_number(3)
        .e_tag(two.e_tag().unwrap());
    let complete = |parts| {
        let complete = s3.complete_multipart_upload().bucket(BUCKET).key("film");
        complete.upload_id(&id).multipart_upload(all(parts)).send()
    };
    let with_missing = complete(vec![one.clone(), two.clone(), missing.build()]).await;
    assert_eq!(failure(with_missing), is("InvalidPart", 400));
    assert_eq!(failure(complete(vec![one, two]).await), is("EntityTooSmall", 400));
}
