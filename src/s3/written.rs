//! The headers of answers to what writes: an object whole, or a part of one.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::types::ObjectAttributes;

use super::{
    CreateMultipartUpload, ListedPart, checksum,
    read_object::{put_checksum, value},
};

/// The headers of the answer to PutObject.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#API_PutObject_ResponseSyntax>
pub fn put_object_headers(object: &ObjectAttributes) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ETAG, value(&object.etag.to_string()));
    put_checksum(&mut headers, object.properties.checksum.as_ref());
    headers
}

/// The headers of the answer to UploadPart.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html#API_UploadPart_ResponseSyntax>
pub fn upload_part_headers(part: &ListedPart<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ETAG, value(&part.etag.to_string()));
    if let Some(found) = part.checksum {
        let name = HeaderName::from_static(found.algorithm.header());
        headers.insert(name, value(&checksum::text(found)));
    }
    headers
}

/// What CreateMultipartUpload says of the checksum to be.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html#API_CreateMultipartUpload_ResponseSyntax>
pub fn create_multipart_headers(call: &CreateMultipartUpload) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some((algorithm, kind)) = call.checksum {
        headers.insert(
            "x-amz-checksum-algorithm",
            HeaderValue::from_static(algorithm.name()),
        );
        headers.insert("x-amz-checksum-type", HeaderValue::from_static(kind.name()));
    }
    headers
}
