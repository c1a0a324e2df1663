//! What a host and a path name: a bucket and a key, in path style and in virtual-host style.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>

use std::borrow::Cow;

use crate::types::{BucketName, CanonicalPath, ObjectKey, ObjectKeyError, cut, cut_last};

use super::{ErrorCode, S3Error};

/// The bucket and the key that one reading of a request names. A key is never there without its
/// bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `/` alone: the service.
    Service,
    /// A bucket.
    Bucket(BucketName),
    /// An object.
    Object(BucketName, ObjectKey),
}

impl Target {
    /// Reads a host and a canonical path, which is never normalised: `/b//a` has the key `/a`, and
    /// `/b%2Fa`, which is signed as `/b/a`, has the key `a`. If the host, without its port, is
    /// `NAME.DOMAIN` for one of `virtual_host_domains`, NAME is the bucket and the whole path is
    /// the key.
    ///
    /// Errors: `InvalidURI` for bytes that are not UTF-8, `InvalidBucketName`, `KeyTooLongError`.
    pub fn parse(
        authority: &str,
        path: &CanonicalPath<'_>,
        virtual_host_domains: &[String],
    ) -> Result<Self, S3Error> {
        let invalid = || S3Error::new(ErrorCode::InvalidURI);
        let path = path.decoded().map_err(|_| invalid())?;
        let path = path.strip_prefix('/').ok_or_else(invalid)?;
        let (bucket, key) = match virtual_bucket(authority, virtual_host_domains) {
            Some(bucket) => (bucket, path),
            None => {
                let (bucket, key) = cut(path, b'/').unwrap_or((path, ""));
                (Cow::Borrowed(bucket), key)
            }
        };
        if bucket.is_empty() && key.is_empty() {
            return Ok(Self::Service);
        }
        let bucket = BucketName::parse(&bucket)
            .map_err(|_| S3Error::new(ErrorCode::InvalidBucketName).with("BucketName", &*bucket))?;
        match ObjectKey::parse(key) {
            Ok(key) => Ok(Self::Object(bucket, key)),
            Err(ObjectKeyError::Empty) => Ok(Self::Bucket(bucket)),
            Err(ObjectKeyError::TooLong(size)) => Err(S3Error::key_too_long(size)),
        }
    }

    /// The bucket, if one is named.
    pub fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::Service => None,
            Self::Bucket(bucket) | Self::Object(bucket, _) => Some(bucket),
        }
    }
}

/// The bucket in a host. The longest domain counts where one is below another.
fn virtual_bucket<'h>(authority: &'h str, domains: &[String]) -> Option<Cow<'h, str>> {
    let host = match cut_last(authority, b':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        Some(_) | None => authority,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let bucket = domains
        .iter()
        .filter_map(|domain| label_before(host, domain))
        .min_by_key(|bucket| bucket.len())?;
    // The configured domain itself may lie below a shorter one: it is a host for path style, not a
    // bucket.
    if domains.iter().any(|domain| is_lowered(host, domain)) {
        return None;
    }
    Some(match bucket.bytes().any(|b| b.is_ascii_uppercase()) {
        true => Cow::Owned(bucket.to_ascii_lowercase()),
        false => Cow::Borrowed(bucket),
    })
}

/// What stands before a dot and the domain, where something does.
fn label_before<'h>(host: &'h str, domain: &str) -> Option<&'h str> {
    let length = host.len().checked_sub(domain.len())?;
    let (front, end) = host.split_at_checked(length)?;
    let label = front.strip_suffix('.').filter(|label| !label.is_empty())?;
    is_lowered(end, domain).then_some(label)
}

/// Is this the text in lower case?
fn is_lowered(text: &str, lower: &str) -> bool {
    text.len() == lower.len()
        && text
            .bytes()
            .zip(lower.bytes())
            .all(|(a, b)| a.to_ascii_lowercase() == b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(authority: &str, path: &str) -> Result<Target, ErrorCode> {
        let domains = [
            "s3.localhost".to_owned(),
            "example.com".to_owned(),
            "s3.example.com".to_owned(),
        ];
        let path = CanonicalPath::parse(path).unwrap();
        Target::parse(authority, &path, &domains).map_err(|error| error.code())
    }

    fn bucket(name: &str) -> Result<Target, ErrorCode> {
        Ok(Target::Bucket(BucketName::parse(name).unwrap()))
    }

    fn object(name: &str, key: &str) -> Result<Target, ErrorCode> {
        Ok(Target::Object(
            BucketName::parse(name).unwrap(),
            ObjectKey::parse(key).unwrap(),
        ))
    }

    #[test]
    fn both_styles_name_bucket_and_key() {
        for (authority, path, expected) in [
            ("localhost:9000", "/", Ok(Target::Service)),
            ("localhost:9000", "/abc", bucket("abc")),
            ("localhost:9000", "/abc/", bucket("abc")),
            ("localhost:9000", "/abc/k", object("abc", "k")),
            ("localhost:9000", "/abc//k", object("abc", "/k")),
            ("localhost:9000", "/abc/a/../b/./c/", object("abc", "a/../b/./c/")),
            ("localhost:9000", "/abc/a%2Fb%20c+d", object("abc", "a/b c+d")),
            ("localhost:9000", "/abc/%252F", object("abc", "%2F")),
            ("localhost:9000", "/abc%2Fk", object("abc", "k")),
            ("localhost:9000", "/%61bc%2fk%2fl", object("abc", "k/l")),
            ("abc.s3.localhost:9000", "/", bucket("abc")),
            ("ABC.S3.LocalHost", "/k", object("abc", "k")),
            ("abc.s3.localhost.", "/abc/k", object("abc", "abc/k")),
            ("abc.def.s3.localhost", "//k", object("abc.def", "/k")),
            ("s3.localhost:9000", "/abc/k", object("abc", "k")),
            ("s3.example.com", "/abc/k", object("abc", "k")),
            ("abc.s3.example.com", "/k", object("abc", "k")),
            ("abcs3.localhost", "/abc/k", object("abc", "k")),
            ("[::1]:9000", "/abc/k", object("abc", "k")),
        ] {
            assert_eq!(parse(authority, path), expected, "{authority} {path}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused_with_awss_code() {
        for (authority, path, code) in [
            ("h", "/abc/%ff", ErrorCode::InvalidURI),
            ("h", "*", ErrorCode::InvalidURI),
            ("h", "/ABC/k", ErrorCode::InvalidBucketName),
            ("h", "//k", ErrorCode::InvalidBucketName),
            ("h", "/../k", ErrorCode::InvalidBucketName),
            ("h", "/%2e%2e/k", ErrorCode::InvalidBucketName),
            ("a.s3.localhost", "/k", ErrorCode::InvalidBucketName),
        ] {
            assert_eq!(parse(authority, path), Err(code), "{authority} {path}");
        }
        assert_eq!(
            parse("h", &format!("/abc/{}", "k".repeat(1025))),
            Err(ErrorCode::KeyTooLongError)
        );
    }

    proptest! {
        #[test]
        fn an_encoded_key_is_read_back_in_either_style(key in "\\PC{1,200}") {
            let path = percent_encoding::utf8_percent_encode(&key, percent_encoding::NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(parse("localhost", &format!("/abc/{path}")), object("abc", &key));
            prop_assert_eq!(parse("abc.s3.localhost", &format!("/{path}")), object("abc", &key));
        }
    }
}
