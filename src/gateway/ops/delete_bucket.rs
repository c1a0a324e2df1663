//! DeleteBucket: an empty one.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html>

use http::{Response, StatusCode};

use crate::{
    store::{LastLook, Store},
    types::BucketName,
};

use super::{Body, Failure, empty};

/// Removes the bucket.
pub(super) async fn delete<S: Store>(
    store: &S,
    bucket: &BucketName,
    last_look: LastLook,
) -> Result<Response<Body>, Failure> {
    let deleted = store.delete_bucket(bucket, last_look).await;
    deleted.map_err(Failure::Store)?;
    Ok(empty(StatusCode::NO_CONTENT))
}
