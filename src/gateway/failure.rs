//! Every way in which a request does not get what it asked for, and what S3 says then.

use crate::{
    metrics::Limit,
    s3::{ErrorCode, S3Error},
    store::StoreError,
    types::HeadError,
    verdict::Refusal,
};

use super::admission::Exceeded;

/// A request that failed. `Display` is for the operator's log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The head cannot be taken.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The verdict says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What allowed the transfer was taken back while it ran, by this snapshot.
    #[error("what allowed it was taken back: {0}")]
    Withdrawn(Refusal, u64),
    /// No record of the request could be kept, and none may go unrecorded.
    #[error("the audit trail cannot be written")]
    Unrecorded,
    /// The body is not what was signed.
    #[error("the body's SHA-256 is not the one that was signed")]
    PayloadHash {
        /// What the client declared, in hexadecimal.
        declared: String,
        /// What arrived.
        computed: String,
    },
    /// A body that nobody asked for did not end in time.
    #[error("the request has a body that is too long or too slow for a request that needs none")]
    UnwantedBody,
    /// The body ended, or broke off, before all that was declared of it had come.
    #[error("the body ended before all of it had come")]
    CutBody,
    /// More bytes came than the head declared.
    #[error("the body has more bytes than were declared")]
    OverlongBody,
    /// The client sent nothing for too long.
    #[error("the client stopped sending its body")]
    SilentBody,
    /// A document that is longer than any of its kind.
    #[error("the document in the body has more than {most} bytes")]
    DocumentTooLong {
        /// The most that are taken.
        most: usize,
    },
    /// The limit on permitted requests leaves no slot for this one.
    #[error("limits.requests: {}", .0.reason())]
    TooMany(Exceeded),
    /// The source has as many requests that are not authenticated as it may.
    #[error(
        "limits.unverified_requests_per_source: this address has as many requests in flight that \
         are not authenticated as it may"
    )]
    TooManyUnverified,
    /// One address failed to authenticate too often.
    #[error("limits.failed_authentications: this address has sent too many signatures that do not hold")]
    TooManyFailures,
    /// The body is longer than one may be here.
    #[error("limits.upload_bytes: the body is longer than one may be")]
    TooLong(S3Error),
    /// The body came too slowly.
    #[error("limits.lowest_rate: the body came too slowly")]
    SlowBody,
    /// A task of ours was stopped, as at shutdown.
    #[error("the request was interrupted by a shutdown")]
    Interrupted,
    /// The call does not fit the object: a precondition, a range, a part.
    #[error("{}", .0.code().name())]
    Call(S3Error),
    /// There is no such key, and the signer may know.
    #[error("there is no such key")]
    NoSuchKey(String),
    /// There is no such key, and the signer, who may not list the bucket, must not learn it.
    #[error("there is no such key, which a signer without s3:ListBucket is not told")]
    HiddenKey,
    /// The store cannot give it.
    #[error(transparent)]
    Store(StoreError),
}

