//! AbortMultipartUpload.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>

use http::{Response, StatusCode};

use crate::{
    store::Store,
    types::{BucketName, ObjectKey, UploadId},
};

use super::{Body, Failure, empty, multipart};

/// Ends an upload, whoever began it: an operator cleans up after others.
pub(super) async fn abort<S: Store>(
    store: &S,
    bucket: &BucketName,
    key: &ObjectKey,
    id: &UploadId,
) -> Result<Response<Body>, Failure> {
    let name = multipart::name(bucket, key, id);
    store.abort_multipart(&name).await.map_err(Failure::Store)?;
    Ok(empty(StatusCode::NO_CONTENT))
}
