//! Checksums as S3 writes them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::types::{Checksum, ChecksumAlgorithm};

use super::xml::Document;

/// The value of a header or an element: base64, and for a composite one a hyphen and the number of parts behind it.
pub(super) fn text(checksum: &Checksum) -> String {
    let value = encoded(&checksum.value);
    match checksum.composite_of {
        Some(parts) => format!("{value}-{parts}"),
        None => value,
    }
}

/// A value in base64.
pub(super) fn encoded(value: &[u8]) -> String {
    STANDARD.encode(value)
}

/// The element that carries a value.
pub(super) fn element(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "ChecksumCRC32",
        ChecksumAlgorithm::Crc32c => "ChecksumCRC32C",
        ChecksumAlgorithm::Crc64Nvme => "ChecksumCRC64NVME",
        ChecksumAlgorithm::Sha1 => "ChecksumSHA1",
        ChecksumAlgorithm::Sha256 => "ChecksumSHA256",
    }
}

/// An object's checksum and its type, as elements.
pub(super) fn put(document: &mut Document, checksum: &Checksum) {
    document.text(element(checksum.algorithm), &text(checksum));
    document.text("ChecksumType", checksum.kind().name());
}
