//! The store's mark and its lock. A root folder goes in; what comes out keeps every other process away while it lives.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    },
    path::Path,
    sync::Arc,
};

use rustix::{
    fs::{self as rfs, AtFlags, FlockOperation, Mode, OFlags, XattrFlags, flock},
    io::Errno,
};

use crate::{
    obstacle::{Obstacle, Wanted},
    store::OpenError,
};

use super::record::{ATTRIBUTE, NO_ATTRIBUTE};

/// The file that marks a root as a store and carries the lock. Its name can be neither a bucket nor a key.
pub(super) const MARK: &str = "~!postern";
/// What the mark says: the format of names and metadata below the root.
const FORMAT: &str = "postern store, format 2\n";
/// That of a store whose spilled records are named by inodes. It is converted at start.
const FORMAT_1: &str = "postern store, format 1\n";
/// The line of a mark whose store has extended attributes. A copy on a file system without them has lost
/// those of its objects, as has one whose mark has none.
const WITH_ATTRIBUTES: &str = "attributes\n";
/// Begins the line of the mark that tells the store from every other.
const ID: &str = "id ";
/// The attribute of the mark: a copy without it has lost the attributes of its objects too.
const ATTRIBUTE_VALUE: &[u8] = b"{\"store\":2}";

/// The file that is there while a process serves the store. A process that was killed leaves it: what
/// that one wrote may not be on stable storage.
const RUNNING: &str = "~!running";
/// The longest mark that is read.
const MAX_MARK_BYTES: u64 = 256;

/// What tells one store from another, also where it is mounted again or was restored from a backup that
/// keeps times: the random ID in its mark, and the time of the mark, which is never written to again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    /// None: the mark was made by format 1.
    id: Option<String>,
    /// In seconds and nanoseconds.
    at: (i64, i64),
}

/// A mark that is held: while this lives the store is this process's.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    folder: File,
    pub(super) made: Made,
    /// Whether the process before was killed.
    pub(super) is_after_a_kill: bool,
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
    fn new(file: File, folder: File, made: Made) -> Self {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // It may also be that it cannot be made, on a full disk: then it is not known.
        let made_now = rfs::openat(&folder, RUNNING, flags, Mode::from_raw_mode(0o600));
        let is_after_a_kill = made_now.is_err();
        Self {
            file,
            folder,
            made,
            is_after_a_kill,
        }
    }

    fn is_same_file(&self, other: &fs::Metadata) -> bool {
        let own = self.file.metadata();
        own.is_ok_and(|own| (own.dev(), own.ino()) == (other.dev(), other.ino()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        _ = rfs::unlinkat(&self.folder, RUNNING, AtFlags::empty());
    }
}

impl Made {
    /// `text` is what the mark says.
    fn of(mark: &fs::Metadata, text: &str) -> Self {
        let id = text.lines().find_map(|line| line.strip_prefix(ID));
        Self {
            id: id.map(str::to_owned),
            at: (mark.mtime(), mark.mtime_nsec()),
        }
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
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            return expect_attributes(&path).map(|()| None);
        }
        Err(error) => {
            expect_attributes(&path)?;
            return Err(create(error));
        }
    }
    // The lock is held on a descriptor that cannot write: so nothing keeps an operator from mounting the file system read-only for a while.
    let file = File::open(&path).map_err(create)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(OpenError::Locked { path });
    }
    let mut found = read(&file).map_err(create)?;
    if found.is_empty() {
        writable().and_then(mark).map_err(create)?;
        found = read(&file).map_err(create)?;
    } else if found.starts_with(FORMAT_1) {
        writable().and_then(upgrade).map_err(create)?;
        found = read(&file).map_err(create)?;
    } else if found.starts_with(FORMAT) && has_lost_its_attributes(&file, &found).map_err(create)? {
        return Err(OpenError::CopiedWithoutAttributes { path });
    }
    if !found.starts_with(FORMAT) {
        return Err(OpenError::Format {
            path,
            found: found.trim().chars().take(80).collect(),
        });
    }
    let made = Made::of(&file.metadata().map_err(create)?, &found);
    let folder = File::open(root).map_err(create)?;
    Ok(Some(Lock::new(file, folder, made)))
}

