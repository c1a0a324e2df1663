//! The moment in which an object becomes visible: a written file goes in, and is durable, described and under its name when this
//! returns, whole, in place of the one before; or nothing has changed.
//!
//! Order: describe and sync the file; under the lock hold the condition, ask the last look, rename the
//! upload away that the object ends, rename the object into place; sync the folders; only then remove
//! what the new object replaces: its parts, and the spilled record of the one before.

use std::{
    fs::{File, Metadata},
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
};

use rustix::{
    fs::{self as rfs, AtFlags, FileType, Mode},
    io::Errno,
};

use crate::{
    store::{LastLook, StillAllowed, StoreError, UploadName},
    types::{BucketName, ETag, ObjectAttributes, ObjectKey, Properties, Tag, WriteCondition},
};

use super::{
    Folders, Opened, attributes, confine, folding,
    mapping::{self, OBJECT_OF_FOLDER},
    multipart::Ending,
    record::{Record, RecordName},
    structure,
    temporary::Temporary,
    unsynced::UnsyncedFolder,
};

/// How often a folder may vanish between its making and its use before that is an error: somebody is deleting by hand.
const MOST_TRIES: usize = 100;

/// Folders in which an entry is new, the innermost first, and those of them whose own names are.
struct Changed {
    folders: Vec<File>,
    made: Vec<UnsyncedFolder>,
    /// Whether any folder was made.
    is_any_made: bool,
}

/// What is under a key before a change.
pub(super) enum Before {
    /// Nothing.
    Nothing,
    /// An object.
    Object(Box<Opened>),
    /// An object whose record cannot be had: it may be replaced and removed.
    Undescribed,
}

impl Before {
    /// The tags of the object; none if there is no object. None: they cannot be known.
    pub(super) fn tags(&self) -> Option<&[Tag]> {
        match self {
            Self::Nothing => Some(&[]),
            Self::Object(object) => Some(&object.attributes.properties.tags),
            Self::Undescribed => None,
        }
    }

    /// The object's spilled record, once its file has no name any more. A file that a user has given
    /// another name by hand keeps its record.
    pub(super) fn obsolete_record(self) -> Option<RecordName> {
        match self {
            Self::Object(object) => {
                let is_gone = object.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0);
                object.spilled.filter(|_| is_gone)
            }
            Self::Nothing | Self::Undescribed => None,
        }
    }
}

/// An object that has just become visible.
struct Placed<'f> {
    changed: Changed,
    /// The file as it was described.
    written: Metadata,
    /// The upload that it ends.
    ending: Option<Ending<'f>>,
    /// The spilled record of the object before.
    replaced: Option<RecordName>,
}

/// Where an object goes.
pub(super) struct Placing<'p> {
    pub(super) folders: &'p Folders,
    pub(super) bucket: &'p BucketName,
    pub(super) key: &'p ObjectKey,
    /// The upload in parts that ends in the moment in which the object becomes visible.
    pub(super) ends: Option<&'p UploadName>,
    pub(super) last_look: &'p LastLook,
}

