//! The names of spilled records.

use std::{fmt, fs::Metadata, io, os::unix::fs::MetadataExt};

use sha2::{Digest, Sha256};

use crate::{store::disk::temporary, types::ObjectKey};

use super::content::modified;

/// Begins the name of a record on a file system without attributes.
const OF_KEY: &str = "key-";
/// How many bytes of a key's SHA-256 its name holds.
const HASH_BYTES: usize = 16;

/// The name of a spilled record in `~!metadata`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::store::disk) struct RecordName(String);

/// What a name in `~!metadata` is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::disk) enum NameKind {
    /// Nothing: it is random, and the object's attribute holds it.
    Random,
    /// The object's key, size and time.
    Key,
    /// The inode, size and time of the object's file: a store of format 1.
    Inode,
}

impl RecordName {
    /// A fresh one.
    pub(in crate::store::disk) fn random() -> io::Result<Self> {
        temporary::random_name().map(Self)
    }

    /// One that an attribute holds. None: no name of ours, and none that may be opened.
    pub(super) fn parse_random(text: &str) -> Option<Self> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 32 && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// That of an object on a file system without attributes.
    pub(in crate::store::disk) fn of_key(key: &ObjectKey, file: &Metadata) -> Self {
        let digest = Sha256::digest(key.as_str());
        let hash = hex::encode(digest.get(..HASH_BYTES).unwrap_or_default());
        Self(format!("{OF_KEY}{hash}-{:x}-{:x}", file.size(), modified(file)))
    }

    /// That of a file in a store of format 1.
    pub(in crate::store::disk) fn of_inode(file: &Metadata) -> Self {
        Self(format!("{:x}-{:x}-{:x}", file.ino(), file.size(), modified(file)))
    }

    /// A name that was found in `~!metadata`. None: it is no record's.
    pub(in crate::store::disk) fn found(text: &str) -> Option<(Self, NameKind)> {
        let name = || Self(text.to_owned());
        if Self::parse_random(text).is_some() {
            return Some((name(), NameKind::Random));
        }
        let hex = |field: &str| {
            let digits = field.strip_prefix('-').unwrap_or(field);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let (rest, kind) = match text.strip_prefix(OF_KEY) {
            Some(rest) => (rest, NameKind::Key),
            None => (text, NameKind::Inode),
        };
        let fields: Vec<_> = rest.splitn(3, '-').collect();
        (fields.len() == 3 && fields.iter().all(|field| hex(field))).then(|| (name(), kind))
    }

    pub(in crate::store::disk) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_name_is_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = std::fs::metadata(folder.path()).unwrap();
        let key = ObjectKey::parse("films/a.mp4").unwrap();
        for (name, kind) in [
            (RecordName::random().unwrap(), NameKind::Random),
            (RecordName::of_key(&key, &file), NameKind::Key),
            (RecordName::of_inode(&file), NameKind::Inode),
        ] {
            assert_eq!(RecordName::found(name.as_str()), Some((name.clone(), kind)));
        }
        for other in ["", "x", "1-2", "1-2-", "key-1-2", "../x", "1-2-3.lost", "a b-1-2"] {
            assert_eq!(RecordName::found(other), None, "{other}");
        }
    }

    #[test]
    fn attribute_cannot_name_a_file_elsewhere() {
        for other in [
            "../../other/~!metadata/x",
            "",
            "A0000000000000000000000000000000",
            "1-2-3",
        ] {
            assert_eq!(RecordName::parse_random(other), None, "{other}");
        }
    }
}
