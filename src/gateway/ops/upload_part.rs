//! UploadPart.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>

use bytes::Bytes;
use http::Response;

use crate::{
    s3::{DeclaredChecksum, ErrorCode, S3Error, UploadPart, upload_part_headers},
    store::{LastLook, MultipartUpload, Part, Store, Upload},
    types::{BucketName, ChecksumAlgorithm, ChecksumType, ObjectKey},
    verdict::Permit,
};

use super::{Body, Failure, HttpBody, Payload, multipart};

/// Takes the body, and keeps it as a part once all that was declared of it holds.
pub(super) async fn upload<S, B>(
    store: &S,
    permit: &Permit,
    (bucket, key): (&BucketName, &ObjectKey),
    call: &UploadPart,
    payload: Payload<'_, B>,
    last_look: LastLook,
) -> Result<Response<Body>, Failure>
where
    S: Store,
    B: HttpBody<Data = Bytes> + Unpin,
{
    let name = multipart::name(bucket, key, &call.upload_id);
    let upload = multipart::of_signer(store, permit, &name).await?;
    let wanted = wanted(&upload, call).map_err(Failure::Call)?;
    let mut file = store
        .upload(bucket, Some(call.length), last_look)
        .await
        .map_err(Failure::Store)?;
    let digested = payload
        .store_declared(&mut file, (&call.integrity, call.length), wanted)
        .await?;
    let part = Part {
        number: call.number,
        md5: digested.md5,
        checksum: digested.checksum,
    };
    let stored = file.keep_as_part(&name, part).await.map_err(Failure::Store)?;
    let mut response = Response::new(Body::Empty);
    *response.headers_mut() = upload_part_headers(&multipart::listed(&stored, &stored.etag()));
    Ok(response)
}

/// The checksum that the part is to have. Where the object's is made of the parts', the client must have declared each.
fn wanted(upload: &MultipartUpload, call: &UploadPart) -> Result<Option<ChecksumAlgorithm>, S3Error> {
    let Some((expected, kind)) = upload.began.checksum else {
        return Ok(None);
    };
    let declared = call.integrity.checksum.as_ref().map(DeclaredChecksum::algorithm);
    let fits = match (declared, kind) {
        (Some(declared), _) => declared == expected,
        (None, kind) => kind == ChecksumType::FullObject,
    };
    match fits {
        true => Ok(Some(expected)),
        false => {
            let actual = declared.map_or("null".to_owned(), |declared| declared.name().to_ascii_lowercase());
            Err(S3Error::new(ErrorCode::InvalidRequest).message(format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {actual}",
                expected.name().to_ascii_lowercase()
            )))
        }
    }
}
