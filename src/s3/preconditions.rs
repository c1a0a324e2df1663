//! `If-Match`, `If-None-Match`, `If-Modified-Since` and `If-Unmodified-Since`, and which of them
//! counts. <https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2>, as on AWS:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

use time::OffsetDateTime;

use crate::types::{ETag, ObjectAttributes};

use super::{S3Error, call::CallHeaders};

/// The conditions that a read carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    if_match: Option<EntityTags>,
    if_none_match: Option<EntityTags>,
    if_modified_since: Option<OffsetDateTime>,
    if_unmodified_since: Option<OffsetDateTime>,
}

/// What the conditions say of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They hold.
    Proceed,
    /// 304.
    NotModified,
    /// 412, for the condition of this name.
    Failed(&'static str),
}

impl Preconditions {
    /// Reads the four headers. A condition that cannot be read is refused and never dropped. That
    /// is stricter than RFC 9110, section 13.1.3, for dates, which it lets a server ignore.
    ///
    /// Errors: `InvalidArgument`.
    pub(super) fn parse(headers: CallHeaders<'_>) -> Result<Self, S3Error> {
        Ok(Self {
            if_match: EntityTags::parse(headers, "If-Match")?,
            if_none_match: EntityTags::parse(headers, "If-None-Match")?,
            if_modified_since: date(headers, "If-Modified-Since")?,
            if_unmodified_since: date(headers, "If-Unmodified-Since")?,
        })
    }

    /// Reads the four `x-amz-copy-source-if-*` headers of a copy.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
    pub(super) fn of_copy_source(headers: CallHeaders<'_>) -> Result<Self, S3Error> {
        Ok(Self {
            if_match: EntityTags::parse(headers, "x-amz-copy-source-if-match")?,
            if_none_match: EntityTags::parse(headers, "x-amz-copy-source-if-none-match")?,
            if_modified_since: date(headers, "x-amz-copy-source-if-modified-since")?,
            if_unmodified_since: date(headers, "x-amz-copy-source-if-unmodified-since")?,
        })
    }

    /// The condition that a copy fails for: there is no 304 for it.
    pub fn failed(&self, object: &ObjectAttributes) -> Option<&'static str> {
        match self.evaluate(object) {
            Outcome::Proceed => None,
            Outcome::NotModified if self.if_none_match.is_some() => Some("x-amz-copy-source-If-None-Match"),
            Outcome::NotModified => Some("x-amz-copy-source-If-Modified-Since"),
            Outcome::Failed(condition) => Some(condition),
        }
    }

    /// Tries them in RFC 9110's order: a tag condition beats the date condition beside it.
    pub fn evaluate(&self, object: &ObjectAttributes) -> Outcome {
        // HTTP dates have whole seconds, so the object's has too while it is compared.
        let modified = object.last_modified.unix_timestamp();
        let later_than =
            |date: Option<OffsetDateTime>| date.is_some_and(|date| modified > date.unix_timestamp());
        match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !tags.name(&object.etag) => return Outcome::Failed("If-Match"),
            (None, date) if later_than(date) => return Outcome::Failed("If-Unmodified-Since"),
            (Some(_), _) | (None, _) => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) if tags.name(&object.etag) => Outcome::NotModified,
            (None, date) if date.is_some() && !later_than(date) => Outcome::NotModified,
            (Some(_), _) | (None, _) => Outcome::Proceed,
        }
    }
}

/// Does an `If-Range` value name the object as it is? Only a strong tag or the exact date does
/// (<https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5>).
pub(super) fn if_range_holds(value: &str, object: &ObjectAttributes) -> bool {
    match httpdate::parse_http_date(value) {
        Ok(date) => OffsetDateTime::from(date).unix_timestamp() == object.last_modified.unix_timestamp(),
        Err(_) => value.trim() == object.etag.to_string(),
    }
}

/// The value of `If-Match` or `If-None-Match`: `*`, or entity tags.
/// <https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3>
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EntityTags {
    /// `*`: any object that is there.
    Any,
    /// One of these.
    Listed(Vec<EntityTag>),
}

/// One entity tag, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntityTag {
    /// Bytes beyond ASCII, which no tag of ours has, may be replaced.
    tag: String,
    is_weak: bool,
}

