//! ListParts.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>

use http::Response;

use crate::{
    s3::{self, ListParts, PartsPage},
    store::Store,
    types::{BucketName, ObjectKey},
    verdict::Settings,
};

use super::{Body, Failure, document, multipart};

/// Lists one page of an upload's parts.
pub(super) async fn list<S: Store>(
    store: &S,
    settings: &Settings,
    (bucket, key): (&BucketName, &ObjectKey),
    call: &ListParts,
) -> Result<Response<Body>, Failure> {
    let name = multipart::name(bucket, key, &call.upload_id);
    let upload = store.multipart(&name).await.map_err(Failure::Store)?;
    let came = store.parts(&name).await.map_err(Failure::Store)?;
    let behind: Vec<_> = came
        .iter()
        .filter(|part| part.part.number.get() > call.after)
        .map(|part| (part, part.etag()))
        .collect();
    let parts: Vec<_> = behind
        .iter()
        .take(call.max_parts)
        .map(|(part, etag)| multipart::listed(part, etag))
        .collect();
    Ok(document(s3::parts(&PartsPage {
        bucket,
        upload: multipart::listed_upload(&upload),
        call,
        account_id: &settings.account_id,
        parts: &parts,
        more: parts.len() < behind.len() && call.max_parts > 0,
    })))
}
