//! DeleteObjects: up to 1,000 keys. Each has its own permit, which is checked again under the policy in
//! force when the key is deleted.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>

use bytes::Bytes;
use http::Response;

use crate::{
    gateway::reported::{Gravest, Subject},
    s3::{DeleteEntry, DeleteRequest, Deletion, ErrorCode, Integrity, S3Error, deletions},
    store::Store,
    types::BucketName,
    verdict::Permit,
};

use super::{Body, Failure, HttpBody, Payload, Work, condition, document, existing, unwritten};

/// Room for 1,000 of the longest keys, escaped.
const LONGEST_DOCUMENT: usize = 8 * 1024 * 1024;

/// Reads the keys, decides each, and reports what became of it.
pub(super) async fn delete<S, B>(
    work: &Work<'_, S>,
    permit: &Permit,
    bucket: &BucketName,
    payload: Payload<'_, B>,
) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let integrity = Integrity::parse(work.head.headers()).map_err(Failure::Call)?;
    if integrity == Integrity::default() {
        return Err(Failure::Call(
            S3Error::new(ErrorCode::InvalidRequest)
                .message("Missing required header for this request: Content-MD5"),
        ));
    }
    let body = payload.checked_document(LONGEST_DOCUMENT, &integrity).await?;
    let request = DeleteRequest::parse(&body).map_err(Failure::Call)?;
    existing(&**work.store, bucket).await?;
    let mut done = Vec::with_capacity(request.entries.len());
    let mut gravest = Gravest::default();
    for entry in request.entries {
        let deleted = one(work, permit, bucket, &entry).await;
        let outcome = deleted.map_err(|failure| {
            let error = failure.s3_error();
            if failure.is_fault() {
                log(work, permit, bucket, &entry, &failure);
            }
            gravest.add(failure);
            error
        });
        done.push(Deletion {
            key: entry.key,
            outcome,
        });
    }
    let response = document(deletions(&done, request.quiet));
    Ok(response.map(|body| body.reporting(gravest.into_failure())))
}

/// Logs a fault of one key. The line of the request names only one of them.
fn log<S>(work: &Work<'_, S>, permit: &Permit, bucket: &BucketName, entry: &DeleteEntry, fault: &Failure) {
    let Ok(key) = entry.object_key() else { return };
    let subject = Subject {
        request_id: work.ids.0,
        operation: permit.operation().name(),
        bucket: bucket.clone(),
        key,
    };
    subject.log(fault);
}

async fn one<S: Store>(
    work: &Work<'_, S>,
    permit: &Permit,
    bucket: &BucketName,
    entry: &DeleteEntry,
) -> Result<(), Failure> {
    let key = entry.object_key().map_err(Failure::Call)?;
    let permitted = permit
        .delete(bucket, key, entry.condition.is_on_content())
        .map_err(Failure::Refused)?;
    if let Some(problem) = &entry.problem {
        return Err(Failure::Call(problem.clone()));
    }
    let (bucket, key) = (permitted.bucket(), permitted.key());
    condition::decide_key(&**work.store, permit, (bucket, key), &entry.condition).await?;
    let last_look = work.last_look_for_key(&permitted);
    let deleted = work
        .store
        .delete(bucket, key, entry.condition.clone(), last_look)
        .await;
    deleted.map_err(|error| {
        let failure = unwritten(error, key, &entry.condition);
        work.transfers.withdrawn(failure, permitted.grounds())
    })
}
