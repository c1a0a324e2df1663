//! AbortMultipartUpload.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>

use http::{Response, StatusCode};

use crate::{
    store::{LastLook, Store},
    types::{BucketName, ObjectKey, UploadId},
};

use super::{Body, Failure, empty, multipart};

/// Ends an upload, whoever began it: an operator cleans up after others.
pub(super) async fn abort<S: Store>(
    store: &S,
    (bucket, key): (&BucketName, &ObjectKey),
    id: &UploadId,
    last_look: LastLook,
) -> Result<Response<Body>, Failure> {
    let name = multipart::name(bucket, key, id);
    let aborted = store.abort_multipart(&name, last_look).await;
    aborted.map_err(Failure::Store)?;
    Ok(empty(StatusCode::NO_CONTENT))
}