impl EntityTags {
    /// Reads a header, if it was sent.
    ///
    /// Errors: `InvalidArgument` for a value that is neither `*` nor a list of entity tags.
    pub(super) fn parse(headers: CallHeaders<'_>, name: &'static str) -> Result<Option<Self>, S3Error> {
        let Some(value) = headers.value(name) else {
            return Ok(None);
        };
        if *value == *b"*" {
            return Ok(Some(Self::Any));
        }
        let mut quoted = false;
        let elements = value.split(|byte| {
            quoted ^= *byte == b'"';
            *byte == b',' && !quoted
        });
        let elements = elements
            .map(<[u8]>::trim_ascii)
            .filter(|element| !element.is_empty());
        let tags: Option<_> = elements.map(EntityTag::parse).collect();
        tags.map(|tags| Some(Self::Listed(tags))).ok_or_else(|| {
            let shown = String::from_utf8_lossy(&value);
            S3Error::invalid_argument("The value is neither * nor an entity tag.", name, &shown)
        })
    }

    /// The one tag of a conditional write, as text: `*`, or the tag without its quotes. A weak tag
    /// keeps its mark, so that it fits no object. None if several are listed.
    pub(super) fn one(self) -> Option<String> {
        match self {
            Self::Any => Some("*".to_owned()),
            Self::Listed(mut tags) => match (tags.pop(), tags.is_empty()) {
                // No tag fits no object.
                (None, _) => Some(String::new()),
                (Some(EntityTag { tag, is_weak }), true) if is_weak || tag == "*" => {
                    Some(format!("W/\"{tag}\""))
                }
                (Some(EntityTag { tag, .. }), true) => Some(tag),
                (Some(_), false) => None,
            },
        }
    }

    fn name(&self, etag: &ETag) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|listed| listed.tag == etag.as_str()),
        }
    }
}

impl EntityTag {
    /// Reads one tag. AWS takes a tag without its quotes as well; beyond ASCII it needs them.
    fn parse(element: &[u8]) -> Option<Self> {
        let (is_weak, text) = match element.strip_prefix(b"W/") {
            Some(text) => (true, text),
            None => (false, element),
        };
        let is_visible = |byte: &u8| (b'!'..=b'~').contains(byte) && *byte != b'"';
        let inner = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
        let is_tag = match inner {
            Some(inner) => inner.iter().all(|byte| is_visible(byte) || *byte >= 0x80),
            None => !text.is_empty() && text != b"*" && text.iter().all(is_visible),
        };
        is_tag.then(|| Self {
            tag: String::from_utf8_lossy(inner.unwrap_or(text)).into_owned(),
            is_weak,
        })
    }
}

