//! The path of a request in the one form that its signature covers.
//!
//! SigV4 hashes the path decoded once and encoded again, so many texts share one signature:
//! `/%66iles`, `/files`, `%2F` and `/`. Everything that a path selects (the prefix of a public URL,
//! bucket, key) is therefore read from a [`CanonicalPath`]; no function that selects takes the text
//! as it was sent.

use std::{borrow::Cow, fmt};

use super::percent::{PercentError, decode_path, encoded, hex_digit, is_unreserved};

/// A path as SigV4 hashes it: decoded once and encoded again, never normalised. `%2F` becomes `/`,
/// `%c3` becomes `%C3`, `%61` becomes `a`; `//`, `.` and `..` stay.
///
/// Bucket and key cannot be read from a path as it was sent:
///
/// ```compile_fail
/// postern::s3::Target::parse("localhost", "/bucket/key", &[]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath<'a>(Cow<'a, str>);

/// A `%` in a path without two hexadecimal digits after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a percent sign in the path is not followed by two hexadecimal digits")]
pub struct BrokenEscape;

impl<'a> CanonicalPath<'a> {
    /// Takes a path as it was sent. Borrows it when it is canonical already.
    pub fn parse(sent: &'a str) -> Result<Self, BrokenEscape> {
        if sent.bytes().all(|byte| byte == b'/' || is_unreserved(byte)) {
            return Ok(Self(Cow::Borrowed(sent)));
        }
        let digit = |byte| hex_digit(byte).map_err(|_| BrokenEscape);
        let mut canonical = String::with_capacity(sent.len() + 16);
        let mut bytes = sent.bytes();
        while let Some(byte) = bytes.next() {
            let decoded = match byte {
                b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
                plain => plain,
            };
            match decoded {
                b'/' => canonical.push('/'),
                other => canonical.extend(encoded(other).map(char::from)),
            }
        }
        Ok(Self(Cow::Owned(canonical)))
    }

    /// The text that is hashed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The decoded text, or an error if it is not UTF-8.
    pub(crate) fn decoded(&self) -> Result<Cow<'_, str>, PercentError> {
        decode_path(&self.0)
    }

    /// The same path in memory of its own.
    pub(crate) fn to_kept(&self) -> CanonicalPath<'static> {
        CanonicalPath(Cow::Owned(self.0.clone().into_owned()))
    }

    /// The same path without slashes at its end: `/s3` of `/s3/`, nothing of `/`.
    pub(crate) fn trimmed(&self) -> CanonicalPath<'static> {
        CanonicalPath(Cow::Owned(self.0.trim_end_matches('/').to_owned()))
    }

    /// The path after a prefix of whole segments, or none when it is not below that prefix. The
    /// prefix itself is `/` below itself.
    pub fn below(&self, prefix: &CanonicalPath<'_>) -> Option<CanonicalPath<'_>> {
        match self.0.strip_prefix(prefix.as_str())? {
            "" => Some(CanonicalPath(Cow::Borrowed("/"))),
            rest if rest.starts_with('/') => Some(CanonicalPath(Cow::Borrowed(rest))),
            _ => None,
        }
    }

    /// This path with another before it.
    pub fn after(&self, prefix: &CanonicalPath<'_>) -> CanonicalPath<'static> {
        CanonicalPath(Cow::Owned([prefix.as_str(), self.as_str()].concat()))
    }
}

impl fmt::Display for CanonicalPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(sent: &str) -> Result<String, BrokenEscape> {
        CanonicalPath::parse(sent).map(|path| path.to_string())
    }

    #[test]
    fn path_is_decoded_and_encoded_but_not_normalised() {
        for (sent, expected) in [
            ("/", "/"),
            ("/b/k", "/b/k"),
            ("/b//a/./../k", "/b//a/./../k"),
            ("/b/%2e%2E/k", "/b/../k"),
            ("/b/x%2fy", "/b/x/y"),
            ("/b/%c3%A9", "/b/%C3%A9"),
            ("/b/a+b@c=d", "/b/a%2Bb%40c%3Dd"),
            ("/b/%2541", "/b/%2541"),
            ("/b/%ff", "/b/%FF"),
            ("/b/%41~", "/b/A~"),
            ("*", "%2A"),
        ] {
            assert_eq!(canonical(sent).as_deref(), Ok(expected), "{sent}");
        }
        for broken in ["/%", "/%2", "/%zz", "/%+1", "/%2/"] {
            assert_eq!(canonical(broken), Err(BrokenEscape), "{broken}");
        }
    }

    #[test]
    fn prefix_is_compared_in_canonical_form_by_segments() {
        for (sent, prefix, expected) in [
            ("/files/b/k", "/files", Some("/b/k")),
            ("/%66iles/b/k", "/files", Some("/b/k")),
            ("/files%2Fb/k", "/files", Some("/b/k")),
            ("/files", "/files", Some("/")),
            ("/files/", "/files", Some("/")),
            ("/files//b", "/files", Some("//b")),
            ("/filesystem/b", "/files", None),
            ("/b/k", "/files", None),
            ("/b/k", "", Some("/b/k")),
        ] {
            let (path, prefix) = (CanonicalPath::parse(sent), CanonicalPath::parse(prefix));
            let below = path.unwrap().below(&prefix.unwrap()).map(|rest| rest.to_string());
            assert_eq!(below.as_deref(), expected, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn canonical_path_is_its_own_canonical_form(sent in "/([a-z/+ é]|%[0-9a-fA-F]{2}){0,20}") {
            let path = canonical(&sent).unwrap();
            prop_assert_eq!(canonical(&path), Ok(path));
        }
    }
}
