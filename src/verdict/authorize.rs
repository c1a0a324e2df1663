//! May the signer do this, by the policy in force? In goes an [`Authenticated`]; out comes a [`Permit`], which nothing else
//! can make, or the denial with its reason.

use crate::{
    policy::{Decision, Signer, StatementReference},
    s3::{Call, ErrorCode, Operation, S3Error, Scope, Target},
    types::{Action, Query, Resource},
};

use super::{Authenticated, Circumstances, Permit, Permitted, Refusal};

/// Reads the call from what was signed, and asks the policy for every action that it needs. An operation that is not built
/// says so only to those who might use it.
pub fn authorize(
    authenticated: Authenticated<'_>,
    circumstances: &Circumstances<'_>,
    query: &Query<'_>,
) -> Result<Permit, Refusal> {
    let Circumstances { head, settings, .. } = *circumstances;
    let call = Call::parse(
        head.method(),
        &authenticated.target,
        query,
        head.headers(),
        &settings.account_id,
    )
    .map_err(Refusal::Call)?;
    grant(authenticated, call, circumstances)
}

/// Asks the policy for every action that a call needs.
pub(super) fn grant(
    authenticated: Authenticated<'_>,
    call: Call,
    circumstances: &Circumstances<'_>,
) -> Result<Permit, Refusal> {
    let Authenticated {
        signer,
        verified,
        target,
    } = authenticated;
    let operation = call.operation();
    let statement = match operation.action() {
        Some(action) => Some(allowed(
            circumstances,
            signer,
            action,
            resource(operation, &target),
        )?),
        None => None,
    };
    for need in call.further_needs(&target) {
        let resource = Resource::Object(need.bucket, need.key);
        allowed(circumstances, signer, need.action, resource)?;
    }
    let bucket = target.bucket().cloned();
    let permitted = permitted(call, target).ok_or_else(|| not_implemented(operation))?;
    Ok(Permit {
        operation,
        signer: signer.name().to_owned(),
        permitted,
        bucket,
        verified,
        snapshot: circumstances.snapshot.clone(),
        statement,
    })
}

/// The statement that allows it, or the refusal.
fn allowed(
    circumstances: &Circumstances<'_>,
    signer: &Signer,
    action: Action,
    resource: Resource<'_>,
) -> Result<StatementReference, Refusal> {
    match circumstances.snapshot.evaluate(signer, action, resource) {
        Decision::Allow(statement) => Ok(statement),
        Decision::Deny(denial) => Err(Refusal::Denied {
            signer: signer.name().to_owned(),
            action,
            target: match resource {
                Resource::Service => Target::Service,
                Resource::Bucket(bucket) => Target::Bucket(bucket.clone()),
                Resource::Object(bucket, key) => Target::Object(bucket.clone(), key.clone()),
            },
            denial,
        }),
    }
}

/// Joins a call with what it names. `None`: it is not built.
fn permitted(call: Call, target: Target) -> Option<Permitted> {
    Some(match (call, target) {
        (Call::GetObject(read), Target::Object(bucket, key)) => Permitted::GetObject(bucket, key, read),
        (Call::HeadObject(read), Target::Object(bucket, key)) => Permitted::HeadObject(bucket, key, read),
        (Call::GetObjectAttributes(wanted), Target::Object(bucket, key)) => {
            Permitted::GetObjectAttributes(bucket, key, wanted)
        }
        (Call::PutObject(write), Target::Object(bucket, key)) => Permitted::PutObject(bucket, key, write),
        (Call::CopyObject(copy), Target::Object(bucket, key)) => Permitted::CopyObject(bucket, key, copy),
        (Call::DeleteObject(condition), Target::Object(bucket, key)) => {
            Permitted::DeleteObject(bucket, key, condition)
        }
        (Call::GetObjectTagging, Target::Object(bucket, key)) => Permitted::GetObjectTagging(bucket, key),
        (Call::PutObjectTagging, Target::Object(bucket, key)) => Permitted::PutObjectTagging(bucket, key),
        (Call::DeleteObjectTagging, Target::Object(bucket, key)) => {
            Permitted::DeleteObjectTagging(bucket, key)
        }
        (Call::PostObject(post), Target::Object(bucket, key)) => Permitted::PostObject(bucket, key, post),
        (Call::CreateMultipartUpload(create), Target::Object(bucket, key)) => {
            Permitted::CreateMultipartUpload(bucket, key, create)
        }
        (Call::UploadPart(part), Target::Object(bucket, key)) => Permitted::UploadPart(bucket, key, part),
        (Call::UploadPartCopy(copy), Target::Object(bucket, key)) => {
            Permitted::UploadPartCopy(bucket, key, copy)
        }
        (Call::CompleteMultipartUpload(complete), Target::Object(bucket, key)) => {
            Permitted::CompleteMultipartUpload(bucket, key, complete)
        }
        (Call::AbortMultipartUpload(id), Target::Object(bucket, key)) => {
            Permitted::AbortMultipartUpload(bucket, key, id)
        }
        (Call::ListParts(list), Target::Object(bucket, key)) => Permitted::ListParts(bucket, key, list),
        (Call::ListMultipartUploads(list), Target::Bucket(bucket)) => {
            Permitted::ListMultipartUploads(bucket, list)
        }
        (Call::Unset(setting), Target::Object(bucket, key)) => Permitted::UnsetOfObject(bucket, key, setting),
        (Call::DeleteObjects, Target::Bucket(bucket)) => Permitted::DeleteObjects(bucket),
        (Call::ListObjects(list), Target::Bucket(bucket)) => Permitted::ListObjects(bucket, list),
        (Call::ListObjectsV2(list), Target::Bucket(bucket)) => Permitted::ListObjectsV2(bucket, list),
        (Call::CreateBucket, Target::Bucket(bucket)) => Permitted::CreateBucket(bucket),
        (Call::HeadBucket, Target::Bucket(bucket)) => Permitted::HeadBucket(bucket),
        (Call::DeleteBucket, Target::Bucket(bucket)) => Permitted::DeleteBucket(bucket),
        (Call::GetBucketLocation, Target::Bucket(bucket)) => Permitted::GetBucketLocation(bucket),
        (Call::GetBucketCors, Target::Bucket(bucket)) => Permitted::GetBucketCors(bucket),
        (Call::PutBucketCors, Target::Bucket(bucket)) => Permitted::PutBucketCors(bucket),
        (Call::DeleteBucketCors, Target::Bucket(bucket)) => Permitted::DeleteBucketCors(bucket),
        (Call::Unset(setting), Target::Bucket(bucket)) => Permitted::UnsetOfBucket(bucket, setting),
        (Call::ListBuckets(list), Target::Service) => Permitted::ListBuckets(list),
        // Not built, or (which routing rules out) an operation on something other than it works on.
        (_, Target::Object(..) | Target::Bucket(_) | Target::Service) => return None,
    })
}

fn resource(operation: Operation, target: &Target) -> Resource<'_> {
    match (operation.scope(), target) {
        (Scope::Service, _) | (_, Target::Service) => Resource::Service,
        (Scope::Bucket | Scope::Object, Target::Bucket(bucket)) => Resource::Bucket(bucket),
        (Scope::Bucket | Scope::Object, Target::Object(bucket, key)) => Resource::Object(bucket, key),
    }
}

fn not_implemented(operation: Operation) -> Refusal {
    let message = format!("{} is not implemented.", operation.name());
    Refusal::Call(S3Error::new(ErrorCode::NotImplemented).message(message))
}
