//! May the signer do this, by the policy in force? In goes an [`Authenticated`]; out comes a [`Permit`], which nothing else
//! can make, or the denial with its reason.

use std::sync::Arc;

use crate::{
    policy::Decision,
    s3::{Call, ErrorCode, Operation, S3Error, Scope, Target},
    types::Query,
};

use super::{
    Authenticated, Circumstances, Permit, Permitted, Refusal, authenticate,
    context::{RequestContext, Said},
    grounds::{Grounds, Later, not_revoked},
    need::Need,
};

/// Reads the call from what was signed, and asks the policy for every action that it needs. An operation that is not built
/// says so only to those who might use it.
pub fn authorize(
    authenticated: Authenticated<'_>,
    circumstances: &Circumstances<'_>,
    query: &Query<'_>,
) -> Result<Permit, Refusal> {
    let Circumstances { head, settings, .. } = *circumstances;
    not_revoked(
        &authenticated.key,
        &authenticated.verified,
        circumstances.snapshot,
        circumstances.now,
    )?;
    let call = Call::parse(
        head.method(),
        &authenticated.target,
        query,
        head.headers(),
        &settings.account_id,
    )
    .map_err(Refusal::Call)?;
    let said = Said::of_head(&call, query, head.headers());
    grant(authenticated, call, said, circumstances)
}

/// Asks the policy for every action that a call needs.
pub(super) fn grant(
    authenticated: Authenticated<'_>,
    call: Call,
    said: Said,
    circumstances: &Circumstances<'_>,
) -> Result<Permit, Refusal> {
    let Authenticated {
        key,
        verified,
        target,
        origin: _,
    } = authenticated;
    let (operation, signer) = (call.operation(), key.signer());
    let needs = needs(&call, &target);
    let request = RequestContext::new(circumstances, signer, verified, said);
    let mut statement = None;
    let mut pending = false;
    for need in &needs {
        match need.decide(&request, signer, circumstances.snapshot, need.object_tags(), None) {
            Decision::Allow(by) => statement = statement.or(Some(by)),
            Decision::Deny(denial) => return Err(need.denied(&request, denial)),
            Decision::Undecided => pending = true,
        }
    }
    let bucket = target.bucket().cloned();
    let permitted = permitted(call, target).ok_or_else(|| not_implemented(operation))?;
    Ok(Permit {
        permitted,
        bucket,
        grounds: Arc::new(Grounds {
            operation,
            needs,
            pending,
            request: Arc::new(request),
            snapshot: circumstances.snapshot.clone(),
            statement,
            later: Later::default(),
        }),
    })
}

/// Everything that a call asks of the policy.
fn needs(call: &Call, target: &Target) -> Vec<Need> {
    let operation = call.operation();
    let mut needs = Vec::with_capacity(1);
    if let Some(action) = operation.action() {
        needs.push(Need::new(
            action,
            scoped(operation, target),
            operation.opens_object(),
        ));
    }
    needs.extend(call.further_needs(target).into_iter().map(|need| {
        let target = Target::Object(need.bucket.clone(), need.key.clone());
        Need::new(need.action, target, need.opened)
    }));
    needs
}

/// The statements that speak of what a request needs, and do not count because of their conditions: for people who ask why. Each as its effect, where
/// it stands, and its conditions.
pub fn failing_conditions(circumstances: &Circumstances<'_>) -> Vec<String> {
    let Ok(query) = circumstances.head.query() else {
        return Vec::new();
    };
    let Ok(authenticated) = authenticate(circumstances, &query) else {
        return Vec::new();
    };
    let Authenticated {
        key,
        verified,
        target,
        origin: _,
    } = authenticated;
    let head = circumstances.head;
    let account_id = &circumstances.settings.account_id;
    let Ok(call) = Call::parse(head.method(), &target, &query, head.headers(), account_id) else {
        return Vec::new();
    };
    let request = RequestContext::new(
        circumstances,
        key.signer(),
        verified,
        Said::of_head(&call, &query, head.headers()),
    );
    let failing = needs(&call, &target)
        .into_iter()
        .flat_map(|need| need.failing_conditions(&request, key.signer(), circumstances.snapshot));
    failing.collect()
}

/// What the operation's own action is asked of.
fn scoped(operation: Operation, target: &Target) -> Target {
    match operation.scope() {
        Scope::Service => Target::Service,
        Scope::Bucket | Scope::Object => target.clone(),
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

fn not_implemented(operation: Operation) -> Refusal {
    let message = format!("{} is not implemented.", operation.name());
    Refusal::Call(S3Error::new(ErrorCode::NotImplemented).message(message))
}