impl Failure {
    /// A short fixed name for the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Head(_) => "MalformedHead",
            Self::Refused(refusal) => refusal.name(),
            Self::Withdrawn(refusal, _) => refusal.name(),
            Self::Unrecorded => "AuditTrail",
            Self::PayloadHash { .. } => "PayloadHash",
            Self::UnwantedBody => "UnwantedBody",
            Self::CutBody => "CutBody",
            Self::OverlongBody => "OverlongBody",
            Self::SilentBody => "SilentBody",
            Self::DocumentTooLong { .. } => "DocumentTooLong",
            Self::TooMany(_) => "TooManyRequests",
            Self::TooManyUnverified => "TooManyUnverified",
            Self::TooManyFailures => "TooManyFailures",
            Self::TooLong(_) => "TooLong",
            Self::SlowBody => "SlowBody",
            Self::Interrupted => "Interrupted",
            Self::Call(error) => error.code().name(),
            Self::NoSuchKey(_) => "NoSuchKey",
            Self::HiddenKey => "HiddenKey",
            Self::Store(StoreError::NoSuchBucket(_)) => "NoSuchBucket",
            Self::Store(StoreError::NoSuchKey) => "NoSuchKey",
            Self::Store(StoreError::NoSuchUpload(_)) => "NoSuchUpload",
            Self::Store(StoreError::Unreadable { .. }) => "Unreadable",
            Self::Store(StoreError::Undescribed { .. }) => "Undescribed",
            Self::Store(StoreError::Unwritable { .. }) => "Unwritable",
            Self::Store(StoreError::Full { .. }) => "Full",
            Self::Store(StoreError::ConditionFailed) => "ConditionFailed",
            Self::Store(StoreError::Withdrawn) => "Withdrawn",
            Self::Store(StoreError::BucketNotEmpty(_)) => "BucketNotEmpty",
            Self::Store(StoreError::NameTaken { .. }) => "NameTaken",
            Self::Store(StoreError::InTheWay { .. }) => "InTheWay",
            Self::Store(StoreError::ReadOnly { .. }) => "ReadOnly",
            Self::Store(StoreError::OutOfService(_)) => "OutOfService",
            Self::Store(StoreError::TooManyCompletions(_)) => "TooManyCompletions",
            Self::Store(StoreError::Stalled { .. }) => "Stalled",
            Self::Store(StoreError::OutOfDescriptors { .. }) => "OutOfDescriptors",
        }
    }

    /// What the client is told.
    pub(super) fn s3_error(&self) -> S3Error {
        match self {
            Self::Head(HeadError::NoHost | HeadError::SeveralHosts | HeadError::BadHost) => {
                S3Error::new(ErrorCode::InvalidRequest)
                    .message("The request must name exactly one valid host.")
            }
            Self::Head(HeadError::Framing) => S3Error::new(ErrorCode::InvalidRequest).message(
                "The length of the body must be told once, by Content-Length or by Transfer-Encoding: chunked.",
            ),
            Self::Head(HeadError::Repeated(name)) => S3Error::invalid_argument(
                "The header must be sent only once.",
                name.as_str(),
                "",
            ),
            Self::Head(HeadError::ForeignScheme) => S3Error::new(ErrorCode::InvalidURI),
            Self::Refused(refusal) => refusal.s3_error(),
            Self::Withdrawn(..) => S3Error::new(ErrorCode::AccessDenied),
            Self::Unrecorded => S3Error::new(ErrorCode::ServiceUnavailable),
            Self::PayloadHash { declared, computed } => S3Error::new(ErrorCode::XAmzContentSHA256Mismatch)
                .with("ClientComputedContentSHA256", declared)
                .with("S3ComputedContentSHA256", computed),
            Self::UnwantedBody => S3Error::new(ErrorCode::InvalidRequest)
                .message("The request must not have a body of this size."),
            Self::CutBody | Self::OverlongBody => S3Error::new(ErrorCode::IncompleteBody),
            Self::SilentBody => S3Error::new(ErrorCode::RequestTimeout),
            Self::DocumentTooLong { most } => S3Error::new(ErrorCode::MaxMessageLengthExceeded)
                .with("MaxMessageLengthBytes", most.to_string()),
            Self::TooMany(_) | Self::TooManyUnverified | Self::TooManyFailures => {
                S3Error::new(ErrorCode::SlowDown)
            }
            Self::TooLong(error) => error.clone(),
            Self::SlowBody => S3Error::new(ErrorCode::RequestTimeout),
            Self::Interrupted => S3Error::new(ErrorCode::ServiceUnavailable),
            Self::Call(error) => error.clone(),
            Self::NoSuchKey(key) => S3Error::new(ErrorCode::NoSuchKey).with("Key", key),
            Self::HiddenKey => S3Error::new(ErrorCode::AccessDenied),
            Self::Store(StoreError::NoSuchBucket(bucket)) => {
                S3Error::new(ErrorCode::NoSuchBucket).with("BucketName", bucket.as_str())
            }
            Self::Store(StoreError::NoSuchKey) => S3Error::new(ErrorCode::NoSuchKey),
            Self::Store(StoreError::NoSuchUpload(id)) => S3Error::no_such_upload(id.as_str()),
            Self::Store(
                StoreError::Unreadable { .. }
                | StoreError::Undescribed { .. }
                | StoreError::Unwritable { .. },
            ) => S3Error::new(ErrorCode::InternalError),
            Self::Store(StoreError::Full { .. }) => S3Error::new(ErrorCode::InsufficientStorage),
            Self::Store(StoreError::ConditionFailed) => S3Error::new(ErrorCode::PreconditionFailed),
            Self::Store(StoreError::Withdrawn) => S3Error::new(ErrorCode::AccessDenied),
            Self::Store(StoreError::BucketNotEmpty(bucket)) => {
                S3Error::new(ErrorCode::BucketNotEmpty).with("BucketName", bucket.as_str())
            }
            Self::Store(StoreError::NameTaken { .. }) => S3Error::new(ErrorCode::InvalidRequest)
                .message("The key's name is taken by another key where names are kept."),
            Self::Store(StoreError::InTheWay { .. }) => S3Error::new(ErrorCode::InvalidRequest)
                .message("The key leads through something that is no object where names are kept."),
            Self::Store(StoreError::ReadOnly { .. }) => S3Error::new(ErrorCode::MethodNotAllowed),
            Self::Store(StoreError::OutOfService(_)) => S3Error::new(ErrorCode::ServiceUnavailable),
            Self::Store(
                StoreError::TooManyCompletions(_)
                | StoreError::Stalled { .. }
                | StoreError::OutOfDescriptors { .. },
            ) => S3Error::new(ErrorCode::SlowDown),
        }
    }

    /// The limit that it is over, if any.
    pub(super) fn limit(&self) -> Option<Limit> {
        match self {
            Self::TooMany(exceeded) => Some(exceeded.limit()),
            Self::TooManyUnverified => Some(Limit::UnverifiedRequests),
            Self::SilentBody => Some(Limit::BodyTimeout),
            Self::TooManyFailures => Some(Limit::FailedAuthentications),
            Self::TooLong(_) => Some(Limit::UploadBytes),
            Self::SlowBody => Some(Limit::LowestRateSending),
            Self::Head(_)
            | Self::Refused(_)
            | Self::Withdrawn(..)
            | Self::Unrecorded
            | Self::PayloadHash { .. }
            | Self::UnwantedBody
            | Self::CutBody
            | Self::OverlongBody
            | Self::DocumentTooLong { .. }
            | Self::Interrupted
            | Self::Call(_)
            | Self::NoSuchKey(_)
            | Self::HiddenKey
            | Self::Store(_) => None,
        }
    }

    /// Is it to be turned away as cheaply as can be, and its connection with it?
    pub(super) fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::TooMany(_) | Self::TooManyUnverified | Self::TooManyFailures
        )
    }

    /// Is it a fault of ours, or of the disk, that an operator must see?
    pub(super) fn is_fault(&self) -> bool {
        match self {
            Self::Store(error) => match error {
                StoreError::Unreadable { .. }
                | StoreError::Undescribed { .. }
                | StoreError::Unwritable { .. }
                | StoreError::Full { .. }
                | StoreError::ReadOnly { .. }
                | StoreError::OutOfService(_)
                | StoreError::Stalled { .. }
                | StoreError::OutOfDescriptors { .. } => true,
                StoreError::NoSuchBucket(_)
                | StoreError::NoSuchKey
                | StoreError::NoSuchUpload(_)
                | StoreError::TooManyCompletions(_)
                | StoreError::ConditionFailed
                | StoreError::Withdrawn
                | StoreError::BucketNotEmpty(_)
                | StoreError::NameTaken { .. }
                | StoreError::InTheWay { .. } => false,
            },
            Self::Interrupted | Self::Unrecorded => true,
            Self::Head(_)
            | Self::Refused(_)
            | Self::Withdrawn(..)
            | Self::PayloadHash { .. }
            | Self::UnwantedBody
            | Self::CutBody
            | Self::OverlongBody
            | Self::SilentBody
            | Self::DocumentTooLong { .. }
            | Self::TooMany(_)
            | Self::TooManyUnverified
            | Self::TooManyFailures
            | Self::TooLong(_)
            | Self::SlowBody
            | Self::Call(_)
            | Self::NoSuchKey(_)
            | Self::HiddenKey => false,
        }
    }
}
