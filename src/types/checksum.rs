//! Checksums that a client declares of an object's content, besides what its signature covers.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

/// An algorithm, by AWS's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumAlgorithm {
    /// `CRC32`
    Crc32,
    /// `CRC32C`
    Crc32c,
    /// `CRC64NVME`
    Crc64Nvme,
    /// `SHA1`
    Sha1,
    /// `SHA256`
    Sha256,
}

/// The checksum of an object's content: its bytes, most significant first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// By which algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// As many bytes as the algorithm gives.
    pub value: Vec<u8>,
    /// For a composite checksum, of how many parts' checksums it is the checksum. None: it is that of the whole content.
    pub composite_of: Option<usize>,
}

/// What the checksum of an object that was uploaded in parts is computed from.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html#ChecksumTypes>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumType {
    /// `COMPOSITE`: from the parts' checksums.
    Composite,
    /// `FULL_OBJECT`: from the whole content.
    FullObject,
}

impl Checksum {
    /// The checksum of a whole content.
    pub fn of_whole(algorithm: ChecksumAlgorithm, value: Vec<u8>) -> Self {
        Self {
            algorithm,
            value,
            composite_of: None,
        }
    }

    /// What it is computed from.
    pub fn kind(&self) -> ChecksumType {
        match self.composite_of {
            Some(_) => ChecksumType::Composite,
            None => ChecksumType::FullObject,
        }
    }
}

impl ChecksumType {
    /// AWS's name, as `x-amz-checksum-type` carries it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Composite => "COMPOSITE",
            Self::FullObject => "FULL_OBJECT",
        }
    }

    /// The type of this name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Composite, Self::FullObject]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

impl ChecksumAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// AWS's name, as `x-amz-sdk-checksum-algorithm` and the XML elements carry it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header, or trailer, that carries a value in base64.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// How many bytes a value has.
    pub fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The algorithm of this name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_are_found_by_their_name_in_any_case() {
        for algorithm in ChecksumAlgorithm::ALL {
            assert_eq!(
                ChecksumAlgorithm::parse(&algorithm.name().to_lowercase()),
                Some(algorithm)
            );
        }
        assert_eq!(ChecksumAlgorithm::parse("MD5"), None);
    }
}
