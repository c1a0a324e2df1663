//! CompleteMultipartUpload.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>

use bytes::Bytes;
use http::Response;

use crate::{
    gateway::assembly::Assembly,
    s3::{CompleteMultipartUpload, complete_multipart, multipart_completed},
    store::{Completion, Store, StoreError, UploadName},
    types::{BucketName, ObjectAttributes, ObjectKey, Properties, RequestHead},
    verdict::Permit,
};

use super::{Body, Failure, HttpBody, Payload, document, multipart, unwritten, url};

/// Room for 10,000 parts with the longest checksums.
const LONGEST_DOCUMENT: usize = 4 * 1024 * 1024;

/// Makes an object of the parts that the body names.
pub(super) async fn complete<S, B>(
    store: &S,
    permit: &Permit,
    (bucket, key): (&BucketName, &ObjectKey),
    call: &CompleteMultipartUpload,
    head: &RequestHead,
    payload: Payload<'_, B>,
) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let integrity = CompleteMultipartUpload::integrity(head.headers()).map_err(Failure::Call)?;
    let body = payload.checked_document(LONGEST_DOCUMENT, &integrity).await?;
    let named = complete_multipart(&body).map_err(Failure::Call)?;
    let name = multipart::name(bucket, key, &call.upload_id);
    let stored = match multipart::of_signer(store, permit, &name).await {
        Ok(upload) => {
            let came = store.parts(&name).await.map_err(Failure::Store)?;
            let assembly = Assembly::new(&upload, call, &named, came).map_err(Failure::Call)?;
            let properties = Properties {
                checksum: assembly.checksum,
                parts: Some(assembly.kept),
                ..upload.began.properties
            };
            let completion = Completion {
                parts: assembly.parts,
                etag: assembly.etag,
                properties,
                condition: call.condition.clone(),
            };
            store
                .complete_multipart(&name, completion)
                .await
                .map_err(|error| unwritten(error, key, &call.condition))?
        }
        Err(Failure::Store(StoreError::NoSuchUpload(id))) => match completed_before(store, &name).await? {
            Some(object) => object,
            None => return Err(Failure::Store(StoreError::NoSuchUpload(id))),
        },
        Err(failure) => return Err(failure),
    };
    Ok(document(multipart_completed(
        &url(permit, head),
        bucket,
        key,
        &stored,
    )))
}

/// The object, where this very upload has become it: a client that never heard the answer asks again.
async fn completed_before<S: Store>(
    store: &S,
    name: &UploadName,
) -> Result<Option<ObjectAttributes>, Failure> {
    match store.open(&name.bucket, &name.key).await {
        Ok(object) => {
            let parts = object.attributes.properties.parts.as_ref();
            let came_by = parts.and_then(|parts| parts.upload_id()) == Some(&name.id);
            Ok(came_by.then_some(object.attributes))
        }
        Err(StoreError::NoSuchKey) => Ok(None),
        Err(error) => Err(Failure::Store(error)),
    }
}
