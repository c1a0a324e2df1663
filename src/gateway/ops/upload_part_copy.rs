//! UploadPartCopy.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>

use http::Response;

use crate::{
    s3::{ErrorCode, S3Error, UploadPartCopy, part_copied},
    store::{LastLook, Part, Store, Upload},
    types::{BucketName, ObjectKey},
    verdict::Permit,
};

use super::{Body, Failure, copy_object, document, get_object, multipart};

/// Copies an object, or a range of one, into a part.
pub(super) async fn copy<S: Store>(
    store: &S,
    permit: &Permit,
    (bucket, key): (&BucketName, &ObjectKey),
    call: &UploadPartCopy,
    last_look: LastLook,
) -> Result<Response<Body>, Failure> {
    let name = multipart::name(bucket, key, &call.upload_id);
    let upload = multipart::of_signer(store, permit, &name).await?;
    let (source_bucket, source_key) = &call.source;
    let source = get_object::open(store, permit, source_bucket, source_key).await?;
    let source = source.get();
    copy_object::conditions_hold(&call.source_conditions, &source.attributes)?;
    let size = source.attributes.size;
    let bytes = match call.source_range {
        None => 0..size,
        Some((first, last)) if last < size => first..last.saturating_add(1),
        Some((first, last)) => return Err(Failure::Call(outside(first, last, size))),
    };
    copy_object::short_enough(bytes.end.saturating_sub(bytes.start))?;
    let wanted = upload.began.checksum.map(|(algorithm, _)| algorithm);
    let mut file = store
        .upload(bucket, Some(bytes.end.saturating_sub(bytes.start)), last_look)
        .await
        .map_err(Failure::Store)?;
    let digested = copy_object::copy_content(&mut file, source, bytes, wanted).await?;
    let part = Part {
        number: call.number,
        md5: digested.md5,
        checksum: digested.checksum,
    };
    let stored = file.keep_as_part(&name, part).await.map_err(Failure::Store)?;
    Ok(document(part_copied(&multipart::listed(&stored, &stored.etag()))))
}

fn outside(first: u64, last: u64, size: u64) -> S3Error {
    S3Error::new(ErrorCode::InvalidArgument)
        .message(format!(
            "Range specified is not valid for source object of size: {size}"
        ))
        .with("ArgumentName", "x-amz-copy-source-range")
        .with("ArgumentValue", format!("bytes={first}-{last}"))
}
