//! Buckets as folders: made, found and removed.

use std::{fs, os::fd::AsFd};

use rustix::{
    fs::{self as rfs, Mode},
    io::Errno,
};
use time::OffsetDateTime;

use crate::{
    store::{Bucket, LastLook, StillAllowed, StoreError},
    types::BucketName,
};

use super::{
    Folders,
    folder::Folder,
    locks, structure,
    temporary::{self, UsedName},
};

/// Begins the name that the folder of a deleted bucket has until it is removed.
pub(super) const GONE: &str = "~!gone-";

impl Folders {
    /// Every bucket: the folders below the root that carry a bucket's name, and those elsewhere.
    pub(super) fn buckets(&self) -> Result<Vec<Bucket>, StoreError> {
        let unreadable = |error: Errno| StoreError::unreadable(self.root.path.clone(), error.into());
        let mut buckets: Vec<_> = self
            .mounted
            .iter()
            .map(|(name, folder)| Bucket {
                name: name.clone(),
                created: created(folder.kept().ok().and_then(|kept| kept.opened.metadata().ok())),
            })
            .collect();
        // What was opened is read, not what its path leads to by now.
        let root = &self.root.kept()?.opened;
        for entry in rfs::Dir::read_from(root).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_str().ok();
            let Some(name) = name.and_then(|name| BucketName::parse(name).ok()) else {
                continue;
            };
            if self.mounted.contains_key(&name) {
                continue;
            }
            match structure::open_folder(root.as_fd(), name.as_str()) {
                Ok(folder) => buckets.push(Bucket {
                    name,
                    created: created(folder.metadata().ok()),
                }),
                // No folder, or gone by now.
                Err(Errno::NOTDIR | Errno::NOENT) => {}
                Err(Errno::ACCESS) => buckets.push(Bucket {
                    name,
                    created: created(None),
                }),
                Err(error) => return Err(unreadable(error)),
            }
        }
        buckets.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(buckets)
    }

    /// Makes a bucket's folder. `false`: the bucket was there already.
    pub(super) fn create_bucket(
        &self,
        bucket: &BucketName,
        last_look: &LastLook,
    ) -> Result<bool, StoreError> {
        let allowed = last_look.ask(None)?;
        match self.mounted.contains_key(bucket) {
            true => Ok(false),
            false => self.make_bucket(bucket, &allowed),
        }
    }

    fn make_bucket(&self, bucket: &BucketName, _: &StillAllowed) -> Result<bool, StoreError> {
        let root = &self.root.kept()?.opened;
        let failed = |error: Errno| {
            let path = self.root.path.join(bucket.as_str());
            self.fault(&self.root, path, error.into())
        };
        // One that is there may have been made a moment ago: its name is synced too, and after the sync
        // of the request that made it.
        let [first, ..] = &*self.locks;
        let _lock = locks::locked(first);
        let made = match rfs::mkdirat(root, bucket.as_str(), Mode::from_raw_mode(0o777)) {
            Ok(()) => true,
            Err(Errno::EXIST) if self.bucket_folder(bucket)? => false,
            Err(error) => return Err(failed(error)),
        };
        if self.durable {
            rfs::fsync(root).map_err(failed)?;
        }
        Ok(made)
    }

    /// Removes a bucket's folder, if nothing is in it but the store's own files and folders without
    /// files. A file that is no object keeps it too: it is a user's. A folder elsewhere is never removed.
    pub(super) fn delete_bucket(&self, bucket: &BucketName, last_look: &LastLook) -> Result<(), StoreError> {
        let folder = self.bucket(bucket).0;
        let path = self.path_of(bucket, "");
        let failed = |error: Errno| match error {
            Errno::NOTEMPTY | Errno::EXIST => StoreError::BucketNotEmpty(bucket.clone()),
            Errno::NOENT => StoreError::NoSuchBucket(bucket.clone()),
            error => self.fault(folder, path.clone(), error.into()),
        };
        let opened = match self.open_bucket(bucket) {
            Err(error @ StoreError::NoSuchBucket(_)) => {
                // It may have gone a moment ago.
                self.sync_root(folder).map_err(failed)?;
                return Err(error);
            }
            opened => opened?,
        };
        structure::expect_no_files(&opened).map_err(failed)?;
        if self.mounted.contains_key(bucket) {
            return Err(StoreError::ReadOnly { path });
        }
        let gone = self.take_away(bucket, &last_look.ask(None)?)?.map_err(failed)?;
        self.sync_root(folder).map_err(failed)?;
        // The bucket is gone. What is left of its folder in spite of an error goes with the next
        // housekeeping.
        let root = &folder.kept()?.opened;
        if let Err(error) = structure::remove_tree(root.as_fd(), gone.as_str()) {
            tracing::warn!(name = gone.as_str(), %error, "cannot remove the folder of a deleted bucket");
        }
        Ok(())
    }

    /// Renames a bucket's folder away under every lock: no object appears in it before, and none after.
    fn take_away(
        &self,
        bucket: &BucketName,
        _: &StillAllowed,
    ) -> Result<Result<UsedName, Errno>, StoreError> {
        let root = &self.bucket(bucket).0.kept()?.opened;
        let _locks = self.lock_all();
        // Opened under the locks: it may have been deleted and made again meanwhile.
        let opened = self.open_bucket(bucket)?;
        let take = || {
            let name = temporary::random_name().map_err(structure::errno)?;
            let gone = UsedName::new(&self.in_flight, format!("{GONE}{name}"));
            structure::expect_no_files(&opened)?;
            rfs::renameat(root, bucket.as_str(), root, gone.as_str())?;
            // A user may have put a file there by hand.
            if let Err(error) = structure::expect_no_files(&opened) {
                rfs::renameat(root, gone.as_str(), root, bucket.as_str())?;
                return Err(error);
            }
            Ok(gone)
        };
        Ok(take())
    }

    /// Removes what is left of buckets that were deleted.
    pub(super) fn remove_gone_buckets(&self) -> Result<usize, Errno> {
        let Ok(kept) = self.root.kept() else { return Ok(0) };
        if kept.lock.is_none() {
            return Ok(0);
        }
        let mut removed = 0usize;
        for name in structure::entries(&kept.opened)? {
            if !name.starts_with(GONE) || self.in_flight.holds(&name) {
                continue;
            }
            let gone = structure::open_folder(kept.opened.as_fd(), &name);
            // A user may have put a file there by hand, in the last moment.
            let cleared = gone.and_then(|gone| {
                structure::expect_no_files(&gone)?;
                structure::remove_tree(kept.opened.as_fd(), &name)
            });
            match cleared {
                Ok(()) => removed = removed.saturating_add(1),
                Err(error) => {
                    tracing::warn!(name, %error, "cannot remove what is left of a deleted bucket");
                }
            }
        }
        Ok(removed)
    }

    fn sync_root(&self, folder: &Folder) -> Result<(), Errno> {
        match (self.durable, folder.kept()) {
            (true, Ok(kept)) => rfs::fsync(&kept.opened),
            (_, _) => Ok(()),
        }
    }
}

/// When the folder was made; where the file system does not know, when its entries last changed.
fn created(folder: Option<fs::Metadata>) -> OffsetDateTime {
    let at = folder.and_then(|folder| folder.created().or_else(|_| folder.modified()).ok());
    at.map_or(OffsetDateTime::UNIX_EPOCH, OffsetDateTime::from)
}
