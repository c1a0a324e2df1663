//! Range, If-Range and the four conditions against an object of any size: the bytes that are chosen are the object's, and `Content-Range` names them.
#![no_main]

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use libfuzzer_sys::fuzz_target;
use postern::{
    s3::{ByteRange, Call, RangeOutcome, Target, read_object},
    types::{BucketName, ETag, ObjectAttributes, ObjectKey, Properties, Query},
};
use time::macros::datetime;

const HEADERS: [&str; 6] = ["range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];

/// The bytes that RFC 9110 section 14.1.2 means, in numbers that cannot overflow.
fn plainly(range: ByteRange, size: u64) -> Option<(u128, u128)> {
    let size = u128::from(size);
    let (first, end) = match range {
        ByteRange::Between(first, last) => (u128::from(first), (u128::from(last) + 1).min(size)),
        ByteRange::From(first) => (u128::from(first), size),
        ByteRange::Suffix(length) => (size - u128::from(length).min(size), size),
    };
    (first < end).then_some((first, end))
}

fuzz_target!(|data: &[u8]| {
    let Some((size, rest)) = data.split_first_chunk::<8>() else { return };
    let size = u64::from_le_bytes(*size);
    let mut headers = HeaderMap::new();
    for (name, line) in HEADERS.iter().zip(rest.split(|byte| *byte == b'\n')) {
        if let (false, Ok(value)) = (line.is_empty(), HeaderValue::from_bytes(line)) {
            headers.append(*name, value);
        }
    }
    let range = headers.get("range").and_then(|range| range.to_str().ok()).and_then(ByteRange::parse);
    if let Some(range) = range {
        let found = match range.resolve(size) {
            RangeOutcome::Partial(bytes) => Some((bytes.start.into(), bytes.end.into())),
            RangeOutcome::Unsatisfiable => None,
        };
        assert_eq!(found, plainly(range, size));
    }
    let target = Target::Object(BucketName::parse("bucket").unwrap(), ObjectKey::parse("key").unwrap());
    let query = Query::parse("").unwrap();
    let Ok(Call::GetObject(call)) = Call::parse(&Method::GET, &target, &query, &headers, "000000000000") else { return };
    let object = ObjectAttributes {
        size,
        etag: ETag::new("tag".to_owned()),
        last_modified: datetime!(2026-11-23 12:00 UTC),
        properties: Properties { content_type: "text/plain".to_owned(), ..Properties::default() },
    };
    let Ok(answer) = read_object(&call, &object) else { return };
    assert!(answer.bytes.start <= answer.bytes.end && answer.bytes.end <= size);
    match answer.status {
        StatusCode::OK => assert_eq!(answer.bytes, 0..size),
        StatusCode::PARTIAL_CONTENT => {
            let named = format!("bytes {}-{}/{size}", answer.bytes.start, answer.bytes.end - 1);
            assert_eq!(answer.headers.get("content-range").unwrap(), named.as_str());
        }
        StatusCode::NOT_MODIFIED => assert!(answer.bytes.is_empty()),
        other => panic!("{other}"),
    }
});
