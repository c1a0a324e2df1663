//! What a record holds, and its form in JSON.

use std::{collections::BTreeMap, fs::Metadata, io, os::unix::fs::MetadataExt};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    store::disk::grain,
    types::{CameBy, Checksum, ChecksumAlgorithm, ETag, ObjectKey, Parts, Properties, Tag, UploadId},
};

use super::read::RecordError;

/// The version of the form below.
const VERSION: u8 = 1;

/// What is kept with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::disk) struct Record {
    version: u8,
    /// The size and the time (nanoseconds since 1970) that the file has while the record describes it.
    size: u64,
    modified: i64,
    pub(in crate::store::disk) etag: String,
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
    /// The key of the object, in a spilled record: so that one without its object can be named.
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
    pub(in crate::store::disk) fn new(file: &Metadata, etag: &ETag, said: &Properties) -> Self {
        Self {
            size: file.size(),
            modified: modified(file),
            etag: etag.as_str().to_owned(),
            ..Self::said(said)
        }
    }

    /// What a writer says of an object that is not there yet.
    pub(in crate::store::disk) fn said(said: &Properties) -> Self {
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
    pub(in crate::store::disk) fn properties(self) -> Properties {
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

    /// Whether it describes the file as it is now. A file that was changed by hand counts as dropped
    /// in. A time that a coarser file system or an archive has cut is still the file's.
    pub(in crate::store::disk) fn describes(&self, file: &Metadata) -> bool {
        self.size == file.size() && grain::is_cut(self.modified, modified(file))
    }

    /// The same record for a file with the size and the time of this one.
    pub(super) fn at(mut self, file: &Metadata) -> Self {
        self.size = file.size();
        self.modified = modified(file);
        self
    }

    /// The same record with the key of its object, as a spilled one has it.
    pub(in crate::store::disk) fn of_key(mut self, key: &ObjectKey) -> Self {
        self.key = Some(key.as_str().to_owned());
        self
    }

    /// Writes a record.
    pub(in crate::store::disk) fn to_text(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Reads a record.
    pub(super) fn parse(text: &[u8]) -> Result<Self, RecordError> {
        match serde_json::from_slice::<Self>(text) {
            Ok(record) if record.version == VERSION => Ok(record),
            Ok(record) => Err(RecordError::UnknownVersion(record.version.into())),
            // One of another version may have other fields.
            Err(_) => match serde_json::from_slice::<AnyVersion>(text) {
                Ok(other) if other.version != u64::from(VERSION) => {
                    Err(RecordError::UnknownVersion(other.version))
                }
                Ok(_) | Err(_) => Err(RecordError::Damaged),
            },
        }
    }
}

/// The version of a record that has another form than ours.
#[derive(Deserialize)]
struct AnyVersion {
    version: u64,
}

/// What a spilled record says of its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store::disk) struct SpilledKey {
    pub(in crate::store::disk) key: ObjectKey,
    pub(in crate::store::disk) record: Record,
}

impl SpilledKey {
    /// Reads a spilled record. None: it is none of this version.
    pub(in crate::store::disk) fn parse(text: &[u8]) -> Option<Self> {
        let record = Record::parse(text).ok()?;
        let key = ObjectKey::parse(record.key.as_deref()?).ok()?;
        Some(Self { key, record })
    }
}

/// A file's time of change, in nanoseconds since 1970.
pub(super) fn modified(file: &Metadata) -> i64 {
    file.mtime()
        .saturating_mul(1_000_000_000)
        .saturating_add(file.mtime_nsec())
}
