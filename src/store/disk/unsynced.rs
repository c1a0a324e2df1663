//! Folders with an entry that is not known to be on stable storage: a folder was made in them. An object
//! is kept only once the name of each folder above it is. So every request that passes through such a
//! folder syncs it, whichever request made the entry, until one has succeeded.

use std::{
    collections::HashMap,
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
    /// Each with how often something was made in it.
    folders: Mutex<HashMap<Identity, u64>>,
}

/// A folder as it was found: what is made in it later is not meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnsyncedFolder {
    identity: Identity,
    made: u64,
}

impl Unsynced {
    /// A folder is about to be made in this one. Called before: whatever fails then, the name may be there.
    pub(super) fn add(&self, parent: &File) -> io::Result<()> {
        let identity = identity(parent)?;
        let mut folders = self.locked();
        let made = folders.entry(identity).or_default();
        *made = made.saturating_add(1);
        self.count.store(folders.len(), Ordering::Release);
        Ok(())
    }

    /// Finds a folder among them, for [`synced`](Self::synced).
    pub(super) fn find(&self, parent: &File) -> io::Result<Option<UnsyncedFolder>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Ok(None);
        }
        let identity = identity(parent)?;
        let made = self.locked().get(&identity).copied();
        Ok(made.map(|made| UnsyncedFolder { identity, made }))
    }

    /// What these held when they were found is on stable storage.
    pub(super) fn synced(&self, synced: &[UnsyncedFolder]) {
        if synced.is_empty() {
            return;
        }
        let mut folders = self.locked();
        for folder in synced {
            if folders.get(&folder.identity) == Some(&folder.made) {
                folders.remove(&folder.identity);
            }
        }
        self.count.store(folders.len(), Ordering::Release);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Identity, u64>> {
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

    #[test]
    fn what_is_made_during_a_sync_needs_another() {
        let folder = tempfile::tempdir().unwrap();
        let open = || File::open(folder.path()).unwrap();
        let unsynced = Unsynced::default();
        unsynced.add(&open()).unwrap();
        let found = unsynced.find(&open()).unwrap().unwrap();
        unsynced.add(&open()).unwrap();
        unsynced.synced(&[found]);
        assert!(unsynced.find(&open()).unwrap().is_some());
    }
}
