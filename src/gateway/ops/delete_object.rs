//! DeleteObject.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>

use http::{Response, StatusCode};

use crate::{
    store::{LastLook, Store},
    types::{BucketName, ObjectKey, WriteCondition},
};

use super::{Body, Failure, empty, unwritten};

/// Removes the object. That there is none is no failure.
pub(super) async fn delete<S: Store>(
    store: &S,
    (bucket, key): (&BucketName, &ObjectKey),
    condition: &WriteCondition,
    last_look: LastLook,
) -> Result<Response<Body>, Failure> {
    store
        .delete(bucket, key, condition.clone(), last_look)
        .await
        .map_err(|error| unwritten(error, key, condition))?;
    Ok(empty(StatusCode::NO_CONTENT))
}
