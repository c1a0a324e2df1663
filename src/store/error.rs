//! Why a store did not give what it was asked for. Messages name the path and, where there is one, the remedy; they are
//! for the operator's log, never for the wire.

use std::{io, path::PathBuf};

use rustix::io::Errno;

use crate::{
    obstacle::Obstacle,
    types::{BucketName, UploadId},
};

/// Why an object was not opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such bucket.
    #[error("there is no bucket {0}")]
    NoSuchBucket(BucketName),
    /// The bucket holds no object of this key. A folder, a device, a FIFO and a symlink are no objects.
    #[error("the bucket holds no object of this key")]
    NoSuchKey,
    /// There is no such upload in parts, or none of this bucket and key.
    #[error("there is no upload in parts of this id for this key")]
    NoSuchUpload(UploadId),
    /// As many requests to complete this upload wait for each other as may.
    #[error("too many requests complete the upload {0} at once")]
    TooManyCompletions(UploadId),
    /// Something is there and cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An object is there, and its record is missing, damaged or of another version.
    #[error("{path}: {source}")]
    Undescribed {
        /// The object's file.
        path: PathBuf,
        /// What is wrong with the record.
        source: io::Error,
    },
    /// Something cannot be written.
    #[error("{path} cannot be written: {source}")]
    Unwritable {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk, or the quota of this user on it, is full.
    #[error("{path}: no space is left; make room, or raise the quota")]
    Full {
        /// What was to be written.
        path: PathBuf,
    },
    /// The object that is there now is not the one that the condition wants.
    #[error("the condition of the write does not hold")]
    ConditionFailed,
    /// The last look before the rename said no.
    #[error("what allowed it was taken back before it became visible")]
    Withdrawn,
    /// The bucket still holds objects.
    #[error("the bucket {0} is not empty")]
    BucketNotEmpty(BucketName),
    /// The file system takes this key's name for that of another key.
    #[error("{path}: the file system takes this name for another one that is there")]
    NameTaken {
        /// Where the object would be.
        path: PathBuf,
    },
    /// A symlink, a device or the like is where an object or a folder of the key would be.
    #[error(
        "{path} is neither a file nor a folder, and no key leads through it; remove it, or use another key"
    )]
    InTheWay {
        /// What is in the way.
        path: PathBuf,
    },
    /// The store, or this bucket, cannot be written to.
    #[error("{path} is read-only")]
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
    },
    /// The folder is not there to be used: unmounted, or read-only since an error of its disk. It comes back by itself.
    #[error("{0}")]
    OutOfService(String),
    /// The disk does not answer, or has more to do than it can.
    #[error("the disk of {path} does not answer: it stalls, or has more to do than it can")]
    Stalled {
        /// The folder.
        path: PathBuf,
    },
    /// This process, or the machine, has no descriptor left.
    #[error(
        "{path} cannot be opened: there is no file descriptor left; raise the limit (`LimitNOFILE=` of the service, `ulimit -n`), or lower the number of connections"
    )]
    OutOfDescriptors {
        /// What was to be opened.
        path: PathBuf,
    },
}

impl StoreError {
    /// What cannot be read, by what the system said.
    pub fn unreadable(path: PathBuf, source: io::Error) -> Self {
        Self::of(path, source, |path, source| Self::Unreadable { path, source })
    }

    /// What cannot be written, by what the system said.
    pub fn unwritable(path: PathBuf, source: io::Error) -> Self {
        Self::of(path, source, |path, source| Self::Unwritable { path, source })
    }

    fn of(path: PathBuf, source: io::Error, other: impl FnOnce(PathBuf, io::Error) -> Self) -> Self {
        if Self::is_want_of_descriptors(&source) {
            return Self::OutOfDescriptors { path };
        }
        // One of ours may have gone through an interface that knows the system's errors alone.
        match source.downcast::<Self>() {
            Ok(own) => own,
            Err(source) => other(path, source),
        }
    }

    /// Does it say that there is no descriptor left, which says nothing of what was to be opened?
    pub fn is_want_of_descriptors(error: &io::Error) -> bool {
        let errno = error.raw_os_error().map(Errno::from_raw_os_error);
        matches!(errno, Some(Errno::MFILE | Errno::NFILE))
    }
}

/// Why a store could not be opened at start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The root or one of its files cannot be made.
    #[error("{path} cannot be made or written: {obstacle}")]
    Create {
        /// What was to be made.
        path: PathBuf,
        /// What stands in the way, and the fix.
        obstacle: Obstacle,
    },
    /// A folder cannot be opened.
    #[error("{path} cannot be opened as a folder: {obstacle}")]
    Open {
        /// What was to be opened.
        path: PathBuf,
        /// What stands in the way, and the fix.
        obstacle: Obstacle,
    },
    /// The folder's mark names another format than this version writes.
    #[error(
        "{path} says {found:?}, which this version does not know; run the version that wrote it, or name another root"
    )]
    Format {
        /// The mark.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// The store was copied without the extended attributes of its files.
    #[error(
        "{path} has lost its extended attribute, so this is a copy without attributes: its objects have lost their ETags, types, metadata and tags; copy the store again with them (`cp -a`, `rsync -aX`, `tar --xattrs`), or remove {path} to serve the files as if they had been dropped in"
    )]
    CopiedWithoutAttributes {
        /// The mark.
        path: PathBuf,
    },
    /// Another process serves this root.
    #[error(
        "{path} is locked by another process, which serves this root; stop that one, or name another root"
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// Two `[[bucket]]` tables carry one name.
    #[error("the bucket {0} is configured twice; keep one [[bucket]] of this name")]
    DuplicateBucket(BucketName),
}