impl Placing<'_> {
    /// Describes the file, syncs it, holds the condition against what is there, and renames.
    pub(super) fn place(
        &self,
        mut file: Temporary,
        etag: &ETag,
        properties: Properties,
        condition: &WriteCondition,
    ) -> Result<ObjectAttributes, StoreError> {
        let bucket = self.folders.open_bucket(self.bucket)?;
        let described = match file.is_linked() {
            true => None,
            false => Some(self.describe(&bucket, &mut file, etag, &properties)?),
        };
        let placed = self.place_described(&bucket, file, described, (etag, &properties), condition)?;
        let failed = |error: Errno| self.folders.unwritable(self.bucket, error.into());
        if self.folders.durable {
            for folder in &placed.changed.folders {
                rfs::fsync(folder).map_err(failed)?;
            }
            self.folders.unsynced.synced(&placed.changed.made);
        }
        super::failpoint("placed");
        // The new name is on stable storage: what is of no use any more may go.
        if let Some(ending) = placed.ending
            && let Some(ended) = ending.end()?
        {
            ended.remove();
        }
        if let Some(record) = placed.replaced {
            self.folders.remove_record(&bucket, &record);
        }
        Ok(attributes::written(&placed.written, etag.clone(), properties))
    }

    /// Puts the record beside the file's data, and syncs the file.
    fn describe(
        &self,
        bucket: &File,
        file: &mut Temporary,
        etag: &ETag,
        properties: &Properties,
    ) -> Result<Metadata, StoreError> {
        let failed = |error| self.folders.unwritable(self.bucket, error);
        let written = file.file.metadata().map_err(failed)?;
        let record = Record::new(&written, etag, properties);
        let described = record.describe(self.folders.writable(bucket), &file.file, self.key);
        let (written, record) = described.map_err(failed)?;
        file.has_record(record);
        super::failpoint("described");
        if self.folders.durable {
            file.file.sync_all().map_err(failed)?;
        }
        super::failpoint("synced");
        Ok(written)
    }

    /// Renames the file into place if the condition holds. A file with other names is described only
    /// then: one of them may be an object's.
    fn place_described(
        &self,
        bucket: &File,
        mut file: Temporary,
        described: Option<Metadata>,
        (etag, properties): (&ETag, &Properties),
        condition: &WriteCondition,
    ) -> Result<Placed<'_>, StoreError> {
        let _lock = self.folders.lock(self.bucket, self.key);
        // Writing and syncing may have taken long, and the folder may have gone meanwhile.
        self.folders.folder(Some(self.bucket)).is_in_place()?;
        self.is_bucket(bucket)?;
        let before = self.holds(condition)?;
        if let Some(upload) = self.ends {
            self.folders.multipart(upload)?;
        }
        let allowed = self.last_look.ask(before.tags())?;
        let written = match described {
            Some(written) => written,
            None => self.describe(bucket, &mut file, etag, properties)?,
        };
        let ending = match self.ends {
            Some(upload) => Some(self.folders.begin_ending(bucket, upload, &allowed)?),
            None => None,
        };
        super::failpoint("upload ending");
        let changed = self.rename(bucket, &file, &allowed)?;
        super::failpoint("renamed");
        file.placed();
        self.folders
            .entries_changed(self.bucket, self.key, changed.is_any_made);
        Ok(Placed {
            changed,
            written,
            ending: ending.map(Ending::object_is_placed),
            replaced: before.obsolete_record(),
        })
    }

    /// Whether an open folder still is the bucket's: it may have been deleted meanwhile.
    fn is_bucket(&self, opened: &File) -> Result<(), StoreError> {
        let identity = |folder: &File| {
            let metadata = folder.metadata();
            let metadata = metadata.map_err(|error| self.folders.unreadable(self.bucket, "", error))?;
            Ok((metadata.dev(), metadata.ino()))
        };
        match identity(&self.folders.open_bucket(self.bucket)?)? == identity(opened)? {
            true => Ok(()),
            false => Err(StoreError::NoSuchBucket(self.bucket.clone())),
        }
    }

    /// Compares the condition with the object that is there, and returns that.
    pub(super) fn holds(&self, condition: &WriteCondition) -> Result<Before, StoreError> {
        let found = match self.folders.find_now(self.bucket, self.key) {
            Ok(object) => Before::Object(Box::new(object)),
            Err(StoreError::NoSuchKey) => Before::Nothing,
            Err(error @ StoreError::Undescribed { .. }) => match condition {
                WriteCondition::Matches(tag) if tag != "*" => return Err(error),
                _ => Before::Undescribed,
            },
            Err(error) => return Err(error),
        };
        match (condition, &found) {
            (WriteCondition::Always, _) | (WriteCondition::Absent, Before::Nothing) => {}
            (WriteCondition::Absent, _) => return Err(StoreError::ConditionFailed),
            (WriteCondition::Matches(_), Before::Nothing) => return Err(StoreError::NoSuchKey),
            (WriteCondition::Matches(_), Before::Undescribed) => {}
            (WriteCondition::Matches(tag), Before::Object(found)) => {
                if tag != "*" && tag != found.attributes.etag.as_str() {
                    return Err(StoreError::ConditionFailed);
                }
            }
        }
        Ok(found)
    }

    /// Renames into place. The folders whose entries have changed come out, the innermost first.
    fn rename(&self, bucket: &File, file: &Temporary, _: &StillAllowed) -> Result<Changed, StoreError> {
        let path = mapping::to_path(self.key);
        let failed = |error: Errno| self.folders.unwritable_at(self.bucket, &path, error.into());
        for _ in 0..MOST_TRIES {
            let (front, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let mut changed = match self.folder(bucket, front) {
                Ok(changed) => changed,
                Err(NoFolder::Failed(error)) => return Err(failed(error)),
                Err(NoFolder::InTheWay(path)) => return Err(self.in_the_way(&path)),
            };
            let Some(parent) = changed.folders.first() else {
                break;
            };
            self.spelled(parent, name, &path)?;
            let renamed = match kind_of(parent.as_fd(), name).map_err(failed)? {
                None | Some(FileType::RegularFile) => rfs::renameat(&file.folder, file.name(), parent, name),
                Some(FileType::Directory) => {
                    let inner = structure::open_folder(parent.as_fd(), name).map_err(failed)?;
                    let renamed = rfs::renameat(&file.folder, file.name(), &inner, OBJECT_OF_FOLDER);
                    changed.folders.insert(0, inner);
                    renamed
                }
                Some(_) => return Err(self.in_the_way(&path)),
            };
            match renamed {
                Ok(()) => return Ok(changed),
                // Somebody removed a folder, or made one, in between.
                Err(Errno::NOENT | Errno::ISDIR | Errno::NOTDIR) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(Errno::NOENT))
    }

    /// Opens a folder below the bucket and makes what is missing of it. It comes out first, behind it those above it in which
    /// something was made.
    fn folder(&self, bucket: &File, path: &str) -> Result<Changed, NoFolder> {
        let unsynced = &self.folders.unsynced;
        let (mut made, mut is_any_made) = (Vec::new(), false);
        let mut changed = vec![bucket.try_clone().map_err(|_| Errno::MFILE)?];
        let mut made_in = Vec::new();
        let mut walked = String::new();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let Some(at) = changed.pop() else { break };
            walked = [walked.as_str(), name].join(if walked.is_empty() { "" } else { "/" });
            let inner = match structure::open_folder(at.as_fd(), name) {
                Err(Errno::NOENT) => {
                    is_any_made = true;
                    if self.folders.durable {
                        unsynced.add(&at).map_err(structure::errno)?;
                    }
                    match rfs::mkdirat(&at, name, Mode::from_raw_mode(0o777)) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    structure::open_folder(at.as_fd(), name)?
                }
                // An object is in the way: it becomes the object of a folder.
                Err(Errno::NOTDIR) if is_in_the_way(kind_of(at.as_fd(), name)?) => {
                    return Err(NoFolder::InTheWay(walked));
                }
                Err(Errno::NOTDIR) if kind_of(at.as_fd(), name)? == Some(FileType::RegularFile) => {
                    is_any_made = true;
                    if self.folders.durable {
                        unsynced.add(&at).map_err(structure::errno)?;
                    }
                    let writable = self.folders.writable(bucket);
                    let parent = (at.as_fd(), front_of(&walked));
                    structure::make_folder_of_object(writable, parent, name, &self.folders.exchange)?;
                    structure::open_folder(at.as_fd(), name)?
                }
                opened => opened?,
            };
            // Made here, or by another request that has not come to sync it.
            if let Some(folder) = unsynced.find(&at).map_err(structure::errno)? {
                made_in.push(at);
                made.push(folder);
            }
            changed.push(inner);
        }
        changed.extend(made_in.into_iter().rev());
        Ok(Changed {
            folders: changed,
            made,
            is_any_made,
        })
    }

    /// Where the file system folds names, another spelling of this one must not be there.
    fn spelled(&self, parent: &File, name: &str, path: &str) -> Result<(), StoreError> {
        let (folder, bucket_path) = self.folders.bucket(self.bucket);
        if !folder.kept()?.folds || matches!(kind_of(parent.as_fd(), name), Ok(None)) {
            return Ok(());
        }
        let whole = match bucket_path {
            "" => path.to_owned(),
            bucket => format!("{bucket}/{path}"),
        };
        match folding::is_spelled(&folder.path, &whole) {
            true => Ok(()),
            false => Err(self.taken(path)),
        }
    }

    fn in_the_way(&self, path: &str) -> StoreError {
        StoreError::InTheWay {
            path: self.folders.path_of(self.bucket, path),
        }
    }

    fn taken(&self, path: &str) -> StoreError {
        StoreError::NameTaken {
            path: self.folders.path_of(self.bucket, path),
        }
    }
}

