//! What a writer says of an object, from the headers of PutObject and CopyObject.

use http::header;

use crate::{
    s3::{ErrorCode, S3Error},
    types::Properties,
};

use super::{CallHeaders, tags};

/// What an object without a `Content-Type` is, on AWS too.
const UNKNOWN_TYPE: &str = "binary/octet-stream";
/// The most bytes of user metadata, names and values together.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
const MOST_USER_METADATA: usize = 2048;
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#AmazonS3-PutObject-request-header-StorageClass>
const STORAGE_CLASSES: [&str; 11] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
    "OUTPOSTS",
    "SNOW",
    "EXPRESS_ONEZONE",
];

/// Errors: `MetadataTooLarge`, `InvalidStorageClass`, `InvalidTag`, `InvalidArgument`.
pub(in crate::s3) fn parse(headers: CallHeaders<'_>) -> Result<Properties, S3Error> {
    let owned = |name: &str| headers.kept(name);
    Ok(Properties {
        content_type: owned(header::CONTENT_TYPE.as_str())
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| UNKNOWN_TYPE.to_owned()),
        cache_control: owned(header::CACHE_CONTROL.as_str()),
        content_disposition: owned(header::CONTENT_DISPOSITION.as_str()),
        content_encoding: content_encoding(headers),
        content_language: owned(header::CONTENT_LANGUAGE.as_str()),
        expires: owned(header::EXPIRES.as_str()),
        website_redirect_location: owned("x-amz-website-redirect-location"),
        storage_class: storage_class(headers)?,
        user_metadata: user_metadata(headers)?,
        tags: tags::header(headers)?,
        checksum: None,
        parts: None,
    })
}

/// `aws-chunked` is how the body travels, not what the object is.
fn content_encoding(headers: CallHeaders<'_>) -> Option<String> {
    let listed = headers.kept(header::CONTENT_ENCODING.as_str())?;
    let codings: Vec<_> = listed
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!codings.is_empty()).then(|| codings.join(","))
}

/// The class, where it is not the one that every object has.
pub(super) fn storage_class(headers: CallHeaders<'_>) -> Result<Option<String>, S3Error> {
    match headers.text("x-amz-storage-class")?.as_deref() {
        None | Some("STANDARD") => Ok(None),
        Some(class) if STORAGE_CLASSES.contains(&class) => Ok(Some(class.to_owned())),
        Some(class) => Err(S3Error::new(ErrorCode::InvalidStorageClass).with("StorageClassRequested", class)),
    }
}

fn user_metadata(headers: CallHeaders<'_>) -> Result<std::collections::BTreeMap<String, String>, S3Error> {
    let mut metadata = std::collections::BTreeMap::new();
    let mut size = 0usize;
    for (name, value) in headers.user_metadata() {
        size = size.saturating_add(name.len()).saturating_add(value.len());
        metadata.insert(name, value);
    }
    if size > MOST_USER_METADATA {
        return Err(S3Error::new(ErrorCode::MetadataTooLarge)
            .with("Size", size.to_string())
            .with("MaxSizeAllowed", MOST_USER_METADATA.to_string()));
    }
    Ok(metadata)
}
