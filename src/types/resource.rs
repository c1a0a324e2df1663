//! What a statement's `Resource` names.

use std::fmt;

use super::{BucketName, ObjectKey};

/// What an action touches. Written as text it is the ARN that a policy's `Resource` is matched with.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// The whole service, for actions such as `s3:ListAllMyBuckets`: `*`, which a statement on `*`
    /// matches, and one on every S3 resource (`arn:aws:s3:::*`).
    Service,
    /// `arn:aws:s3:::bucket`
    Bucket(&'a BucketName),
    /// `arn:aws:s3:::bucket/key`
    Object(&'a BucketName, &'a ObjectKey),
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service => f.write_str("*"),
            Self::Bucket(bucket) => write!(f, "arn:aws:s3:::{bucket}"),
            Self::Object(bucket, key) => write!(f, "arn:aws:s3:::{bucket}/{key}"),
        }
    }
}
