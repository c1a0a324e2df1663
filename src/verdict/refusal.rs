//! Why a request may not pass: precise for the operator, and S3's own error for the client, in one table.

use time::{OffsetDateTime, macros::format_description};

use crate::{
    policy::Denial,
    s3::{ErrorCode, S3Error, Target},
    sigv4::{Mismatch, Reject},
    types::{Action, QueryError},
};

/// A refused request. `Display` is for the operator's log; the client gets [`Refusal::s3_error`], which says less.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The query string cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The signature, or how it was given.
    #[error(transparent)]
    Signature(#[from] Reject),
    /// A signature in the `Authorization` header, which is not verified yet.
    #[error("signed in the Authorization header, which is not verified yet")]
    HeaderAuthentication,
    /// No signature at all.
    #[error("the request is not signed")]
    Anonymous,
    /// What is asked for is malformed, or not to be had.
    #[error("{}: {}", .0.code().name(), .0.text())]
    Call(S3Error),
    /// The policy says no.
    #[error("{signer} may not {action} {}: {}", shown(target), reason(denial))]
    Denied {
        /// The name of the signer.
        signer: String,
        /// What is wanted.
        action: Action,
        /// Of what.
        target: Target,
        /// Why not.
        denial: Denial,
    },
}

impl Refusal {
    /// A short fixed name for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Query(_) => "MalformedQuery",
            Self::Signature(reject) => reject.name(),
            Self::HeaderAuthentication => "HeaderAuthentication",
            Self::Anonymous => "Anonymous",
            Self::Call(error) => error.code().name(),
            Self::Denied {
                denial: Denial::Explicit(_),
                ..
            } => "ExplicitDeny",
            Self::Denied {
                denial: Denial::Implicit,
                ..
            } => "ImplicitDeny",
        }
    }

    /// What the client is told.
    pub fn s3_error(&self) -> S3Error {
        match self {
            Self::Query(_) => S3Error::new(ErrorCode::InvalidURI),
            Self::Signature(reject) => rejected(reject),
            Self::HeaderAuthentication => S3Error::new(ErrorCode::NotImplemented)
                .message("Signatures in the Authorization header are not implemented; use a presigned URL."),
            Self::Anonymous | Self::Denied { .. } => S3Error::new(ErrorCode::AccessDenied),
            Self::Call(error) => error.clone(),
        }
    }
}

fn shown(target: &Target) -> String {
    match target {
        Target::Service => "all buckets".to_owned(),
        Target::Bucket(bucket) => format!("{bucket}"),
        Target::Object(bucket, key) => format!("{bucket}/{}", key.as_str().escape_debug()),
    }
}

fn reason(denial: &Denial) -> String {
    match denial {
        Denial::Explicit(statement) => format!("denied by {statement}"),
        Denial::Implicit => "no statement allows it".to_owned(),
    }
}

