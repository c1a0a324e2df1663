//! Why a signed request is refused. Every check of this module ends in one of these; another module writes S3's error
//! from it. A refusal holds what that error shows, and prints only what a log may hold: no signature, no token, no query
//! string, no canonical request, and of a client's own words none unescaped.

use std::{borrow::Cow, fmt};

use time::OffsetDateTime;

use super::Mechanism;
use crate::types::{AccessKeyId, BrokenEscape, Span};

/// A text for the body of an error and for nowhere else: a signature, a token, a canonical request. It cannot be printed,
/// so it cannot reach a log by way of a `{:?}`.
///
/// ```compile_fail
/// fn log(text: &postern::sigv4::ErrorText) { println!("{text:?}"); }
/// ```
/// ```compile_fail
/// fn log(text: &postern::sigv4::ErrorText) { println!("{text}"); }
/// ```
#[derive(Clone)]
pub struct ErrorText(Vec<u8>);

impl ErrorText {
    /// Takes the bytes as the request gave them, or as they were computed from it.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The text for an XML element; bytes that are no UTF-8 are replaced.
    pub fn expose(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// The bytes, for `StringToSignBytes` and `CanonicalRequestBytes`.
    pub fn expose_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What AWS's `SignatureDoesNotMatch` tells, so that a developer can compare it with what the client computed.
///
/// ```compile_fail
/// fn log(mismatch: &postern::sigv4::Mismatch) { println!("{mismatch:?}"); }
/// ```
#[derive(Clone)]
pub struct Mismatch {
    /// `AWSAccessKeyId`
    pub access_key_id: AccessKeyId,
    /// `StringToSign` and `StringToSignBytes`, as the gateway computed it.
    pub string_to_sign: ErrorText,
    /// `SignatureProvided`, as the request gave it.
    pub signature_provided: ErrorText,
    /// `CanonicalRequest` and `CanonicalRequestBytes`, as the gateway computed it; a form has none.
    pub canonical_request: Option<ErrorText>,
}

/// What is wrong with a credential, `AKID/yyyyMMdd/region/service/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeReject {
    /// It has not five parts.
    #[error("the credential is malformed")]
    CredentialMalformed,
    /// The scope's date is no yyyyMMdd.
    #[error("the credential's date {given:?} is malformed")]
    DateMalformed {
        /// The date in the credential.
        given: String,
    },
    /// The scope's date is not the one that was signed. Without this check, one leaked day key would sign for every day.
    #[error("the credential's date {given:?} is not {expected:?}, the date of X-Amz-Date")]
    DateDiffers {
        /// The date in the credential.
        given: String,
        /// The date of X-Amz-Date, as yyyyMMdd.
        expected: String,
    },
    /// The region is wrong.
    #[error("the credential's region {given:?} is wrong, expecting {expected:?}")]
    Region {
        /// The region in the credential.
        given: String,
        /// `Region`: the gateway's own.
        expected: String,
    },
    /// Incorrect service.
    #[error("the credential's service {given:?} is not s3")]
    Service {
        /// The service in the credential.
        given: String,
    },
    /// Incorrect terminal.
    #[error("the credential's terminal {given:?} is not aws4_request")]
    Terminator {
        /// What stands at the end of the credential.
        given: String,
    },
}

/// Why a request's signature is refused: one variant for each of S3's answers. `Display` is for the operator's log.
#[derive(Clone, thiserror::Error)]
pub enum Reject {
    /// 400 InvalidArgument, "Only one auth mechanism allowed; …".
    #[error("the request authenticates in more than one way")]
    SeveralMechanisms {
        /// `ArgumentValue`: the Authorization header, where there is one.
        authorization: Option<ErrorText>,
    },
    /// 400 InvalidRequest, "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
    #[error("the request is signed with Signature Version 2, which is not supported")]
    SignatureVersion2,
    /// 400 InvalidArgument, "Unsupported Authorization Type".
    #[error("the Authorization header is of a type that S3 does not know")]
    UnsupportedAuthorization {
        /// `ArgumentValue`: the Authorization header.
        authorization: ErrorText,
    },
    /// 400 AuthorizationQueryParametersError: one of the six parameters is missing.
    #[error("one of the six X-Amz-* query parameters is missing")]
    MissingParameter,
    /// 400 AuthorizationQueryParametersError: X-Amz-Algorithm is another than AWS4-HMAC-SHA256.
    #[error("X-Amz-Algorithm is not AWS4-HMAC-SHA256")]
    Algorithm,
    /// 400 AuthorizationQueryParametersError: X-Amz-Date is no ISO8601 long format.
    #[error("X-Amz-Date is malformed")]
    DateMalformed,
    /// 400 AuthorizationQueryParametersError: X-Amz-Expires should be a number.
    #[error("X-Amz-Expires is no number")]
    ExpiresNotANumber,
    /// 400 AuthorizationQueryParametersError: X-Amz-Expires must be non-negative.
    #[error("X-Amz-Expires is negative")]
    ExpiresNegative,
    /// 400 AuthorizationQueryParametersError: X-Amz-Expires is over 604800 seconds.
    #[error("X-Amz-Expires is over a week")]
    ExpiresOverAWeek,
    /// 400 AuthorizationQueryParametersError: X-Amz-Expires is over what the operator allows. AWS has no such setting (its
    /// nearest is a policy's `s3:signatureAge`); the answer is the one for a week, with the operator's figure in it.
    #[error("X-Amz-Expires is over {max}, the most that this gateway allows")]
    ExpiresOverCap {
        /// The most that is allowed.
        max: Span,
    },
    /// 403 AccessDenied, "Request has expired".
    #[error("the link expired at {expired_at}")]
    Expired {
        /// `X-Amz-Expires`, in seconds.
        expires_seconds: u32,
        /// `Expires`
        expired_at: OffsetDateTime,
        /// `ServerTime`
        server_time: OffsetDateTime,
    },
    /// 403 AccessDenied, "Request is not yet valid": signed more than 15 minutes ahead of the gateway's clock.
    #[error("the link is signed for {signed_at}, which is yet to come")]
    NotYetValid {
        /// `X-Amz-Date`, which the error shows in milliseconds since 1970.
        signed_at: OffsetDateTime,
        /// `Expires`
        expires_at: OffsetDateTime,
        /// `ServerTime`
        server_time: OffsetDateTime,
    },
    /// 403 AccessDenied, "Invalid according to Policy: Policy expired.": by the policy's expiration, or a week after the form's date.
    #[error("the form's policy expired at {at}")]
    FormExpired {
        /// When.
        at: OffsetDateTime,
    },
    /// 400 AuthorizationQueryParametersError or AuthorizationHeaderMalformed: the credential or its scope.
    #[error("{reject}")]
    Scope {
        /// Where the credential stands.
        mechanism: Mechanism,
        /// What is wrong with it.
        reject: ScopeReject,
    },
    /// 400 AuthorizationHeaderMalformed: a component of the Authorization header is missing, repeated or unknown.
    #[error("the Authorization header has not the three components Credential, SignedHeaders and Signature")]
    AuthorizationMalformed,
    /// 400 AuthorizationQueryParametersError or AuthorizationHeaderMalformed: a name in the list of
    /// signed headers is repeated, or is not a header's name.
    #[error("the list of signed headers repeats a name, or holds one that is not a header's")]
    SignedHeadersMalformed {
        /// Where the list stands.
        mechanism: Mechanism,
    },
    /// 403 AccessDenied: neither a valid x-amz-date nor a valid Date header.
    #[error("the request has no valid Date or x-amz-date header")]
    DateMissing,
    /// 403 RequestTimeTooSkewed: signed more than 15 minutes from the gateway's clock.
    #[error("the request is signed for {signed_at}, too far from the gateway's clock")]
    TooSkewed {
        /// `RequestTime`
        signed_at: OffsetDateTime,
        /// `ServerTime`
        server_time: OffsetDateTime,
    },
    /// 400 InvalidRequest: a header-signed request must say what its body is.
    #[error("the x-amz-content-sha256 header is missing")]
    PayloadHashMissing,
    /// 403 InvalidAccessKeyId. Made by whoever looks the key up; see [`InForce::unknown_key`](super::InForce::unknown_key).
    #[error("no signer has the access key id {access_key_id}")]
    UnknownAccessKeyId {
        /// `AWSAccessKeyId`
        access_key_id: AccessKeyId,
    },
    /// 403 AccessDenied, "There were headers present in the request which were not signed".
    #[error("headers are not signed: {}", names.join(", "))]
    HeadersNotSigned {
        /// `HeadersNotSigned`, to be joined with a comma and a space: lower-case names, sorted.
        names: Vec<String>,
    },
    /// 400 InvalidArgument, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, …".
    #[error("x-amz-content-sha256 is malformed")]
    PayloadHashMalformed {
        /// `ArgumentValue`: what the header, or the query parameter, holds.
        given: ErrorText,
    },
    /// 400 InvalidURI: an escape in the path is broken.
    #[error("a percent sign in the path is not followed by two hexadecimal digits")]
    MalformedUri,
    /// 403 SignatureDoesNotMatch.
    #[error("the signature does not match (access key id {})", .0.access_key_id)]
    Mismatch(Box<Mismatch>),
    /// 400 InvalidToken: a session token beside a permanent key.
    #[error("the request carries a session token, but its key is a permanent one")]
    UnexpectedToken {
        /// `Token-0`
        token: ErrorText,
    },
}

impl Reject {
    /// A short name for logs, metrics and tests; it never changes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SeveralMechanisms { .. } => "SeveralMechanisms",
            Self::SignatureVersion2 => "SignatureVersion2",
            Self::UnsupportedAuthorization { .. } => "UnsupportedAuthorization",
            Self::MissingParameter => "MissingParameter",
            Self::Algorithm => "Algorithm",
            Self::DateMalformed => "DateMalformed",
            Self::ExpiresNotANumber => "ExpiresNotANumber",
            Self::ExpiresNegative => "ExpiresNegative",
            Self::ExpiresOverAWeek => "ExpiresOverAWeek",
            Self::ExpiresOverCap { .. } => "ExpiresOverCap",
            Self::Expired { .. } => "Expired",
            Self::NotYetValid { .. } => "NotYetValid",
            Self::FormExpired { .. } => "FormExpired",
            Self::Scope { reject, .. } => reject.name(),
            Self::AuthorizationMalformed => "AuthorizationMalformed",
            Self::SignedHeadersMalformed { .. } => "SignedHeadersMalformed",
            Self::DateMissing => "DateMissing",
            Self::TooSkewed { .. } => "TooSkewed",
            Self::PayloadHashMissing => "PayloadHashMissing",
            Self::UnknownAccessKeyId { .. } => "UnknownAccessKeyId",
            Self::HeadersNotSigned { .. } => "HeadersNotSigned",
            Self::PayloadHashMalformed { .. } => "PayloadHashMalformed",
            Self::MalformedUri => "MalformedUri",
            Self::Mismatch(_) => "Mismatch",
            Self::UnexpectedToken { .. } => "UnexpectedToken",
        }
    }
}

/// A path that cannot be decoded has no canonical form, so no signature covers it.
impl From<BrokenEscape> for Reject {
    fn from(_: BrokenEscape) -> Self {
        Self::MalformedUri
    }
}

impl ScopeReject {
    fn name(&self) -> &'static str {
        match self {
            Self::CredentialMalformed => "CredentialMalformed",
            Self::DateMalformed { .. } => "ScopeDateMalformed",
            Self::DateDiffers { .. } => "ScopeDateDiffers",
            Self::Region { .. } => "Region",
            Self::Service { .. } => "Service",
            Self::Terminator { .. } => "Terminator",
        }
    }
}

/// The name and what `Display` says, and so nothing that a log must not hold.
impl fmt::Debug for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({self})", self.name())
    }
}
