//! CompleteMultipartUpload.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>

use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use crate::{
    gateway::{
        RequestId, assembly::Assembly, late, reported::Subject, request_id::AnswerIds, transfers::Transfers,
    },
    s3::{CompleteMultipartUpload, complete_multipart, multipart_completed},
    store::{Completion, LastLook, PartsQuery, Store, StoreError, UploadName},
    types::{ObjectAttributes, Parts, Properties, RequestHead},
    verdict::{Learned, Permit},
};

use super::{Body, Failure, HttpBody, Payload, condition, document, multipart, unwritten, url};

/// Room for 10,000 parts with the longest checksums.
const LONGEST_DOCUMENT: usize = 4 * 1024 * 1024;

/// A completion, and what it works with.
pub(super) struct Completing<'c, S> {
    pub(super) store: Arc<S>,
    pub(super) permit: &'c Permit,
    pub(super) name: UploadName,
    pub(super) call: &'c CompleteMultipartUpload,
    pub(super) last_look: LastLook,
    pub(super) transfers: Arc<Transfers>,
    pub(super) request_id: RequestId,
    pub(super) ids: AnswerIds,
}

impl<S: Store> Completing<'_, S> {
    /// Makes an object of the parts that the body names. That may take a while, and goes on where the client does not wait.
    pub(super) async fn complete<B>(
        self,
        head: &RequestHead,
        payload: Payload<'_, B>,
    ) -> Result<Response<Body>, Failure>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let Self {
            store,
            permit,
            name,
            call,
            last_look,
            transfers,
            request_id,
            ids,
        } = self;
        let integrity = CompleteMultipartUpload::integrity(head.headers()).map_err(Failure::Call)?;
        let body = payload.checked_document(LONGEST_DOCUMENT, &integrity).await?;
        let named = complete_multipart(&body).map_err(Failure::Call)?;
        let url = url(permit, head);
        let told = move |name: &UploadName, object: &ObjectAttributes| {
            multipart_completed(&url, &name.bucket, &name.key, object)
        };
        let upload = multipart::of_signer(&*store, permit, &name).await;
        let found = match upload {
            // Another completion may end it between the two looks.
            Ok(upload) => match store.parts(&name, PartsQuery::ALL).await {
                Ok(parts) => Ok((upload, parts)),
                Err(error) => Err(Failure::Store(error)),
            },
            Err(failure) => Err(failure),
        };
        let (upload, came) = match found {
            Ok(found) => found,
            Err(Failure::Store(StoreError::NoSuchUpload(_))) => {
                let object = completed_before(&*store, &name, permit.signer()).await?;
                let learned = Learned {
                    object_tags: &object.properties.tags,
                    request_tags: Some(&object.properties.tags),
                };
                permit.release((&name.bucket, &name.key), learned, ())?;
                return Ok(document(told(&name, &object)));
            }
            Err(failure) => return Err(failure),
        };
        let tags = upload.began.properties.tags.as_slice();
        let target = (&name.bucket, &name.key);
        condition::decide(&*store, permit, target, &call.condition, Some(tags)).await?;
        if !tags.is_empty() {
            permit.may_set_tags(target, tags)?;
        }
        let assembly = Assembly::new(&upload, call, &named, came).map_err(Failure::Call)?;
        let completion = Completion {
            parts: assembly.parts,
            etag: assembly.etag,
            properties: Properties {
                checksum: assembly.checksum,
                parts: Some(assembly.kept),
                ..upload.began.properties
            },
            condition: call.condition.clone(),
            last_look,
        };
        let condition = call.condition.clone();
        let signer = permit.signer().to_owned();
        let grounds = permit.grounds().clone();
        let subject = Subject {
            request_id,
            operation: permit.operation().name(),
            bucket: name.bucket.clone(),
            key: name.key.clone(),
        };
        let work = async move {
            match store.complete_multipart(&name, completion).await {
                Ok(stored) => Ok(told(&name, &stored)),
                // Another completion of the same upload came first.
                Err(StoreError::NoSuchUpload(_)) => {
                    let object = completed_before(&*store, &name, &signer).await?;
                    Ok(told(&name, &object))
                }
                Err(error) => {
                    let failure = unwritten(error, &name.key, &condition);
                    Err(transfers.withdrawn(failure, &grounds))
                }
            }
        };
        late::answer(work, subject, ids).await
    }
}

/// The object that this upload has become: a client that never got the answer asks again. Only the
/// signer who began the upload learns of it, as of the upload itself.
async fn completed_before<S: Store>(
    store: &S,
    name: &UploadName,
    signer: &str,
) -> Result<Arc<ObjectAttributes>, Failure> {
    let found = match store.open(&name.bucket, &name.key).await {
        Ok(object) => Some(object.attributes),
        Err(StoreError::NoSuchKey) => None,
        Err(error) => return Err(Failure::Store(error)),
    };
    let is_it = |object: &Arc<ObjectAttributes>| {
        let came_by = object.properties.parts.as_ref().and_then(Parts::came_by);
        came_by
            .is_some_and(|upload| upload.upload_id == name.id && upload.initiator.as_deref() == Some(signer))
    };
    let missing = || Failure::Store(StoreError::NoSuchUpload(name.id.clone()));
    let object = found.filter(is_it).ok_or_else(missing)?;
    // The request that completed it may have failed to sync it, or be at it still.
    match store.sync(&name.bucket, &name.key).await {
        Ok(()) => Ok(object),
        // It was deleted meanwhile.
        Err(StoreError::NoSuchKey) => Err(missing()),
        Err(error) => Err(Failure::Store(error)),
    }
}
