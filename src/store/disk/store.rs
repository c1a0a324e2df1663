//! The store's interface over the folders: what waits for the disk goes to the blocking pool.

use std::{sync::Arc, time::SystemTime};

use crate::{
    store::{
        Bucket, BucketDocument, Completion, Content, LastLook, ListQuery, MultipartStore, MultipartUpload,
        NewMultipart, Object, Page, PartsQuery, Store, StoreError, StoredPart, UploadName, UploadsFound,
        UploadsQuery,
    },
    types::{BucketName, ObjectAttributes, ObjectKey, Tag, UploadId, WriteCondition},
};

use super::{
    DiskStore, DiskUpload, Failure, Folders, ObjectFile, Opened, change_off_thread, confine::Wait,
    gate::Gate, look_off_thread, multipart,
};

impl DiskStore {
    /// Aborts every upload in parts to which nothing has come since; how many there were comes out.
    pub async fn abort_stale_uploads(&self, since: SystemTime) -> Result<usize, StoreError> {
        change_off_thread(self.now(), None, move |folders| folders.abort_stale(since)).await
    }
}

impl Opened {
    fn object(self, gate: Arc<Gate>) -> Object {
        Object {
            content: Content::File(ObjectFile::new(self.file, &self.metadata, gate)),
            attributes: self.attributes,
        }
    }
}

impl MultipartStore for DiskStore {
    type Upload = DiskUpload;

    async fn create_multipart(
        &self,
        bucket: &BucketName,
        upload: NewMultipart,
        last_look: LastLook,
    ) -> Result<UploadId, StoreError> {
        let (name, bucket) = (bucket, bucket.clone());
        change_off_thread(self.now(), Some(name), move |folders| {
            folders.create_multipart(&bucket, upload, &last_look)
        })
        .await
    }

    async fn multipart(&self, upload: &UploadName) -> Result<MultipartUpload, StoreError> {
        let (name, upload) = (&upload.bucket, upload.clone());
        look_off_thread(self.now(), Some(name), move |folders| {
            folders.settled(&upload, || folders.multipart(&upload))
        })
        .await
    }

    async fn list_multiparts(
        &self,
        bucket: &BucketName,
        query: UploadsQuery,
    ) -> Result<UploadsFound, StoreError> {
        multipart::list(&self.now(), bucket, query).await
    }

    async fn parts(&self, upload: &UploadName, query: PartsQuery) -> Result<Vec<StoredPart>, StoreError> {
        let (name, upload) = (&upload.bucket, upload.clone());
        look_off_thread(self.now(), Some(name), move |folders| {
            folders.settled(&upload, || folders.parts(&upload, query))
        })
        .await
    }

    async fn complete_multipart(
        &self,
        upload: &UploadName,
        completion: Completion,
    ) -> Result<ObjectAttributes, StoreError> {
        multipart::complete(&self.now(), upload, completion).await
    }

    async fn abort_multipart(&self, upload: &UploadName, last_look: LastLook) -> Result<(), StoreError> {
        let (name, upload) = (&upload.bucket, upload.clone());
        change_off_thread(self.now(), Some(name), move |folders| {
            folders.abort_multipart(&upload, &last_look)
        })
        .await
    }
}

impl Store for DiskStore {
    async fn open(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Object, StoreError> {
        {
            let folders = self.0.folders.load();
            match folders.find(bucket, key, Wait::Never) {
                Ok(found) => return Ok(found.object(folders.gate(Some(bucket)))),
                Err(Failure::Told(error)) => return Err(error),
                Err(Failure::WouldWait) => {}
            }
        }
        let (name, bucket, key) = (bucket, bucket.clone(), key.clone());
        let look = look_off_thread(self.now(), Some(name), move |folders| {
            let found = folders.find_now(&bucket, &key)?;
            Ok(found.object(folders.gate(Some(&bucket))))
        });
        // Boxed: what is seldom needed would make the future of each request larger.
        Box::pin(look).await
    }

    async fn sync(&self, bucket: &BucketName, key: &ObjectKey) -> Result<(), StoreError> {
        let (name, bucket, key) = (bucket, bucket.clone(), key.clone());
        change_off_thread(self.now(), Some(name), move |folders| {
            folders.sync_object(&bucket, &key)
        })
        .await
    }

    async fn upload(
        &self,
        bucket: &BucketName,
        _length: Option<u64>,
        last_look: LastLook,
    ) -> Result<DiskUpload, StoreError> {
        if !self.bucket_exists(bucket).await? {
            return Err(StoreError::NoSuchBucket(bucket.clone()));
        }
        Ok(DiskUpload::new(self.now(), bucket.clone(), last_look))
    }

    async fn delete(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        condition: WriteCondition,
        last_look: LastLook,
    ) -> Result<(), StoreError> {
        let (name, bucket, key) = (bucket, bucket.clone(), key.clone());
        change_off_thread(self.now(), Some(name), move |folders| {
            folders.delete(&bucket, &key, &condition, &last_look)
        })
        .await
    }

    async fn replace_tags(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        tags: Vec<Tag>,
        last_look: LastLook,
    ) -> Result<(), StoreError> {
        let (name, bucket, key) = (bucket, bucket.clone(), key.clone());
        change_off_thread(self.now(), Some(name), move |folders| {
            folders.replace_tags(&bucket, &key, tags, &last_look)
        })
        .await
    }

    async fn list(&self, bucket: &BucketName, query: ListQuery) -> Result<Page, StoreError> {
        let (name, bucket) = (bucket, bucket.clone());
        look_off_thread(self.now(), Some(name), move |folders| {
            folders.list(&bucket, &query)
        })
        .await
    }

    async fn bucket_exists(&self, bucket: &BucketName) -> Result<bool, StoreError> {
        if self.0.folders.load().is_cached_bucket(bucket) {
            return Ok(true);
        }
        let (name, bucket) = (bucket, bucket.clone());
        look_off_thread(self.now(), Some(name), move |folders| {
            folders.bucket_folder(&bucket)
        })
        .await
    }

    async fn buckets(&self) -> Result<Vec<Bucket>, StoreError> {
        look_off_thread(self.now(), None, Folders::buckets).await
    }

    async fn create_bucket(&self, bucket: &BucketName, last_look: LastLook) -> Result<bool, StoreError> {
        let bucket = bucket.clone();
        change_off_thread(self.now(), None, move |folders| {
            folders.create_bucket(&bucket, &last_look)
        })
        .await
    }

    async fn bucket_document(
        &self,
        bucket: &BucketName,
        document: BucketDocument,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let (name, bucket) = (bucket, bucket.clone());
        look_off_thread(self.now(), Some(name), move |folders| {
            folders.bucket_document(&bucket, document)
        })
        .await
    }

    async fn keep_bucket_document(
        &self,
        bucket: &BucketName,
        document: BucketDocument,
        content: Option<Vec<u8>>,
        last_look: LastLook,
    ) -> Result<(), StoreError> {
        let (name, bucket) = (bucket, bucket.clone());
        change_off_thread(self.now(), Some(name), move |folders| {
            folders.keep_bucket_document(&bucket, document, content.as_deref(), &last_look)
        })
        .await
    }

    async fn delete_bucket(&self, bucket: &BucketName, last_look: LastLook) -> Result<(), StoreError> {
        let (name, bucket) = (bucket, bucket.clone());
        change_off_thread(self.now(), Some(name), move |folders| {
            folders.delete_bucket(&bucket, &last_look)
        })
        .await
    }
}
