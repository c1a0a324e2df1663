//! Every way in which a request does not get what it asked for, and what S3 says then.

use crate::{
    s3::{ErrorCode, S3Error},
    store::StoreError,
    types::HeadError,
    verdict::Refusal,
};

/// A request that failed. `Display` is for the operator's log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The head cannot be taken.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The verdict says no. The flag tells whether the connection can be used again.
    #[error("{0}")]
    Refused(Refusal, bool),
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
            Self::Refused(refusal, _) => refusal.name(),
            Self::PayloadHash { .. } => "PayloadHash",
            Self::UnwantedBody => "UnwantedBody",
            Self::Call(error) => error.code().name(),
            Self::NoSuchKey(_) => "NoSuchKey",
            Self::HiddenKey => "HiddenKey",
            Self::Store(StoreError::NoSuchBucket(_)) => "NoSuchBucket",
            Self::Store(StoreError::NoSuchKey) => "NoSuchKey",
            Self::Store(StoreError::Unreadable { .. }) => "Unreadable",
            Self::Store(StoreError::Unwritable { .. }) => "Unwritable",
            Self::Store(StoreError::Full { .. }) => "Full",
            Self::Store(StoreError::ConditionFailed) => "ConditionFailed",
            Self::Store(StoreError::BucketNotEmpty(_)) => "BucketNotEmpty",
            Self::Store(StoreError::NameTaken { .. }) => "NameTaken",
            Self::Store(StoreError::ReadOnly { .. }) => "ReadOnly",
        }
    }

    /// What the client is told.
    pub(super) fn s3_error(&self) -> S3Error {
        match self {
            Self::Head(_) => S3Error::new(ErrorCode::InvalidRequest)
                .message("The request must name exactly one valid host."),
            Self::Refused(refusal, _) => refusal.s3_error(),
            Self::PayloadHash { declared, computed } => S3Error::new(ErrorCode::XAmzContentSHA256Mismatch)
                .with("ClientComputedContentSHA256", declared)
                .with("S3ComputedContentSHA256", computed),
            Self::UnwantedBody => S3Error::new(ErrorCode::InvalidRequest)
                .message("The request must not have a body of this size."),
            Self::Call(error) => error.clone(),
            Self::NoSuchKey(key) => S3Error::new(ErrorCode::NoSuchKey).with("Key", key),
            Self::HiddenKey => S3Error::new(ErrorCode::AccessDenied),
            Self::Store(StoreError::NoSuchBucket(bucket)) => {
                S3Error::new(ErrorCode::NoSuchBucket).with("BucketName", bucket.as_str())
            }
            Self::Store(StoreError::NoSuchKey) => S3Error::new(ErrorCode::NoSuchKey),
            Self::Store(StoreError::Unreadable { .. } | StoreError::Unwritable { .. }) => {
                S3Error::new(ErrorCode::InternalError)
            }
            Self::Store(StoreError::Full { .. }) => S3Error::new(ErrorCode::InsufficientStorage),
            Self::Store(StoreError::ConditionFailed) => S3Error::new(ErrorCode::PreconditionFailed),
            Self::Store(StoreError::BucketNotEmpty(bucket)) => {
                S3Error::new(ErrorCode::BucketNotEmpty).with("BucketName", bucket.as_str())
            }
            Self::Store(StoreError::NameTaken { .. }) => S3Error::new(ErrorCode::InvalidRequest)
                .message("The key's name is taken by another key where names are kept."),
            Self::Store(StoreError::ReadOnly { .. }) => S3Error::new(ErrorCode::MethodNotAllowed),
        }
    }

    /// Can another request follow on this connection?
    pub(super) fn keeps_connection(&self) -> bool {
        match self {
            Self::Refused(_, keeps) => *keeps,
            Self::UnwantedBody => false,
            Self::Head(_)
            | Self::PayloadHash { .. }
            | Self::Call(_)
            | Self::NoSuchKey(_)
            | Self::HiddenKey
            | Self::Store(_) => true,
        }
    }
}
