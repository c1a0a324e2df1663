//! `If-Match`, `If-None-Match`, `If-Modified-Since` and `If-Unmodified-Since`, and which of them counts.
//! <https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2>, as on AWS:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

use http::{HeaderMap, HeaderName, header};
use time::OffsetDateTime;

use crate::types::{ETag, ObjectAttributes};

/// The conditions that a read carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    if_match: Option<Vec<String>>,
    if_none_match: Option<Vec<String>>,
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
    /// Reads the four headers. A date that is none is ignored, as RFC 9110 section 13.1.3 wants.
    pub fn parse(headers: &HeaderMap) -> Self {
        Self {
            if_match: tags(headers, header::IF_MATCH),
            if_none_match: tags(headers, header::IF_NONE_MATCH),
            if_modified_since: date(headers, header::IF_MODIFIED_SINCE),
            if_unmodified_since: date(headers, header::IF_UNMODIFIED_SINCE),
        }
    }

    /// Reads the four `x-amz-copy-source-if-*` headers of a copy.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
    pub fn of_copy_source(headers: &HeaderMap) -> Self {
        let named = |name| HeaderName::from_static(name);
        Self {
            if_match: tags(headers, named("x-amz-copy-source-if-match")),
            if_none_match: tags(headers, named("x-amz-copy-source-if-none-match")),
            if_modified_since: date(headers, named("x-amz-copy-source-if-modified-since")),
            if_unmodified_since: date(headers, named("x-amz-copy-source-if-unmodified-since")),
        }
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
            (Some(tags), _) if !names(tags, &object.etag) => return Outcome::Failed("If-Match"),
            (None, date) if later_than(date) => return Outcome::Failed("If-Unmodified-Since"),
            (Some(_), _) | (None, _) => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) if names(tags, &object.etag) => Outcome::NotModified,
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

fn tags(headers: &HeaderMap, name: HeaderName) -> Option<Vec<String>> {
    let lines: Vec<_> = headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    if lines.is_empty() {
        return None;
    }
    // AWS takes a tag without its quotes as well, and our tags hold no comma.
    let tag = |text: &str| text.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    Some(
        lines
            .iter()
            .flat_map(|line| line.split(','))
            .map(tag)
            .filter(|tag| !tag.is_empty())
            .collect(),
    )
}

fn names(tags: &[String], etag: &ETag) -> bool {
    tags.iter().any(|tag| tag == "*" || tag == etag.as_str())
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<OffsetDateTime> {
    let text = headers.get(name)?.to_str().ok()?;
    httpdate::parse_http_date(text).ok().map(OffsetDateTime::from)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::types::Properties;

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
            (&[(IF_MODIFIED_SINCE, "yesterday")], Outcome::Proceed),
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
            assert_eq!(
                Preconditions::parse(&headers).evaluate(&object()),
                *expected,
                "{sent:?}"
            );
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
