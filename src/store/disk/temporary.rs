//! Files that are not visible yet: each in the bucket's own folder `~!tmp`, so on the file system of the bucket, under a name that
//! nobody guesses.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    fs::{self as rfs, AtFlags, Mode, OFlags},
    io::Errno,
};

use super::confine;

/// The bucket's own folder of files on their way.
pub(super) const FOLDER: &str = "~!tmp";

/// A file on its way. Dropped before it is placed, it is gone.
pub(super) struct Temporary {
    pub(super) folder: File,
    pub(super) name: String,
    pub(super) file: File,
    /// Is its name one among others of the same file?
    linked: bool,
    placed: bool,
}

impl Temporary {
    /// An empty one for this bucket.
    pub(super) fn create(bucket: BorrowedFd<'_>) -> io::Result<Self> {
        let folder = folder(bucket)?;
        let name = name()?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        // As any program makes a file: the umask says who else may read it.
        let file = rfs::openat(&folder, &name, flags, Mode::from_raw_mode(0o666))?;
        Ok(Self {
            folder,
            name,
            file: file.into(),
            linked: false,
            placed: false,
        })
    }

    /// A second name for a file that is there.
    pub(super) fn linked(bucket: BorrowedFd<'_>, from: BorrowedFd<'_>, name_there: &str) -> io::Result<Self> {
        let folder = folder(bucket)?;
        let name = name()?;
        rfs::linkat(from, name_there, &folder, &name, AtFlags::empty())?;
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rfs::openat(&folder, &name, flags, Mode::empty())?;
        Ok(Self {
            folder,
            name,
            file: file.into(),
            linked: true,
            placed: false,
        })
    }

    /// It has been renamed: nothing is left to remove.
    pub(super) fn placed(mut self) {
        // Renaming one name of a file over another name of it does nothing, and both stay.
        self.placed = !self.linked;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.placed {
            _ = rfs::unlinkat(&self.folder, &self.name, AtFlags::empty());
        }
    }
}

/// The folder, made where it is missing.
pub(super) fn folder(bucket: BorrowedFd<'_>) -> io::Result<File> {
    own_folder(bucket, FOLDER)
}

/// A folder of the bucket's own, made where it is missing.
pub(super) fn own_folder(bucket: BorrowedFd<'_>, name: &str) -> io::Result<File> {
    match confine::open(bucket, name, confine::Wait::Allowed) {
        Err(Errno::NOENT) => {}
        opened => return Ok(opened?),
    }
    match rfs::mkdirat(bucket, name, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    if let Err(error) = rfs::fsync(bucket.as_fd()) {
        // Whoever comes next must not find it and take it for kept.
        _ = rfs::unlinkat(bucket, name, AtFlags::REMOVEDIR);
        return Err(error.into());
    }
    Ok(confine::open(bucket, name, confine::Wait::Allowed)?)
}

/// A fresh name.
pub(super) fn name() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex::encode(bytes))
}
