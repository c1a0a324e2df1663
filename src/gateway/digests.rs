//! What is computed of an upload's content while it streams by: its MD5, the SHA-256 that its signature may declare and
//! the checksum that its writer may. Bytes go in, [`Digested`] comes out.

use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

use crate::types::{Checksum, ChecksumAlgorithm, ETag};

/// The hashes of a content as far as it has come.
pub(super) struct Digests {
    md5: Md5,
    sha256: Option<Sha256>,
    checksum: Option<(ChecksumAlgorithm, Running)>,
    length: u64,
}

/// What the content was.
pub(super) struct Digested {
    /// Its MD5.
    pub(super) md5: [u8; 16],
    /// Its SHA-256, where that was asked for.
    pub(super) sha256: Option<[u8; 32]>,
    /// Its checksum, where one was asked for.
    pub(super) checksum: Option<Checksum>,
    /// How many bytes it has.
    pub(super) length: u64,
}

enum Running {
    Crc(crc_fast::Digest),
    Sha1(Sha1),
    /// The same as the one of the signature: computed once.
    Sha256,
}

impl Digests {
    /// Begins with what is wanted besides the MD5.
    pub(super) fn new(sha256: bool, checksum: Option<ChecksumAlgorithm>) -> Self {
        let running = |algorithm| match crc(algorithm) {
            Some(crc) => Running::Crc(crc_fast::Digest::new(crc)),
            None if algorithm == ChecksumAlgorithm::Sha1 => Running::Sha1(Sha1::new()),
            None => Running::Sha256,
        };
        Self {
            md5: Md5::new(),
            sha256: (sha256 || checksum == Some(ChecksumAlgorithm::Sha256)).then(Sha256::new),
            checksum: checksum.map(|algorithm| (algorithm, running(algorithm))),
            length: 0,
        }
    }

    /// Takes the next bytes.
    pub(super) fn update(&mut self, data: &[u8]) {
        self.length = self.length.saturating_add(data.len() as u64);
        self.md5.update(data);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(data);
        }
        match &mut self.checksum {
            Some((_, Running::Crc(crc))) => crc.update(data),
            Some((_, Running::Sha1(sha1))) => sha1.update(data),
            Some((_, Running::Sha256)) | None => {}
        }
    }

    /// Ends.
    pub(super) fn finish(self) -> Digested {
        let sha256: Option<[u8; 32]> = self.sha256.map(|hash| hash.finalize().into());
        let checksum = self.checksum.map(|(algorithm, running)| {
            let value = match running {
                Running::Crc(crc) => crc_bytes(algorithm, crc.finalize()),
                Running::Sha1(sha1) => sha1.finalize().to_vec(),
                Running::Sha256 => sha256.map(Vec::from).unwrap_or_default(),
            };
            Checksum::of_whole(algorithm, value)
        });
        Digested {
            md5: self.md5.finalize().into(),
            sha256,
            checksum,
            length: self.length,
        }
    }
}

/// The algorithm's parameters, where it is a CRC.
pub(super) fn crc(algorithm: ChecksumAlgorithm) -> Option<crc_fast::CrcAlgorithm> {
    use crc_fast::CrcAlgorithm::{Crc32Iscsi, Crc32IsoHdlc, Crc64Nvme};
    match algorithm {
        ChecksumAlgorithm::Crc32 => Some(Crc32IsoHdlc),
        ChecksumAlgorithm::Crc32c => Some(Crc32Iscsi),
        ChecksumAlgorithm::Crc64Nvme => Some(Crc64Nvme),
        ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => None,
    }
}

/// A CRC as bytes, most significant first.
pub(super) fn crc_bytes(algorithm: ChecksumAlgorithm, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let from = bytes.len().saturating_sub(algorithm.length());
    bytes.get(from..).unwrap_or_default().to_vec()
}

impl Digested {
    /// The ETag of content uploaded whole.
    pub(super) fn etag(&self) -> ETag {
        ETag::of_md5(self.md5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of «123456789», by <https://reveng.sourceforge.io/crc-catalogue/all.htm>, FIPS 180 and RFC 1321.
    #[test]
    fn published_check_values_hold_however_the_content_is_cut() {
        for (algorithm, expected) in [
            (ChecksumAlgorithm::Crc32, "cbf43926"),
            (ChecksumAlgorithm::Crc32c, "e3069283"),
            (ChecksumAlgorithm::Crc64Nvme, "ae8b14860a799888"),
            (
                ChecksumAlgorithm::Sha1,
                "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
            ),
            (
                ChecksumAlgorithm::Sha256,
                "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
            ),
        ] {
            for cut in 0..=9 {
                let (front, back) = b"123456789".split_at(cut);
                let mut digests = Digests::new(false, Some(algorithm));
                digests.update(front);
                digests.update(back);
                let digested = digests.finish();
                assert_eq!(hex::encode(&digested.checksum.as_ref().unwrap().value), expected);
                assert_eq!(digested.etag().as_str(), "25f9e794323b453885f5181f1b624d0b");
                assert_eq!(digested.length, 9);
            }
        }
    }

    #[test]
    fn the_signatures_hash_is_computed_only_where_it_is_wanted() {
        assert!(Digests::new(false, None).finish().sha256.is_none());
        let empty = Digests::new(true, None).finish();
        assert_eq!(
            hex::encode(empty.sha256.unwrap()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