/// Reads a date, if one was sent.
fn date(headers: CallHeaders<'_>, name: &'static str) -> Result<Option<OffsetDateTime>, S3Error> {
    let Some(value) = headers.value(name) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&value);
    match httpdate::parse_http_date(&text) {
        Ok(date) => Ok(Some(OffsetDateTime::from(date))),
        Err(_) => Err(S3Error::invalid_argument(
            "The value is not an HTTP date.",
            name,
            &text,
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, header};
    use time::macros::datetime;

    use super::*;
    use crate::{s3::ErrorCode, types::Properties};

    const BEFORE: &str = "Mon, 23 Nov 2026 11:59:59 GMT";
    const SAME: &str = "Mon, 23 Nov 2026 12:00:00 GMT";
    const AFTER: &str = "Mon, 23 Nov 2026 12:00:01 GMT";

    fn object() -> ObjectAttributes {
        ObjectAttributes {
            size: 1,
            etag: ETag::new("tag".to_owned()),
            last_modified: datetime!(2026-11-23 12:00:00.5 UTC),
            properties: Properties {
                content_type: "text/plain".to_owned(),
                ..Properties::default()
            },
        }
    }

    #[test]
    fn each_condition_and_their_precedence() {
        use header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
        let rows: &[(&[(HeaderName, &str)], Outcome)] = &[
            (&[], Outcome::Proceed),
            (&[(IF_MATCH, "\"tag\"")], Outcome::Proceed),
            (&[(IF_MATCH, "tag")], Outcome::Proceed),
            (&[(IF_MATCH, "*")], Outcome::Proceed),
            (&[(IF_MATCH, "\"other\", \"tag\"")], Outcome::Proceed),
            (&[(IF_MATCH, "\"other\"")], Outcome::Failed("If-Match")),
            (&[(IF_NONE_MATCH, "\"tag\"")], Outcome::NotModified),
            (&[(IF_NONE_MATCH, "W/\"tag\"")], Outcome::NotModified),
            (&[(IF_NONE_MATCH, "*")], Outcome::NotModified),
            (&[(IF_NONE_MATCH, "\"other\"")], Outcome::Proceed),
            (&[(IF_MODIFIED_SINCE, BEFORE)], Outcome::Proceed),
            (&[(IF_MODIFIED_SINCE, SAME)], Outcome::NotModified),
            (&[(IF_MODIFIED_SINCE, AFTER)], Outcome::NotModified),
            (
                &[(IF_UNMODIFIED_SINCE, BEFORE)],
                Outcome::Failed("If-Unmodified-Since"),
            ),
            (&[(IF_UNMODIFIED_SINCE, SAME)], Outcome::Proceed),
            // A tag condition beats the date beside it, both ways.
            (
                &[(IF_MATCH, "\"tag\""), (IF_UNMODIFIED_SINCE, BEFORE)],
                Outcome::Proceed,
            ),
            (
                &[(IF_NONE_MATCH, "\"other\""), (IF_MODIFIED_SINCE, AFTER)],
                Outcome::Proceed,
            ),
            (
                &[(IF_NONE_MATCH, "\"tag\""), (IF_MODIFIED_SINCE, BEFORE)],
                Outcome::NotModified,
            ),
            // A failed condition beats one that is not modified.
            (
                &[(IF_MATCH, "\"other\""), (IF_NONE_MATCH, "\"tag\"")],
                Outcome::Failed("If-Match"),
            ),
            (
                &[(IF_UNMODIFIED_SINCE, BEFORE), (IF_MODIFIED_SINCE, AFTER)],
                Outcome::Failed("If-Unmodified-Since"),
            ),
        ];
        for (sent, expected) in rows {
            let mut headers = HeaderMap::new();
            for (name, value) in *sent {
                headers.append(name, value.parse().unwrap());
            }
            let read = Preconditions::parse(CallHeaders::alone(&headers)).unwrap();
            assert_eq!(read.evaluate(&object()), *expected, "{sent:?}");
        }
    }

    #[test]
    fn condition_that_cannot_be_read_is_never_dropped() {
        const TAGS: [&str; 4] = [
            "if-match",
            "if-none-match",
            "x-amz-copy-source-if-match",
            "x-amz-copy-source-if-none-match",
        ];
        let read = |name: &'static str, value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_bytes(value).unwrap());
            let headers = CallHeaders::alone(&headers);
            let read = match name.starts_with("x-amz-") {
                true => Preconditions::of_copy_source(headers),
                false => Preconditions::parse(headers),
            };
            read.map(|read| read.evaluate(&object()))
                .map_err(|error| error.code())
        };
        for name in TAGS {
            let matches = !name.ends_with("none-match");
            for value in ["\"\u{e9}\"".as_bytes(), b"\"\xff\"", b"\"*\"", b""] {
                let expected = if matches {
                    Outcome::Failed("If-Match")
                } else {
                    Outcome::Proceed
                };
                assert_eq!(read(name, value), Ok(expected), "{name}: {value:?}");
            }
            for malformed in [
                &b"*\xff"[..],
                b"\xe9",
                b"\"tag",
                b"tag\"",
                b"\"a\"b\"",
                b"\"a b\"",
                b"*, \"tag\"",
                b"W/",
            ] {
                assert_eq!(
                    read(name, malformed),
                    Err(ErrorCode::InvalidArgument),
                    "{name}: {malformed:?}"
                );
            }
        }
        for name in [
            "if-modified-since",
            "if-unmodified-since",
            "x-amz-copy-source-if-modified-since",
            "x-amz-copy-source-if-unmodified-since",
        ] {
            for malformed in ["yesterday", "", "1700000000", "Mon, 23 Nov 2026 12:00:00 GMT, x"] {
                let found = read(name, malformed.as_bytes());
                assert_eq!(found, Err(ErrorCode::InvalidArgument), "{name}: {malformed}");
            }
        }
    }

    #[test]
    fn if_range_holds_for_the_strong_tag_and_the_exact_date_alone() {
        for (value, holds) in [
            ("\"tag\"", true),
            ("W/\"tag\"", false),
            ("\"other\"", false),
            (SAME, true),
            (BEFORE, false),
            (AFTER, false),
        ] {
            assert_eq!(if_range_holds(value, &object()), holds, "{value}");
        }
    }
}
