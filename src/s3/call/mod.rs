//! What a request asks for, with every argument that changes the answer. What cannot be honoured is
//! refused here, never ignored.

mod attributes;
mod copy;
mod headers;
mod list;
mod multipart;
pub(super) mod properties;
mod read;
pub(super) mod tags;
pub(super) mod unsupported;
mod write;

use http::{HeaderMap, Method};

use crate::types::{Action, BucketName, ObjectKey, Query, Tag, UploadId, WriteCondition};

use super::{
    ErrorCode, Operation, S3Error, Target,
    form::{self, PostObject},
    routing,
};

pub use attributes::{ObjectAttribute, WantedAttributes};
pub use copy::CopyObject;
pub(super) use headers::CallHeaders;
pub use list::{ListBuckets, ListObjects, Start, token};
pub use multipart::{
    CompleteMultipartUpload, CreateMultipartUpload, ListMultipartUploads, ListParts, UploadPart,
    UploadPartCopy,
};
pub use read::ReadObject;
pub(super) use write::MAX_OBJECT_BYTES;
pub use write::{DeclaredChecksum, Integrity, WriteObject};

/// The parameters of which AWS takes the first. Their order matters to nobody: that value is hashed
/// once more by itself (`X-Amz-Expires`, which is not, is missing here).
const SIGNATURES_OWN: [&str; 6] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
];

/// One call of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// GetObject.
    GetObject(ReadObject),
    /// HeadObject: the same, without the bytes.
    HeadObject(ReadObject),
    /// GetObjectAttributes.
    GetObjectAttributes(WantedAttributes),
    /// PutObject.
    PutObject(Box<WriteObject>),
    /// PostObject: read from a form, never from a head.
    PostObject(Box<PostObject>),
    /// CopyObject.
    CopyObject(Box<CopyObject>),
    /// DeleteObject.
    DeleteObject(WriteCondition),
    /// DeleteObjects: the keys are in the body.
    DeleteObjects,
    /// GetObjectTagging.
    GetObjectTagging,
    /// PutObjectTagging: the tags are in the body.
    PutObjectTagging,
    /// DeleteObjectTagging.
    DeleteObjectTagging,
    /// CreateMultipartUpload.
    CreateMultipartUpload(Box<CreateMultipartUpload>),
    /// UploadPart.
    UploadPart(Box<UploadPart>),
    /// UploadPartCopy.
    UploadPartCopy(Box<UploadPartCopy>),
    /// CompleteMultipartUpload: the parts are in the body.
    CompleteMultipartUpload(Box<CompleteMultipartUpload>),
    /// AbortMultipartUpload.
    AbortMultipartUpload(UploadId),
    /// ListParts.
    ListParts(ListParts),
    /// ListMultipartUploads.
    ListMultipartUploads(ListMultipartUploads),
    /// ListObjects.
    ListObjects(ListObjects),
    /// ListObjectsV2.
    ListObjectsV2(ListObjects),
    /// ListBuckets.
    ListBuckets(ListBuckets),
    /// CreateBucket: its region is in the body.
    CreateBucket,
    /// HeadBucket.
    HeadBucket,
    /// DeleteBucket.
    DeleteBucket,
    /// GetBucketLocation.
    GetBucketLocation,
    /// GetBucketCors.
    GetBucketCors,
    /// PutBucketCors: the rules are in the body.
    PutBucketCors,
    /// DeleteBucketCors.
    DeleteBucketCors,
    /// A setting that nobody can have set: it is verified and authorised like any other, and AWS's
    /// answer for it unset is given.
    Unset(Operation),
    /// An operation that is known and not built: it is verified and authorised like any other, and
    /// then `NotImplemented`.
    Other(Operation),
}

/// A permission that a call needs besides that of its operation on what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need<'c> {
    /// To do what.
    pub action: Action,
    /// In which bucket.
    pub bucket: &'c BucketName,
    /// With which object.
    pub key: &'c ObjectKey,
    /// Is the object opened for it?
    pub opened: bool,
}

