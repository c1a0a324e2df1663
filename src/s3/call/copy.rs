//! The arguments of CopyObject.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>

use percent_encoding::percent_decode_str;

use crate::{
    s3::{ErrorCode, Preconditions, S3Error},
    types::{BucketName, ChecksumAlgorithm, ObjectKey, Properties, Query, Tag, WriteCondition},
};

use super::{CallHeaders, properties, tags, unsupported, write};

/// The arguments of CopyObject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyObject {
    /// What is copied.
    pub source: (BucketName, ObjectKey),
    /// What must hold of it.
    pub source_conditions: Preconditions,
    /// What must hold of the object that is there.
    pub condition: WriteCondition,
    /// What is said of the copy: `None` where it is what is said of the source (`COPY`).
    pub properties: Option<Properties>,
    /// The copy's tags: `None` where they are the source's.
    pub tags: Option<Vec<Tag>>,
    /// The copy's storage class.
    pub storage_class: Option<String>,
    /// A checksum that the copy is to have.
    pub checksum: Option<ChecksumAlgorithm>,
}

impl CopyObject {
    pub(super) fn parse(
        target: (&BucketName, &ObjectKey),
        query: &Query<'_>,
        headers: CallHeaders<'_>,
    ) -> Result<Self, S3Error> {
        unsupported::on_write(query, headers)?;
        let source = source(&headers.text("x-amz-copy-source")?.unwrap_or_default())?;
        let replaces = replaces(headers, "x-amz-metadata-directive")?;
        let properties = if replaces {
            Some(properties::parse(headers)?)
        } else {
            None
        };
        let tags = if self::replaces(headers, "x-amz-tagging-directive")? {
            Some(tags::header(headers)?)
        } else {
            None
        };
        let storage_class = properties::storage_class(headers)?;
        let onto_itself = (&source.0, &source.1) == target;
        if onto_itself && !replaces && storage_class.is_none() && tags.is_none() {
            return Err(S3Error::new(ErrorCode::InvalidRequest).message(
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's \
                 metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        Ok(Self {
            source,
            source_conditions: Preconditions::of_copy_source(headers)?,
            condition: write::condition(headers)?,
            properties,
            tags,
            storage_class,
            checksum: checksum_algorithm(headers)?,
        })
    }
}

/// `x-amz-checksum-algorithm`: what the store is to compute.
pub(super) fn checksum_algorithm(headers: CallHeaders<'_>) -> Result<Option<ChecksumAlgorithm>, S3Error> {
    let Some(name) = headers.text("x-amz-checksum-algorithm")? else {
        return Ok(None);
    };
    ChecksumAlgorithm::parse(&name).map(Some).ok_or_else(|| {
        S3Error::new(ErrorCode::InvalidRequest).message("Checksum algorithm provided is unsupported.")
    })
}

/// `bucket/key`, with or without a slash before it, percent-encoded. What is behind a `?` names a version.
pub(super) fn source(given: &str) -> Result<(BucketName, ObjectKey), S3Error> {
    let refused = |message: &'static str| S3Error::invalid_argument(message, "x-amz-copy-source", given);
    if given.starts_with("arn:") {
        return Err(unsupported::not_implemented("x-amz-copy-source"));
    }
    let (path, version) = given.split_once("?versionId=").unwrap_or((given, "null"));
    if version != "null" {
        return Err(refused("Invalid version id specified"));
    }
    const SHAPE: &str = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
    // Some clients send a space as `+`, as in a query; a plus itself arrives as %2B from all of them.
    let spaced = path.replace('+', " ");
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| refused(SHAPE))?;
    let (bucket, key) = decoded
        .strip_prefix('/')
        .unwrap_or(&decoded)
        .split_once('/')
        .ok_or_else(|| refused(SHAPE))?;
    let bucket = BucketName::parse(bucket).map_err(|_| refused("Invalid copy source bucket name"))?;
    let key = ObjectKey::parse(key).map_err(|_| refused(SHAPE))?;
    Ok((bucket, key))
}

/// `COPY`, which is the default, or `REPLACE`.
fn replaces(headers: CallHeaders<'_>, name: &'static str) -> Result<bool, S3Error> {
    match headers.text(name)?.as_deref() {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => {
            let message = if name == "x-amz-metadata-directive" {
                "Unknown metadata directive."
            } else {
                "Unknown tagging directive."
            };
            Err(S3Error::invalid_argument(message, name, other))
        }
    }
}
