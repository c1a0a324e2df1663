//! A store that gives nothing, to see what becomes of a request then.

use std::time::Duration;

use postern::{
    store::{
        Bucket, BucketDocument, Completion, DiskUpload, LastLook, ListQuery, MultipartStore, MultipartUpload,
        NewMultipart, Object, Page, PartsQuery, Store, StoreError, StoredPart, UploadName, UploadsFound,
        UploadsQuery,
    },
    types::{BucketName, ObjectAttributes, ObjectKey, Tag, UploadId, WriteCondition},
};

/// A store whose disk is broken.
#[derive(Default)]
pub(crate) struct Broken {
    /// Keys that can be deleted all the same.
    pub(crate) whole: &'static [&'static str],
    /// The multipart upload that can be found. It fails when it is completed, after `delay`.
    pub(crate) upload: Option<(MultipartUpload, Vec<StoredPart>)>,
    pub(crate) delay: Duration,
}

fn broken<T>() -> Result<T, StoreError> {
    Err(StoreError::Unreadable {
        path: "/srv/data/b/k".into(),
        source: std::io::ErrorKind::PermissionDenied.into(),
    })
}

impl Store for Broken {
    async fn open(&self, _: &BucketName, _: &ObjectKey) -> Result<Object, StoreError> {
        broken()
    }

    async fn sync(&self, _: &BucketName, _: &ObjectKey) -> Result<(), StoreError> {
        broken()
    }

    async fn upload(&self, _: &BucketName, _: Option<u64>, _: LastLook) -> Result<DiskUpload, StoreError> {
        broken()
    }

    async fn delete(
        &self,
        _: &BucketName,
        key: &ObjectKey,
        _: WriteCondition,
        _: LastLook,
    ) -> Result<(), StoreError> {
        match self.whole.contains(&key.as_str()) {
            true => Ok(()),
            false => broken(),
        }
    }

    async fn replace_tags(
        &self,
        _: &BucketName,
        _: &ObjectKey,
        _: Vec<Tag>,
        _: LastLook,
    ) -> Result<(), StoreError> {
        broken()
    }

    async fn list(&self, _: &BucketName, _: ListQuery) -> Result<Page, StoreError> {
        broken()
    }

    async fn bucket_exists(&self, _: &BucketName) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn buckets(&self) -> Result<Vec<Bucket>, StoreError> {
        broken()
    }

    async fn create_bucket(&self, _: &BucketName, _: LastLook) -> Result<bool, StoreError> {
        broken()
    }

    async fn bucket_document(
        &self,
        _: &BucketName,
        _: BucketDocument,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        broken()
    }

    async fn keep_bucket_document(
        &self,
        _: &BucketName,
        _: BucketDocument,
        _: Option<Vec<u8>>,
        _: LastLook,
    ) -> Result<(), StoreError> {
        broken()
    }

    async fn delete_bucket(&self, _: &BucketName, _: LastLook) -> Result<(), StoreError> {
        broken()
    }
}

impl MultipartStore for Broken {
    type Upload = DiskUpload;

    async fn create_multipart(
        &self,
        _: &BucketName,
        _: NewMultipart,
        _: LastLook,
    ) -> Result<UploadId, StoreError> {
        broken()
    }

    async fn multipart(&self, _: &UploadName) -> Result<MultipartUpload, StoreError> {
        self.upload
            .as_ref()
            .map_or_else(broken, |(upload, _)| Ok(upload.clone()))
    }

    async fn list_multiparts(&self, _: &BucketName, _: UploadsQuery) -> Result<UploadsFound, StoreError> {
        broken()
    }

    async fn parts(&self, _: &UploadName, _: PartsQuery) -> Result<Vec<StoredPart>, StoreError> {
        self.upload
            .as_ref()
            .map_or_else(broken, |(_, parts)| Ok(parts.clone()))
    }

    async fn complete_multipart(
        &self,
        _: &UploadName,
        _: Completion,
    ) -> Result<ObjectAttributes, StoreError> {
        tokio::time::sleep(self.delay).await;
        broken()
    }

    async fn abort_multipart(&self, _: &UploadName, _: LastLook) -> Result<(), StoreError> {
        broken()
    }
}
