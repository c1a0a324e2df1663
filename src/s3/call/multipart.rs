//! The arguments of uploads in parts.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use http::HeaderMap;

use crate::{
    s3::{ErrorCode, Preconditions, S3Error},
    types::{
        BucketName, ChecksumAlgorithm, ChecksumType, ObjectKey, PartNumber, Properties, Query, UploadId,
        WriteCondition,
    },
};

use super::{
    CallHeaders, copy,
    list::{self, given},
    properties, unsupported,
    write::{self, DeclaredChecksum, Integrity},
};

/// The most entries of one page.
const MOST_ENTRIES: usize = 1000;

/// The arguments of CreateMultipartUpload.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateMultipartUpload {
    /// What is said of the object to be.
    pub properties: Properties,
    /// The checksum that it is to have.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

/// The arguments of UploadPart.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPart {
    /// Of which upload.
    pub upload_id: UploadId,
    /// Which part.
    pub number: PartNumber,
    /// What the content must be.
    pub integrity: Integrity,
    /// The content's length in bytes.
    pub length: u64,
}

/// The arguments of UploadPartCopy.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPartCopy {
    /// Of which upload.
    pub upload_id: UploadId,
    /// Which part.
    pub number: PartNumber,
    /// What is copied.
    pub source: (BucketName, ObjectKey),
    /// What must hold of it.
    pub source_conditions: Preconditions,
    /// The first and the last byte that are copied. None: all.
    pub source_range: Option<(u64, u64)>,
}

/// The arguments of CompleteMultipartUpload: the parts are in the body.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompleteMultipartUpload {
    /// Which upload.
    pub upload_id: UploadId,
    /// What must hold of the object that is there.
    pub condition: WriteCondition,
    /// The checksum that the object must have: algorithm, and the value as sent.
    pub checksum: Option<(ChecksumAlgorithm, String)>,
    /// The type of that checksum.
    pub checksum_type: Option<ChecksumType>,
    /// The size in bytes that the object must have.
    pub size: Option<u64>,
}

/// The arguments of ListParts.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListParts {
    /// Of which upload.
    pub upload_id: UploadId,
    /// Only parts behind this number.
    pub after: u32,
    /// The most parts of a page.
    pub max_parts: usize,
    /// `encoding-type=url`
    pub url_encoded: bool,
}

/// The arguments of ListMultipartUploads.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListMultipartUploads {
    /// Only keys that begin so.
    pub prefix: String,
    /// What keys are rolled up at.
    pub delimiter: Option<String>,
    /// Only keys behind this; with an upload id, also this key's uploads behind that one.
    pub key_marker: Option<String>,
    /// The upload of the last page's last entry.
    pub upload_id_marker: Option<String>,
    /// The most entries of a page.
    pub max_uploads: usize,
    /// `encoding-type=url`
    pub url_encoded: bool,
}

impl CreateMultipartUpload {
    pub(super) fn parse(query: &Query<'_>, headers: CallHeaders<'_>) -> Result<Self, S3Error> {
        unsupported::on_write(query, headers)?;
        Ok(Self {
            properties: properties::parse(headers)?,
            checksum: wanted_checksum(headers)?,
        })
    }
}

