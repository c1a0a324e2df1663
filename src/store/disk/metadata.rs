//! What is kept with an object's file: its ETag and what its writer said of it. A file goes in and a record comes out, or none, for a file
//! that was dropped in or changed by hand.
//!
//! The record is one extended attribute, so that data and metadata appear in one rename. One that is too long for that, or a file system
//! that has no attributes, makes it spill: into a file of the bucket's own, named by the identity of the file that it describes (inode, size
//! and time, all of which are known before the rename and do not change with it).

use std::{
    collections::BTreeMap,
    fs::{File, Metadata},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustix::{
    fs::{self as rfs, AtFlags, Mode, OFlags, XattrFlags},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use crate::types::{CameBy, Checksum, ChecksumAlgorithm, ETag, ObjectKey, Parts, Properties, Tag, UploadId};

use super::{confine, temporary};

/// The attribute's name.
const ATTRIBUTE: &str = "user.postern";
/// The form of the record. Another one is not understood: the file counts as dropped in.
const VERSION: u8 = 1;
/// What the system says of an attribute that a file does not have.
#[cfg(not(target_vendor = "apple"))]
const NO_ATTRIBUTE: Errno = Errno::NODATA;
#[cfg(target_vendor = "apple")]
const NO_ATTRIBUTE: Errno = Errno::NOATTR;
/// The longest attribute: ext4 holds about 4 KiB for all of a file's.
const MAX_ATTRIBUTE_BYTES: usize = 3 * 1024;
/// The longest spilled record that is read: more than 10,000 parts, each of its own size and with the longest checksum, and the limits on metadata and
/// tags allow.
const MAX_SPILL_BYTES: u64 = 2 * 1024 * 1024;
/// The bucket's own folder of spilled records.
pub(super) const SPILLED: &str = "~!metadata";
/// What the attribute says where the record is spilled.
const SPILL_MARK: &[u8] = b"{\"spilled\":1}";

/// What is kept with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    version: u8,
    /// The size and the time (nanoseconds since 1970) that the file has while the record describes it.
    size: u64,
    modified: i64,
    pub(super) etag: String,
    content_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    website_redirect_location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    storage_class: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    user_metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<(String, String)>,
    /// Algorithm by AWS's name, value in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<(String, String)>,
    /// Of how many parts' checksums it is the checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    composite_of: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parts: Option<RecordedParts>,
    /// Whose record it is, in a spilled one: so that one left behind can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// The parts that an object was uploaded in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RecordedParts {
    /// How many of which size follow each other.
    runs: Vec<(u32, u64)>,
    /// Their checksums one behind the other, in base64.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    checksums: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upload_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initiator: Option<String>,
}

impl RecordedParts {
    fn new(parts: &Parts) -> Self {
        Self {
            runs: parts.runs().to_vec(),
            checksums: STANDARD.encode(parts.checksums()),
            upload_id: parts.came_by().map(|upload| upload.upload_id.as_str().to_owned()),
            initiator: parts.came_by().and_then(|upload| upload.initiator.clone()),
        }
    }

    fn parts(self) -> Option<Parts> {
        let parts = Parts::from_runs(self.runs, STANDARD.decode(self.checksums).ok()?);
        Some(match self.upload_id.as_deref().and_then(UploadId::parse) {
            Some(upload_id) => parts.of_upload(CameBy {
                upload_id,
                initiator: self.initiator,
            }),
            None => parts,
        })
    }
}

impl Record {
    /// The record of a file as it is now.
    pub(super) fn new(file: &Metadata, etag: &ETag, said: &Properties) -> Self {
        Self {
            size: file.size(),
            modified: modified(file),
            etag: etag.as_str().to_owned(),
            ..Self::said(said)
        }
    }

    /// What a writer says of an object that is not there yet.
    pub(super) fn said(said: &Properties) -> Self {
        let said = said.clone();
        Self {
            version: VERSION,
            size: 0,
            modified: 0,
            etag: String::new(),
            content_type: said.content_type,
            cache_control: said.cache_control,
            content_disposition: said.content_disposition,
            content_encoding: said.content_encoding,
            content_language: said.content_language,
            expires: said.expires,
            website_redirect_location: said.website_redirect_location,
            storage_class: said.storage_class,
            user_metadata: said.user_metadata,
            tags: said.tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
            composite_of: said.checksum.as_ref().and_then(|checksum| checksum.composite_of),
            parts: said.parts.as_ref().map(RecordedParts::new),
            checksum: said
                .checksum
                .map(|checksum| (checksum.algorithm.name().to_owned(), hex::encode(checksum.value))),
            key: None,
        }
    }

    /// What the writer said.
    pub(super) fn properties(self) -> Properties {
        let checksum = self.checksum.and_then(|(name, value)| {
            Some(Checksum {
                algorithm: ChecksumAlgorithm::parse(&name)?,
                value: hex::decode(value).ok()?,
                composite_of: self.composite_of,
            })
        });
        Properties {
            content_type: self.content_type,
            cache_control: self.cache_control,
            content_disposition: self.content_disposition,
            content_encoding: self.content_encoding,
            content_language: self.content_language,
            expires: self.expires,
            website_redirect_location: self.website_redirect_location,
            storage_class: self.storage_class,
            user_metadata: self.user_metadata,
            tags: self
                .tags
                .into_iter()
                .map(|(key, value)| Tag { key, value })
                .collect(),
            checksum,
            parts: self.parts.and_then(RecordedParts::parts),
        }
    }

    /// Does it describe the file as it is now? One changed by hand counts as dropped in.
    fn describes(&self, file: &Metadata) -> bool {
        self.version == VERSION && self.size == file.size() && self.modified == modified(file)
    }

    /// Puts the record beside the data of a file that is not visible yet, or replaces it. `bucket` is the bucket's folder. A spilled
    /// record is on stable storage when this returns; the attribute is once the file is.
    pub(super) fn write(mut self, bucket: BorrowedFd<'_>, file: &File, key: &ObjectKey) -> io::Result<()> {
        let text = serde_json::to_vec(&self)?;
        if text.len() <= MAX_ATTRIBUTE_BYTES {
            match rfs::fsetxattr(file, ATTRIBUTE, &text, XattrFlags::empty()) {
                Ok(()) => return Ok(()),
                // Too many attributes of others on this file, or none at all on this file system.
                Err(Errno::NOSPC | Errno::TOOBIG | Errno::RANGE | Errno::OPNOTSUPP | Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.key = Some(key.as_str().to_owned());
        spill(
            bucket,
            &spill_name(&file.metadata()?),
            &serde_json::to_vec(&self)?,
        )?;
        match rfs::fsetxattr(file, ATTRIBUTE, SPILL_MARK, XattrFlags::empty()) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The record of an open file, if there is one that describes it. An error: the disk does not say.
    pub(super) fn of(bucket: Bucket<'_>, file: &File, metadata: &Metadata) -> io::Result<Found> {
        let mut buffer = [0; MAX_ATTRIBUTE_BYTES];
        let spilled;
        let text = match rfs::fgetxattr(file, ATTRIBUTE, &mut buffer) {
            Ok(length) => Some(buffer.get(..length).unwrap_or_default()).filter(|text| *text != SPILL_MARK),
            Err(Errno::OPNOTSUPP) => None,
            // None, or none of ours.
            Err(error @ (NO_ATTRIBUTE | Errno::RANGE | Errno::PERM | Errno::ACCESS)) => {
                return Ok(Found {
                    record: None,
                    // Who may see an attribute is not always the file's own matter.
                    shows: matches!(error, NO_ATTRIBUTE | Errno::RANGE),
                });
            }
            Err(error) => return Err(error.into()),
        };
        let shows = text.is_some();
        let text = match text {
            Some(text) => text,
            None => {
                spilled = bucket.spilled(&spill_name(metadata))?;
                spilled.as_deref().unwrap_or_default()
            }
        };
        let record: Option<Self> = serde_json::from_slice(text).ok();
        Ok(Found {
            record: record.filter(|record| record.describes(metadata)),
            shows,
        })
    }
}

/// What was found of a file's record.
pub(super) struct Found {
    pub(super) record: Option<Record>,
    /// Does the file's own state tell when that changes? It does of an attribute; a spilled record is another file.
    pub(super) shows: bool,
}

/// A bucket's folder: an open one above it, and the path from there, empty where it is the bucket itself.
#[derive(Clone, Copy)]
pub(super) struct Bucket<'f> {
    pub(super) folder: BorrowedFd<'f>,
    pub(super) path: &'f str,
}

impl Bucket<'_> {
    fn spilled(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
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
        file.take(MAX_SPILL_BYTES).read_to_end(&mut text)?;
        Ok(Some(text))
    }
}

/// The name of the spilled record of a file, whether there is one or not.
pub(super) fn spill_name(file: &Metadata) -> String {
    format!("{:x}-{:x}-{:x}", file.ino(), file.size(), modified(file))
}

/// Removes the spilled record of a file that is gone. That there is none is the rule.
pub(super) fn remove_spilled(bucket: BorrowedFd<'_>, name: &str) {
    if let Ok(folder) = confine::open(bucket, SPILLED, confine::Wait::Allowed) {
        _ = rfs::unlinkat(&folder, name, AtFlags::empty());
    }
}

/// The key in a spilled record, where it is one.
pub(super) fn key_of_spilled(text: &[u8]) -> Option<ObjectKey> {
    let record: Record = serde_json::from_slice(text).ok()?;
    ObjectKey::parse(&record.key?).ok()
}

fn modified(file: &Metadata) -> i64 {
    file.mtime()
        .saturating_mul(1_000_000_000)
        .saturating_add(file.mtime_nsec())
}

fn spill(bucket: BorrowedFd<'_>, name: &str, text: &[u8]) -> io::Result<()> {
    let temporary = temporary::folder(bucket)?;
    let spilled = temporary::own_folder(bucket, SPILLED)?;
    let beside = temporary::name()?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(rfs::openat(
        &temporary,
        &beside,
        flags,
        Mode::from_raw_mode(0o600),
    )?);
    file.write_all(text)?;
    file.sync_all()?;
    rfs::renameat(&temporary, &beside, &spilled, name)?;
    rfs::fsync(spilled.as_fd())?;
    Ok(())
}
