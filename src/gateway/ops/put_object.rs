//! PutObject.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>

use bytes::Bytes;
use http::Response;

use crate::{
    s3::{DeclaredChecksum, WriteObject, put_object_headers},
    store::{Store, Upload},
    types::{BucketName, ObjectKey, Properties},
};

use super::{Body, Failure, HttpBody, Payload, unwritten};

/// Takes the body, and makes it visible once all that was declared of it holds.
pub(super) async fn put<S, B>(
    store: &S,
    bucket: &BucketName,
    key: &ObjectKey,
    write: &WriteObject,
    payload: Payload<'_, B>,
) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut upload = store
        .upload(bucket, Some(write.length))
        .await
        .map_err(Failure::Store)?;
    let algorithm = write.integrity.checksum.as_ref().map(DeclaredChecksum::algorithm);
    let received = payload.store(&mut upload, algorithm).await?;
    if received.digested.length != write.length {
        return Err(Failure::CutBody);
    }
    let etag = received.digested.etag();
    let checksum = write
        .integrity
        .check(
            received.digested.md5,
            received.digested.checksum,
            &received.trailers,
        )
        .map_err(Failure::Call)?;
    let properties = Properties {
        checksum,
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
