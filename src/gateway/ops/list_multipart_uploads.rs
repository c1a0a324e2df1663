//! ListMultipartUploads.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>

use http::Response;

use crate::{
    s3::{ListMultipartUploads, UploadEntry, UploadsPage, multipart_uploads},
    store::{MultipartUpload, Store},
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
    let all = store.multiparts(bucket).await.map_err(Failure::Store)?;
    let mut entries: Vec<UploadEntry<'_>> = Vec::new();
    let mut more = false;
    for upload in &all {
        let Some(entry) = entry(upload, call, &all) else {
            continue;
        };
        if let (UploadEntry::CommonPrefix(new), Some(UploadEntry::CommonPrefix(last))) =
            (entry, entries.last())
            && new == *last
        {
            continue;
        }
        if entries.len() >= call.max_uploads {
            more = call.max_uploads > 0;
            break;
        }
        entries.push(entry);
    }
    Ok(document(multipart_uploads(&UploadsPage {
        bucket,
        call,
        account_id: &settings.account_id,
        entries: &entries,
        more,
    })))
}

/// What an upload is in this listing. None: nothing.
fn entry<'u>(
    upload: &'u MultipartUpload,
    call: &ListMultipartUploads,
    all: &[MultipartUpload],
) -> Option<UploadEntry<'u>> {
    let key = upload.began.key.as_str();
    let rest = key.strip_prefix(call.prefix.as_str())?;
    let rolled_up = call.delimiter.as_deref().and_then(|delimiter| {
        let end = rest.find(delimiter)?.checked_add(delimiter.len())?;
        key.get(..call.prefix.len().checked_add(end)?)
    });
    let marker = call.key_marker.as_deref().unwrap_or_default();
    if let Some(prefix) = rolled_up {
        return (prefix > marker).then_some(UploadEntry::CommonPrefix(prefix));
    }
    let behind = match (&call.upload_id_marker, key == marker) {
        (Some(id), true) => is_behind(upload, id, all),
        (_, _) => key > marker,
    };
    behind.then(|| UploadEntry::Upload(multipart::listed_upload(upload)))
}

/// Does the upload stand behind that of this id, which is one of the same key? One that has ended since stands nowhere: its key's others are
/// told again rather than not at all.
fn is_behind(upload: &MultipartUpload, id: &str, all: &[MultipartUpload]) -> bool {
    let at = |wanted: &str| all.iter().position(|other| other.id.as_str() == wanted);
    at(id).is_none_or(|marker| at(upload.id.as_str()).is_some_and(|own| own > marker))
}
