//! CopyObject.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>

use std::ops::Range;

use http::Response;

use crate::{
    gateway::digests::Digested,
    s3::{CopyObject, ErrorCode, Preconditions, S3Error, copied},
    store::{Content, FileBody, LastLook, Object, Store, Upload},
    types::{BucketName, Checksum, ChecksumAlgorithm, ETag, ObjectAttributes, ObjectKey, Properties},
    verdict::Permit,
};

use super::{Body, Failure, Payload, condition, document, get_object, unwritten};

/// AWS's largest object that is copied in one request.
const MAX_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// Less than this is written with the one hop to another thread that the commit takes.
const SMALLEST_SHARED: u64 = 64 * 1024;

/// Copies within the store. The content is read only where something of it must be computed: the store may share it otherwise.
pub(super) async fn copy<S: Store>(
    store: &S,
    permit: &Permit,
    target: (&BucketName, &ObjectKey),
    copy: &CopyObject,
    last_look: LastLook,
) -> Result<Response<Body>, Failure> {
    let (source_bucket, source_key) = &copy.source;
    let takes_tags = copy.tags.is_none();
    let source = get_object::open_source(store, permit, (source_bucket, source_key), takes_tags).await?;
    let source = source.get();
    let attributes = &source.attributes;
    conditions_hold(&copy.source_conditions, attributes)?;
    short_enough(attributes.size)?;
    let mut properties = said_of_the_copy(copy, &attributes.properties);
    if takes_tags && !properties.tags.is_empty() {
        permit.may_copy_tags((source_bucket, source_key), target, &properties.tags)?;
    }
    let taken = takes_tags.then_some(properties.tags.as_slice());
    condition::decide(store, permit, target, &copy.condition, taken).await?;
    let (bucket, key) = target;
    let mut upload = store
        .upload(bucket, Some(attributes.size), last_look)
        .await
        .map_err(Failure::Store)?;
    let (etag, checksum) = fill(&mut upload, copy, source).await?;
    properties.checksum = checksum;
    let stored = upload
        .commit(key, etag, properties, copy.condition.clone())
        .await
        .map_err(|error| unwritten(error, key, &copy.condition))?;
    Ok(document(copied(&stored)))
}

fn said_of_the_copy(copy: &CopyObject, source: &Properties) -> Properties {
    let said = copy.properties.as_ref().unwrap_or(source);
    Properties {
        tags: copy.tags.clone().unwrap_or_else(|| source.tags.clone()),
        storage_class: copy.storage_class.clone(),
        checksum: None,
        // A copy is written whole.
        parts: None,
        ..said.clone()
    }
}

/// The content, with its ETag and checksum: those of the source where they are what AWS would compute.
async fn fill<U: Upload>(
    upload: &mut U,
    copy: &CopyObject,
    source: &Object,
) -> Result<(ETag, Option<Checksum>), Failure> {
    let attributes = &source.attributes;
    let kept = attributes.properties.checksum.as_ref();
    let wanted = copy.checksum.or(kept.map(|checksum| checksum.algorithm));
    if attributes.etag.is_md5() && wanted == kept.map(|checksum| checksum.algorithm) {
        upload
            .write_from(&source.content, 0..attributes.size)
            .await
            .map_err(Failure::Store)?;
        return Ok((attributes.etag.clone(), kept.cloned()));
    }
    let digested = copy_content(upload, source, 0..attributes.size, wanted).await?;
    Ok((digested.etag(), digested.checksum))
}

/// Copies a range of an object, and hashes it.
pub(super) async fn copy_content<U: Upload>(
    upload: &mut U,
    source: &Object,
    bytes: Range<u64>,
    wanted: Option<ChecksumAlgorithm>,
) -> Result<Digested, Failure> {
    let length = bytes.end.saturating_sub(bytes.start);
    let mut content = content(source, bytes.clone());
    let payload = Payload::undeclared(&mut content, u64::MAX);
    match length < SMALLEST_SHARED {
        true => Ok(payload.store(upload, wanted).await?.digested),
        false => payload.share(upload, (&source.content, bytes), wanted).await,
    }
}

/// Holds what must hold of the source.
pub(super) fn conditions_hold(conditions: &Preconditions, source: &ObjectAttributes) -> Result<(), Failure> {
    match conditions.failed(source) {
        None => Ok(()),
        Some(condition) => Err(Failure::Call(
            S3Error::new(ErrorCode::PreconditionFailed).with("Condition", condition),
        )),
    }
}

/// Refuses more bytes than one request copies.
pub(super) fn short_enough(bytes: u64) -> Result<(), Failure> {
    match bytes <= MAX_BYTES {
        true => Ok(()),
        false => Err(Failure::Call(S3Error::new(ErrorCode::InvalidRequest).message(
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
        ))),
    }
}

/// A range of an object, to be read.
fn content(source: &Object, bytes: Range<u64>) -> FileBody {
    let Content::File(file) = &source.content;
    FileBody::new(file.clone(), bytes)
}
