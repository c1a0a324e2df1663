//! An object's file as it was opened, and what it looked like then.

use std::{
    fs::{File, Metadata},
    io,
    ops::Range,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
};

use super::{
    gate::{Gate, Waiting},
    read::{self, Cached},
};

/// An open file that is to be read by position: its cursor is shared. A copy is another handle on the same.
///
/// One that is replaced or removed stays readable, whole, by this handle. One that is written to in place is another thing: see
/// [`unchanged`](Self::unchanged).
#[derive(Clone, Debug)]
pub struct ObjectFile {
    file: Arc<File>,
    looked: Look,
    gate: Arc<Gate>,
}

/// What tells that a file was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl Look {
    fn at(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl ObjectFile {
    /// A file that looked like this when it was opened, on the disk behind the gate.
    pub(super) fn new(file: File, metadata: &Metadata, gate: Arc<Gate>) -> Self {
        Self {
            file: Arc::new(file),
            looked: Look::at(metadata),
            gate,
        }
    }

    /// A file by itself, as it is now.
    pub fn alone(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self::new(file, &metadata, Gate::new(Path::new(""))))
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Looks whether the file still has the size and the time that it had when it was opened. An error: bytes from before a change may have been
    /// mixed with bytes from behind it, so they must not pass for an object. What is changed within one tick of the file system's clock
    /// (a few milliseconds at most) with the size kept is not seen.
    pub fn unchanged(&self) -> io::Result<()> {
        match Look::at(&self.file.metadata()?) == self.looked {
            true => Ok(()),
            false => Err(io::Error::other(
                "the file was written to in place while it was read",
            )),
        }
    }

    /// Looks without waiting.
    pub fn is_cached(&self, piece: &Range<u64>) -> Cached {
        read::is_cached(&self.file, piece)
    }

    /// Fetches a piece into the page cache, by a thread that may wait. A file that ends before is an error.
    pub fn fetch(&self, piece: Range<u64>) -> Waiting<()> {
        let file = self.file.clone();
        self.gate.read(move || read::fetch(&file, &piece))
    }

    /// Does on a thread that may wait what reads from the file.
    pub(super) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Waiting<T> {
        let own = self.clone();
        self.gate.read(move || read(&own))
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::fs::FileExt};

    use super::*;

    #[test]
    fn what_is_written_in_place_shows_and_what_is_done_to_the_name_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "content").unwrap();
        let opened = || ObjectFile::alone(File::open(&path).unwrap()).unwrap();
        let old = opened();
        std::fs::rename(&path, folder.path().join("b")).unwrap();
        std::fs::remove_file(folder.path().join("b")).unwrap();
        old.unchanged().unwrap();

        std::fs::write(&path, "content").unwrap();
        let longer = opened();
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"more").unwrap();
        assert!(longer.unchanged().is_err());

        let as_long = opened();
        crate::store::disk::tests::wait_for_next_time(folder.path());
        file.write_all_at(b"x", 0).ok();
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(b"y", 0).unwrap();
        assert!(as_long.unchanged().is_err());
    }
}
