//! Reading the record of an open file.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    os::fd::BorrowedFd,
};

use rustix::{fs as rfs, io::Errno};
use serde::Deserialize;

use crate::{store::disk::confine, types::ObjectKey};

use super::{ATTRIBUTE, MAX_ATTRIBUTE_BYTES, MAX_SPILLED_BYTES, NO_ATTRIBUTE, Record, RecordName, SPILLED};

/// Why the record of an object cannot be had. Each is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::store::disk) enum RecordError {
    /// The attribute names a spilled record that is not there.
    #[error(
        "the object's record {SPILLED}/{0} is missing: restore it from a backup, or upload the object again"
    )]
    Missing(RecordName),
    /// It was a store of format 1 that was copied, and the copy lost what the record was found by.
    #[error(
        "the object's record in {SPILLED} is missing: restore it from a backup and restart postern, or upload the object again"
    )]
    MissingOfFormat1,
    /// Another version of postern wrote it.
    #[error("the object's record has version {0}, which this version of postern does not know")]
    UnknownVersion(u64),
    /// It is no record.
    #[error("the object's record is damaged: restore the object from a backup, or upload it again")]
    Damaged,
}

impl From<RecordError> for io::Error {
    fn from(error: RecordError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// The attribute of an object's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store::disk) enum Attribute {
    /// It holds the record.
    Record(Box<Record>),
    /// It names the spilled record.
    Spilled(RecordName),
    /// It says that the record has spilled, as a store of format 1 does.
    SpilledOfFormat1,
    /// The file has none: it was dropped in.
    None,
    /// The file system has no attributes, or does not show this one.
    Unsupported,
}

/// The attribute of a file whose record has spilled.
#[derive(Deserialize)]
struct Mark {
    spilled: u64,
    record: Option<String>,
}

/// What was found of a file's record.
pub(in crate::store::disk) struct Found {
    /// None: the file was dropped in, or changed by hand.
    pub(in crate::store::disk) record: Option<Record>,
    /// The spilled record's name, if there is one.
    pub(in crate::store::disk) spilled: Option<RecordName>,
    /// Whether the file's own state tells when the record changes.
    pub(in crate::store::disk) shows: bool,
}

impl Attribute {
    fn parse(text: &[u8]) -> Result<Self, RecordError> {
        let failed = match Record::parse(text) {
            Ok(record) => return Ok(Self::Record(Box::new(record))),
            Err(failed) => failed,
        };
        match serde_json::from_slice::<Mark>(text) {
            Ok(Mark { spilled: 1, .. }) => Ok(Self::SpilledOfFormat1),
            Ok(Mark {
                spilled: 2,
                record: Some(name),
            }) => RecordName::parse_random(&name)
                .map(Self::Spilled)
                .ok_or(RecordError::Damaged),
            Ok(Mark { spilled: 2, .. }) => Err(RecordError::Damaged),
            Ok(Mark { spilled, .. }) => Err(RecordError::UnknownVersion(spilled)),
            Err(_) => Err(failed),
        }
    }
}

/// Reads the attribute of an open file.
///
/// Errors: [`RecordError`] within, or the disk's.
pub(in crate::store::disk) fn read_attribute(file: &File) -> io::Result<Attribute> {
    let mut buffer = [0; MAX_ATTRIBUTE_BYTES];
    match rfs::fgetxattr(file, ATTRIBUTE, &mut buffer) {
        Ok(length) => Ok(Attribute::parse(buffer.get(..length).unwrap_or_default())?),
        Err(NO_ATTRIBUTE) => Ok(Attribute::None),
        Err(Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => Ok(Attribute::Unsupported),
        // Longer than any that this version writes.
        Err(Errno::RANGE) => Err(RecordError::Damaged.into()),
        Err(error) => Err(error.into()),
    }
}

impl Record {
    /// Finds the record of an open file.
    ///
    /// Errors: [`RecordError`] within, or the disk's.
    pub(in crate::store::disk) fn of(
        bucket: Bucket<'_>,
        file: &File,
        metadata: &Metadata,
        key: &ObjectKey,
    ) -> io::Result<Found> {
        let (record, spilled, shows) = match read_attribute(file)? {
            Attribute::Record(record) => (Some(*record), None, true),
            Attribute::Spilled(name) => {
                let record = bucket.spilled(&name)?.ok_or(RecordError::Missing(name.clone()))?;
                (Some(record), Some(name), true)
            }
            Attribute::SpilledOfFormat1 => {
                let name = RecordName::of_inode(metadata);
                let record = bucket.spilled(&name)?.ok_or(RecordError::MissingOfFormat1)?;
                (Some(record), Some(name), false)
            }
            Attribute::None => bucket.without_attribute(metadata, key, true)?,
            // Who may see an attribute is not always the file's own matter.
            Attribute::Unsupported => bucket.without_attribute(metadata, key, false)?,
        };
        Ok(Found {
            record: record.filter(|record| record.describes(metadata)),
            spilled,
            shows,
        })
    }
}

/// A bucket's folder: an open one above it, and the path from there, empty where it is the bucket itself.
#[derive(Clone, Copy)]
pub(in crate::store::disk) struct Bucket<'f> {
    pub(in crate::store::disk) folder: BorrowedFd<'f>,
    pub(in crate::store::disk) path: &'f str,
}

impl Bucket<'_> {
    /// The record of a file without an attribute: under the name that its key makes, or that its inode
    /// made in a store of format 1.
    fn without_attribute(
        &self,
        metadata: &Metadata,
        key: &ObjectKey,
        shows: bool,
    ) -> io::Result<(Option<Record>, Option<RecordName>, bool)> {
        for name in [RecordName::of_key(key, metadata), RecordName::of_inode(metadata)] {
            if let Some(record) = self.spilled(&name)? {
                return Ok((Some(record), Some(name), false));
            }
        }
        Ok((None, None, shows))
    }

