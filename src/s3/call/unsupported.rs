//! Features that are off here, and what AWS says where they are off. What cannot be honoured is refused, never ignored.

use crate::{
    s3::{ErrorCode, S3Error},
    types::Query,
};

use super::CallHeaders;

/// On GetObject, HeadObject and GetObjectAttributes.
pub(super) fn on_read(query: &Query<'_>, headers: CallHeaders<'_>) -> Result<(), S3Error> {
    version(query)?;
    let Some(name) = headers.name_with("x-amz-server-side-encryption") else {
        return Ok(());
    };
    if headers
        .name_with("x-amz-server-side-encryption-customer-")
        .is_some()
    {
        return Err(S3Error::new(ErrorCode::InvalidRequest)
            .message("The encryption parameters are not applicable to this object."));
    }
    Err(S3Error::invalid_argument(
        "x-amz-server-side-encryption header is not supported for this operation.",
        &name,
        &headers.text(&name)?.unwrap_or_default(),
    ))
}

/// On whatever writes an object. An ACL is refused as AWS refuses it where ACLs are off, which they are for every bucket made today.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
pub(in crate::s3) fn on_write(query: &Query<'_>, headers: CallHeaders<'_>) -> Result<(), S3Error> {
    version(query)?;
    acl(headers)?;
    for prefix in [
        "x-amz-server-side-encryption",
        "x-amz-copy-source-server-side-encryption",
        "x-amz-object-lock-",
        "x-amz-write-offset-bytes",
    ] {
        if let Some(name) = headers.name_with(prefix) {
            return Err(not_implemented(&name));
        }
    }
    condition_without_source(headers)
}

/// A condition on the source of a copy, on a write that copies nothing. To ignore it would write
/// what its signer wanted to write only as a copy.
fn condition_without_source(headers: CallHeaders<'_>) -> Result<(), S3Error> {
    if headers.contains("x-amz-copy-source") {
        return Ok(());
    }
    match headers.name_with("x-amz-copy-source-if-") {
        Some(name) => Err(not_implemented(&name)),
        None => Ok(()),
    }
}

/// On AbortMultipartUpload and DeleteObject: the conditions that only directory buckets know. To
/// ignore one would delete what its client wants to keep.
pub(super) fn on_removal(headers: CallHeaders<'_>) -> Result<(), S3Error> {
    const NAMES: [&str; 3] = [
        "x-amz-if-match-initiated-time",
        "x-amz-if-match-last-modified-time",
        "x-amz-if-match-size",
    ];
    match NAMES.into_iter().find(|name| headers.contains(name)) {
        Some(name) => Err(not_implemented(name)),
        None => Ok(()),
    }
}

/// On whatever takes an ACL. The two that say what is so anyway are taken.
pub(super) fn acl(headers: CallHeaders<'_>) -> Result<(), S3Error> {
    let refused = match headers.text("x-amz-acl")?.as_deref() {
        Some("private" | "bucket-owner-full-control") => false,
        Some(_) => true,
        None => false,
    };
    if refused || headers.name_with("x-amz-grant-").is_some() {
        return Err(S3Error::new(ErrorCode::AccessControlListNotSupported));
    }
    Ok(())
}

/// There are no versions: the one that is there is `null`.
pub(super) fn version(query: &Query<'_>) -> Result<(), S3Error> {
    match query.first("versionId").filter(|version| *version != "null") {
        Some(version) => Err(S3Error::invalid_argument(
            "Invalid version id specified",
            "versionId",
            version,
        )),
        None => Ok(()),
    }
}

/// A header that asks for what is not built.
pub(super) fn not_implemented(header: &str) -> S3Error {
    S3Error::new(ErrorCode::NotImplemented)
        .with("Header", header)
        .message("A header you provided implies functionality that is not implemented")
}
