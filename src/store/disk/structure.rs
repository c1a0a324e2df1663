//! Folders that come and go: an object becomes that of a folder of its name, and folders that hold nothing any more are removed.

use std::{
    fs::File,
    io::Write,
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{
    fs::{self as rfs, AtFlags, Mode, OFlags},
    io::Errno,
};

use super::{mapping::OBJECT_OF_FOLDER, temporary};

/// The file in a folder on its way that says where the folder belongs: a path below the bucket.
pub(super) const JOURNAL: &str = "~!place";

/// Opens a folder by its name in another, symlinks not followed.
pub(super) fn open_folder(parent: BorrowedFd<'_>, name: &str) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rfs::openat(parent, name, flags, Mode::empty()) {
        // What a symlink is refused with differs between systems.
        Err(Errno::LOOP) => Err(Errno::NOTDIR),
        opened => opened.map(File::from),
    }
}

/// Puts a folder that holds the object as `~@` in the place of the object's file, in one exchange: a reader finds the object before and after.
/// Where the file system cannot exchange (`exchange` remembers it), two renames with a journal, which `sweep` finishes after a crash.
pub(super) fn make_folder_of_object(
    bucket: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
    name: &str,
    exchange: &AtomicBool,
) -> Result<(), Errno> {
    let temporary = temporary::folder(bucket).map_err(errno)?;
    let beside = temporary::name().map_err(errno)?;
    rfs::mkdirat(&temporary, &beside, Mode::from_raw_mode(0o777))?;
    let folder = open_folder(temporary.as_fd(), &beside)?;
    rfs::linkat(parent, name, &folder, OBJECT_OF_FOLDER, AtFlags::empty())?;
    rfs::fsync(&folder)?;
    super::failpoint("linked");
    if exchange.load(Ordering::Relaxed) {
        match exchanged(temporary.as_fd(), &beside, parent, name) {
            Ok(()) => {
                super::failpoint("exchanged");
                // What was exchanged away is the object's file, which the folder holds now.
                return rfs::unlinkat(&temporary, &beside, AtFlags::empty());
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => exchange.store(false, Ordering::Relaxed),
            Err(error) => return Err(error),
        }
    }
    journal(&folder, parent, name)?;
    rfs::fsync(&temporary)?;
    super::failpoint("journalled");
    rfs::unlinkat(parent, name, AtFlags::empty())?;
    super::failpoint("unlinked");
    rfs::renameat(&temporary, &beside, parent, name)?;
    rfs::unlinkat(&folder, JOURNAL, AtFlags::empty())
}

/// The system's number of an error.
pub(super) fn errno(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

#[cfg(target_os = "linux")]
fn exchanged(from: BorrowedFd<'_>, name: &str, to: BorrowedFd<'_>, other: &str) -> Result<(), Errno> {
    rfs::renameat_with(from, name, to, other, rfs::RenameFlags::EXCHANGE)
}

#[cfg(not(target_os = "linux"))]
fn exchanged(_: BorrowedFd<'_>, _: &str, _: BorrowedFd<'_>, _: &str) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Says in the folder where it belongs: the identity of the parent folder, and the name in it.
fn journal(folder: &File, parent: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(rfs::openat(folder, JOURNAL, flags, Mode::from_raw_mode(0o600))?);
    let place = format!("{}\n{name}", rfs::fstat(parent)?.st_ino);
    let written = file.write_all(place.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(errno)?;
    rfs::fsync(folder)
}

/// Removes folders that hold nothing any more, from the innermost outwards, as far as they are empty. The bucket stays.
pub(super) fn remove_empty_folders(bucket: BorrowedFd<'_>, path: &str) {
    let mut path = path;
    loop {
        let (front, name) = match path.rsplit_once('/') {
            Some((front, name)) => (front, name),
            None if path.is_empty() => return,
            None => ("", path),
        };
        let parent = match front {
            "" => bucket
                .try_clone_to_owned()
                .map(File::from)
                .map_err(|_| Errno::MFILE),
            front => super::confine::open(bucket, front, super::confine::Wait::Allowed),
        };
        let removed = parent.and_then(|parent| {
            rfs::unlinkat(&parent, name, AtFlags::REMOVEDIR)?;
            rfs::fsync(&parent)
        });
        if removed.is_err() {
            return;
        }
        path = front;
    }
}
