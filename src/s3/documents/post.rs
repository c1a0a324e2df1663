//! The answers to an upload by form.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    s3::xml::Document,
    types::{BucketName, ObjectAttributes, ObjectKey},
};

use super::names::encoded;

/// The answer with 201.
pub fn post_response(
    location: &str,
    bucket: &BucketName,
    key: &ObjectKey,
    object: &ObjectAttributes,
) -> Vec<u8> {
    let mut document = Document::plain("PostResponse");
    document.text("Location", location);
    document.text("Bucket", bucket.as_str());
    document.text("Key", key.as_str());
    document.text("ETag", &object.etag.to_string());
    document.finish()
}

/// A key as the path of a URL.
pub fn encoded_key(key: &ObjectKey) -> String {
    encoded(key.as_str(), true).into_owned()
}

/// Where a success is redirected to: the form's address, with what was stored in its query.
pub fn redirect_address(
    address: &str,
    bucket: &BucketName,
    key: &ObjectKey,
    object: &ObjectAttributes,
) -> String {
    let value = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let (front, fragment) = match address.split_once('#') {
        Some((front, fragment)) => (front, format!("#{fragment}")),
        None => (address, String::new()),
    };
    let joint = if front.contains('?') { '&' } else { '?' };
    format!(
        "{front}{joint}bucket={}&key={}&etag={}{fragment}",
        value(bucket.as_str()),
        value(key.as_str()),
        value(&object.etag.to_string())
    )
}
