//! Leave to do one thing. What was authorised travels in a [`Permit`], so that nothing else can be opened; what a request names only in
//! its body is asked for key by key, under the snapshot that decided the request.

use std::sync::Arc;

use crate::{
    policy::{Decision, Denial, Snapshot, StatementReference},
    s3::{
        CompleteMultipartUpload, CopyObject, CreateMultipartUpload, ListBuckets, ListMultipartUploads,
        ListObjects, ListParts, Operation, PostObject, ReadObject, Target, UploadPart, UploadPartCopy,
        WantedAttributes, WriteObject,
    },
    sigv4::Verified,
    types::{Action, BucketName, ObjectKey, Resource, UploadId, WriteCondition},
};

use super::Refusal;

/// Leave to do one thing to what it names. Only [`authorize`](super::authorize) makes one.
pub struct Permit {
    pub(super) operation: Operation,
    pub(super) signer: String,
    pub(super) permitted: Permitted,
    pub(super) bucket: Option<BucketName>,
    pub(super) verified: Verified,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) statement: Option<StatementReference>,
}

/// What a permit allows: an operation, what it names, and its arguments.
pub enum Permitted {
    /// GetObject.
    GetObject(BucketName, ObjectKey, ReadObject),
    /// HeadObject.
    HeadObject(BucketName, ObjectKey, ReadObject),
    /// GetObjectAttributes.
    GetObjectAttributes(BucketName, ObjectKey, WantedAttributes),
    /// PutObject.
    PutObject(BucketName, ObjectKey, Box<WriteObject>),
    /// PostObject.
    PostObject(BucketName, ObjectKey, Box<PostObject>),
    /// CopyObject to this bucket and key; the source, in its arguments, is authorised too.
    CopyObject(BucketName, ObjectKey, Box<CopyObject>),
    /// DeleteObject.
    DeleteObject(BucketName, ObjectKey, WriteCondition),
    /// DeleteObjects in this bucket: each key by [`Permit::delete`].
    DeleteObjects(BucketName),
    /// GetObjectTagging.
    GetObjectTagging(BucketName, ObjectKey),
    /// PutObjectTagging.
    PutObjectTagging(BucketName, ObjectKey),
    /// DeleteObjectTagging.
    DeleteObjectTagging(BucketName, ObjectKey),
    /// CreateMultipartUpload.
    CreateMultipartUpload(BucketName, ObjectKey, Box<CreateMultipartUpload>),
    /// UploadPart.
    UploadPart(BucketName, ObjectKey, Box<UploadPart>),
    /// UploadPartCopy to this bucket and key; the source, in its arguments, is authorised too.
    UploadPartCopy(BucketName, ObjectKey, Box<UploadPartCopy>),
    /// CompleteMultipartUpload.
    CompleteMultipartUpload(BucketName, ObjectKey, Box<CompleteMultipartUpload>),
    /// AbortMultipartUpload.
    AbortMultipartUpload(BucketName, ObjectKey, UploadId),
    /// ListParts.
    ListParts(BucketName, ObjectKey, ListParts),
    /// ListMultipartUploads.
    ListMultipartUploads(BucketName, ListMultipartUploads),
    /// ListObjects.
    ListObjects(BucketName, ListObjects),
    /// ListObjectsV2.
    ListObjectsV2(BucketName, ListObjects),
    /// ListBuckets.
    ListBuckets(ListBuckets),
    /// CreateBucket.
    CreateBucket(BucketName),
    /// HeadBucket.
    HeadBucket(BucketName),
    /// DeleteBucket.
    DeleteBucket(BucketName),
    /// GetBucketLocation.
    GetBucketLocation(BucketName),
    /// GetBucketCors.
    GetBucketCors(BucketName),
    /// PutBucketCors.
    PutBucketCors(BucketName),
    /// DeleteBucketCors.
    DeleteBucketCors(BucketName),
    /// A setting that nobody can have set, of a bucket.
    UnsetOfBucket(BucketName, Operation),
    /// A setting that nobody can have set, of an object.
    UnsetOfObject(BucketName, ObjectKey, Operation),
}

/// Leave to delete one more object, under the permit of the request that names it in its body.
pub struct PermittedKey {
    bucket: BucketName,
    key: ObjectKey,
}

impl Permit {
    /// AWS's name for what it allows.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The name of the signer to whom it is given.
    pub fn signer(&self) -> &str {
        &self.signer
    }

    /// What it allows.
    pub fn permitted(&self) -> &Permitted {
        &self.permitted
    }

    /// The bucket that it is about; none for all of them.
    pub fn bucket(&self) -> Option<&BucketName> {
        self.bucket.as_ref()
    }

    /// What the signature proved.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// The statement that allows it; none where each key is asked for by itself.
    pub fn statement(&self) -> Option<&StatementReference> {
        self.statement.as_ref()
    }

    /// The snapshot under which it was given.
    pub fn generation(&self) -> u64 {
        self.snapshot.generation()
    }

    /// May the signer list the bucket, and so know that a key does not exist?
    pub fn may_list(&self, bucket: &BucketName) -> bool {
        self.evaluate(Action::ListBucket, Resource::Bucket(bucket))
            .is_allowed()
    }

    /// Asks for the deletion of one key that the body names, under the same snapshot and for the same signer.
    pub fn delete(&self, bucket: &BucketName, key: ObjectKey) -> Result<PermittedKey, Refusal> {
        match self.evaluate(Action::DeleteObject, Resource::Object(bucket, &key)) {
            Decision::Allow(_) => Ok(PermittedKey {
                bucket: bucket.clone(),
                key,
            }),
            Decision::Deny(denial) => Err(Refusal::Denied {
                signer: self.signer.clone(),
                action: Action::DeleteObject,
                target: Target::Object(bucket.clone(), key),
                denial,
            }),
        }
    }

    /// May tags be read from the one object and set on the other? A copy asks once it has seen that there are tags.
    pub fn may_copy_tags(&self, from: (&BucketName, &ObjectKey), to: (&BucketName, &ObjectKey)) -> bool {
        let may = |action, (bucket, key)| self.evaluate(action, Resource::Object(bucket, key)).is_allowed();
        may(Action::GetObjectTagging, from) && may(Action::PutObjectTagging, to)
    }

    fn evaluate(&self, action: Action, resource: Resource<'_>) -> Decision {
        match self.snapshot.key(self.verified.access_key_id().as_str()) {
            Some(key) => self.snapshot.evaluate(key.signer(), action, resource),
            // The snapshot that verified the signature holds its key.
            None => Decision::Deny(Denial::Implicit),
        }
    }
}

impl PermittedKey {
    /// The object's bucket.
    pub fn bucket(&self) -> &BucketName {
        &self.bucket
    }

    /// The object's key.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }
}
