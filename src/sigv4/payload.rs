//! What a request declares of its body. The `x-amz-content-sha256` header, else the query's `X-Amz-Content-Sha256`, goes in;
//! the payload line of the canonical request and its meaning come out.
//!
//! The header has one line: [`RequestHead`] refuses another.

use std::borrow::Cow;

use http::HeaderName;

use super::reject::{ErrorText, Reject};
use crate::types::{Query, RequestHead, hex};

/// What the signature says of the body, to be held against the body by whoever reads it.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// `UNSIGNED-PAYLOAD`, or nothing declared.
    Unsigned,
    /// The SHA-256 of the whole body.
    Sha256([u8; 32]),
    /// An aws-chunked body, whose chunks and trailers must still be verified.
    Streaming(Streaming),
}

/// The kinds of aws-chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streaming {
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`
    UnsignedTrailer,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`
    Hmac,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`
    HmacTrailer,
    /// `STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD`
    Ecdsa,
    /// `STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER`
    EcdsaTrailer,
}

impl Streaming {
    /// AWS's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            Self::Hmac => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Self::HmacTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Self::Ecdsa => "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
            Self::EcdsaTrailer => "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
        }
    }
}

/// The header that declares it.
pub(super) static X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// What a request without a declaration is signed as.
pub(super) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

impl Payload {
    /// Takes a declared value: one of AWS's words, or 64 hexadecimal digits of either case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            UNSIGNED_PAYLOAD => Self::Unsigned,
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Self::Streaming(Streaming::UnsignedTrailer),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Self::Streaming(Streaming::Hmac),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Self::Streaming(Streaming::HmacTrailer),
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD" => Self::Streaming(Streaming::Ecdsa),
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => Self::Streaming(Streaming::EcdsaTrailer),
            digits => Self::Sha256(hex::bytes(digits)?),
        })
    }
}

/// The payload line and what it means; the header counts before the query parameter. The line is what was declared, letter
/// by letter, since that is what was signed.
pub(super) fn declared<'h>(
    head: &'h RequestHead,
    query: &'h Query<'_>,
) -> Result<(Cow<'h, str>, Payload), Reject> {
    let line = match head.headers().get(&X_AMZ_CONTENT_SHA256) {
        Some(value) => String::from_utf8_lossy(value.as_bytes()),
        None => Cow::Borrowed(query.first("X-Amz-Content-Sha256").unwrap_or(UNSIGNED_PAYLOAD)),
    };
    match Payload::parse(&line) {
        Some(payload) => Ok((line, payload)),
        None => Err(Reject::PayloadHashMalformed {
            given: ErrorText::new(line.as_bytes()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_words_and_sha256_values_are_payloads_and_nothing_else() {
        for (text, payload) in [
            ("UNSIGNED-PAYLOAD", Some(Payload::Unsigned)),
            (
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                Some(Payload::Streaming(Streaming::Hmac)),
            ),
            (
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
                Some(Payload::Streaming(Streaming::HmacTrailer)),
            ),
            (
                "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                Some(Payload::Streaming(Streaming::UnsignedTrailer)),
            ),
            (
                "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
                Some(Payload::Streaming(Streaming::Ecdsa)),
            ),
            (
                "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
                Some(Payload::Streaming(Streaming::EcdsaTrailer)),
            ),
            (&"0a".repeat(32), Some(Payload::Sha256([10; 32]))),
            (&"0A".repeat(32), Some(Payload::Sha256([10; 32]))),
            ("", None),
            ("unsigned-payload", None),
            ("STREAMING-", None),
            (&"0a".repeat(31), None),
            (&"0g".repeat(32), None),
        ] {
            assert_eq!(Payload::parse(text), payload, "{text}");
        }
    }
}
