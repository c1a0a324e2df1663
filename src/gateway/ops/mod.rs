//! What is done under a permit: one file per operation.

mod abort_multipart_upload;
mod bucket_cors;
mod complete_multipart_upload;
mod condition;
mod copy_object;
mod create_bucket;
mod create_multipart_upload;
mod delete_bucket;
mod delete_object;
mod delete_objects;
mod get_bucket_location;
mod get_object;
mod get_object_attributes;
mod head_bucket;
mod list_buckets;
mod list_multipart_uploads;
mod list_objects;
mod list_parts;
mod multipart;
mod post_object;
mod put_object;
mod tagging;
mod unset;
mod upload_part;
mod upload_part_copy;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Body as HttpBody;

use crate::{
    s3::{ErrorCode, S3Error},
    store::{LastLook, Store, StoreError},
    types::{BucketName, ObjectKey, RequestHead, Scheme, WriteCondition},
    verdict::{Permit, Permitted, PermittedKey, Settings},
};

use super::{
    Body, Failure,
    admission::Admitted,
    payload::Payload,
    request_id::{AnswerIds, HostId, RequestId},
    transfers::Transfers,
};

/// What an operation works with besides its permit and the body.
pub(super) struct Work<'g, S> {
    pub(super) store: &'g Arc<S>,
    pub(super) settings: &'g Settings,
    pub(super) head: &'g RequestHead,
    pub(super) transfers: &'g Arc<Transfers>,
    /// The most bytes of content that a body may have.
    pub(super) upload_bytes: u64,
    /// The request's name, and the gateway's: both stand in an answer.
    pub(super) ids: (RequestId, &'g HostId),
}

impl<S> Work<'_, S> {
    /// The check right before what this permit allows takes effect.
    fn last_look(&self, permit: &Permit) -> LastLook {
        self.transfers.last_look(permit.grounds())
    }

    /// The same for one key of a request that names many.
    fn last_look_for_key(&self, permitted: &PermittedKey) -> LastLook {
        self.transfers.last_look(permitted.grounds())
    }
}

/// Does what the permit allows, and nothing else: the names come out of it.
///
/// An object is read where this stands. Whatever else there is is in boxes: the future of each request would have room for the largest of them, and be moved
/// about with it.
pub(super) async fn execute<S, B>(
    admitted: &Admitted,
    work: &Work<'_, S>,
    body: &mut B,
) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let permit = admitted.permit();
    match permit.permitted() {
        Permitted::GetObject(bucket, key, read) | Permitted::HeadObject(bucket, key, read) => {
            nothing(permit, work, body).await?;
            let found = get_object::open(&**work.store, permit, bucket, key).await?;
            let with_bytes = matches!(permit.permitted(), Permitted::GetObject(..));
            get_object::answer(permit, (bucket, key), found, read, with_bytes)
        }
        Permitted::PutObject(..)
        | Permitted::UploadPart(..)
        | Permitted::CompleteMultipartUpload(..)
        | Permitted::DeleteObjects(_)
        | Permitted::PutObjectTagging(..)
        | Permitted::PutBucketCors(_)
        | Permitted::CreateBucket(_) => Box::pin(with_body(permit, work, body)).await,
        _ => {
            nothing(permit, work, body).await?;
            Box::pin(without_body(permit, work)).await
        }
    }
}

/// Takes a body that should be none. Most often there is none, and nothing to wait for.
fn nothing<S, B>(
    permit: &Permit,
    work: &Work<'_, S>,
    body: &mut B,
) -> impl Future<Output = Result<(), Failure>>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let rest = match Payload::new(work.head, permit.verified(), body, work.upload_bytes) {
        Ok(payload) if payload.is_nothing() => Ok(None),
        Ok(payload) => Ok(Some(Box::pin(payload.nothing()))),
        Err(failure) => Err(failure),
    };
    async move {
        match rest? {
            Some(rest) => rest.await,
            None => Ok(()),
        }
    }
}

/// The operations whose body is wanted.
async fn with_body<S, B>(permit: &Permit, work: &Work<'_, S>, body: &mut B) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let (store, head) = (&**work.store, work.head);
    let payload = Payload::new(head, permit.verified(), body, work.upload_bytes)?;
    match permit.permitted() {
        Permitted::PutObject(bucket, key, write) => {
            condition::decide(store, permit, (bucket, key), &write.condition, None).await?;
            put_object::put(store, (bucket, key), write, payload, work.last_look(permit)).await
        }
        Permitted::UploadPart(bucket, key, part) => {
            let last_look = work.last_look(permit);
            upload_part::upload(store, permit, (bucket, key), part, payload, last_look).await
        }
        Permitted::CompleteMultipartUpload(bucket, key, complete) => {
            let completing = complete_multipart_upload::Completing {
                store: work.store.clone(),
                permit,
                name: multipart::name(bucket, key, &complete.upload_id),
                call: complete,
                last_look: work.last_look(permit),
                transfers: work.transfers.clone(),
                request_id: work.ids.0,
                ids: AnswerIds::new(work.ids.0, work.ids.1),
            };
            completing.complete(head, payload).await
        }
        Permitted::DeleteObjects(bucket) => delete_objects::delete(work, permit, bucket, payload).await,
        Permitted::PutObjectTagging(bucket, key) => tagging::put(work, permit, (bucket, key), payload).await,
        Permitted::PutBucketCors(bucket) => {
            let last_look = work.last_look(permit);
            bucket_cors::put(store, bucket, head, payload, last_look).await
        }
        Permitted::CreateBucket(bucket) => create_bucket::create(work, permit, bucket, payload).await,
        _ => Err(Failure::Interrupted),
    }
}