impl Call {
    /// Reads method, target, query and headers. `account_id` is the account that owns every bucket.
    ///
    /// Errors: `InvalidArgument` for a parameter with two values, `MethodNotAllowed`,
    /// `AccessDenied` for another expected owner, and whatever an operation's arguments can be
    /// refused for: `InvalidArgument`, `InvalidRequest`, `NotImplemented`, `MissingContentLength`,
    /// ….
    pub fn parse(
        method: &Method,
        target: &Target,
        query: &Query<'_>,
        headers: &HeaderMap,
        account_id: &str,
    ) -> Result<Self, S3Error> {
        if let Some(repeated) = query.repeated(&SIGNATURES_OWN) {
            return Err(S3Error::invalid_argument(
                "The argument is given more than once, with different values.",
                &repeated.name,
                &repeated.value,
            ));
        }
        let headers = CallHeaders::parse(headers, query)?;
        let operation = routing::operation(method, target, query, headers)?;
        expected_owner(headers, account_id)?;
        Ok(match (operation, target) {
            (Operation::GetObject, _) => Self::GetObject(ReadObject::parse(query, headers)?),
            (Operation::HeadObject, _) => Self::HeadObject(ReadObject::parse(query, headers)?),
            (Operation::GetObjectAttributes, _) => {
                unsupported::on_read(query, headers)?;
                Self::GetObjectAttributes(WantedAttributes::parse(headers)?)
            }
            (Operation::PutObject, _) => Self::PutObject(Box::new(WriteObject::parse(query, headers)?)),
            (Operation::CopyObject, Target::Object(bucket, key)) => {
                Self::CopyObject(Box::new(CopyObject::parse((bucket, key), query, headers)?))
            }
            (Operation::DeleteObject, _) => {
                unsupported::version(query)?;
                unsupported::on_removal(headers)?;
                Self::DeleteObject(write::condition(headers)?)
            }
            (Operation::DeleteObjects, _) => Self::DeleteObjects,
            (Operation::GetObjectTagging, _) => {
                unsupported::version(query)?;
                Self::GetObjectTagging
            }
            (Operation::PutObjectTagging, _) => {
                unsupported::version(query)?;
                Self::PutObjectTagging
            }
            (Operation::DeleteObjectTagging, _) => {
                unsupported::version(query)?;
                Self::DeleteObjectTagging
            }
            (Operation::CreateMultipartUpload, _) => {
                Self::CreateMultipartUpload(Box::new(CreateMultipartUpload::parse(query, headers)?))
            }
            (Operation::UploadPart, _) => Self::UploadPart(Box::new(UploadPart::parse(query, headers)?)),
            (Operation::UploadPartCopy, _) => {
                Self::UploadPartCopy(Box::new(UploadPartCopy::parse(query, headers)?))
            }
            (Operation::CompleteMultipartUpload, _) => {
                Self::CompleteMultipartUpload(Box::new(CompleteMultipartUpload::parse(query, headers)?))
            }
            (Operation::AbortMultipartUpload, _) => {
                unsupported::on_removal(headers)?;
                Self::AbortMultipartUpload(multipart::upload_id(query)?)
            }
            (Operation::ListParts, _) => Self::ListParts(ListParts::parse(query)?),
            (Operation::ListMultipartUploads, _) => {
                Self::ListMultipartUploads(ListMultipartUploads::parse(query)?)
            }
            (Operation::ListObjects, _) => Self::ListObjects(ListObjects::parse_v1(query)?),
            (Operation::ListObjectsV2, _) => Self::ListObjectsV2(ListObjects::parse_v2(query)?),
            (Operation::ListBuckets, _) => Self::ListBuckets(ListBuckets::parse(query)?),
            (Operation::CreateBucket, _) => {
                unsupported::acl(headers)?;
                object_lock(headers)?;
                Self::CreateBucket
            }
            (Operation::HeadBucket, _) => Self::HeadBucket,
            (Operation::DeleteBucket, _) => Self::DeleteBucket,
            (Operation::GetBucketLocation, _) => Self::GetBucketLocation,
            (Operation::GetBucketCors, _) => Self::GetBucketCors,
            (Operation::PutBucketCors, _) => Self::PutBucketCors,
            (Operation::DeleteBucketCors, _) => Self::DeleteBucketCors,
            // A form is read before its call is known: what comes here is none.
            (Operation::PostObject, _) => return Err(form::not_a_form()),
            (other, _) if super::unset::is_setting(other) => Self::Unset(other),
            (other, _) => Self::Other(other),
        })
    }

    /// AWS's name for what is asked.
    pub fn operation(&self) -> Operation {
        match self {
            Self::GetObject(_) => Operation::GetObject,
            Self::HeadObject(_) => Operation::HeadObject,
            Self::GetObjectAttributes(_) => Operation::GetObjectAttributes,
            Self::PutObject(_) => Operation::PutObject,
            Self::PostObject(_) => Operation::PostObject,
            Self::CopyObject(_) => Operation::CopyObject,
            Self::DeleteObject(_) => Operation::DeleteObject,
            Self::DeleteObjects => Operation::DeleteObjects,
            Self::GetObjectTagging => Operation::GetObjectTagging,
            Self::PutObjectTagging => Operation::PutObjectTagging,
            Self::DeleteObjectTagging => Operation::DeleteObjectTagging,
            Self::CreateMultipartUpload(_) => Operation::CreateMultipartUpload,
            Self::UploadPart(_) => Operation::UploadPart,
            Self::UploadPartCopy(_) => Operation::UploadPartCopy,
            Self::CompleteMultipartUpload(_) => Operation::CompleteMultipartUpload,
            Self::AbortMultipartUpload(_) => Operation::AbortMultipartUpload,
            Self::ListParts(_) => Operation::ListParts,
            Self::ListMultipartUploads(_) => Operation::ListMultipartUploads,
            Self::ListObjects(_) => Operation::ListObjects,
            Self::ListObjectsV2(_) => Operation::ListObjectsV2,
            Self::ListBuckets(_) => Operation::ListBuckets,
            Self::CreateBucket => Operation::CreateBucket,
            Self::HeadBucket => Operation::HeadBucket,
            Self::DeleteBucket => Operation::DeleteBucket,
            Self::GetBucketLocation => Operation::GetBucketLocation,
            Self::GetBucketCors => Operation::GetBucketCors,
            Self::PutBucketCors => Operation::PutBucketCors,
            Self::DeleteBucketCors => Operation::DeleteBucketCors,
            Self::Unset(operation) | Self::Other(operation) => *operation,
        }
    }

