//! What becomes of the parts of an upload when it is completed: those that were named are held against those that came, and the object's ETag
//! and checksum are computed from theirs, without reading a byte of the content.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    s3::{CompleteMultipartUpload, ErrorCode, NamedPart, S3Error},
    store::{MultipartUpload, StoredPart},
    types::{CameBy, Checksum, ChecksumAlgorithm, ChecksumType, ETag, Parts},
};

use super::digests::{Digests, crc, crc_bytes};

/// The smallest part that is not the last.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

/// The object that the parts make up.
#[derive(Debug)]
pub(super) struct Assembly {
    pub(super) parts: Vec<StoredPart>,
    pub(super) etag: ETag,
    pub(super) checksum: Option<Checksum>,
    /// The parts as they are kept with the object.
    pub(super) kept: Parts,
}

impl Assembly {
    /// Holds what the client named, and declared of the whole, against what came.
    ///
    /// Errors: `InvalidPart`, `EntityTooSmall`, `BadDigest`, `InvalidRequest`.
    pub(super) fn new(
        upload: &MultipartUpload,
        call: &CompleteMultipartUpload,
        named: &[NamedPart],
        came: Vec<StoredPart>,
    ) -> Result<Self, S3Error> {
        let parts = chosen(upload, named, came)?;
        let size = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.size));
        if let Some(declared) = call.size.filter(|declared| *declared != size) {
            return Err(invalid(format!(
                "The provided 'x-amz-mp-object-size' header value {declared} does not match what was computed: {size}."
            )));
        }
        let checksum = whole_checksum(upload, &parts)?;
        declared_holds(call, checksum.as_ref())?;
        let came_by = CameBy {
            upload_id: upload.id.clone(),
            initiator: Some(upload.began.initiator.clone()),
        };
        let kept = kept(&parts, checksum.as_ref()).of_upload(came_by);
        Ok(Self {
            etag: etag(&parts),
            parts,
            checksum,
            kept,
        })
    }
}

fn invalid(message: String) -> S3Error {
    S3Error::new(ErrorCode::InvalidRequest).message(message)
}

/// The parts that are named, as they came. `named` and `came` ascend.
fn chosen(
    upload: &MultipartUpload,
    named: &[NamedPart],
    came: Vec<StoredPart>,
) -> Result<Vec<StoredPart>, S3Error> {
    let mut came = came.into_iter().peekable();
    let mut parts = Vec::with_capacity(named.len());
    for name in named {
        while came.next_if(|part| part.part.number < name.number).is_some() {}
        let part = came
            .next_if(|part| part.part.number == name.number && part.etag().as_str() == name.etag)
            .ok_or_else(|| {
                S3Error::new(ErrorCode::InvalidPart)
                    .with("UploadId", upload.id.as_str())
                    .with("PartNumber", name.number.to_string())
                    .with("ETag", &name.etag)
            })?;
        checksum_is_named(upload, name, &part)?;
        parts.push(part);
    }
    large_enough(&parts)?;
    Ok(parts)
}

/// Refuses a small part that is not the last. AWS says so only once every part is there.
fn large_enough(parts: &[StoredPart]) -> Result<(), S3Error> {
    let (_, all_but_last) = parts.split_last().unzip();
    let all_but_last: &[StoredPart] = all_but_last.unwrap_or_default();
    match all_but_last.iter().find(|part| part.size < MIN_PART_BYTES) {
        None => Ok(()),
        Some(part) => Err(S3Error::new(ErrorCode::EntityTooSmall)
            .with("ProposedSize", part.size.to_string())
            .with("MinSizeAllowed", MIN_PART_BYTES.to_string())
            .with("PartNumber", part.part.number.to_string())
            .with("ETag", part.etag().as_str())),
    }
}

/// A composite checksum is only as good as the parts' that the client names: each must be, and hold.
fn checksum_is_named(upload: &MultipartUpload, name: &NamedPart, part: &StoredPart) -> Result<(), S3Error> {
    match (&name.checksum, upload.began.checksum) {
        (None, Some((algorithm, ChecksumType::Composite))) => Err(invalid(format!(
            "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was \
             missing for part {} in the request.",
            algorithm.name().to_ascii_lowercase(),
            name.number
        ))),
        (None, Some((_, ChecksumType::FullObject)) | None) => Ok(()),
        (Some((algorithm, value)), _) => {
            let came = part.part.checksum.as_ref();
            let holds = came
                .is_some_and(|came| came.algorithm == *algorithm && STANDARD.encode(&came.value) == *value);
            match holds {
                true => Ok(()),
                false => Err(S3Error::new(ErrorCode::InvalidPart)
                    .with("UploadId", upload.id.as_str())
                    .with("PartNumber", name.number.to_string())
                    .with("ETag", &name.etag)),
            }
        }
    }
}

