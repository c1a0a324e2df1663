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
        (
            &[("x-amz-tagging", "class=a&Class=secret")],
            ErrorCode::InvalidTag,
        ),
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

#[test]
fn repeated_argument_with_two_values_is_refused() {
    for (raw, taken) in [
        ("partNumber=1&partNumber=2", false),
        ("partNumber=2&partNumber=1", false),
        ("response-content-type=a&x=1&response-content-type=b", false),
        ("X-Amz-Expires=1&X-Amz-Expires=2", false),
        ("X-Amz-Date=1&X-Amz-Date=2", true),
        ("partNumber=1&partNumber=1", true),
    ] {
        let code = read(raw, &[]).err();
        assert_eq!(code.is_none(), taken, "{raw}: {code:?}");
        assert!(
            code.is_none_or(|code| code == ErrorCode::InvalidArgument),
            "{raw}: {code:?}"
        );
    }
}

#[test]
fn condition_on_a_source_counts_in_a_link_too() {
    let source = ("x-amz-copy-source", "/abc/j");
    let copy = |raw: &str, sent: &[(&'static str, &str)]| match ask(Method::PUT, Some("k"), raw, sent) {
        Ok(Call::CopyObject(copy)) => copy,
        other => panic!("{other:?}"),
    };
    let by_header = copy("", &[source, ("x-amz-copy-source-if-match", "a")]);
    let by_link = copy("X-Amz-Copy-Source-If-Match=a", &[source]);
    assert_eq!(by_link, by_header);
    assert_ne!(by_link, copy("", &[source]));
    let alone = [("x-amz-copy-source-if-match", "a"), ("content-length", "1")];
    let refused = ask(Method::PUT, Some("k"), "", &alone).map(|_| ());
    assert_eq!(refused, Err(ErrorCode::NotImplemented));
}

/// What counts in a presigned query as the header does, and what AWS ignores there.
#[test]
fn presigned_parameter_counts_as_its_header() {
    let put = |raw: &str, sent: &[(&'static str, &str)]| {
        let sent: Vec<_> = sent.iter().copied().chain([("content-length", "1")]).collect();
        ask(Method::PUT, Some("k"), raw, &sent)
    };
    for (raw, code) in [
        ("X-Amz-Server-Side-Encryption=AES256", ErrorCode::NotImplemented),
        (
            "x-amz-server-side-encryption-customer-algorithm=AES256",
            ErrorCode::NotImplemented,
        ),
        ("X-Amz-Object-Lock-Mode=COMPLIANCE", ErrorCode::NotImplemented),
        ("x-amz-object-lock-legal-hold=ON", ErrorCode::NotImplemented),
        ("X-Amz-Acl=public-read", ErrorCode::AccessControlListNotSupported),
        ("x-amz-grant-read=id", ErrorCode::AccessControlListNotSupported),
        (
            "X-Amz-Expected-Bucket-Owner=111122223333",
            ErrorCode::AccessDenied,
        ),
        ("x-amz-storage-class=NONE", ErrorCode::InvalidStorageClass),
        ("X-Amz-Write-Offset-Bytes=1", ErrorCode::NotImplemented),
        ("x-amz-copy-source-if-match=a", ErrorCode::NotImplemented),
        (
            "x-amz-copy-source=%2Fabc%2Fj&x-amz-copy-source-if-none-match=a",
            ErrorCode::NotImplemented,
        ),
        (
            "x-amz-acl=private&X-Amz-Acl=public-read",
            ErrorCode::InvalidArgument,
        ),
    ] {
        assert_eq!(put(raw, &[]).map(|_| ()), Err(code), "{raw}");
    }
    for (header, raw) in [
        ("x-amz-acl", "x-amz-acl=public-read"),
        ("x-amz-meta-a", "X-Amz-Meta-A=2"),
    ] {
        let refused = put(raw, &[(header, "private")]).map(|_| ());
        assert_eq!(refused, Err(ErrorCode::InvalidArgument), "{raw} beside a header");
    }
    let Ok(Call::PutObject(write)) = put(
        "X-Amz-Meta-A=1&x-amz-meta-b=2&x-amz-storage-class=STANDARD_IA&x-amz-acl=private\
         &x-amz-tagging=a%3Db&x-amz-checksum-crc32=x&x-amz-copy-source=%2Fabc%2Fj",
        &[("x-amz-meta-a", "1")],
    ) else {
        panic!("not taken");
    };
    let metadata: Vec<_> = write.properties.user_metadata.into_iter().collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(metadata, [pair("a", "1"), pair("b", "2")]);
    assert_eq!(write.properties.storage_class.as_deref(), Some("STANDARD_IA"));
    assert!(write.properties.tags.is_empty() && write.integrity.checksum.is_none());
    // A signed header that was not sent has the parameter's value, so it is no other call without it.
    let listed = put(
        "X-Amz-SignedHeaders=host%3Bx-amz-copy-source&x-amz-copy-source=%2Fabc%2Fj",
        &[],
    );
    assert!(matches!(listed, Ok(Call::CopyObject(_))), "{listed:?}");
}

#[test]
fn header_has_one_value_however_it_is_sent() {
    let copy = |lines: &[&str]| {
        let sent: Vec<_> = lines.iter().map(|line| ("x-amz-copy-source", *line)).collect();
        match ask(Method::PUT, Some("k"), "", &sent) {
            Ok(Call::CopyObject(copy)) => Ok(copy.source.1.as_str().to_owned()),
            Ok(other) => panic!("{other:?}"),
            Err(code) => Err(code),
        }
    };
    assert_eq!(copy(&["/abc/a,x"]), Ok("a,x".to_owned()));
    assert_eq!(copy(&["/abc/a", "x"]), Ok("a,x".to_owned()), "what was hashed");
    assert_eq!(copy(&["/abc/a b"]), Ok("a b".to_owned()));
    assert_eq!(copy(&["/abc/a   b "]), Ok("a b".to_owned()), "what was hashed");
    let tagged = |lines: &[&str]| {
        let mut sent: Vec<_> = lines.iter().map(|line| ("x-amz-tagging", *line)).collect();
        sent.push(("content-length", "1"));
        match ask(Method::PUT, Some("k"), "", &sent) {
            Ok(Call::PutObject(write)) => write.properties.tags.first().map(|tag| tag.value.clone()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(tagged(&["a=b,c"]).as_deref(), Some("b,c"));
    assert_eq!(tagged(&["a=b", "c"]).as_deref(), Some("b,c"));
    assert_eq!(tagged(&["a=b  c"]).as_deref(), Some("b c"));
}

#[test]
fn header_that_selects_and_is_not_text_is_refused() {
    for name in [
        "x-amz-tagging",
        "x-amz-acl",
        "x-amz-storage-class",
        "x-amz-sdk-checksum-algorithm",
    ] {
        let sent = [(name, "\u{e9}"), ("content-length", "1")];
        let refused = ask(Method::PUT, Some("k"), "", &sent).map(|_| ());
        assert_eq!(refused, Err(ErrorCode::InvalidArgument), "{name}");
    }
    for (name, value, code) in [
        ("if-none-match", "*\u{e9}", ErrorCode::InvalidArgument),
        ("if-none-match", "\"\u{e9}\"", ErrorCode::NotImplemented),
        ("if-match", "\"a", ErrorCode::InvalidArgument),
    ] {
        let sent = [(name, value), ("content-length", "1")];
        assert_eq!(
            ask(Method::PUT, Some("k"), "", &sent).map(|_| ()),
            Err(code),
            "{name}: {value}"
        );
    }
    let sent = [("if-match", "\"\u{e9}\""), ("content-length", "1")];
    let Ok(Call::PutObject(write)) = ask(Method::PUT, Some("k"), "", &sent) else {
        panic!("not taken");
    };
    assert!(
        matches!(write.condition, WriteCondition::Matches(_)),
        "a tag that fits no object"
    );
}

#[test]
fn condition_on_content_needs_reading_and_one_on_existence_does_not() {
    let target = Target::Object(BucketName::parse("abc").unwrap(), ObjectKey::parse("k").unwrap());
    let complete = ("uploadId=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Method::POST);
    for (raw, method, sent) in [
        ("", Method::PUT, &[("content-length", "1")][..]),
        ("", Method::PUT, &[("x-amz-copy-source", "abc/other")]),
        ("", Method::DELETE, &[]),
        (complete.0, complete.1, &[]),
    ] {
        let reads = |condition: &[(&'static str, &str)]| {
            let headers = sent.iter().chain(condition);
            let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let query = Query::parse(raw).unwrap();
            let call = Call::parse(&method, &target, &query, &headers.collect(), "000000000000").unwrap();
            let needs = call.further_needs(&target);
            let reads = |need: &&Need<'_>| need.action == Action::GetObject && need.key.as_str() == "k";
            needs.iter().filter(reads).count()
        };
        assert_eq!(reads(&[("if-match", "\"t\"")]), 1, "{method} {raw}");
        assert_eq!(reads(&[("if-match", "*")]), 0, "{method} {raw}");
        assert_eq!(reads(&[]), 0, "{method} {raw}");
        if method != Method::DELETE {
            assert_eq!(reads(&[("if-none-match", "*")]), 0, "{method} {raw}");
        }
    }
}

#[test]
fn condition_that_is_not_built_keeps_what_it_guards() {
    for name in [
        "x-amz-if-match-initiated-time",
        "x-amz-if-match-last-modified-time",
        "x-amz-if-match-size",
    ] {
        for raw in ["", "uploadId=AAAA"] {
            let removed = ask(Method::DELETE, Some("k"), raw, &[(name, "1")]).map(|_| ());
            assert_eq!(removed, Err(ErrorCode::NotImplemented), "{name} {raw}");
            let raw = format!("{raw}&X-Amz-{}=1", &name["x-amz-".len()..]);
            let removed = ask(Method::DELETE, Some("k"), &raw, &[]).map(|_| ());
            assert_eq!(removed, Err(ErrorCode::NotImplemented), "a link with {raw}");
        }
    }
}
