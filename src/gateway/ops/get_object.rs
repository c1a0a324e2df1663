//! GetObject and HeadObject, which differ in the body alone.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

use http::{HeaderValue, Response, StatusCode, header};

use crate::{
    s3::{ReadObject, put_tagging_count, read_object},
    store::{Content, FileBody, Object, Store, StoreError},
    types::{BucketName, ObjectKey},
    verdict::{Learned, Permit, Released},
};

use super::{Body, Failure};

/// Opens the object, and releases it once the conditions on its own tags hold: they are read from the handle that is sent.
pub(super) async fn open<S: Store>(
    store: &S,
    permit: &Permit,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Released<Object>, Failure> {
    release(store, permit, (bucket, key), false).await
}

/// The same for the source of a copy. If the copy takes over its tags, they are decided on as those
/// of the request.
pub(super) async fn open_source<S: Store>(
    store: &S,
    permit: &Permit,
    source: (&BucketName, &ObjectKey),
    copies_tags: bool,
) -> Result<Released<Object>, Failure> {
    release(store, permit, source, copies_tags).await
}

async fn release<S: Store>(
    store: &S,
    permit: &Permit,
    (bucket, key): (&BucketName, &ObjectKey),
    copies_tags: bool,
) -> Result<Released<Object>, Failure> {
    let opened = store.open(bucket, key).await;
    let object = opened.map_err(|error| unopened(error, permit, bucket, key))?;
    let attributes = object.attributes.clone();
    let tags = attributes.properties.tags.as_slice();
    let learned = Learned {
        object_tags: tags,
        request_tags: copies_tags.then_some(tags),
    };
    Ok(permit.release((bucket, key), learned, object)?)
}

/// A signer who may not list the bucket is not told that a key does not exist, as on AWS.
pub(super) fn unopened(error: StoreError, permit: &Permit, bucket: &BucketName, key: &ObjectKey) -> Failure {
    // Whom only an object's tags would let in learns nothing of one that is not there.
    let hidden = || permit.release((bucket, key), Learned::default(), ()).is_err();
    match error {
        StoreError::NoSuchKey if hidden() => Failure::HiddenKey,
        StoreError::NoSuchKey if permit.may_list(bucket) => Failure::NoSuchKey(key.as_str().to_owned()),
        StoreError::NoSuchKey => Failure::HiddenKey,
        other => Failure::Store(other),
    }
}

/// Answers from the object's attributes and, where `with_bytes`, streams what was asked for.
pub(super) fn answer(
    permit: &Permit,
    (bucket, key): (&BucketName, &ObjectKey),
    object: Released<Object>,
    read: &ReadObject,
    with_bytes: bool,
) -> Result<Response<Body>, Failure> {
    let object = object.into_inner();
    let mut answer = read_object(read, &object.attributes).map_err(Failure::Call)?;
    let tags = &object.attributes.properties.tags;
    if answer.status != StatusCode::NOT_MODIFIED
        && !tags.is_empty()
        && permit.may_read_tags((bucket, key), tags)
    {
        put_tagging_count(&mut answer.headers, tags);
    }
    let length = answer.bytes.end.saturating_sub(answer.bytes.start);
    let body = match object.content {
        Content::File(file) if with_bytes && length > 0 => Body::Object(FileBody::new(file, answer.bytes)),
        Content::File(_) => Body::Empty,
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    if answer.status != StatusCode::NOT_MODIFIED {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(response)
}