    /// The bucket and key that the call copies from.
    pub fn copy_source(&self) -> Option<&(BucketName, ObjectKey)> {
        match self {
            Self::CopyObject(copy) => Some(&copy.source),
            Self::UploadPartCopy(copy) => Some(&copy.source),
            _ => None,
        }
    }

    /// What the call needs besides its operation's own action on what it names: a copy reads its
    /// source, tags are set, and a condition on an object's ETag reads that object. AWS asks for
    /// the last only of deletions; without it a signer who may only write could guess at the
    /// content.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html#API_CopyObject_RequestSyntax>,
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-delete-enforce.html>
    pub fn further_needs<'c>(&'c self, target: &'c Target) -> Vec<Need<'c>> {
        let Target::Object(bucket, key) = target else {
            return Vec::new();
        };
        let own = |action, opened| Need {
            action,
            bucket,
            key,
            opened,
        };
        let read = |source: &'c (BucketName, ObjectKey)| Need {
            action: Action::GetObject,
            bucket: &source.0,
            key: &source.1,
            opened: true,
        };
        let tagged = |tags: &[Tag]| (!tags.is_empty()).then(|| own(Action::PutObjectTagging, false));
        let compared =
            |condition: &WriteCondition| condition.is_on_content().then(|| own(Action::GetObject, true));
        match self {
            Self::GetObjectAttributes(_) => vec![own(Action::GetObject, true)],
            Self::PutObject(write) => tagged(&write.properties.tags)
                .into_iter()
                .chain(compared(&write.condition))
                .collect(),
            Self::PostObject(post) => tagged(&post.properties.tags).into_iter().collect(),
            Self::CreateMultipartUpload(create) => tagged(&create.properties.tags).into_iter().collect(),
            Self::DeleteObject(condition) => compared(condition).into_iter().collect(),
            Self::CompleteMultipartUpload(complete) => compared(&complete.condition).into_iter().collect(),
            Self::UploadPartCopy(copy) => vec![read(&copy.source)],
            Self::CopyObject(copy) => std::iter::once(read(&copy.source))
                .chain(tagged(copy.tags.as_deref().unwrap_or_default()))
                .chain(compared(&copy.condition))
                .collect(),
            Self::GetObject(_)
            | Self::HeadObject(_)
            | Self::DeleteObjects
            | Self::GetObjectTagging
            | Self::PutObjectTagging
            | Self::DeleteObjectTagging
            | Self::UploadPart(_)
            | Self::AbortMultipartUpload(_)
            | Self::ListParts(_)
            | Self::ListMultipartUploads(_)
            | Self::ListObjects(_)
            | Self::ListObjectsV2(_)
            | Self::ListBuckets(_)
            | Self::CreateBucket
            | Self::HeadBucket
            | Self::DeleteBucket
            | Self::GetBucketLocation
            | Self::GetBucketCors
            | Self::PutBucketCors
            | Self::DeleteBucketCors
            | Self::Unset(_)
            | Self::Other(_) => Vec::new(),
        }
    }
}

/// The `x-amz-acl` of a request: the header, or the parameter that counts as one.
pub fn canned_acl(headers: &HeaderMap, query: &Query<'_>) -> Option<String> {
    let headers = CallHeaders::parse(headers, query).ok()?;
    let acl = headers.value("x-amz-acl")?;
    Some(String::from_utf8_lossy(&acl).into_owned())
}

/// A client that names the bucket's owner wants to be refused when it is another's: AWS's
/// `AccessDenied`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>
fn expected_owner(headers: CallHeaders<'_>, account_id: &str) -> Result<(), S3Error> {
    const OWNERS: [&str; 2] = [
        "x-amz-expected-bucket-owner",
        "x-amz-source-expected-bucket-owner",
    ];
    let is_other = |name: &&str| {
        let owner = headers.value(name);
        owner.is_some_and(|owner| *owner != *account_id.as_bytes())
    };
    match OWNERS.iter().any(is_other) {
        true => Err(S3Error::new(ErrorCode::AccessDenied)),
        false => Ok(()),
    }
}

fn object_lock(headers: CallHeaders<'_>) -> Result<(), S3Error> {
    const NAME: &str = "x-amz-bucket-object-lock-enabled";
    match headers.text(NAME)? {
        Some(enabled) if enabled.eq_ignore_ascii_case("true") => Err(unsupported::not_implemented(NAME)),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