/// What a mark says.
fn read(file: &File) -> io::Result<String> {
    let mut text = vec![0; usize::try_from(MAX_MARK_BYTES).unwrap_or(0)];
    let mut length = 0;
    while let Some(rest) = text.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, length as u64)? {
            0 => break,
            read => length = length.saturating_add(read),
        }
    }
    text.truncate(length);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Marks a new store. The attribute comes first: a mark without it is that of a bad copy.
fn mark(mut file: File) -> io::Result<()> {
    let attributes = set_attribute(&file)?;
    let id = super::temporary::random_name()?;
    file.write_all(format!("{FORMAT}{attributes}{ID}{id}\n").as_bytes())
}

/// Marks a store of format 1 as one of this format, before anything is written that format 1 does not
/// know. The time stays: by that the store is known again.
fn upgrade(file: File) -> io::Result<()> {
    let metadata = file.metadata()?;
    let attributes = set_attribute(&file)?;
    file.write_all_at(format!("{FORMAT}{attributes}").as_bytes(), 0)?;
    file.set_modified(metadata.modified()?)?;
    file.sync_all()
}

/// Sets it, where the file system has attributes: the line that says so comes out.
fn set_attribute(file: &File) -> io::Result<&'static str> {
    match rfs::fsetxattr(file, ATTRIBUTE, ATTRIBUTE_VALUE, XattrFlags::empty()) {
        Ok(()) => Ok(WITH_ATTRIBUTES),
        Err(Errno::OPNOTSUPP | Errno::PERM) => Ok(""),
        Err(error) => Err(error.into()),
    }
}

/// Whether a store that had attributes is a copy without them.
fn has_lost_its_attributes(file: &File, text: &str) -> io::Result<bool> {
    if !text.contains(WITH_ATTRIBUTES) {
        return Ok(false);
    }
    match rfs::fgetxattr(file, ATTRIBUTE, &mut [0; 64]) {
        Ok(_) | Err(Errno::ACCESS | Errno::RANGE) => Ok(false),
        Err(NO_ATTRIBUTE | Errno::OPNOTSUPP | Errno::PERM) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// The same for a root that cannot be written to.
fn expect_attributes(path: &Path) -> Result<(), OpenError> {
    let Ok(file) = File::open(path) else { return Ok(()) };
    let lost = read(&file).and_then(|text| has_lost_its_attributes(&file, &text));
    match lost {
        Ok(true) => Err(OpenError::CopiedWithoutAttributes {
            path: path.to_owned(),
        }),
        Ok(false) | Err(_) => Ok(()),
    }
}

/// Locks a store that has come back: its mark must be there, and be the one that was made then. Nothing is made. Of the locks that are still held,
/// one on this very mark is shared: what was opened by it may not have ended.
pub(super) fn retake(folder: BorrowedFd<'_>, made: &Made, held: &[Arc<Lock>]) -> Result<Arc<Lock>, NotOurs> {
    let file = open(folder)?;
    let text = check(&file)?;
    let metadata = file.metadata().map_err(NotOurs::Unreadable)?;
    if Made::of(&metadata, &text) != *made {
        return Err(NotOurs::Another);
    }
    if let Some(lock) = held.iter().find(|lock| lock.is_same_file(&metadata)) {
        return Ok(lock.clone());
    }
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            let folder = folder.try_clone_to_owned().map_err(NotOurs::Unreadable)?;
            Ok(Arc::new(Lock::new(file, folder.into(), made.clone())))
        }
        Err(Errno::AGAIN) => Err(NotOurs::Locked),
        Err(error) => Err(NotOurs::Unreadable(error.into())),
    }
}

/// Reads the mark of a folder, from the disk and not from the page cache, where the file system lets that be dropped.
pub(super) fn read_mark(folder: BorrowedFd<'_>) -> Result<(), NotOurs> {
    let file = open(folder)?;
    forget(&file);
    check(&file).map(drop)
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

fn check(file: &File) -> Result<String, NotOurs> {
    let text = read(file).map_err(NotOurs::Unreadable)?;
    match text.starts_with(FORMAT) {
        true => Ok(text),
        false => Err(NotOurs::Another),
    }
}
