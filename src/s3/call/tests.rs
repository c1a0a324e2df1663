//! What a request asks for, and what it is refused for.

use super::*;
use crate::types::{BucketName, ObjectKey};

fn read(raw: &str, sent: &[(&'static str, &str)]) -> Result<Call, ErrorCode> {
    let target = Target::Object(BucketName::parse("abc").unwrap(), ObjectKey::parse("k").unwrap());
    let headers = sent
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    let query = Query::parse(raw).unwrap();
    Call::parse(&Method::GET, &target, &query, &headers, "000000000000").map_err(|error| error.code())
}

#[test]
fn what_is_not_supported_is_never_ignored() {
    for (raw, headers, code) in [
        ("versionId=abc", &[][..], ErrorCode::InvalidArgument),
        ("versionId=", &[], ErrorCode::InvalidArgument),
        ("partNumber=0", &[], ErrorCode::InvalidArgument),
        ("partNumber=x", &[], ErrorCode::InvalidArgument),
        (
            "partNumber=1",
            &[("range", "bytes=0-1")],
            ErrorCode::InvalidRequest,
        ),
        (
            "",
            &[("x-amz-server-side-encryption-customer-key", "k")],
            ErrorCode::InvalidRequest,
        ),
        (
            "",
            &[("x-amz-server-side-encryption", "aws:kms")],
            ErrorCode::InvalidArgument,
        ),
        (
            "",
            &[("x-amz-expected-bucket-owner", "111122223333")],
            ErrorCode::AccessDenied,
        ),
    ] {
        assert_eq!(read(raw, headers), Err(code), "{raw} {headers:?}");
    }
}

#[test]
fn what_changes_nothing_is_taken() {
    let plain = Ok(Call::GetObject(ReadObject::default()));
    assert_eq!(read("versionId=null", &[]), plain);
    assert_eq!(read("x-id=GetObject", &[]), plain);
    assert_eq!(
        read("", &[("x-amz-expected-bucket-owner", "000000000000")]),
        plain
    );
}

fn ask(
    method: Method,
    key: Option<&str>,
    raw: &str,
    sent: &[(&'static str, &str)],
) -> Result<Call, ErrorCode> {
    let bucket = BucketName::parse("abc").unwrap();
    let target = match key {
        Some(key) => Target::Object(bucket, ObjectKey::parse(key).unwrap()),
        None => Target::Bucket(bucket),
    };
    let headers = sent
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    let query = Query::parse(raw).unwrap();
    Call::parse(&method, &target, &query, &headers, "000000000000").map_err(|error| error.code())
}

#[test]
fn what_a_write_asks_for_and_cannot_have_is_never_ignored() {
    let long = "v".repeat(2048);
    let eleven = (0..11).map(|n| format!("{n}=")).collect::<Vec<_>>().join("&");
    for (sent, code) in [
        (
            &[("x-amz-server-side-encryption", "AES256")][..],
            ErrorCode::NotImplemented,
        ),
        (
            &[("x-amz-server-side-encryption-customer-key", "k")],
            ErrorCode::NotImplemented,
        ),
        (
            &[("x-amz-object-lock-mode", "GOVERNANCE")],
            ErrorCode::NotImplemented,
        ),
        (&[("x-amz-write-offset-bytes", "1")], ErrorCode::NotImplemented),
        (
            &[("x-amz-acl", "public-read")],
            ErrorCode::AccessControlListNotSupported,
        ),
        (
            &[("x-amz-grant-read", "id=1")],
            ErrorCode::AccessControlListNotSupported,
        ),
        (
            &[("x-amz-expected-bucket-owner", "111122223333")],
            ErrorCode::AccessDenied,
        ),
        (&[("if-none-match", "\"tag\"")], ErrorCode::NotImplemented),
        (
            &[("if-none-match", "*"), ("if-match", "*")],
            ErrorCode::NotImplemented,
        ),
        (&[("content-md5", "short")], ErrorCode::InvalidDigest),
        (&[("x-amz-checksum-crc32", "short")], ErrorCode::InvalidRequest),
        (
            &[
                ("x-amz-checksum-crc32", "AAAAAA=="),
                ("x-amz-checksum-crc32c", "AAAAAA=="),
            ],
            ErrorCode::InvalidRequest,
        ),
        (
            &[
                ("x-amz-checksum-crc32", "AAAAAA=="),
                ("x-amz-sdk-checksum-algorithm", "SHA1"),
            ],
            ErrorCode::InvalidRequest,
        ),
        (
            &[("x-amz-sdk-checksum-algorithm", "MD4")],
            ErrorCode::InvalidRequest,
        ),
        (
            &[("x-amz-trailer", "x-amz-checksum-md4")],
            ErrorCode::InvalidRequest,
        ),
        (&[("x-amz-storage-class", "COLD")], ErrorCode::InvalidStorageClass),
        (&[("x-amz-meta-a", &long)], ErrorCode::MetadataTooLarge),
        (&[("x-amz-tagging", "a=1&a=2")], ErrorCode::InvalidArgument),
        (&[("x-amz-tagging", "%zz")], ErrorCode::InvalidArgument),
        (&[("x-amz-tagging", &eleven)], ErrorCode::BadRequest),
        (&[("content-length", "-1")], ErrorCode::InvalidArgument),
        (&[("content-length", "5368709121")], ErrorCode::EntityTooLarge),
    ] {
        let length = [("content-length", "1")];
        let declared = sent.iter().any(|(name, _)| *name == "content-length");
        let sent: Vec<_> = sent
            .iter()
            .chain(length.iter().filter(|_| !declared))
            .copied()
            .collect();
        assert_eq!(ask(Method::PUT, Some("k"), "", &sent), Err(code), "{sent:?}");
    }
    assert_eq!(
        ask(Method::PUT, Some("k"), "", &[]),
        Err(ErrorCode::MissingContentLength)
    );
    assert_eq!(
        ask(Method::DELETE, Some("k"), "versionId=v", &[]),
        Err(ErrorCode::InvalidArgument)
    );
    assert_eq!(
        ask(
            Method::PUT,
            None,
            "",
            &[("x-amz-bucket-object-lock-enabled", "true")]
        ),
        Err(ErrorCode::NotImplemented)
    );
}

#[test]
fn a_copy_names_its_source_in_one_way_only() {
    for (source, outcome) in [
        ("/other/a%20b%2Bc", Ok("a b+c")),
        ("other/a+b", Ok("a b")),
        ("other/a//b?versionId=null", Ok("a//b")),
        ("other/a?versionId=v", Err(ErrorCode::InvalidArgument)),
        ("other", Err(ErrorCode::InvalidArgument)),
        ("other/", Err(ErrorCode::InvalidArgument)),
        ("Other/a", Err(ErrorCode::InvalidArgument)),
        (
            "arn:aws:s3:us-west-2:1:accesspoint/a/object/b",
            Err(ErrorCode::NotImplemented),
        ),
        ("abc/k", Err(ErrorCode::InvalidRequest)),
    ] {
        let call = ask(Method::PUT, Some("k"), "", &[("x-amz-copy-source", source)]);
        let key = call.map(|call| match call {
            Call::CopyObject(copy) => copy.source.1.as_str().to_owned(),
            other => panic!("{other:?}"),
        });
        assert_eq!(key, outcome.map(str::to_owned), "{source}");
    }
    let moved = [("x-amz-copy-source", "abc/k"), ("x-amz-storage-class", "GLACIER")];
    assert!(ask(Method::PUT, Some("k"), "", &moved).is_ok());
    let odd = [
        ("x-amz-copy-source", "abc/j"),
        ("x-amz-metadata-directive", "MOVE"),
    ];
    assert_eq!(
        ask(Method::PUT, Some("k"), "", &odd),
        Err(ErrorCode::InvalidArgument)
    );
}

#[test]
fn a_listing_begins_where_it_is_told_and_refuses_what_it_does_not_know() {
    let list = |raw: &str| match ask(Method::GET, None, raw, &[]) {
        Ok(Call::ListObjects(list) | Call::ListObjectsV2(list)) => Ok(list),
        Ok(other) => panic!("{other:?}"),
        Err(code) => Err(code),
    };
    for (raw, position, max_keys) in [
        ("", None, 1000),
        ("marker=m&max-keys=5", Some("m"), 5),
        ("list-type=2&start-after=s&max-keys=5000", Some("s"), 1000),
        ("list-type=2&marker=m&max-keys=0", None, 0),
    ] {
        let list = list(raw).unwrap();
        assert_eq!(
            (list.start.position(), list.max_keys),
            (position, max_keys),
            "{raw}"
        );
    }
    let token = list(&format!(
        "list-type=2&start-after=s&continuation-token={}",
        token("t/é")
    ))
    .unwrap();
    assert_eq!(token.start.position(), Some("t/é"));
    for raw in [
        "max-keys=-1",
        "max-keys=x",
        "max-keys=99999999999",
        "encoding-type=base64",
        "list-type=3",
        "list-type=2&continuation-token=abc",
        "list-type=2&continuation-token=",
    ] {
        assert_eq!(list(raw), Err(ErrorCode::InvalidArgument), "{raw}");
    }
}