    /// Reads a spilled record. None: there is none of this name.
    fn spilled(&self, name: &RecordName) -> io::Result<Option<Record>> {
        let path = match self.path {
            "" => format!("{SPILLED}/{name}"),
            bucket => format!("{bucket}/{SPILLED}/{name}"),
        };
        let file = match confine::open(self.folder, &path, confine::Wait::Allowed) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut text = Vec::new();
        file.take(MAX_SPILLED_BYTES).read_to_end(&mut text)?;
        Ok(Some(Record::parse(&text)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_of_another_version_is_an_error() {
        use RecordError::{Damaged, UnknownVersion};
        for (text, error) in [
            (r#"{"version":2,"size":1}"#, UnknownVersion(2)),
            (r#"{"version":1000}"#, UnknownVersion(1000)),
            (r#"{"spilled":3,"record":"x"}"#, UnknownVersion(3)),
            (r#"{"spilled":2}"#, Damaged),
            (r#"{"spilled":2,"record":"../x"}"#, Damaged),
            (r#"{"version":1}"#, Damaged),
            ("{}", Damaged),
            ("", Damaged),
            ("\0\0", Damaged),
        ] {
            assert_eq!(Attribute::parse(text.as_bytes()), Err(error), "{text}");
        }
    }

    #[test]
    fn attributes_of_both_formats_are_read() {
        let inline = r#"{"version":1,"size":3,"modified":4,"etag":"e","content_type":"t"}"#;
        assert!(
            matches!(Attribute::parse(inline.as_bytes()), Ok(Attribute::Record(record)) if record.etag == "e")
        );
        assert_eq!(
            Attribute::parse(br#"{"spilled":1}"#),
            Ok(Attribute::SpilledOfFormat1)
        );
        let name = RecordName::random().unwrap();
        let text = format!(r#"{{"spilled":2,"record":"{name}"}}"#);
        assert_eq!(Attribute::parse(text.as_bytes()), Ok(Attribute::Spilled(name)));
    }
}
