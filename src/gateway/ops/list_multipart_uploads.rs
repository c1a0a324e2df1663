//! ListMultipartUploads.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>

use http::Response;

use crate::{
    s3::{ListMultipartUploads, UploadEntry, UploadsPage, multipart_uploads},
    store::{FoundUpload, Store, UploadsQuery},
    types::BucketName,
    verdict::Settings,
};

use super::{Body, Failure, document, multipart};

/// Lists one page of a bucket's uploads.
pub(super) async fn list<S: Store>(
    store: &S,
    settings: &Settings,
    bucket: &BucketName,
    call: &ListMultipartUploads,
) -> Result<Response<Body>, Failure> {
    let query = UploadsQuery {
        prefix: call.prefix.clone(),
        delimiter: call.delimiter.clone(),
        key_marker: call.key_marker.clone().unwrap_or_default(),
        upload_id_marker: call.upload_id_marker.clone(),
        limit: call.max_uploads,
    };
    let found = store
        .list_multiparts(bucket, query)
        .await
        .map_err(Failure::Store)?;
    let entries: Vec<_> = found.entries.iter().map(entry).collect();
    Ok(document(multipart_uploads(&UploadsPage {
        bucket,
        call,
        account_id: &settings.account_id,
        entries: &entries,
        more: found.more,
    })))
}

fn entry(found: &FoundUpload) -> UploadEntry<'_> {
    match found {
        FoundUpload::Upload(upload) => UploadEntry::Upload(multipart::listed_upload(upload)),
        FoundUpload::CommonPrefix(prefix) => UploadEntry::CommonPrefix(prefix),
    }
}