/// A CRC of the whole can be computed from those of its parts, a SHA cannot; and CRC64NVME is always that of the whole.
fn wanted_checksum(headers: CallHeaders<'_>) -> Result<Option<(ChecksumAlgorithm, ChecksumType)>, S3Error> {
    let kind = checksum_type(headers)?;
    let Some(algorithm) = copy::checksum_algorithm(headers)? else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(S3Error::new(ErrorCode::InvalidRequest).message(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let (default, other) = match algorithm {
        ChecksumAlgorithm::Crc64Nvme => (ChecksumType::FullObject, None),
        ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c => {
            (ChecksumType::Composite, Some(ChecksumType::FullObject))
        }
        ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => (ChecksumType::Composite, None),
    };
    let kind = kind.unwrap_or(default);
    if kind == default || Some(kind) == other {
        return Ok(Some((algorithm, kind)));
    }
    Err(S3Error::new(ErrorCode::InvalidRequest).message(format!(
        "The {} checksum type cannot be used with the {} checksum algorithm.",
        kind.name(),
        algorithm.name().to_ascii_lowercase()
    )))
}

fn checksum_type(headers: CallHeaders<'_>) -> Result<Option<ChecksumType>, S3Error> {
    let Some(name) = headers.text("x-amz-checksum-type")? else {
        return Ok(None);
    };
    let kind = ChecksumType::parse(&name);
    kind.map(Some).ok_or_else(|| {
        S3Error::new(ErrorCode::InvalidRequest).message("Value for x-amz-checksum-type header is invalid.")
    })
}

impl UploadPart {
    pub(super) fn parse(query: &Query<'_>, headers: CallHeaders<'_>) -> Result<Self, S3Error> {
        unsupported::on_write(query, headers)?;
        Ok(Self {
            upload_id: upload_id(query)?,
            number: part_number(query)?,
            integrity: Integrity::of(headers)?,
            length: write::length(headers)?,
        })
    }
}

impl UploadPartCopy {
    pub(super) fn parse(query: &Query<'_>, headers: CallHeaders<'_>) -> Result<Self, S3Error> {
        unsupported::on_write(query, headers)?;
        Ok(Self {
            upload_id: upload_id(query)?,
            number: part_number(query)?,
            source: copy::source(&headers.text("x-amz-copy-source")?.unwrap_or_default())?,
            source_conditions: Preconditions::of_copy_source(headers)?,
            source_range: source_range(headers)?,
        })
    }
}

/// `bytes=first-last`, both given.
fn source_range(headers: CallHeaders<'_>) -> Result<Option<(u64, u64)>, S3Error> {
    const NAME: &str = "x-amz-copy-source-range";
    let Some(given) = headers.text(NAME)? else {
        return Ok(None);
    };
    let ends = given.strip_prefix("bytes=").and_then(|set| set.split_once('-'));
    let number = |digits: &str| {
        let all = digits.bytes().all(|b| b.is_ascii_digit());
        all.then(|| digits.parse::<u64>().ok()).flatten()
    };
    let range = ends.and_then(|(first, last)| Some((number(first)?, number(last)?)));
    range
        .filter(|(first, last)| first <= last)
        .map(Some)
        .ok_or_else(|| {
            S3Error::invalid_argument(
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
                 zero-based offsets of the first and last bytes to copy",
                NAME,
                &given,
            )
        })
}

impl CompleteMultipartUpload {
    pub(super) fn parse(query: &Query<'_>, headers: CallHeaders<'_>) -> Result<Self, S3Error> {
        unsupported::on_write(query, headers)?;
        let mut checksum = None;
        for algorithm in ChecksumAlgorithm::ALL {
            if let Some(value) = headers.text(algorithm.header())?
                && checksum.replace((algorithm, value.into_owned())).is_some()
            {
                return Err(S3Error::new(ErrorCode::InvalidRequest).message(write::ONE_CHECKSUM));
            }
        }
        const SIZE: &str = "x-amz-mp-object-size";
        let size = headers.text(SIZE)?.map(|given| {
            let refused =
                || S3Error::invalid_argument("x-amz-mp-object-size must be a number of bytes", SIZE, &given);
            given.parse().map_err(|_| refused())
        });
        Ok(Self {
            upload_id: upload_id(query)?,
            condition: write::condition(headers)?,
            checksum,
            checksum_type: checksum_type(headers)?,
            size: size.transpose()?,
        })
    }

    /// What is declared of the body itself: its checksum headers speak of the object.
    pub fn integrity(headers: &HeaderMap) -> Result<Integrity, S3Error> {
        Ok(Integrity {
            content_md5: write::content_md5(CallHeaders::alone(headers))?,
            checksum: None::<DeclaredChecksum>,
        })
    }
}

impl ListParts {
    pub(super) fn parse(query: &Query<'_>) -> Result<Self, S3Error> {
        let after = list::count(query, "part-number-marker", 0)?;
        Ok(Self {
            upload_id: upload_id(query)?,
            after: u32::try_from(after).unwrap_or(u32::MAX),
            max_parts: list::count(query, "max-parts", MOST_ENTRIES)?.min(MOST_ENTRIES),
            url_encoded: list::url_encoded(query)?,
        })
    }
}

impl ListMultipartUploads {
    pub(super) fn parse(query: &Query<'_>) -> Result<Self, S3Error> {
        Ok(Self {
            prefix: query.first("prefix").unwrap_or_default().to_owned(),
            delimiter: given(query, "delimiter"),
            key_marker: given(query, "key-marker"),
            // Without a key it counts for nothing.
            upload_id_marker: given(query, "upload-id-marker")
                .filter(|_| given(query, "key-marker").is_some()),
            max_uploads: list::count(query, "max-uploads", MOST_ENTRIES)?.min(MOST_ENTRIES),
            url_encoded: list::url_encoded(query)?,
        })
    }
}

/// The upload that the request names. One that can be none is answered as one that is not there.
pub(super) fn upload_id(query: &Query<'_>) -> Result<UploadId, S3Error> {
    let given = query.first("uploadId").unwrap_or_default();
    UploadId::parse(given).ok_or_else(|| S3Error::no_such_upload(given))
}

fn part_number(query: &Query<'_>) -> Result<PartNumber, S3Error> {
    let given = query.first("partNumber").unwrap_or_default();
    PartNumber::parse(given).ok_or_else(|| invalid_part_number(given))
}

/// The refusal of a number that no part has.
pub(super) fn invalid_part_number(given: &str) -> S3Error {
    S3Error::invalid_argument(
        "Part number must be an integer between 1 and 10000, inclusive",
        "partNumber",
        given,
    )
}
