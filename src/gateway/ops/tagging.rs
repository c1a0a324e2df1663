//! GetObjectTagging, PutObjectTagging and DeleteObjectTagging.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    s3::{tag_set, tags},
    store::{Object, Store},
    types::{BucketName, ObjectKey, Tag},
    verdict::{Learned, Permit, Released},
};

use super::{Body, Failure, HttpBody, Payload, Work, document, empty, get_object};

/// Room for ten of the longest tags, escaped.
const LONGEST_DOCUMENT: usize = 128 * 1024;

/// GetObjectTagging.
pub(super) fn answer(object: Released<Object>) -> Result<Response<Body>, Failure> {
    Ok(document(tag_set(&object.get().attributes.properties.tags)))
}

/// PutObjectTagging.
pub(super) async fn put<S, B>(
    work: &Work<'_, S>,
    permit: &Permit,
    (bucket, key): (&BucketName, &ObjectKey),
    payload: Payload<'_, B>,
) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let body = payload.document(work.head, LONGEST_DOCUMENT).await?;
    let tags = tags(&body).map_err(Failure::Call)?;
    replace(work, permit, (bucket, key), Some(tags)).await?;
    Ok(empty(StatusCode::OK))
}

/// DeleteObjectTagging.
pub(super) async fn delete<S: Store>(
    work: &Work<'_, S>,
    permit: &Permit,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Response<Body>, Failure> {
    replace(work, permit, (bucket, key), None).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Sets the tags that the body gives, or removes all. The store checks once more, with the tags that
/// the object has when they are replaced.
async fn replace<S: Store>(
    work: &Work<'_, S>,
    permit: &Permit,
    (bucket, key): (&BucketName, &ObjectKey),
    tags: Option<Vec<Tag>>,
) -> Result<(), Failure> {
    let store = &**work.store;
    let unopened = |error| get_object::unopened(error, permit, bucket, key);
    let before = match permit.is_pending() {
        true => {
            let object = store.open(bucket, key).await.map_err(unopened)?;
            object.attributes.properties.tags.clone()
        }
        false => Vec::new(),
    };
    let learned = Learned {
        object_tags: &before,
        request_tags: tags.as_deref(),
    };
    let released = permit.release((bucket, key), learned, tags.clone().unwrap_or_default())?;
    store
        .replace_tags(bucket, key, released.into_inner(), work.last_look(permit))
        .await
        .map_err(unopened)
}
