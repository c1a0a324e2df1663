//! Folders that come and go: an object becomes that of a folder of its name, and folders that hold nothing any more are removed.

use std::{
    ffi::{CStr, CString},
    fs::File,
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{
    fs::{self as rfs, AtFlags, FileType, Mode, OFlags},
    io::Errno,
};

use super::{
    mapping::{OBJECT_OF_FOLDER, OWN_PREFIX},
    temporary::{TemporaryFolder, UsedName, WritableBucket, write_synced},
};

/// The file in a temporary folder that says where the folder belongs, as a store of format 1 has it: the
/// inode of a folder, and a name in that.
pub(super) const JOURNAL: &str = "~!place";
/// Ends the name of the file beside a temporary folder that says where the folder belongs: the path of a
/// folder below the bucket, and a name in that.
pub(super) const JOURNAL_SUFFIX: &str = ".place";

/// Opens a folder by its name in another, symlinks not followed.
pub(super) fn open_folder(parent: BorrowedFd<'_>, name: &str) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rfs::openat(parent, name, flags, Mode::empty()) {
        // What a symlink is refused with differs between systems.
        Err(Errno::LOOP) => Err(Errno::NOTDIR),
        opened => opened.map(File::from),
    }
}

/// Whether an open file is a folder.
pub(super) fn is_folder(file: &File) -> Result<bool, Errno> {
    Ok(FileType::from_raw_mode(rfs::fstat(file)?.st_mode) == FileType::Directory)
}

/// Puts a folder that holds the object as `~@` in the place of the object's file, in one exchange: a
/// reader finds the object before and after. Where the file system cannot exchange (`exchange` remembers
/// it), two renames with a journal, which `housekeeping` finishes after a crash. `front` is the path of
/// `parent` below the bucket.
pub(super) fn make_folder_of_object(
    bucket: WritableBucket<'_>,
    (parent, front): (BorrowedFd<'_>, &str),
    name: &str,
    exchange: &AtomicBool,
) -> Result<(), Errno> {
    let made = TemporaryFolder::create(bucket).map_err(errno)?;
    rfs::linkat(parent, name, &made.folder, OBJECT_OF_FOLDER, AtFlags::empty())?;
    rfs::fsync(&made.folder)?;
    super::failpoint("linked");
    if exchange.load(Ordering::Relaxed) {
        match exchanged(made.parent.as_fd(), made.name(), parent, name) {
            Ok(()) => {
                super::failpoint("exchanged");
                // What was exchanged away is the object's file, which the folder holds now.
                _ = rfs::unlinkat(&made.parent, made.name(), AtFlags::empty());
                made.placed();
                return Ok(());
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => exchange.store(false, Ordering::Relaxed),
            Err(error) => return Err(error),
        }
    }
    let journal = Journal::write(bucket, &made, (front, name))?;
    rfs::fsync(&made.parent)?;
    super::failpoint("journalled");
    rfs::unlinkat(parent, name, AtFlags::empty())?;
    super::failpoint("unlinked");
    match rfs::renameat(&made.parent, made.name(), parent, name) {
        Ok(()) => {
            super::failpoint("folder placed");
            made.placed();
            match rfs::fsync(parent) {
                Ok(()) => drop(journal),
                // It is of use as long as the rename may be lost.
                Err(_) => journal.left_alone(),
            }
            Ok(())
        }
        Err(error) => {
            // The object has no other name: it gets its own back, or waits for `housekeeping`.
            match rfs::linkat(&made.folder, OBJECT_OF_FOLDER, parent, name, AtFlags::empty()) {
                Ok(()) => drop(journal),
                Err(_) => {
                    journal.left_alone();
                    made.left_alone();
                }
            }
            Err(error)
        }
    }
}

/// A file beside a temporary folder that says where the folder belongs. Dropped, it is gone.
struct Journal {
    parent: File,
    name: UsedName,
    left_alone: bool,
}

impl Journal {
    fn write(
        bucket: WritableBucket<'_>,
        folder: &TemporaryFolder,
        (front, name): (&str, &str),
    ) -> Result<Self, Errno> {
        let own = UsedName::new(bucket.in_flight, format!("{}{JOURNAL_SUFFIX}", folder.name()));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let file = File::from(rfs::openat(&folder.parent, own.as_str(), flags, mode)?);
        let journal = Self {
            parent: folder.parent.try_clone().map_err(errno)?,
            name: own,
            left_alone: false,
        };
        let place = format!("{front}\n{name}");
        write_synced(&file, place.as_bytes(), true).map_err(errno)?;
        Ok(journal)
    }

    fn left_alone(mut self) {
        self.left_alone = true;
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if !self.left_alone {
            _ = rfs::unlinkat(&self.parent, self.name.as_str(), AtFlags::empty());
        }
    }
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

/// Removes a file, or a folder with all that is in it. That it is not there is no error.
pub(super) fn remove_tree(parent: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    let name = CString::new(name).map_err(|_| Errno::INVAL)?;
    remove_tree_named(parent, &name)
}

fn remove_tree_named(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match rfs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // What the system says of a folder differs between systems.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rfs::openat(parent, name, flags, Mode::empty())?;
    let mut inner = Vec::new();
    for entry in rfs::Dir::read_from(&folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            inner.push(name.to_owned());
        }
    }
    for name in inner {
        remove_tree_named(folder.as_fd(), &name)?;
    }
    match rfs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error),
    }
}

