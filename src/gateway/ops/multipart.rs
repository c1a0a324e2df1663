//! What the operations on uploads in parts share.

use crate::{
    s3::{ListedPart, ListedUpload},
    store::{MultipartUpload, Store, StoreError, StoredPart, UploadName},
    types::{BucketName, ETag, ObjectKey, UploadId},
    verdict::Permit,
};

use super::Failure;

/// All of an upload's name.
pub(super) fn name(bucket: &BucketName, key: &ObjectKey, id: &UploadId) -> UploadName {
    UploadName {
        bucket: bucket.clone(),
        key: key.clone(),
        id: id.clone(),
    }
}

/// Finds an upload that the permit's signer began. For anybody else who would write to it there is none.
pub(super) async fn of_signer<S: Store>(
    store: &S,
    permit: &Permit,
    name: &UploadName,
) -> Result<MultipartUpload, Failure> {
    let upload = store.multipart(name).await.map_err(Failure::Store)?;
    match upload.began.initiator == permit.signer() {
        true => Ok(upload),
        false => Err(Failure::Store(StoreError::NoSuchUpload(name.id.clone()))),
    }
}

/// A part as answers tell of it.
pub(super) fn listed<'p>(stored: &'p StoredPart, etag: &'p ETag) -> ListedPart<'p> {
    ListedPart {
        number: stored.part.number,
        size: stored.size,
        etag,
        checksum: stored.part.checksum.as_ref(),
        last_modified: stored.last_modified,
    }
}

/// An upload as answers tell of it.
pub(super) fn listed_upload(upload: &MultipartUpload) -> ListedUpload<'_> {
    ListedUpload {
        key: &upload.began.key,
        id: &upload.id,
        initiator: &upload.began.initiator,
        initiated: upload.initiated,
        storage_class: upload.began.properties.storage_class.as_deref(),
        checksum: upload.began.checksum,
    }
}
