//! Uploads in parts, as a store keeps them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use std::future::Future;

use time::OffsetDateTime;

use crate::types::{
    BucketName, Checksum, ChecksumAlgorithm, ChecksumType, ETag, ObjectAttributes, ObjectKey, PartNumber,
    Properties, UploadId, WriteCondition,
};

use super::{LastLook, StoreError, Upload};

/// Keeps parts until they are an object. Nothing of an upload can be seen as an object before it is completed.
pub trait MultipartStore: Send + Sync + 'static {
    /// An object, or a part of one, on its way in.
    type Upload: Upload;

    /// Begins an upload.
    fn create_multipart(
        &self,
        bucket: &BucketName,
        upload: NewMultipart,
        last_look: LastLook,
    ) -> impl Future<Output = Result<UploadId, StoreError>> + Send;

    /// Finds an upload: one of this id, for this bucket and key.
    fn multipart(
        &self,
        upload: &UploadName,
    ) -> impl Future<Output = Result<MultipartUpload, StoreError>> + Send;

    /// One page of a bucket's uploads, in the order of keys, then of time. Uploads of any number take
    /// the memory of a page.
    fn list_multiparts(
        &self,
        bucket: &BucketName,
        query: UploadsQuery,
    ) -> impl Future<Output = Result<UploadsFound, StoreError>> + Send;

    /// The parts that have come, in the order of their numbers.
    fn parts(
        &self,
        upload: &UploadName,
        query: PartsQuery,
    ) -> impl Future<Output = Result<Vec<StoredPart>, StoreError>> + Send;

    /// Makes an object of parts, visible whole and on stable storage in one moment, and ends the upload.
    /// Bytes are shared, not copied, if the store can. If it fails the upload stays as it was. One
    /// upload is completed once at a time; whoever comes later waits, and finds no upload.
    fn complete_multipart(
        &self,
        upload: &UploadName,
        completion: Completion,
    ) -> impl Future<Output = Result<ObjectAttributes, StoreError>> + Send;

    /// Ends an upload and removes its parts.
    fn abort_multipart(
        &self,
        upload: &UploadName,
        last_look: LastLook,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What names an upload: an id alone does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadName {
    /// The bucket.
    pub bucket: BucketName,
    /// The key of the object to be.
    pub key: ObjectKey,
    /// The id.
    pub id: UploadId,
}

/// What to list of a bucket's uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadsQuery {
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys that have this text after the prefix are rolled up to its first occurrence. Never empty.
    pub delimiter: Option<String>,
    /// Only keys after this one, in the order of bytes.
    pub key_marker: String,
    /// With this ID of an upload of the marker's key, also that key's uploads after it. If the upload
    /// has ended, all of the key's uploads.
    pub upload_id_marker: Option<String>,
    /// The most entries of a page.
    pub limit: usize,
}

/// One page of uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadsFound {
    /// In the order of keys, then of time.
    pub entries: Vec<FoundUpload>,
    /// Whether there is more after the last entry; `false` if the limit is 0.
    pub more: bool,
}

/// One entry of a page of uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundUpload {
    /// An upload.
    Upload(Box<MultipartUpload>),
    /// What keys are rolled up to.
    CommonPrefix(String),
}

/// Which parts of an upload to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartsQuery {
    /// Only parts of a higher number.
    pub after: u32,
    /// The most parts.
    pub limit: usize,
}

impl PartsQuery {
    /// Every part.
    pub const ALL: Self = Self {
        after: 0,
        limit: usize::MAX,
    };
}

/// An upload that is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMultipart {
    /// The key of the object to be.
    pub key: ObjectKey,
    /// Who begins it: the name of a signer.
    pub initiator: String,
    /// What is said of the object.
    pub properties: Properties,
    /// The checksum that the object is to have.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

/// An upload as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultipartUpload {
    /// Its id.
    pub id: UploadId,
    /// When it began.
    pub initiated: OffsetDateTime,
    /// What was said of it then.
    pub began: NewMultipart,
}

/// What is known of a part that has been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number.
    pub number: PartNumber,
    /// The MD5 of its content.
    pub md5: [u8; 16],
    /// Its checksum, where one was declared or is wanted.
    pub checksum: Option<Checksum>,
}

/// A part as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPart {
    /// What is known of its content.
    pub part: Part,
    /// Its length in bytes.
    pub size: u64,
    /// When it came.
    pub last_modified: OffsetDateTime,
}

impl StoredPart {
    /// The part's ETag.
    pub fn etag(&self) -> ETag {
        ETag::of_md5(self.part.md5)
    }
}

/// How an upload ends.
#[derive(Clone, Debug)]
pub struct Completion {
    /// What the object is made of, in this order.
    pub parts: Vec<StoredPart>,
    /// The object's ETag.
    pub etag: ETag,
    /// What is said of the object.
    pub properties: Properties,
    /// What must hold of the object that is there.
    pub condition: WriteCondition,
    /// Asked in the moment before the object becomes visible.
    pub last_look: LastLook,
}