/// The path of the folder that holds what is under this path.
fn front_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(front, _)| front)
}

/// Why a folder of a key was not opened.
enum NoFolder {
    /// The system's error.
    Failed(Errno),
    /// What is under this path is neither a folder nor an object.
    InTheWay(String),
}

impl From<Errno> for NoFolder {
    fn from(error: Errno) -> Self {
        Self::Failed(error)
    }
}

/// Whether what stands under a name can neither be a folder nor become one.
fn is_in_the_way(kind: Option<FileType>) -> bool {
    !matches!(kind, None | Some(FileType::RegularFile | FileType::Directory))
}

/// What stands under a name, symlinks not followed.
fn kind_of(folder: BorrowedFd<'_>, name: &str) -> Result<Option<FileType>, Errno> {
    match rfs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Folders {
    /// Opens a bucket's folder.
    pub(super) fn open_bucket(&self, bucket: &BucketName) -> Result<File, StoreError> {
        let (folder, path) = self.bucket(bucket);
        let kept = folder.kept()?;
        let unreadable = |source| StoreError::unreadable(folder.path.join(path), source);
        let opened = match path {
            "" => kept.opened.try_clone().map_err(|_| Errno::MFILE),
            path => confine::open(kept.opened.as_fd(), path, confine::Wait::Allowed),
        };
        match opened {
            Ok(opened) if opened.metadata().map_err(unreadable)?.is_dir() => Ok(opened),
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {
                Err(StoreError::NoSuchBucket(bucket.clone()))
            }
            Err(error) => Err(unreadable(error.into())),
        }
    }

    pub(super) fn unreadable(&self, bucket: &BucketName, path: &str, source: io::Error) -> StoreError {
        StoreError::unreadable(self.path_of(bucket, path), source)
    }

    pub(super) fn unwritable(&self, bucket: &BucketName, error: io::Error) -> StoreError {
        self.unwritable_at(bucket, "", error)
    }

    pub(super) fn unwritable_at(&self, bucket: &BucketName, path: &str, error: io::Error) -> StoreError {
        self.fault(self.bucket(bucket).0, self.path_of(bucket, path), error)
    }
}