/// All others but reading an object.
async fn without_body<S: Store>(permit: &Permit, work: &Work<'_, S>) -> Result<Response<Body>, Failure> {
    let (store, settings) = (&**work.store, work.settings);
    match permit.permitted() {
        Permitted::GetObjectAttributes(bucket, key, wanted) => {
            get_object_attributes::answer(get_object::open(store, permit, bucket, key).await?, wanted)
        }
        Permitted::CopyObject(bucket, key, copy) => {
            copy_object::copy(store, permit, (bucket, key), copy, work.last_look(permit)).await
        }
        Permitted::CreateMultipartUpload(bucket, key, create) => {
            create_multipart_upload::create(work, permit, (bucket, key), create).await
        }
        Permitted::UploadPartCopy(bucket, key, copy) => {
            upload_part_copy::copy(store, permit, (bucket, key), copy, work.last_look(permit)).await
        }
        Permitted::AbortMultipartUpload(bucket, key, id) => {
            abort_multipart_upload::abort(store, (bucket, key), id, work.last_look(permit)).await
        }
        Permitted::ListParts(bucket, key, list) => {
            list_parts::list(store, settings, (bucket, key), list).await
        }
        Permitted::ListMultipartUploads(bucket, list) => {
            list_multipart_uploads::list(store, settings, bucket, list).await
        }
        Permitted::DeleteObject(bucket, key, condition) => {
            condition::decide(store, permit, (bucket, key), condition, None).await?;
            delete_object::delete(store, (bucket, key), condition, work.last_look(permit)).await
        }
        Permitted::GetObjectTagging(bucket, key) => {
            tagging::answer(get_object::open(store, permit, bucket, key).await?)
        }
        Permitted::DeleteObjectTagging(bucket, key) => tagging::delete(work, permit, bucket, key).await,
        Permitted::ListObjects(bucket, list) => {
            list_objects::list(store, settings, bucket, list, list_objects::Version::One).await
        }
        Permitted::ListObjectsV2(bucket, list) => {
            list_objects::list(store, settings, bucket, list, list_objects::Version::Two).await
        }
        Permitted::ListBuckets(list) => list_buckets::list(store, settings, list).await,
        Permitted::HeadBucket(bucket) => head_bucket::head(store, settings, bucket).await,
        Permitted::DeleteBucket(bucket) => delete_bucket::delete(store, bucket, work.last_look(permit)).await,
        Permitted::GetBucketLocation(bucket) => get_bucket_location::answer(store, settings, bucket).await,
        Permitted::GetBucketCors(bucket) => bucket_cors::get(store, bucket).await,
        Permitted::DeleteBucketCors(bucket) => {
            bucket_cors::delete(store, bucket, work.last_look(permit)).await
        }
        Permitted::UnsetOfBucket(bucket, setting) => {
            unset::of_bucket(store, settings, bucket, *setting).await
        }
        Permitted::UnsetOfObject(bucket, key, setting) => {
            get_object::open(store, permit, bucket, key).await?;
            unset::answer(settings, *setting)
        }
        // They are answered by `execute` and `with_body`, and a form by `execute_form`.
        Permitted::GetObject(..)
        | Permitted::HeadObject(..)
        | Permitted::PostObject(..)
        | Permitted::PutObject(..)
        | Permitted::UploadPart(..)
        | Permitted::CompleteMultipartUpload(..)
        | Permitted::DeleteObjects(_)
        | Permitted::PutBucketCors(_)
        | Permitted::PutObjectTagging(..)
        | Permitted::CreateBucket(_) => Err(Failure::Interrupted),
    }
}

/// The same for a form, whose file is the body.
pub(super) async fn execute_form<S, B>(
    admitted: &Admitted,
    work: &Work<'_, S>,
    mut file: B,
) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let permit = admitted.permit();
    let Permitted::PostObject(bucket, key, post) = permit.permitted() else {
        return Err(Failure::Interrupted);
    };
    let url = url(permit, work.head);
    let payload = Payload::undeclared(&mut file, work.upload_bytes);
    post_object::post(
        &**work.store,
        (bucket, key),
        post,
        url.trim_end_matches('/'),
        payload,
        work.last_look(permit),
    )
    .await
}

/// Where a request was sent, as its client names it.
fn url(permit: &Permit, head: &RequestHead) -> String {
    let scheme = match head.scheme() {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let target = permit.verified().target();
    format!("{scheme}://{}{}", target.authority, target.path)
}

/// An answer with a document.
pub(super) fn document(xml: Vec<u8>) -> Response<Body> {
    let length = xml.len();
    let mut response = Response::new(Body::Text(xml.into()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// An answer without a body.
fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

/// Refuses a bucket that is not there.
async fn existing<S: Store>(store: &S, bucket: &BucketName) -> Result<(), Failure> {
    match store.bucket_exists(bucket).await.map_err(Failure::Store)? {
        true => Ok(()),
        false => Err(Failure::Store(StoreError::NoSuchBucket(bucket.clone()))),
    }
}

/// What a write or a deletion failed for, with what AWS tells of it: the condition's name, the key that is not there.
fn unwritten(error: StoreError, key: &ObjectKey, condition: &WriteCondition) -> Failure {
    let name = match condition {
        WriteCondition::Absent => "If-None-Match",
        WriteCondition::Matches(_) | WriteCondition::Always => "If-Match",
    };
    match error {
        StoreError::ConditionFailed => {
            Failure::Call(S3Error::new(ErrorCode::PreconditionFailed).with("Condition", name))
        }
        StoreError::NoSuchKey => Failure::NoSuchKey(key.as_str().to_owned()),
        other => Failure::Store(other),
    }
}
