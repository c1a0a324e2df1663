//! The arguments of PutObject.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;

use crate::{
    s3::{ErrorCode, S3Error, preconditions::EntityTags},
    types::{Checksum, ChecksumAlgorithm, Properties, Query, WriteCondition},
};

use super::{CallHeaders, properties, unsupported};

/// AWS's largest object that is uploaded in one request.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html>
pub(in crate::s3) const MAX_OBJECT_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// What AWS says to two checksums.
pub(super) const ONE_CHECKSUM: &str =
    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";

/// The arguments of PutObject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteObject {
    /// What its writer says of the object. The checksum is not among it before it has held.
    pub properties: Properties,
    /// What must hold of the object that is there.
    pub condition: WriteCondition,
    /// What the content must be.
    pub integrity: Integrity,
    /// The content's length in bytes: that of the body, or, where it is aws-chunked, of what it decodes to.
    pub length: u64,
}

/// What a client declares of a body besides its signature.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Integrity {
    /// `Content-MD5`
    pub content_md5: Option<[u8; 16]>,
    /// The checksum, or by which algorithm a trailer carries it.
    pub checksum: Option<DeclaredChecksum>,
}

/// A checksum that is known before the body, or behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclaredChecksum {
    /// In an `x-amz-checksum-*` header.
    Value(Checksum),
    /// In a trailer that `x-amz-trailer` announces.
    Trailer(ChecksumAlgorithm),
}

impl WriteObject {
    pub(super) fn parse(query: &Query<'_>, headers: CallHeaders<'_>) -> Result<Self, S3Error> {
        unsupported::on_write(query, headers)?;
        Ok(Self {
            properties: properties::parse(headers)?,
            condition: condition(headers)?,
            integrity: Integrity::of(headers)?,
            length: length(headers)?,
        })
    }
}

impl DeclaredChecksum {
    /// By which algorithm.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        match self {
            Self::Value(checksum) => checksum.algorithm,
            Self::Trailer(algorithm) => *algorithm,
        }
    }
}

impl Integrity {
    /// Reads `Content-MD5`, `x-amz-checksum-*`, `x-amz-trailer` and `x-amz-sdk-checksum-algorithm`.
    ///
    /// Errors: `InvalidDigest`, `InvalidRequest`.
    pub fn parse(headers: &HeaderMap) -> Result<Self, S3Error> {
        Self::of(CallHeaders::alone(headers))
    }

    pub(super) fn of(headers: CallHeaders<'_>) -> Result<Self, S3Error> {
        Ok(Self {
            content_md5: content_md5(headers)?,
            checksum: declared_checksum(headers)?,
        })
    }

    /// Holds what was computed, and what the trailers carry, against what was declared. The checksum to be kept comes out.
    ///
    /// Errors: `BadDigest`, `InvalidRequest` for a trailer that is no checksum.
    pub fn check(
        &self,
        md5: [u8; 16],
        computed: Option<Checksum>,
        trailers: &HeaderMap,
    ) -> Result<Option<Checksum>, S3Error> {
        if let Some(declared) = self.content_md5.filter(|declared| *declared != md5) {
            return Err(S3Error::new(ErrorCode::BadDigest)
                .with("ExpectedDigest", STANDARD.encode(declared))
                .with("CalculatedDigest", STANDARD.encode(md5)));
        }
        let declared = match &self.checksum {
            None => return Ok(None),
            Some(DeclaredChecksum::Value(checksum)) => checksum.clone(),
            Some(DeclaredChecksum::Trailer(algorithm)) => value(CallHeaders::alone(trailers), *algorithm)?
                .ok_or_else(|| S3Error::new(ErrorCode::MalformedTrailerError))?,
        };
        if computed.as_ref() == Some(&declared) {
            return Ok(Some(declared));
        }
        Err(S3Error::new(ErrorCode::BadDigest).message(format!(
            "The {} you specified did not match the calculated checksum.",
            declared.algorithm.name()
        )))
    }
}

/// Errors: `InvalidDigest`.
pub(super) fn content_md5(headers: CallHeaders<'_>) -> Result<Option<[u8; 16]>, S3Error> {
    let Some(value) = headers.value("content-md5") else {
        return Ok(None);
    };
    let bytes = STANDARD.decode(&value).unwrap_or_default();
    let digest = <[u8; 16]>::try_from(bytes).map(Some);
    digest.map_err(|_| {
        S3Error::new(ErrorCode::InvalidDigest).with("Content-MD5", String::from_utf8_lossy(&value))
    })
}

