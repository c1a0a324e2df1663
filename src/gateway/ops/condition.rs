//! Conditions of writes on the object that is there. Their outcome tells something of it, so it is
//! decided first whether the signer may read the object, with the tags that it has.

use std::sync::Arc;

use crate::{
    store::{Store, StoreError},
    types::{BucketName, ObjectAttributes, ObjectKey, Tag, WriteCondition},
    verdict::{Comparison, Learned, Permit},
};

use super::{Failure, unwritten};

/// Decides what depends on the tags of the object that a condition is compared with, and on
/// `request_tags`, if the head does not hold the tags that take effect.
///
/// The store compares once more when the write takes effect. An object that replaces this one
/// meanwhile, with other tags, has another ETag: then that comparison says so and nothing else.
pub(super) async fn decide<S: Store>(
    store: &S,
    permit: &Permit,
    (bucket, key): (&BucketName, &ObjectKey),
    condition: &WriteCondition,
    request_tags: Option<&[Tag]>,
) -> Result<(), Failure> {
    if let Some(tags) = request_tags {
        permit.takes_effect_with(tags);
    }
    if !permit.is_pending() {
        return Ok(());
    }
    let there = match condition.is_on_content() {
        true => object(store, bucket, key).await?,
        false => None,
    };
    let learned = Learned {
        object_tags: tags(there.as_deref()),
        request_tags,
    };
    permit.release((bucket, key), learned, ())?;
    compare(there.as_deref(), key, condition)
}

/// The same for one key of DeleteObjects, which the head does not name.
pub(super) async fn decide_key<S: Store>(
    store: &S,
    permit: &Permit,
    (bucket, key): (&BucketName, &ObjectKey),
    condition: &WriteCondition,
) -> Result<(), Failure> {
    if !condition.is_on_content() {
        return Ok(());
    }
    match permit.may_compare((bucket, key), None)? {
        Comparison::Allowed => Ok(()),
        Comparison::DependsOnTags => {
            let there = object(store, bucket, key).await?;
            permit.may_compare((bucket, key), Some(tags(there.as_deref())))?;
            compare(there.as_deref(), key, condition)
        }
    }
}

async fn object<S: Store>(
    store: &S,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Option<Arc<ObjectAttributes>>, Failure> {
    match store.open(bucket, key).await {
        Ok(object) => Ok(Some(object.attributes)),
        Err(StoreError::NoSuchKey) => Ok(None),
        Err(error) => Err(Failure::Store(error)),
    }
}

fn tags(object: Option<&ObjectAttributes>) -> &[Tag] {
    object.map_or(&[], |attributes| &attributes.properties.tags)
}

/// Compares with the very object whose tags were decided on.
fn compare(
    there: Option<&ObjectAttributes>,
    key: &ObjectKey,
    condition: &WriteCondition,
) -> Result<(), Failure> {
    match (condition, there) {
        (WriteCondition::Matches(tag), Some(there)) if tag != "*" && tag != there.etag.as_str() => {
            Err(unwritten(StoreError::ConditionFailed, key, condition))
        }
        (_, _) => Ok(()),
    }
}
