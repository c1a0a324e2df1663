//! Objects: where their bytes and attributes come from and go to. A bucket and a key go in, attributes and content come out, or
//! a typed reason why not. Nothing here knows HTTP or a policy; [`disk`] is the one store so far, and the
//! [`Store`] interface asks nothing that a store over another object store could not answer.

pub mod disk;
mod error;
mod last_look;
mod listing;
mod multipart;
mod settings;

use std::{future::Future, ops::Range, sync::Arc};

use bytes::Bytes;
use time::OffsetDateTime;

use crate::types::{BucketName, ETag, ObjectAttributes, ObjectKey, Properties, Tag, WriteCondition};

pub use disk::{
    Cached, DiskStore, DiskUpload, Few, FileBody, FolderRoom, Inspection, Invisible, ObjectFile, Removed,
    Waiting, bucket_names, inspect, invisible, look,
};
pub use error::{OpenError, StoreError};
pub use last_look::{LastLook, StillAllowed};
pub use listing::{ListQuery, Listed, Page};
pub use multipart::{
    Completion, FoundUpload, MultipartStore, MultipartUpload, NewMultipart, Part, PartsQuery, StoredPart,
    UploadName, UploadsFound, UploadsQuery,
};
pub use settings::{BucketFolder, Settings};

/// Where objects are kept. Whatever changes something takes a [`LastLook`] and fails with
/// [`StoreError::Withdrawn`] if that says, right before the change, that it is no longer allowed.
pub trait Store: MultipartStore {
    /// Finds an object: its attributes, and its content ready to be sent. The content stays that of the moment of opening
    /// where the object is replaced afterwards.
    fn open(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> impl Future<Output = Result<Object, StoreError>> + Send;

    /// Returns once an object that is there is on stable storage, name and all: before it is reported
    /// as done what another request has done.
    fn sync(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Begins an object of this bucket; `length` is how many bytes are to come, if that is known.
    /// Nothing of it can be seen before [`Upload::commit`], which asks the last look.
    fn upload(
        &self,
        bucket: &BucketName,
        length: Option<u64>,
        last_look: LastLook,
    ) -> impl Future<Output = Result<Self::Upload, StoreError>> + Send;

    /// Removes an object. That there is none is no error, unless the condition wants one.
    fn delete(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        condition: WriteCondition,
        last_look: LastLook,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Replaces an object's tags, and nothing else of it: `last_modified` stays.
    fn replace_tags(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        tags: Vec<Tag>,
        last_look: LastLook,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// One page of a bucket's keys, in the order of their UTF-8 bytes.
    fn list(
        &self,
        bucket: &BucketName,
        query: ListQuery,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Is there a bucket of this name?
    fn bucket_exists(&self, bucket: &BucketName) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Every bucket, sorted by name.
    fn buckets(&self) -> impl Future<Output = Result<Vec<Bucket>, StoreError>> + Send;

    /// Makes a bucket. `false`: it was there already.
    fn create_bucket(
        &self,
        bucket: &BucketName,
        last_look: LastLook,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// What is kept of a bucket besides its objects; none where nothing is.
    fn bucket_document(
        &self,
        bucket: &BucketName,
        document: BucketDocument,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;

    /// Keeps something of a bucket besides its objects, or, with none, no longer.
    fn keep_bucket_document(
        &self,
        bucket: &BucketName,
        document: BucketDocument,
        content: Option<Vec<u8>>,
        last_look: LastLook,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes a bucket that holds no object.
    fn delete_bucket(
        &self,
        bucket: &BucketName,
        last_look: LastLook,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// An object on its way in. Dropping it discards what was written.
pub trait Upload: Send + 'static {
    /// Appends bytes.
    fn write(&mut self, data: Bytes) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Appends a range of an object's content, without a copy where the store can share it.
    fn write_from(
        &mut self,
        content: &Content,
        range: Range<u64>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Keeps what was written as a part of an upload, on stable storage, in place of the part of that number.
    fn keep_as_part(
        self,
        upload: &UploadName,
        part: Part,
    ) -> impl Future<Output = Result<StoredPart, StoreError>> + Send;

    /// Makes the object visible under this key, whole and on stable storage, in place of the one before. The condition is
    /// held against the object that is there in that moment.
    fn commit(
        self,
        key: &ObjectKey,
        etag: ETag,
        properties: Properties,
        condition: WriteCondition,
    ) -> impl Future<Output = Result<ObjectAttributes, StoreError>> + Send;
}

/// What may be kept of a bucket besides its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BucketDocument {
    /// Its CORS rules.
    Cors,
}

/// A bucket as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: BucketName,
    /// When it was made, or the nearest to it that the store knows.
    pub created: OffsetDateTime,
}

/// An object as found.
#[derive(Clone, Debug)]
pub struct Object {
    /// What is known of it besides its bytes.
    pub attributes: Arc<ObjectAttributes>,
    /// Its bytes.
    pub content: Content,
}

/// An object's bytes, in the form that the store has them: the server picks the cheapest way to send each.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Content {
    /// A file on disk: [`FileBody`] streams a range of it.
    File(ObjectFile),
}
