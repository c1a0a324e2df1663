//! ListParts.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>

use http::Response;

use crate::{
    s3::{self, ListParts, PartsPage},
    store::{PartsQuery, Store},
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
    let query = PartsQuery {
        after: call.after,
        // One more says whether there is more.
        limit: call.max_parts.saturating_add(1),
    };
    let found = store.parts(&name, query).await.map_err(Failure::Store)?;
    let found: Vec<_> = found.iter().map(|part| (part, part.etag())).collect();
    let parts: Vec<_> = found
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
        more: parts.len() < found.len() && call.max_parts > 0,
    })))
}