/// `If-None-Match` knows `*` alone, as on AWS, and does not go with `If-Match`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
///
/// Errors: `NotImplemented`, and `InvalidArgument` for a value that is no entity tag.
pub(super) fn condition(headers: CallHeaders<'_>) -> Result<WriteCondition, S3Error> {
    match (
        EntityTags::parse(headers, "If-None-Match")?,
        EntityTags::parse(headers, "If-Match")?,
    ) {
        (None, None) => Ok(WriteCondition::Always),
        (Some(EntityTags::Any), None) => Ok(WriteCondition::Absent),
        (None, Some(tags)) => match tags.one() {
            Some(tag) => Ok(WriteCondition::Matches(tag)),
            None => Err(unsupported::not_implemented("If-Match")),
        },
        (Some(EntityTags::Listed(_)), None) => Err(unsupported::not_implemented("If-None-Match")),
        (Some(_), Some(_)) => Err(unsupported::not_implemented("If-Match")),
    }
}

/// Errors: `MissingContentLength`, `InvalidArgument`, `EntityTooLarge`.
pub(super) fn length(headers: CallHeaders<'_>) -> Result<u64, S3Error> {
    // An aws-chunked body is longer than its content.
    let name = match headers.contains("x-amz-decoded-content-length") {
        true => "x-amz-decoded-content-length",
        false => "content-length",
    };
    let declared = headers
        .text(name)?
        .ok_or_else(|| S3Error::new(ErrorCode::MissingContentLength))?;
    let length: u64 = declared
        .parse()
        .map_err(|_| S3Error::invalid_argument("Invalid Argument", name, &declared))?;
    if length > MAX_OBJECT_BYTES {
        return Err(S3Error::new(ErrorCode::EntityTooLarge)
            .with("ProposedSize", length.to_string())
            .with("MaxSizeAllowed", MAX_OBJECT_BYTES.to_string()));
    }
    Ok(length)
}

fn declared_checksum(headers: CallHeaders<'_>) -> Result<Option<DeclaredChecksum>, S3Error> {
    let refused = |message: &'static str| S3Error::new(ErrorCode::InvalidRequest).message(message);
    let mut found = None;
    for algorithm in ChecksumAlgorithm::ALL {
        if let Some(checksum) = value(headers, algorithm)?
            && found.replace(DeclaredChecksum::Value(checksum)).is_some()
        {
            return Err(refused(ONE_CHECKSUM));
        }
    }
    let trailers = headers.text("x-amz-trailer")?.unwrap_or_default();
    for name in trailers
        .split(',')
        .map(str::trim)
        .filter(|name| name.starts_with("x-amz-checksum-"))
    {
        let algorithm = ChecksumAlgorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.header() == name);
        let algorithm = algorithm
            .ok_or_else(|| refused("The value specified in the x-amz-trailer header is not supported"))?;
        if found.replace(DeclaredChecksum::Trailer(algorithm)).is_some() {
            return Err(refused(ONE_CHECKSUM));
        }
    }
    if let Some(name) = headers.text("x-amz-sdk-checksum-algorithm")? {
        let named = ChecksumAlgorithm::parse(&name)
            .ok_or_else(|| refused("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"))?;
        if found.as_ref().is_some_and(|found| found.algorithm() != named) {
            return Err(refused(
                "Value for x-amz-sdk-checksum-algorithm header is invalid.",
            ));
        }
    }
    Ok(found)
}

/// The checksum of this algorithm, in a header or a trailer.
fn value(headers: CallHeaders<'_>, algorithm: ChecksumAlgorithm) -> Result<Option<Checksum>, S3Error> {
    let Some(encoded) = headers.value(algorithm.header()) else {
        return Ok(None);
    };
    match STANDARD.decode(&encoded) {
        Ok(value) if value.len() == algorithm.length() => Ok(Some(Checksum::of_whole(algorithm, value))),
        Ok(_) | Err(_) => Err(S3Error::new(ErrorCode::InvalidRequest)
            .message(format!("Value for {} header is invalid.", algorithm.header()))),
    }
}