/// How deep folders may lie in each other: a key has at most 1,024 bytes, and so at most so many
/// segments; what lies deeper was made by hand.
const MOST_DEPTH: usize = 1100;

/// The names in a folder. One that is not UTF-8 comes out changed: nothing of ours has such a name.
pub(super) fn entries(folder: &File) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in rfs::Dir::read_from(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

/// Looks whether there are files in a bucket's folder or below it, besides the store's own.
///
/// Errors: `NOTEMPTY`, and what the disk says.
pub(super) fn expect_no_files(bucket: &File) -> Result<(), Errno> {
    expect_no_files_below(bucket, MOST_DEPTH, |name| name.starts_with(OWN_PREFIX))
}

fn expect_no_files_below(folder: &File, depth: usize, is_own: fn(&str) -> bool) -> Result<(), Errno> {
    let depth = depth.checked_sub(1).ok_or(Errno::NOTEMPTY)?;
    for name in entries(folder)? {
        if is_own(&name) {
            continue;
        }
        match open_folder(folder.as_fd(), &name) {
            // Deeper, a file of the store is that of another bucket, which is configured to be there.
            Ok(inner) => expect_no_files_below(&inner, depth, |name| name == JOURNAL)?,
            // A name that is not UTF-8 is not found by what it was changed into; another one is gone.
            Err(Errno::NOENT) if !name.contains(char::REPLACEMENT_CHARACTER) => {}
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(Errno::NOTEMPTY),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Removes a folder that holds nothing but what an earlier version may have left of a journal.
pub(super) fn remove_empty_folder(parent: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    match rfs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        removed => return removed,
    }
    let folder = open_folder(parent, name)?;
    rfs::unlinkat(&folder, JOURNAL, AtFlags::empty()).map_err(|_| Errno::NOTEMPTY)?;
    rfs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}

/// Removes folders that hold nothing any more, from the innermost outwards, as far as they are empty.
/// The bucket stays. Whether any is gone comes out.
pub(super) fn remove_empty_folders(bucket: BorrowedFd<'_>, path: &str) -> bool {
    let mut path = path;
    let mut any = false;
    loop {
        let (front, name) = match path.rsplit_once('/') {
            Some((front, name)) => (front, name),
            None if path.is_empty() => return any,
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
            remove_empty_folder(parent.as_fd(), name)?;
            any = true;
            rfs::fsync(&parent)
        });
        if removed.is_err() {
            return any;
        }
        path = front;
    }
}
