//! PutObject.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>

use bytes::Bytes;
use http::Response;

use crate::{
    s3::{WriteObject, put_object_headers},
    store::{LastLook, Store, Upload},
    types::{BucketName, ObjectKey, Properties},
};

use super::{Body, Failure, HttpBody, Payload, unwritten};

/// Takes the body, and makes it visible once all that was declared of it holds.
pub(super) async fn put<S, B>(
    store: &S,
    (bucket, key): (&BucketName, &ObjectKey),
    write: &WriteObject,
    payload: Payload<'_, B>,
    last_look: LastLook,
) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut upload = store
        .upload(bucket, Some(write.length), last_look)
        .await
        .map_err(Failure::Store)?;
    let digested = payload
        .store_declared(&mut upload, (&write.integrity, write.length), None)
        .await?;
    let etag = digested.etag();
    let properties = Properties {
        checksum: digested.checksum,
        ..write.properties.clone()
    };
    let stored = upload
        .commit(key, etag, properties, write.condition.clone())
        .await
        .map_err(|error| unwritten(error, key, &write.condition))?;
    let mut response = Response::new(Body::Empty);
    *response.headers_mut() = put_object_headers(&stored);
    Ok(response)
}
