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

use std::{io, time::Duration};

use crate::{store::StoreError, types::BucketName};

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

impl Removed {
    fn add(&mut self, other: Self) {
        self.temporary = self.temporary.saturating_add(other.temporary);
        self.records = self.records.saturating_add(other.records);
        self.folders = self.folders.saturating_add(other.folders);
    }
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
            if let Err(error) = self.recover_bucket(&bucket.name) {
                tracing::error!(bucket = %bucket.name, %error, "cannot put right what an earlier run left behind");
            }
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
    }

    fn recover_bucket(&self, bucket: &BucketName) -> io::Result<()> {
        self.upgrade_records(bucket)?;
        self.clear_temporary(bucket, usize::MAX)?;
        self.end_completed_uploads(bucket)
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
            removed.map_err(|error| StoreError::unwritable(folders.root.path.clone(), error.into()))
        };
        let mut removed = Removed {
            temporary: change_off_thread(self.now(), None, gone).await?,
            ..Removed::default()
        };
        for bucket in change_off_thread(self.now(), None, Folders::buckets).await? {
            if self.now().bucket(&bucket.name).0.lock().is_none() {
                continue;
            }
            match self.keep_bucket(&bucket.name, leftover_for).await {
                Ok(of_bucket) => removed.add(of_bucket),
                // It was deleted meanwhile.
                Err(StoreError::NoSuchBucket(_)) => {}
                Err(error) => {
                    tracing::warn!(bucket = %bucket.name, %error, "cannot remove what is left over");
                }
            }
        }
        Ok(removed)
    }

    async fn keep_bucket(&self, bucket: &BucketName, leftover_for: Duration) -> Result<Removed, StoreError> {
        let temporary = self.clear_temporary(bucket).await?;
        let candidates = self.unnamed_records(bucket, leftover_for).await?;
        let records = self.remove_records(bucket, candidates).await?;
        let folders = self.remove_empty_folders(bucket, leftover_for).await?;
        Ok(Removed {
            temporary,
            records,
            folders,
        })
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
