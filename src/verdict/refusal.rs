//! Why a request may not pass: precise for the operator, and S3's own error for the client, in one table.

use time::{OffsetDateTime, macros::format_description};

use crate::{
    policy::{Denial, RevocationReference},
    s3::{ErrorCode, S3Error, Target},
    sigv4::{ChunkedReject, Mechanism, Mismatch, Reject, ScopeReject},
    types::{AccessKeyId, Action, QueryError, hex},
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
    /// No signature at all.
    #[error("the request is not signed")]
    Anonymous,
    /// What is asked for is malformed, or not to be had.
    #[error("{}: {}", .0.code().name(), .0.text())]
    Call(S3Error),
    /// The signature holds, and is revoked.
    #[error("{0}")]
    Revoked(RevocationReference),
    /// The key has another secret than the one that signed.
    #[error("the key {0} has another secret now")]
    Rekeyed(AccessKeyId),
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
            Self::Anonymous => "Anonymous",
            Self::Call(error) => error.code().name(),
            Self::Revoked(rule) => rule.name(),
            Self::Rekeyed(_) => "SecretChanged",
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

    /// Did somebody sign who has no such key, or with another secret?
    pub fn is_forged(&self) -> bool {
        matches!(
            self,
            Self::Signature(Reject::Mismatch(_) | Reject::UnknownAccessKeyId { .. })
        )
    }

    /// What the client is told.
    pub fn s3_error(&self) -> S3Error {
        match self {
            Self::Query(_) => S3Error::new(ErrorCode::InvalidURI),
            Self::Signature(reject) => rejected(reject),
            Self::Anonymous | Self::Revoked(_) | Self::Rekeyed(_) | Self::Denied { .. } => {
                S3Error::new(ErrorCode::AccessDenied)
            }
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
        Reject::FormExpired { .. } => denied("Invalid according to Policy: Policy expired."),
        Reject::Scope { mechanism, reject } => scope(*mechanism, reject),
        Reject::AuthorizationMalformed => S3Error::new(ErrorCode::AuthorizationHeaderMalformed).message(
            "The authorization header is malformed; the authorization header requires three components: Credential, \
             SignedHeaders, and Signature.",
        ),
        // AWS's code; its words are not known.
        Reject::SignedHeadersMalformed { mechanism: Mechanism::Header } => {
            S3Error::new(ErrorCode::AuthorizationHeaderMalformed)
                .message("The authorization header is malformed; the SignedHeaders list is malformed.")
        }
        Reject::SignedHeadersMalformed {
            mechanism: Mechanism::Presigned | Mechanism::Form | Mechanism::Anonymous,
        } => parameters("The X-Amz-SignedHeaders list is malformed".to_owned()),
        Reject::DateMissing => denied("AWS authentication requires a valid Date or x-amz-date header"),
        Reject::TooSkewed { signed_at, server_time } => S3Error::new(ErrorCode::RequestTimeTooSkewed)
            .with("RequestTime", basic_instant(*signed_at))
            .with("ServerTime", instant(*server_time))
            .with("MaxAllowedSkewMilliseconds", "900000"),
        Reject::PayloadHashMissing => S3Error::new(ErrorCode::InvalidRequest)
            .message("Missing required header for this request: x-amz-content-sha256"),
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

/// The credential is told of in the same words for both ways of sending it, behind other ones.
fn scope(mechanism: Mechanism, reject: &ScopeReject) -> S3Error {
    let (code, lead) = match mechanism {
        Mechanism::Header => (
            ErrorCode::AuthorizationHeaderMalformed,
            "The authorization header is malformed; ",
        ),
        Mechanism::Presigned | Mechanism::Form | Mechanism::Anonymous => (
            ErrorCode::AuthorizationQueryParametersError,
            "Error parsing the X-Amz-Credential parameter; ",
        ),
    };
    let error = |what: String| S3Error::new(code).message(format!("{lead}{what}"));
    match reject {
        ScopeReject::CredentialMalformed => error(
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
                .to_owned(),
        ),
        ScopeReject::DateMalformed { given } => error(format!(
            "incorrect date format \"{given}\". This date in the credential must be in the format \"yyyyMMdd\"."
        )),
        ScopeReject::DateDiffers { given, expected } => {
            let what = format!(
                "Invalid credential date \"{given}\". This date is not the same as X-Amz-Date: \"{expected}\"."
            );
            match mechanism {
                Mechanism::Header => error(what),
                Mechanism::Presigned | Mechanism::Form | Mechanism::Anonymous => {
                    S3Error::new(code).message(what)
                }
            }
        }
        ScopeReject::Region { given, expected } => {
            error(format!("the region '{given}' is wrong; expecting '{expected}'")).with("Region", expected)
        }
        ScopeReject::Service { given } => error(format!(
            "incorrect service \"{given}\". This endpoint belongs to \"s3\"."
        )),
        ScopeReject::Terminator { given } => error(format!(
            "incorrect terminal \"{given}\". This endpoint uses \"aws4_request\"."
        )),
    }
}

/// What the client is told of a body that is not what its chunks were declared to be.
pub fn chunked_error(reject: &ChunkedReject) -> S3Error {
    match reject {
        ChunkedReject::Unsupported => S3Error::new(ErrorCode::NotImplemented)
            .message("Bodies signed with AWS4-ECDSA-P256-SHA256 are not implemented."),
        ChunkedReject::LengthMissing => S3Error::new(ErrorCode::MissingContentLength),
        ChunkedReject::LengthMalformed { given } => {
            S3Error::invalid_argument("Invalid Argument", "x-amz-decoded-content-length", given)
        }
        ChunkedReject::Malformed | ChunkedReject::TooLong => {
            S3Error::new(ErrorCode::InvalidRequest).message("The chunked body is malformed.")
        }
        ChunkedReject::SmallChunk { chunk, size } => S3Error::new(ErrorCode::InvalidChunkSizeError)
            .with("Chunk", chunk.to_string())
            .with("BadChunkSize", size.to_string()),
        ChunkedReject::Signature => S3Error::new(ErrorCode::SignatureDoesNotMatch),
        ChunkedReject::Trailer => S3Error::new(ErrorCode::MalformedTrailerError),
        ChunkedReject::Incomplete => S3Error::new(ErrorCode::IncompleteBody),
    }
}

fn mismatched(mismatch: &Mismatch) -> S3Error {
    let error = S3Error::new(ErrorCode::SignatureDoesNotMatch)
        .with("AWSAccessKeyId", mismatch.access_key_id.as_str())
        .with("StringToSign", mismatch.string_to_sign.expose())
        .with("SignatureProvided", mismatch.signature_provided.expose())
        .with(
            "StringToSignBytes",
            hex::spaced(mismatch.string_to_sign.expose_bytes()),
        );
    match &mismatch.canonical_request {
        Some(request) => error
            .with("CanonicalRequest", request.expose())
            .with("CanonicalRequestBytes", hex::spaced(request.expose_bytes())),
        None => error,
    }
}

/// `20261124T120000Z`
fn basic_instant(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC)
        .format(format_description!("[year][month][day]T[hour][minute][second]Z"))
        .unwrap_or_default()
}

/// `2026-11-24T12:00:00Z`
fn instant(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC)
        .format(format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second]Z"
        ))
        .unwrap_or_default()
}
