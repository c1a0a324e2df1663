//! GetObjectTagging, PutObjectTagging and DeleteObjectTagging.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    s3::{tag_set, tags},
    store::{Object, Store},
    types::{BucketName, ObjectKey, RequestHead, Tag},
    verdict::Permit,
};

use super::{Body, Failure, HttpBody, Payload, document, empty, get_object};

/// Room for ten of the longest tags, escaped.
const LONGEST_DOCUMENT: usize = 128 * 1024;

/// GetObjectTagging.
pub(super) fn answer(object: Object) -> Result<Response<Body>, Failure> {
    Ok(document(tag_set(&object.attributes.properties.tags)))
}

/// PutObjectTagging.
pub(super) async fn put<S, B>(
    store: &S,
    permit: &Permit,
    (bucket, key): (&BucketName, &ObjectKey),
    head: &RequestHead,
    payload: Payload<'_, B>,
) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let body = payload.document(head, LONGEST_DOCUMENT).await?;
    let tags = tags(&body).map_err(Failure::Call)?;
    replace(store, permit, bucket, key, tags).await?;
    Ok(empty(StatusCode::OK))
}

/// DeleteObjectTagging.
pub(super) async fn delete<S: Store>(
    store: &S,
    permit: &Permit,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Response<Body>, Failure> {
    replace(store, permit, bucket, key, Vec::new()).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn replace<S: Store>(
    store: &S,
    permit: &Permit,
    bucket: &BucketName,
    key: &ObjectKey,
    tags: Vec<Tag>,
) -> Result<(), Failure> {
    store
        .replace_tags(bucket, key, tags)
        .await
        .map_err(|error| get_object::unopened(error, permit, bucket, key))
}
