//! A bucket's name.

use std::{fmt, sync::Arc};

/// A bucket's name by AWS's rules for general purpose buckets: 3 to 63 characters of lower-case letters, digits, dots and
/// hyphens, beginning and ending with a letter or digit, no two dots in a row, not shaped like an IPv4 address, and none
/// of the reserved prefixes and suffixes. Such a name is also a safe file name. A copy costs one count.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketName(Arc<str>);

/// The text is no bucket name, and the rule that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a bucket name: it must {0}")]
pub struct BucketNameError(&'static str);

/// The most bytes that a bucket's name may have.
pub(crate) const MAX_BUCKET_BYTES: usize = 63;

const RESERVED_PREFIXES: [&str; 4] = ["xn--", "sthree-", "amzn-s3-demo-", "arn:"];
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

impl BucketName {
    /// Takes a name from a request, a configuration file or a folder.
    pub fn parse(text: &str) -> Result<Self, BucketNameError> {
        let rule = |kept: bool, rule| if kept { Ok(()) } else { Err(BucketNameError(rule)) };
        let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        rule(
            (3..=MAX_BUCKET_BYTES).contains(&bytes.len()),
            "have 3 to 63 characters",
        )?;
        rule(
            bytes.iter().all(|b| alphanumeric(b) || *b == b'.' || *b == b'-'),
            "hold only lower-case letters, digits, dots and hyphens",
        )?;
        rule(
            bytes.first().is_some_and(alphanumeric) && bytes.last().is_some_and(alphanumeric),
            "begin and end with a letter or digit",
        )?;
        rule(
            !bytes.windows(2).any(|pair| pair == b".."),
            "not hold two dots in a row",
        )?;
        rule(
            text.parse::<std::net::Ipv4Addr>().is_err(),
            "not be shaped like an IP address",
        )?;
        rule(
            !RESERVED_PREFIXES.iter().any(|p| text.starts_with(p)),
            "not begin with a prefix that AWS reserves",
        )?;
        rule(
            !RESERVED_SUFFIXES.iter().any(|s| text.ends_with(s)),
            "not end with a suffix that AWS reserves",
        )?;
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_naming_rules_hold() {
        for good in ["abc", "pres-url-test", "my.bucket.1", "1bucket", &"a".repeat(63)] {
            assert!(BucketName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ab",
            &"a".repeat(64),
            "Abc",
            "a_b_c",
            "-abc",
            "abc-",
            ".abc",
            "abc.",
            "a..b",
            "192.168.5.4",
            "xn--abc",
            "abc-s3alias",
            "a/b",
            "..",
            "~!x",
            "abc\0",
            "b\u{fc}cket",
        ] {
            assert!(BucketName::parse(bad).is_err(), "{bad}");
        }
    }
}
