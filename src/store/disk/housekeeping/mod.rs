//! What killed processes and failing disks leave behind: found and put right at start, and removed in the
//! background while the gateway runs, a bounded number of files at a time.
//!
//! At start, before anything is served ([`Folders::recover`]): what is in `~!tmp`, uploads whose object
//! is already there, and the records of a store of format 1. In the background
//! ([`DiskStore::keep_house`]): what comes into `~!tmp` by a failure, records that no file names, and
//! folders that hold nothing. Only folders are touched that this process has locked.

mod records;
mod temporary;
mod tree;
mod upgrade;
mod uploads;

use std::{collections::HashMap, io, time::Duration};

use crate::{
    store::{Bucket, StoreError},
    types::BucketName,
};

use super::{DiskStore, Folders, change_off_thread};

/// How many files are looked at in one turn at the disk.
const LOOKED_AT_ONCE: usize = 256;
/// The pause between two turns, so that housekeeping takes a small share of a disk and of a processor.
const PAUSE: Duration = Duration::from_millis(5);

/// What one round of housekeeping has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Files and folders that were not visible yet.
    pub temporary: usize,
    /// Spilled records that no object names.
    pub records: usize,
    /// Folders that held nothing.
    pub folders: usize,
}

/// Reports what failed, so that the rest goes on.
fn tell<T: Default>(bucket: &BucketName, done: Result<T, StoreError>) -> T {
    done.unwrap_or_else(|error| {
        match error {
            // A bucket may be deleted meanwhile, and of a disk the look at it tells.
            StoreError::NoSuchBucket(_) | StoreError::OutOfService(_) | StoreError::Stalled { .. } => {}
            error => tracing::warn!(%bucket, %error, "cannot remove what is left over"),
        }
        T::default()
    })
}

impl Folders {
    /// Puts right what an earlier process left behind, in every bucket that can be written to.
    pub(super) fn recover(&self) {
        self.sync_after_a_kill();
        if let Err(error) = self.remove_gone_buckets() {
            tracing::warn!(%error, "cannot remove what is left of deleted buckets");
        }
        for bucket in self.buckets().unwrap_or_default() {
            if self.bucket(&bucket.name).0.lock().is_none() {
                continue;
            }
            let name = &bucket.name;
            let failed = |error: io::Error| {
                tracing::error!(bucket = %name, %error, "cannot put right what an earlier run left behind");
            };
            // Each by itself: what one finds must not keep the others from theirs.
            _ = self.upgrade_records(name).map_err(failed);
            _ = self.clear_temporary(name, usize::MAX).map_err(failed);
            _ = self.end_completed_uploads(name).map_err(failed);
        }
    }

    /// A process that was killed may have made folders whose names it did not come to sync. So that a
    /// request need not know whether it is the first to pass through one, all is synced once.
    fn sync_after_a_kill(&self) {
        for folder in self.every().filter(|_| self.durable) {
            let Ok(kept) = folder.kept() else { continue };
            if kept.lock.as_ref().is_some_and(|lock| lock.is_after_a_kill)
                && let Err(error) = records::sync_all(&kept.opened)
            {
                let path = folder.path.display();
                tracing::error!(%path, %error, "cannot sync what an earlier run has written");
            }
        }
        let is_after_a_kill = self.root.lock().is_some_and(|lock| lock.is_after_a_kill);
        for bucket in self.buckets().unwrap_or_default() {
            // One may be on a disk of its own, mounted below the root.
            if self.durable
                && is_after_a_kill
                && let Ok(opened) = self.open_bucket(&bucket.name)
                && let Err(error) = records::sync_all(&opened)
            {
                tracing::error!(bucket = %bucket.name, %error, "cannot sync what an earlier run has written");
            }
        }
    }
}

impl DiskStore {
    /// One round of housekeeping in every bucket. What no object needs is removed if it has been so for
    /// this long.
    ///
    /// Errors: the buckets cannot be listed. What cannot be removed is named in the log.
    pub async fn keep_house(&self, leftover_for: Duration) -> Result<Removed, StoreError> {
        let gone = |folders: &Folders| {
            let removed = folders.remove_gone_buckets();
            Ok(removed.unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot remove what is left of deleted buckets");
                0
            }))
        };
        let mut removed = Removed {
            temporary: change_off_thread(self.now(), None, gone).await?,
            ..Removed::default()
        };
        let buckets = change_off_thread(self.now(), None, Folders::buckets).await?;
        let is_ours = |bucket: &Bucket| self.now().bucket(&bucket.name).0.lock().is_some();
        let are_all_ours = buckets.iter().all(is_ours);
        let buckets: Vec<_> = buckets
            .into_iter()
            .filter(is_ours)
            .map(|bucket| bucket.name)
            .collect();
        let mut unnamed = HashMap::new();
        for bucket in &buckets {
            let cleared = tell(bucket, self.clear_temporary(bucket).await);
            removed.temporary = removed.temporary.saturating_add(cleared);
            let found = tell(bucket, self.unnamed_records(bucket, leftover_for).await);
            unnamed.insert(bucket.clone(), found);
            let folders = tell(bucket, self.remove_empty_folders(bucket, leftover_for).await);
            removed.folders = removed.folders.saturating_add(folders);
        }
        // A file in a bucket that is not looked through may name any record.
        if are_all_ours {
            removed.records = self.remove_records(&buckets, unnamed).await;
        }
        Ok(removed)
    }

    /// Does one turn at the disk.
    async fn turn<T: Send + 'static>(
        &self,
        bucket: &BucketName,
        work: impl FnOnce(&Folders, &BucketName) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        tokio::time::sleep(PAUSE).await;
        let name = bucket.clone();
        let work = move |folders: &Folders| {
            work(folders, &name).map_err(|error| folders.unreadable(&name, "", error))
        };
        change_off_thread(self.now(), Some(bucket), work).await
    }
}
