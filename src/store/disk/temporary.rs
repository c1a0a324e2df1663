//! Files and folders that are not visible yet: each in the bucket's own folder `~!tmp`, so on the file
//! system of the bucket, under a name that cannot be guessed.
//!
//! Each is a guard: whatever fails, it goes. The names that this process is using are known
//! ([`InFlight`]), so everything else in `~!tmp` is left over from a process that was killed or from a
//! disk that failed, and `housekeeping` removes it.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{
    fs::{self as rfs, AtFlags, Mode, OFlags},
    io::Errno,
};

use super::{confine, record::SpilledRecord, structure};

/// The bucket's own folder of files that are not visible yet.
pub(super) const FOLDER: &str = "~!tmp";

/// A bucket's folder to write into.
#[derive(Clone, Copy)]
pub(super) struct WritableBucket<'b> {
    pub(super) folder: BorrowedFd<'b>,
    /// Whether what is written is synced before it is acknowledged.
    pub(super) durable: bool,
    pub(super) in_flight: &'b Arc<InFlight>,
}

/// The names in every `~!tmp` that this process is using.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<HashSet<String>>);

impl InFlight {
    /// Whether this process is using a name.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.names(|names| names.contains(name))
    }

    fn names<T>(&self, work: impl FnOnce(&mut HashSet<String>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A name in `~!tmp` that is in use while this lives.
#[derive(Debug)]
pub(super) struct UsedName {
    in_flight: Arc<InFlight>,
    name: String,
    kept: bool,
}

impl UsedName {
    /// Uses this name.
    pub(super) fn new(in_flight: &Arc<InFlight>, name: String) -> Self {
        in_flight.names(|names| names.insert(name.clone()));
        Self {
            in_flight: in_flight.clone(),
            name,
            kept: false,
        }
    }

    /// Uses this name, unless it is in use.
    pub(super) fn unused(in_flight: &Arc<InFlight>, name: String) -> Option<Self> {
        let is_new = in_flight.names(|names| names.insert(name.clone()));
        is_new.then(|| Self {
            in_flight: in_flight.clone(),
            name,
            kept: false,
        })
    }

    /// Uses a fresh one.
    pub(super) fn random(in_flight: &Arc<InFlight>) -> io::Result<Self> {
        Ok(Self::new(in_flight, random_name()?))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.name
    }

    pub(super) fn in_flight(&self) -> Arc<InFlight> {
        self.in_flight.clone()
    }

    /// The name stays in use until this process ends.
    pub(super) fn keep_in_use(mut self) {
        self.kept = true;
    }
}

impl Drop for UsedName {
    fn drop(&mut self) {
        if !self.kept {
            self.in_flight.names(|names| names.remove(&self.name));
        }
    }
}

/// A file that is not visible yet. Dropped before it is placed, it is gone, and so is its record.
pub(super) struct Temporary {
    pub(super) folder: File,
    name: UsedName,
    pub(super) file: File,
    /// Whether its name is one among others of the same file.
    linked: bool,
    placed: bool,
    record: Option<SpilledRecord>,
}

impl Temporary {
    /// An empty one for this bucket.
    pub(super) fn create(bucket: WritableBucket<'_>, mode: Mode) -> io::Result<Self> {
        let folder = own_folder(bucket.folder, FOLDER)?;
        let name = UsedName::random(bucket.in_flight)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rfs::openat(&folder, name.as_str(), flags, mode)?;
        Ok(Self::new(folder, name, file.into(), false))
    }

    /// A second name for a file that is there.
    pub(super) fn linked(
        bucket: WritableBucket<'_>,
        from: BorrowedFd<'_>,
        name_there: &str,
    ) -> io::Result<Self> {
        let folder = own_folder(bucket.folder, FOLDER)?;
        let name = UsedName::random(bucket.in_flight)?;
        rfs::linkat(from, name_there, &folder, name.as_str(), AtFlags::empty())?;
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rfs::openat(&folder, name.as_str(), flags, Mode::empty()) {
            Ok(file) => Ok(Self::new(folder, name, file.into(), true)),
            Err(error) => {
                _ = rfs::unlinkat(&folder, name.as_str(), AtFlags::empty());
                Err(error.into())
            }
        }
    }

    fn new(folder: File, name: UsedName, file: File, linked: bool) -> Self {
        Self {
            folder,
            name,
            file,
            linked,
            placed: false,
            record: None,
        }
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Whether another name of the file may be an object's or a part's, so that nothing of the file may
    /// change before it is certain that it will be placed.
    pub(super) fn is_linked(&self) -> bool {
        self.linked
    }

    /// The spilled record of the file, which stays or goes with it.
    pub(super) fn has_record(&mut self, record: Option<SpilledRecord>) {
        self.record = record;
    }

    /// It has been renamed: nothing is left to remove.
    pub(super) fn placed(mut self) {
        if let Some(record) = self.record.take() {
            _ = record.keep();
        }
        // Renaming one name of a file over another name of it does nothing, and both stay.
        self.placed = !self.linked;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.placed {
            _ = rfs::unlinkat(&self.folder, self.name.as_str(), AtFlags::empty());
        }
    }
}

/// A folder that is not visible yet. Dropped before it is placed, it is gone with all that is in it.
pub(super) struct TemporaryFolder {
    pub(super) parent: File,
    name: UsedName,
    pub(super) folder: File,
    placed: bool,
}

impl TemporaryFolder {
    /// An empty one for this bucket.
    pub(super) fn create(bucket: WritableBucket<'_>) -> io::Result<Self> {
        let parent = own_folder(bucket.folder, FOLDER)?;
        let name = UsedName::random(bucket.in_flight)?;
        rfs::mkdirat(&parent, name.as_str(), Mode::from_raw_mode(0o777))?;
        match structure::open_folder(parent.as_fd(), name.as_str()) {
            Ok(folder) => Ok(Self {
                parent,
                name,
                folder,
                placed: false,
            }),
            Err(error) => {
                _ = rfs::unlinkat(&parent, name.as_str(), AtFlags::REMOVEDIR);
                Err(error.into())
            }
        }
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// It has been renamed: nothing is left to remove.
    pub(super) fn placed(mut self) {
        self.placed = true;
    }

    /// It has been exchanged for something that is to be removed, or holds what must not be lost: its
    /// name stays as it is.
    pub(super) fn left_alone(mut self) {
        self.placed = true;
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if !self.placed {
            _ = structure::remove_tree(self.parent.as_fd(), self.name.as_str());
        }
    }
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

/// Writes a file whole, and syncs it where that is wanted.
pub(super) fn write_synced(mut file: &File, content: &[u8], durable: bool) -> io::Result<()> {
    file.write_all(content)?;
    match durable {
        true => file.sync_all(),
        false => Ok(()),
    }
}

/// A name that cannot be guessed: 32 hexadecimal digits.
pub(super) fn random_name() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_remove_what_was_not_placed_and_forget_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let bucket = File::open(folder.path()).unwrap();
        let in_flight = Arc::new(InFlight::default());
        let writable = WritableBucket {
            folder: bucket.as_fd(),
            durable: false,
            in_flight: &in_flight,
        };
        let own = || std::fs::read_dir(folder.path().join(FOLDER)).unwrap().count();
        let file = Temporary::create(writable, Mode::from_raw_mode(0o600)).unwrap();
        let inner = TemporaryFolder::create(writable).unwrap();
        let path = folder.path().join(FOLDER).join(inner.name());
        std::fs::create_dir(path.join("deeper")).unwrap();
        std::fs::write(path.join("deeper/file"), "x").unwrap();
        let names = [file.name().to_owned(), inner.name().to_owned()];
        assert!(own() == 2 && names.iter().all(|name| in_flight.holds(name)));
        drop((file, inner));
        assert!(own() == 0 && !names.iter().any(|name| in_flight.holds(name)));
    }
}
