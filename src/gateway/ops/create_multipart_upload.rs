//! CreateMultipartUpload.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>

use http::Response;

use crate::{
    s3::{CreateMultipartUpload, create_multipart_headers, multipart_created},
    store::{NewMultipart, Store},
    types::{BucketName, ObjectKey},
    verdict::Permit,
};

use super::{Body, Failure, Work, document};

/// Begins an upload of the permit's signer.
pub(super) async fn create<S: Store>(
    work: &Work<'_, S>,
    permit: &Permit,
    (bucket, key): (&BucketName, &ObjectKey),
    call: &CreateMultipartUpload,
) -> Result<Response<Body>, Failure> {
    let upload = NewMultipart {
        key: key.clone(),
        initiator: permit.signer().to_owned(),
        properties: call.properties.clone(),
        checksum: call.checksum,
    };
    let last_look = work.last_look(permit);
    let begun = work.store.create_multipart(bucket, upload, last_look).await;
    let id = begun.map_err(Failure::Store)?;
    let mut response = document(multipart_created(bucket, key, &id));
    response.headers_mut().extend(create_multipart_headers(call));
    Ok(response)
}
