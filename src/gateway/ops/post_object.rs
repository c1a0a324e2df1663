//! PostObject: an upload by a browser's form.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::{
    s3::{ErrorCode, PostObject, S3Error, Success, post_response, put_object_headers, redirect_address},
    store::{LastLook, Store, Upload},
    types::{BucketName, ObjectKey, Properties, WriteCondition},
};

use super::{Body, Failure, HttpBody, Payload, document, empty, unwritten};

/// Takes the file, and makes it visible once its size fits. `bucket_url` is where the form was sent, without a slash at its end.
pub(super) async fn post<S, B>(
    store: &S,
    (bucket, key): (&BucketName, &ObjectKey),
    post: &PostObject,
    bucket_url: &str,
    payload: Payload<'_, B>,
    last_look: LastLook,
) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut upload = store
        .upload(bucket, None, last_look)
        .await
        .map_err(Failure::Store)?;
    let digested = payload
        .store_within(&mut upload, &post.integrity, *post.size.end())
        .await?;
    let least = *post.size.start();
    if digested.length < least {
        return Err(Failure::Call(
            S3Error::new(ErrorCode::EntityTooSmall)
                .with("ProposedSize", digested.length.to_string())
                .with("MinSizeAllowed", least.to_string()),
        ));
    }
    let etag = digested.etag();
    let properties = Properties {
        checksum: digested.checksum,
        ..post.properties.clone()
    };
    let always = WriteCondition::Always;
    let stored = upload
        .commit(key, etag, properties, always.clone())
        .await
        .map_err(|error| unwritten(error, key, &always))?;
    let location = format!("{bucket_url}/{}", crate::s3::encoded_key(key));
    let mut response = match &post.success {
        Success::Status(StatusCode::CREATED) => {
            let mut response = document(post_response(&location, bucket, key, &stored));
            *response.status_mut() = StatusCode::CREATED;
            response
        }
        Success::Status(status) => empty(*status),
        Success::Redirect(_) => empty(StatusCode::SEE_OTHER),
    };
    let headers = response.headers_mut();
    headers.extend(put_object_headers(&stored));
    let location = match &post.success {
        Success::Redirect(address) => redirect_address(address, bucket, key, &stored),
        Success::Status(_) => location,
    };
    if let Ok(location) = HeaderValue::from_str(&location) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}
