//! The store's mark and its lock. A root folder goes in; what comes out keeps every other process away while it lives.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::Path,
    sync::Arc,
};

use rustix::{
    fs::{self as rfs, FlockOperation, Mode, OFlags, flock},
    io::Errno,
};

use crate::{
    obstacle::{Obstacle, Wanted},
    store::OpenError,
};

/// The file that marks a root as a store and carries the lock. Its name can be neither a bucket nor a key.
pub(super) const MARK: &str = "~!postern";
/// What the mark says: the format of names and metadata below the root.
const FORMAT: &str = "postern store, format 1\n";

/// When a mark was made, in seconds and nanoseconds. It is never written to again, so this tells one store from another, also where it is mounted
/// anew or was put back from a backup that keeps times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made(i64, i64);

/// A mark that is held: while this lives the store is this process's.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    pub(super) made: Made,
}

/// Why a folder is not the store that it was.
#[derive(Debug)]
pub(super) enum NotOurs {
    /// There is no mark: an empty mount point, most likely.
    Unmarked,
    /// There is one, of another store or of none that this version knows.
    Another,
    /// Another process holds it.
    Locked,
    /// It cannot be read.
    Unreadable(io::Error),
}

impl Lock {
    fn new(file: File) -> io::Result<Self> {
        let made = Made::of(&file.metadata()?);
        Ok(Self { file, made })
    }

    fn is_same_file(&self, other: &fs::Metadata) -> bool {
        let own = self.file.metadata();
        own.is_ok_and(|own| (own.dev(), own.ino()) == (other.dev(), other.ino()))
    }
}

impl Made {
    fn of(mark: &fs::Metadata) -> Self {
        Self(mark.mtime(), mark.mtime_nsec())
    }
}

/// Marks the root, or checks its mark, and locks it. `None` where the root is read-only: nothing can be written there, so
/// nothing needs a lock.
pub(super) fn take(root: &Path) -> Result<Option<Lock>, OpenError> {
    let path = root.join(MARK);
    let create = |source| OpenError::Create {
        path: path.clone(),
        obstacle: Obstacle::new(&path, Wanted::Write, source),
    };
    let writable = || {
        // Who can read it can lock it, and so keep the gateway from starting: that is its user alone.
        fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
    };
    match writable() {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => return Ok(None),
        Err(error) => return Err(create(error)),
    }
    // The lock is held on a descriptor that cannot write: so nothing keeps an operator from mounting the file system read-only for a while.
    let mut file = File::open(&path).map_err(create)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(OpenError::Locked { path });
    }
    let mut found = String::new();
    file.read_to_string(&mut found).map_err(create)?;
    match found.as_str() {
        "" => writable()
            .and_then(|mut file| file.write_all(FORMAT.as_bytes()))
            .map_err(create)?,
        FORMAT => {}
        other => {
            return Err(OpenError::Format {
                path,
                found: other.trim().chars().take(80).collect(),
            });
        }
    }
    Lock::new(file).map(Some).map_err(create)
}

/// Locks a store that has come back: its mark must be there, and be the one that was made then. Nothing is made. Of the locks that are still held,
/// one on this very mark is shared: what was opened by it may not have ended.
pub(super) fn retake(folder: BorrowedFd<'_>, made: Made, held: &[Arc<Lock>]) -> Result<Arc<Lock>, NotOurs> {
    let file = open(folder)?;
    check(&file)?;
    let metadata = file.metadata().map_err(NotOurs::Unreadable)?;
    if Made::of(&metadata) != made {
        return Err(NotOurs::Another);
    }
    if let Some(lock) = held.iter().find(|lock| lock.is_same_file(&metadata)) {
        return Ok(lock.clone());
    }
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Arc::new(Lock { file, made })),
        Err(Errno::AGAIN) => Err(NotOurs::Locked),
        Err(error) => Err(NotOurs::Unreadable(error.into())),
    }
}

/// Reads the mark of a folder, from the disk and not from the page cache, where the file system lets that be dropped.
pub(super) fn read_mark(folder: BorrowedFd<'_>) -> Result<(), NotOurs> {
    let file = open(folder)?;
    forget(&file);
    check(&file)
}

#[cfg(target_os = "linux")]
fn forget(file: &File) {
    // It is advice: where it is not taken, the read below finds the disk well for as long as the page stays.
    _ = rfs::fadvise(file, 0, None, rfs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn forget(_file: &File) {}

fn open(folder: BorrowedFd<'_>) -> Result<File, NotOurs> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rfs::openat(folder.as_fd(), MARK, flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        Err(Errno::NOENT) => Err(NotOurs::Unmarked),
        Err(error) => Err(NotOurs::Unreadable(error.into())),
    }
}

fn check(mut file: &File) -> Result<(), NotOurs> {
    let mut found = Vec::new();
    let read = Read::by_ref(&mut file).take(256).read_to_end(&mut found);
    read.map_err(NotOurs::Unreadable)?;
    match found == FORMAT.as_bytes() {
        true => Ok(()),
        false => Err(NotOurs::Another),
    }
}
