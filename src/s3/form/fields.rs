//! What a form asks for: its fields, once its policy covers them, as the arguments of an upload.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>

use std::ops::RangeInclusive;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

use crate::{
    s3::{
        ErrorCode, S3Error,
        call::{CallHeaders, Integrity, MAX_OBJECT_BYTES, properties, unsupported},
        documents,
    },
    types::{ObjectKey, ObjectKeyError, Properties, Query},
};

use super::Form;

/// The fields that are the signature's own.
const SIGNATURE: [&str; 5] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-signature",
    "x-amz-security-token",
];
/// The fields that are headers of a PUT by other means, besides all that begin with `x-amz-`.
const HEADERS: [&str; 7] = [
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "expires",
];

/// An upload by form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostObject {
    /// What is said of the object.
    pub properties: Properties,
    /// What the content must be.
    pub integrity: Integrity,
    /// How many bytes the file may have.
    pub size: RangeInclusive<u64>,
    /// How a success is answered.
    pub success: Success,
}

/// How a success is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Success {
    /// With this status: 200, 201 with a document, or 204.
    Status(StatusCode),
    /// By a redirect to this address, to whose query bucket, key and ETag are added.
    Redirect(String),
}

impl PostObject {
    /// Reads the fields of a form whose file may have so many bytes.
    ///
    /// Errors: `InvalidArgument`, `KeyTooLongError`, and what a PUT's headers are refused for.
    pub fn parse(form: &Form, size: RangeInclusive<u64>) -> Result<(ObjectKey, Self), S3Error> {
        let key = form.required("key")?;
        let key = ObjectKey::parse(key).map_err(|error| match error {
            ObjectKeyError::Empty => {
                S3Error::invalid_argument("User key must have a length greater than 0.", "key", "")
            }
            ObjectKeyError::TooLong(size) => S3Error::key_too_long(size),
        })?;
        let headers = headers(form)?;
        let no_query = Query::parse("").map_err(|_| S3Error::new(ErrorCode::InternalError))?;
        let fields = CallHeaders::alone(&headers);
        unsupported::on_write(&no_query, fields)?;
        let mut properties = properties::parse(fields)?;
        if let Some(tagging) = form.field("tagging") {
            properties.tags = documents::tags(tagging.as_bytes())?;
        }
        let post = Self {
            properties,
            integrity: Integrity::parse(&headers)?,
            size: *size.start()..=(*size.end()).min(MAX_OBJECT_BYTES),
            success: success(form),
        };
        Ok((key, post))
    }
}

/// The fields that mean the same as a header. What a browser's form cannot have refused is refused as in a PUT.
fn headers(form: &Form) -> Result<HeaderMap, S3Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in &form.fields {
        let name = match name.as_str() {
            "acl" => "x-amz-acl",
            other => other,
        };
        let is_header = HEADERS.contains(&name) || name.starts_with("x-amz-");
        if !is_header || SIGNATURE.contains(&name) {
            continue;
        }
        let refused = || S3Error::invalid_argument("The field cannot be a header.", name, "");
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refused())?;
        headers.insert(HeaderName::try_from(name).map_err(|_| refused())?, value);
    }
    Ok(headers)
}

/// What AWS does: an address that is none and a status that is none of the three count as not given.
fn success(form: &Form) -> Success {
    let redirect = form.field("success_action_redirect").or(form.field("redirect"));
    let is_address = |text: &&str| {
        let uri: Result<Uri, _> = text.parse();
        uri.is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some())
    };
    if let Some(address) = redirect.filter(is_address) {
        return Success::Redirect(address.to_owned());
    }
    Success::Status(match form.field("success_action_status") {
        Some("200") => StatusCode::OK,
        Some("201") => StatusCode::CREATED,
        Some(_) | None => StatusCode::NO_CONTENT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(fields: &[(&str, &str)]) -> Result<(String, PostObject), ErrorCode> {
        let fields = fields
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        let form = Form::new(fields.collect(), "f").unwrap();
        let post = PostObject::parse(&form, 0..=u64::MAX);
        post.map(|(key, post)| (key.as_str().to_owned(), post))
            .map_err(|error| error.code())
    }

    #[test]
    fn fields_say_what_headers_say() {
        let (key, read) = post(&[
            ("key", "a/${filename}"),
            ("Content-Type", "text/x-test"),
            ("x-amz-meta-One", "1"),
            ("x-amz-date", "20261124T120000Z"),
            ("acl", "private"),
            (
                "tagging",
                "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
            ),
            ("success_action_status", "201"),
            ("submit", "Upload"),
        ])
        .unwrap();
        assert_eq!(key, "a/f");
        assert_eq!(read.properties.content_type, "text/x-test");
        assert_eq!(read.properties.user_metadata["one"], "1");
        assert_eq!(read.properties.tags[0].key, "a");
        assert_eq!(read.success, Success::Status(StatusCode::CREATED));
        assert_eq!(read.size, 0..=MAX_OBJECT_BYTES);
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        for (fields, code) in [
            (&[][..], ErrorCode::InvalidArgument),
            (&[("key", "")], ErrorCode::InvalidArgument),
            (&[("key", &"k".repeat(1025))], ErrorCode::KeyTooLongError),
            (
                &[("key", "k"), ("acl", "public-read")],
                ErrorCode::AccessControlListNotSupported,
            ),
            (
                &[("key", "k"), ("x-amz-server-side-encryption", "AES256")],
                ErrorCode::NotImplemented,
            ),
            (
                &[("key", "k"), ("Content-Type", "a\nb")],
                ErrorCode::InvalidArgument,
            ),
            (&[("key", "k"), ("content-md5", "x")], ErrorCode::InvalidDigest),
            (&[("key", "k"), ("tagging", "a=b")], ErrorCode::MalformedXML),
        ] {
            assert_eq!(post(fields).unwrap_err(), code, "{fields:?}");
        }
    }

    #[test]
    fn a_success_is_answered_as_the_form_wants_where_it_can_be() {
        let address = "https://example.com/done?a=b";
        for (fields, expected) in [
            (&[][..], Success::Status(StatusCode::NO_CONTENT)),
            (
                &[("success_action_status", "200")],
                Success::Status(StatusCode::OK),
            ),
            (
                &[("success_action_status", "404")],
                Success::Status(StatusCode::NO_CONTENT),
            ),
            (
                &[("success_action_redirect", address)],
                Success::Redirect(address.to_owned()),
            ),
            (
                &[("redirect", address), ("success_action_status", "201")],
                Success::Redirect(address.to_owned()),
            ),
            (
                &[("success_action_redirect", "javascript:alert(1)")],
                Success::Status(StatusCode::NO_CONTENT),
            ),
            (
                &[
                    ("success_action_redirect", "/relative"),
                    ("success_action_status", "201"),
                ],
                Success::Status(StatusCode::CREATED),
            ),
        ] {
            let fields = [&[("key", "k")], fields].concat();
            assert_eq!(post(&fields).unwrap().1.success, expected, "{fields:?}");
        }
    }
}
