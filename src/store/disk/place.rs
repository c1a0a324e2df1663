//! The moment in which an object becomes visible: a written file goes in, and is durable, described and under its name when this
//! returns, whole, in place of the one before; or nothing has changed.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
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
    metadata::{self, Record},
    structure,
    temporary::Temporary,
};

/// How often a folder may vanish between its making and its use before that is an error: somebody is deleting by hand.
const MOST_TRIES: usize = 100;

/// Folders in which an entry is new, the innermost first, and those of them whose own names are.
struct Changed {
    folders: Vec<File>,
    made: Vec<(u64, u64)>,
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
        file: Temporary,
        etag: &ETag,
        properties: Properties,
        condition: &WriteCondition,
    ) -> Result<ObjectAttributes, StoreError> {
        let failed = |error| self.folders.unwritable(self.bucket, error);
        let bucket = self.folders.open_bucket(self.bucket)?;
        let written = file.file.metadata().map_err(failed)?;
        Record::new(&written, etag, &properties)
            .write(bucket.as_fd(), &file.file, self.key)
            .map_err(failed)?;
        super::failpoint("described");
        if self.folders.durable {
            file.file.sync_all().map_err(failed)?;
        }
        super::failpoint("synced");
        let (changed, ended) = {
            let _guard = self.folders.lock(self.bucket, self.key);
            // Writing and syncing may have taken long, and the folder may have gone meanwhile.
            self.folders.folder(Some(self.bucket)).is_in_place()?;
            let before = self.holds(condition)?;
            if let Some(upload) = self.ends {
                self.folders.multipart(upload)?;
            }
            let allowed = self.last_look.ask(Some(tags_of(before.as_ref())))?;
            let changed = self.rename(bucket.as_fd(), &file, &allowed)?;
            super::failpoint("renamed");
            file.placed();
            let ended = self
                .ends
                .map(|upload| self.folders.end_upload(bucket.as_fd(), upload, &allowed));
            if let Some(before) = before {
                metadata::remove_spilled(bucket.as_fd(), &metadata::spill_name(&before.metadata));
            }
            (changed, ended)
        };
        // The object is there: whatever becomes of what is left of its upload, it stays.
        match (self.ends, ended) {
            (Some(upload), Some(Ok(ended))) => self.folders.remove_ended(upload, &ended),
            (Some(upload), Some(Err(error))) => {
                tracing::warn!(bucket = %self.bucket, upload_id = %upload.id, %error, "the upload is completed, and its parts cannot be removed");
            }
            (_, None) | (None, _) => {}
        }
        if self.folders.durable {
            for folder in &changed.folders {
                rfs::fsync(folder).map_err(|error| failed(error.into()))?;
            }
            self.folders.unsynced.synced(&changed.made);
        }
        Ok(attributes::written(&written, etag.clone(), properties))
    }

    /// Compares the condition with the object that is there, and returns that.
    pub(super) fn holds(&self, condition: &WriteCondition) -> Result<Option<Opened>, StoreError> {
        let found = match self.folders.find_now(self.bucket, self.key) {
            Ok(object) => Some(object),
            Err(StoreError::NoSuchKey) => None,
            Err(error) => return Err(error),
        };
        match (condition, &found) {
            (WriteCondition::Always, _) | (WriteCondition::Absent, None) => {}
            (WriteCondition::Absent, Some(_)) => return Err(StoreError::ConditionFailed),
            (WriteCondition::Matches(_), None) => return Err(StoreError::NoSuchKey),
            (WriteCondition::Matches(tag), Some(found)) => {
                if tag != "*" && tag != found.attributes.etag.as_str() {
                    return Err(StoreError::ConditionFailed);
                }
            }
        }
        Ok(found)
    }

    /// Renames into place. The folders whose entries have changed come out, the innermost first.
    fn rename(
        &self,
        bucket: BorrowedFd<'_>,
        file: &Temporary,
        _: &StillAllowed,
    ) -> Result<Changed, StoreError> {
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
                None | Some(FileType::RegularFile) => rfs::renameat(&file.folder, &file.name, parent, name),
                Some(FileType::Directory) => {
                    let inner = structure::open_folder(parent.as_fd(), name).map_err(failed)?;
                    let renamed = rfs::renameat(&file.folder, &file.name, &inner, OBJECT_OF_FOLDER);
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
    fn folder(&self, bucket: BorrowedFd<'_>, path: &str) -> Result<Changed, NoFolder> {
        let unsynced = &self.folders.unsynced;
        let mut made = Vec::new();
        let mut changed = vec![
            bucket
                .try_clone_to_owned()
                .map(File::from)
                .map_err(|_| Errno::MFILE)?,
        ];
        let mut made_in = Vec::new();
        let mut walked = String::new();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let Some(at) = changed.pop() else { break };
            walked = [walked.as_str(), name].join(if walked.is_empty() { "" } else { "/" });
            let inner = match structure::open_folder(at.as_fd(), name) {
                Err(Errno::NOENT) => {
                    match rfs::mkdirat(&at, name, Mode::from_raw_mode(0o777)) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    let inner = structure::open_folder(at.as_fd(), name)?;
                    unsynced.add(&inner).map_err(structure::errno)?;
                    inner
                }
                // An object is in the way: it becomes the object of a folder.
                Err(Errno::NOTDIR) if is_in_the_way(kind_of(at.as_fd(), name)?) => {
                    return Err(NoFolder::InTheWay(walked));
                }
                Err(Errno::NOTDIR) if kind_of(at.as_fd(), name)? == Some(FileType::RegularFile) => {
                    structure::make_folder_of_object(bucket, at.as_fd(), name, &self.folders.exchange)?;
                    let inner = structure::open_folder(at.as_fd(), name)?;
                    unsynced.add(&inner).map_err(structure::errno)?;
                    inner
                }
                opened => opened?,
            };
            // Made here, or by somebody else who has not come to sync it.
            if let Some(identity) = unsynced.find(&inner).map_err(structure::errno)? {
                made_in.push(at.as_fd().try_clone_to_owned().map_err(|_| Errno::MFILE)?.into());
                made.push(identity);
            }
            changed.push(inner);
        }
        changed.extend(made_in.into_iter().rev());
        Ok(Changed {
            folders: changed,
            made,
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

/// The tags of the object that is there; none if there is no object.
pub(super) fn tags_of(object: Option<&Opened>) -> &[Tag] {
    object.map_or(&[], |object| &object.attributes.properties.tags)
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