/// The MD5 of the parts' MD5s.
fn etag(parts: &[StoredPart]) -> ETag {
    let mut digests = Digests::new(false, None);
    for part in parts {
        digests.update(&part.part.md5);
    }
    ETag::of_parts(digests.finish().md5, parts.len())
}

/// The checksum that the upload was begun for.
fn whole_checksum(upload: &MultipartUpload, parts: &[StoredPart]) -> Result<Option<Checksum>, S3Error> {
    let Some((algorithm, kind)) = upload.began.checksum else {
        return Ok(None);
    };
    let values = parts.iter().map(|part| {
        let own = part
            .part
            .checksum
            .as_ref()
            .filter(|own| own.algorithm == algorithm);
        own.map(|own| (own.value.as_slice(), part.size)).ok_or_else(|| {
            // A part can only come with the upload's own algorithm.
            S3Error::new(ErrorCode::InternalError)
        })
    });
    let values = values.collect::<Result<Vec<_>, _>>()?;
    Ok(Some(match kind {
        ChecksumType::Composite => composite(algorithm, &values),
        ChecksumType::FullObject => full_object(algorithm, &values),
    }))
}

fn composite(algorithm: ChecksumAlgorithm, values: &[(&[u8], u64)]) -> Checksum {
    let mut digests = Digests::new(false, Some(algorithm));
    for (value, _) in values {
        digests.update(value);
    }
    let value = digests.finish().checksum.map(|checksum| checksum.value);
    Checksum {
        algorithm,
        value: value.unwrap_or_default(),
        composite_of: Some(values.len()),
    }
}

/// A CRC of a whole from the CRCs and the lengths of its parts.
fn full_object(algorithm: ChecksumAlgorithm, values: &[(&[u8], u64)]) -> Checksum {
    let number = |bytes: &[u8]| bytes.iter().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
    let combined = crc(algorithm).and_then(|parameters| {
        values
            .iter()
            .map(|(value, size)| (number(value), *size))
            .reduce(|(front, length), (value, size)| {
                let joined = crc_fast::checksum_combine(parameters, front, value, size);
                (joined, length.saturating_add(size))
            })
    });
    let value = combined.map(|(value, _)| crc_bytes(algorithm, value));
    Checksum::of_whole(algorithm, value.unwrap_or_default())
}

/// Holds what the client declared of the whole object.
fn declared_holds(call: &CompleteMultipartUpload, checksum: Option<&Checksum>) -> Result<(), S3Error> {
    let kind = checksum.map(Checksum::kind);
    if let Some(declared) = call.checksum_type.filter(|declared| kind != Some(*declared)) {
        return Err(invalid(format!(
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode, not {}.",
            kind.map_or("null", ChecksumType::name),
            declared.name()
        )));
    }
    let Some((algorithm, value)) = &call.checksum else {
        return Ok(());
    };
    let Some(own) = checksum.filter(|own| own.algorithm == *algorithm) else {
        return Err(invalid(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            checksum.map_or("null".to_owned(), |own| own.algorithm.name().to_ascii_lowercase()),
            algorithm.name().to_ascii_lowercase()
        )));
    };
    // A composite one may come with its number of parts, or without.
    let value = match own.composite_of {
        Some(count) => value.strip_suffix(&format!("-{count}")).unwrap_or(value),
        None => value,
    };
    match STANDARD.encode(&own.value) == value {
        true => Ok(()),
        false => Err(S3Error::new(ErrorCode::BadDigest).message(format!(
            "The {} you specified did not match the calculated checksum.",
            algorithm.name()
        ))),
    }
}

/// What is kept of the parts: their sizes, and their checksums where the object's is of their algorithm.
fn kept(parts: &[StoredPart], checksum: Option<&Checksum>) -> Parts {
    let sizes = parts.iter().map(|part| part.size);
    let checksums = match checksum {
        Some(_) => parts
            .iter()
            .filter_map(|part| part.part.checksum.as_ref())
            .flat_map(|own| own.value.iter().copied())
            .collect(),
        None => Vec::new(),
    };
    Parts::new(sizes, checksums)
}
