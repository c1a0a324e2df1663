//! The answer to GetObject and HeadObject: status, headers and which bytes, from the call and the object's attributes.

use std::{ops::Range, time::SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::types::{Checksum, ObjectAttributes, Parts, Properties, Tag};

use super::{
    ByteRange, ErrorCode, RangeOutcome, ReadObject, S3Error, checksum,
    preconditions::{Outcome, if_range_holds},
};

/// What to answer. The length of `bytes` is the answer's `Content-Length`, which goes with the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200, 206 or 304.
    pub status: StatusCode,
    /// Every header that speaks of the object.
    pub headers: HeaderMap,
    /// The bytes of the object to send; none with 304.
    pub bytes: Range<u64>,
}

/// Decides the answer. Errors: `PreconditionFailed`, `InvalidRange`, `InvalidPartNumber`.
pub fn read_object(call: &ReadObject, object: &ObjectAttributes) -> Result<Answer, S3Error> {
    // Most answers have eight; a map has room for 6, 12, 24…
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(header::ETAG, value(&["\"", object.etag.as_str(), "\""].concat()));
    headers.insert(
        header::LAST_MODIFIED,
        value(&httpdate::fmt_http_date(SystemTime::from(object.last_modified))),
    );
    match call.preconditions.evaluate(object) {
        Outcome::Proceed => {}
        Outcome::NotModified => {
            return Ok(Answer {
                status: StatusCode::NOT_MODIFIED,
                headers,
                bytes: 0..0,
            });
        }
        Outcome::Failed(condition) => {
            return Err(S3Error::new(ErrorCode::PreconditionFailed).with("Condition", condition));
        }
    }
    let (status, bytes) = selected(call, object)?;
    put_properties(&mut headers, &object.properties);
    if call.with_checksum {
        put_checksum(
            &mut headers,
            read_checksum(call, status, &object.properties).as_ref(),
        );
    }
    if let (Some(_), Some(parts)) = (call.part_number, &object.properties.parts) {
        headers.insert("x-amz-mp-parts-count", HeaderValue::from(parts.count()));
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // The part of an empty object is a whole without a first and a last byte: nothing that Content-Range could say.
    if let (StatusCode::PARTIAL_CONTENT, Some(last)) = (status, bytes.end.checked_sub(1)) {
        headers.insert(
            header::CONTENT_RANGE,
            value(&format!("bytes {}-{last}/{}", bytes.start, object.size)),
        );
    }
    call.overrides.apply(&mut headers);
    Ok(Answer {
        status,
        headers,
        bytes,
    })
}

/// The checksum of what is answered: of the whole object, or of a part that has its own. A range of bytes has none.
fn read_checksum(call: &ReadObject, status: StatusCode, properties: &Properties) -> Option<Checksum> {
    let whole = properties.checksum.as_ref()?;
    match (call.part_number, &properties.parts) {
        (Some(number), Some(parts)) => {
            let value = parts.checksum(number)?.to_vec();
            Some(Checksum::of_whole(whole.algorithm, value))
        }
        (Some(_), None) => Some(whole.clone()),
        (None, _) => (status == StatusCode::OK).then(|| whole.clone()),
    }
}

/// A checksum and its type.
pub(super) fn put_checksum(headers: &mut HeaderMap, found: Option<&Checksum>) {
    if let Some(found) = found {
        headers.insert(
            HeaderName::from_static(found.algorithm.header()),
            value(&checksum::text(found)),
        );
        headers.insert(
            "x-amz-checksum-type",
            HeaderValue::from_static(found.kind().name()),
        );
    }
}

/// Says how many tags an object has. AWS does so only to a requester who may read them.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
pub fn put_tagging_count(headers: &mut HeaderMap, tags: &[Tag]) {
    if !tags.is_empty() {
        headers.insert("x-amz-tagging-count", HeaderValue::from(tags.len()));
    }
}

/// What the writer said of the object.
fn put_properties(headers: &mut HeaderMap, properties: &Properties) {
    headers.insert(header::CONTENT_TYPE, value(&properties.content_type));
    let class = properties.storage_class.as_ref();
    for (name, text) in [
        (header::CACHE_CONTROL, &properties.cache_control),
        (header::CONTENT_DISPOSITION, &properties.content_disposition),
        (header::CONTENT_ENCODING, &properties.content_encoding),
        (header::CONTENT_LANGUAGE, &properties.content_language),
        (header::EXPIRES, &properties.expires),
    ] {
        if let Some(text) = text {
            headers.insert(name, value(text));
        }
    }
    if let Some(location) = &properties.website_redirect_location {
        headers.insert("x-amz-website-redirect-location", value(location));
    }
    if let Some(class) = class {
        headers.insert("x-amz-storage-class", value(class));
    }
    for (name, text) in &properties.user_metadata {
        if let Ok(name) = HeaderName::try_from(format!("x-amz-meta-{name}")) {
            headers.insert(name, user_metadata(text));
        }
    }
}

/// A value of user metadata; one that is not ASCII is encoded as AWS does it, by RFC 2047.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html#UserMetadata>
fn user_metadata(text: &str) -> HeaderValue {
    if text.is_ascii() {
        value(text)
    } else {
        value(&format!("=?UTF-8?B?{}?=", checksum::encoded(text.as_bytes())))
    }
}

fn selected(call: &ReadObject, object: &ObjectAttributes) -> Result<(StatusCode, Range<u64>), S3Error> {
    let whole = 0..object.size;
    if let Some(part) = call.part_number {
        let bytes = match &object.properties.parts {
            Some(parts) => parts.range(part),
            // An object that was not uploaded in parts is its own first part.
            None => Some(whole).filter(|_| part.get() == 1),
        };
        return bytes
            .map(|bytes| (StatusCode::PARTIAL_CONTENT, bytes))
            .ok_or_else(|| {
                let count = object.properties.parts.as_ref().map_or(1, Parts::count);
                S3Error::new(ErrorCode::InvalidPartNumber)
                    .with("ActualPartCount", count.to_string())
                    .with("PartNumberRequested", part.to_string())
            });
    }
    let wanted = call
        .range
        .as_deref()
        .filter(|_| call.if_range.as_deref().is_none_or(|v| if_range_holds(v, object)));
    let Some((text, range)) = wanted.and_then(|text| Some((text, ByteRange::parse(text)?))) else {
        return Ok((StatusCode::OK, whole));
    };
    match range.resolve(object.size) {
        RangeOutcome::Partial(bytes) => Ok((StatusCode::PARTIAL_CONTENT, bytes)),
        RangeOutcome::Unsatisfiable => Err(S3Error::new(ErrorCode::InvalidRange)
            .with("RangeRequested", text)
            .with("ActualObjectSize", object.size.to_string())),
    }
}

/// A header from a text of ours; one that no header can carry (a media type set by hand, say) is left empty.
pub(super) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::types::{ETag, PartNumber};

    fn object(size: u64) -> ObjectAttributes {
        ObjectAttributes {
            size,
            etag: ETag::new("tag".to_owned()),
            last_modified: datetime!(2026-11-23 12:00 UTC),
            properties: Properties {
                content_type: "text/plain".to_owned(),
                ..Properties::default()
            },
        }
    }

    fn ranged(range: &str, if_range: Option<&str>) -> ReadObject {
        ReadObject {
            range: Some(range.to_owned()),
            if_range: if_range.map(str::to_owned),
            ..ReadObject::default()
        }
    }

    #[test]
    fn the_whole_object_says_what_it_is() {
        let answer = read_object(&ReadObject::default(), &object(10)).unwrap();
        assert_eq!((answer.status, answer.bytes), (StatusCode::OK, 0..10));
        for (name, expected) in [
            ("etag", "\"tag\""),
            ("last-modified", "Mon, 23 Nov 2026 12:00:00 GMT"),
            ("content-type", "text/plain"),
            ("accept-ranges", "bytes"),
        ] {
            assert_eq!(answer.headers[name], expected);
        }
        assert!(!answer.headers.contains_key("content-range"));
    }

    #[test]
    fn a_range_is_206_or_416_or_ignored() {
        let answer = read_object(&ranged("bytes=2-4", None), &object(10)).unwrap();
        assert_eq!((answer.status, answer.bytes), (StatusCode::PARTIAL_CONTENT, 2..5));
        assert_eq!(answer.headers["content-range"], "bytes 2-4/10");
        let error = read_object(&ranged("bytes=10-", None), &object(10)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidRange);
        assert_eq!(
            error.elements(),
            [
                ("RangeRequested", "bytes=10-".to_owned()),
                ("ActualObjectSize", "10".to_owned())
            ]
        );
        let several = read_object(&ranged("bytes=0-1,3-4", None), &object(10)).unwrap();
        assert_eq!((several.status, several.bytes), (StatusCode::OK, 0..10));
        let stale = read_object(&ranged("bytes=2-4", Some("\"old\"")), &object(10)).unwrap();
        assert_eq!(stale.status, StatusCode::OK);
        let fresh = read_object(&ranged("bytes=2-4", Some("\"tag\"")), &object(10)).unwrap();
        assert_eq!(fresh.status, StatusCode::PARTIAL_CONTENT);
    }

    #[test]
    fn the_first_part_is_the_whole_and_there_is_no_second() {
        let part = |n| ReadObject {
            part_number: PartNumber::new(n),
            ..ReadObject::default()
        };
        let answer = read_object(&part(1), &object(10)).unwrap();
        assert_eq!(
            (answer.status, answer.bytes),
            (StatusCode::PARTIAL_CONTENT, 0..10)
        );
        assert_eq!(
            read_object(&part(2), &object(10)).unwrap_err().code(),
            ErrorCode::InvalidPartNumber
        );
        assert_eq!(read_object(&part(1), &object(0)).unwrap().bytes, 0..0);
    }
}