/// AWS's answer to each failure of a signature, by SigV4's documentation and recordings.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
fn rejected(reject: &Reject) -> S3Error {
    let parameters =
        |message: String| S3Error::new(ErrorCode::AuthorizationQueryParametersError).message(message);
    let credential =
        |what: String| parameters(format!("Error parsing the X-Amz-Credential parameter; {what}"));
    let denied = |message: &'static str| S3Error::new(ErrorCode::AccessDenied).message(message);
    match reject {
        Reject::SeveralMechanisms { authorization } => S3Error::invalid_argument(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter \
             or the Authorization header should be specified",
            "Authorization",
            &authorization.as_ref().map(|text| text.expose()).unwrap_or_default(),
        ),
        Reject::SignatureVersion2 => S3Error::new(ErrorCode::InvalidRequest).message(
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        ),
        Reject::UnsupportedAuthorization { authorization } => {
            S3Error::invalid_argument("Unsupported Authorization Type", "Authorization", &authorization.expose())
        }
        Reject::MissingParameter => S3Error::new(ErrorCode::AuthorizationQueryParametersError),
        Reject::Algorithm => parameters(
            "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"".to_owned(),
        ),
        Reject::CredentialMalformed => credential(
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
                .to_owned(),
        ),
        Reject::DateMalformed => parameters(
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"".to_owned(),
        ),
        Reject::ExpiresNotANumber => parameters("X-Amz-Expires should be a number".to_owned()),
        Reject::ExpiresNegative => parameters("X-Amz-Expires must be non-negative".to_owned()),
        Reject::ExpiresOverAWeek => parameters(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds"
                .to_owned(),
        ),
        Reject::ExpiresOverCap { max } => parameters(format!(
            "X-Amz-Expires must be at most {0} (in seconds); that is, the given X-Amz-Expires must not be over {1} seconds",
            max,
            max.seconds()
        )),
        Reject::Expired { expires_seconds, expired_at, server_time } => denied("Request has expired")
            .with("X-Amz-Expires", expires_seconds.to_string())
            .with("Expires", instant(*expired_at))
            .with("ServerTime", instant(*server_time)),
        Reject::NotYetValid { signed_at, expires_at, server_time } => denied("Request is not yet valid")
            .with("X-Amz-Date", (signed_at.unix_timestamp_nanos() / 1_000_000).to_string())
            .with("Expires", instant(*expires_at))
            .with("ServerTime", instant(*server_time)),
        Reject::ScopeDateMalformed { given } => credential(format!(
            "incorrect date format \"{given}\". This date in the credential must be in the format \"yyyyMMdd\"."
        )),
        Reject::ScopeDateDiffers { given, expected } => parameters(format!(
            "Invalid credential date \"{given}\". This date is not the same as X-Amz-Date: \"{expected}\"."
        )),
        Reject::Region { given, expected } => {
            credential(format!("the region '{given}' is wrong; expecting '{expected}'")).with("Region", expected)
        }
        Reject::Service { given } => {
            credential(format!("incorrect service \"{given}\". This endpoint belongs to \"s3\"."))
        }
        Reject::Terminator { given } => {
            credential(format!("incorrect terminal \"{given}\". This endpoint uses \"aws4_request\"."))
        }
        Reject::UnknownAccessKeyId { access_key_id } => {
            S3Error::new(ErrorCode::InvalidAccessKeyId).with("AWSAccessKeyId", access_key_id.as_str())
        }
        Reject::HeadersNotSigned { names } => {
            denied("There were headers present in the request which were not signed")
                .with("HeadersNotSigned", names.join(", "))
        }
        Reject::PayloadHashMalformed { given } => S3Error::invalid_argument(
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
             STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, \
             STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid \
             sha256 value.",
            "x-amz-content-sha256",
            &given.expose(),
        ),
        Reject::MalformedUri => S3Error::new(ErrorCode::InvalidURI),
        Reject::Mismatch(mismatch) => mismatched(mismatch),
        Reject::UnexpectedToken { token } => {
            S3Error::new(ErrorCode::InvalidToken).with("Token-0", token.expose())
        }
    }
}

fn mismatched(mismatch: &Mismatch) -> S3Error {
    let bytes = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    S3Error::new(ErrorCode::SignatureDoesNotMatch)
        .with("AWSAccessKeyId", mismatch.access_key_id.as_str())
        .with("StringToSign", mismatch.string_to_sign.expose())
        .with("SignatureProvided", mismatch.signature_provided.expose())
        .with("StringToSignBytes", bytes(mismatch.string_to_sign.expose_bytes()))
        .with("CanonicalRequest", mismatch.canonical_request.expose())
        .with(
            "CanonicalRequestBytes",
            bytes(mismatch.canonical_request.expose_bytes()),
        )
}

/// `2026-11-24T12:00:00Z`
fn instant(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC)
        .format(format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second]Z"
        ))
        .unwrap_or_default()
}
