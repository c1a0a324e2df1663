//! Folders that were made and whose names are not known to be on stable storage yet. An object below one is kept only once the name of each folder above
//! it is: whoever passes through such a folder syncs the one that it is named in, whoever made it.

use std::{
    collections::HashSet,
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Device and inode.
type Identity = (u64, u64);

/// The folders. Mostly there are none.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    count: AtomicUsize,
    folders: Mutex<HashSet<Identity>>,
}

impl Unsynced {
    /// This one was made just now.
    pub(super) fn add(&self, folder: &File) -> io::Result<()> {
        let identity = identity(folder)?;
        let mut folders = self.locked();
        folders.insert(identity);
        self.count.store(folders.len(), Ordering::Release);
        Ok(())
    }

    /// Is it one of them? Its identity comes out, for [`synced`](Self::synced).
    pub(super) fn find(&self, folder: &File) -> io::Result<Option<Identity>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Ok(None);
        }
        let identity = identity(folder)?;
        Ok(self.locked().contains(&identity).then_some(identity))
    }

    /// The names of these are on stable storage.
    pub(super) fn synced(&self, synced: &[Identity]) {
        if synced.is_empty() {
            return;
        }
        let mut folders = self.locked();
        for identity in synced {
            folders.remove(identity);
        }
        self.count.store(folders.len(), Ordering::Release);
    }

    fn locked(&self) -> MutexGuard<'_, HashSet<Identity>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn identity(folder: &File) -> io::Result<Identity> {
    let metadata = folder.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_synced_by_whoever_passes_until_one_has_succeeded() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let open = |folder: &tempfile::TempDir| File::open(folder.path()).unwrap();
        let unsynced = Unsynced::default();
        assert_eq!(unsynced.find(&open(&one)).unwrap(), None);
        unsynced.add(&open(&one)).unwrap();
        let found = unsynced.find(&open(&one)).unwrap().unwrap();
        assert_eq!(
            unsynced.find(&open(&one)).unwrap(),
            Some(found),
            "the first may fail"
        );
        assert_eq!(unsynced.find(&open(&other)).unwrap(), None);
        unsynced.synced(&[found]);
        assert_eq!(unsynced.find(&open(&one)).unwrap(), None);
    }
}
