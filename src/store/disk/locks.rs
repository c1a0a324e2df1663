//! The locks of changes, and the counts of this process's own changes.
//!
//! One of 64 locks is held while what a name stands for changes. They protect nothing but the order of
//! system calls: the store is one process's, so no lock is on disk.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::types::{BucketName, ObjectKey};

use super::{Folders, mapping};

/// The lock of a change of an object.
pub(super) struct ChangeLock<'f> {
    folders: &'f Folders,
    bucket: &'f BucketName,
    key: &'f ObjectKey,
    _guard: MutexGuard<'f, ()>,
}

impl Drop for ChangeLock<'_> {
    fn drop(&mut self) {
        let folders = self.folders;
        folders
            .generations
            .changed(&folders.changes_of(self.bucket, self.key));
    }
}

pub(super) fn locked(lock: &Mutex<()>) -> MutexGuard<'_, ()> {
    // Nothing is protected but the order of system calls: a panic elsewhere leaves nothing half done in
    // memory.
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Folders {
    /// Held while a name of this key's first folder changes: whatever can be in the way of a key shares
    /// it. What is kept of the object no longer holds once it is released.
    pub(super) fn lock<'f>(&'f self, bucket: &'f BucketName, key: &'f ObjectKey) -> ChangeLock<'f> {
        let path = mapping::to_path(key);
        let first = path.split('/').next().unwrap_or_default();
        let mut hash = DefaultHasher::new();
        (bucket, first).hash(&mut hash);
        let locks = match self.mounted.contains_key(bucket) {
            true => &self.locks_elsewhere,
            false => &self.locks,
        };
        let [only, ..] = &**locks;
        let at = usize::try_from(hash.finish() % locks.len() as u64).unwrap_or(0);
        ChangeLock {
            folders: self,
            bucket,
            key,
            _guard: locked(locks.get(at).unwrap_or(only)),
        }
    }

    /// Held while a bucket of the root goes: no name in it changes. Each key's lock is one of these, and no thread
    /// that holds one waits for another.
    pub(super) fn lock_all(&self) -> Vec<MutexGuard<'_, ()>> {
        self.locks.iter().map(locked).collect()
    }

    /// What this process's changes of an object are counted by.
    pub(super) fn changes_of<'b>(&'b self, bucket: &'b BucketName, key: &'b ObjectKey) -> impl Hash {
        let (folder, path) = self.bucket(bucket);
        (&folder.path, path, key.as_str())
    }

    /// What this process's changes of a folder's entries are counted by. `prefix` is how all keys in it
    /// begin.
    pub(super) fn changes_in<'b>(&'b self, bucket: &'b BucketName, prefix: &'b str) -> impl Hash {
        let (folder, path) = self.bucket(bucket);
        (&folder.path, path, "entries", prefix)
    }

    /// The entries of the folder that holds this key have changed, and with `above` those of every folder
    /// above it.
    pub(super) fn entries_changed(&self, bucket: &BucketName, key: &ObjectKey, above: bool) {
        let mut front = key.as_str();
        while let Some(end) = front.rfind('/') {
            let prefix = front.get(..=end).unwrap_or_default();
            self.generations.changed(&self.changes_in(bucket, prefix));
            if !above {
                return;
            }
            front = front.get(..end).unwrap_or_default();
        }
        self.generations.changed(&self.changes_in(bucket, ""));
    }
}
