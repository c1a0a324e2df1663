//! Buckets as folders: made, found and removed.

use std::{fs, os::fd::AsFd};

use rustix::{
    fs::{self as rfs, AtFlags, Mode},
    io::Errno,
};
use time::OffsetDateTime;

use crate::{
    store::{Bucket, LastLook, StillAllowed, StoreError},
    types::BucketName,
};

use super::{Folders, mapping::OWN_PREFIX, structure};

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
        match rfs::mkdirat(root, bucket.as_str(), Mode::from_raw_mode(0o777)) {
            Ok(()) => {}
            Err(Errno::EXIST) if self.bucket_folder(bucket)? => return Ok(false),
            Err(error) => return Err(failed(error)),
        }
        if self.durable {
            rfs::fsync(root).map_err(failed)?;
        }
        Ok(true)
    }

    /// Removes a bucket's folder, where nothing is in it but what is the store's own. What is no object keeps it too: it is
    /// somebody's. A folder elsewhere is never removed.
    pub(super) fn delete_bucket(&self, bucket: &BucketName, last_look: &LastLook) -> Result<(), StoreError> {
        let opened = self.open_bucket(bucket)?;
        let path = self.path_of(bucket, "");
        let folder = self.bucket(bucket).0;
        let failed = |error: Errno| self.fault(folder, path.clone(), error.into());
        let mut own = Vec::new();
        for entry in rfs::Dir::read_from(&opened).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            match name.as_str() {
                "." | ".." => {}
                name if name.starts_with(OWN_PREFIX) => own.push(name.to_owned()),
                _ => return Err(StoreError::BucketNotEmpty(bucket.clone())),
            }
        }
        if self.mounted.contains_key(bucket) {
            return Err(StoreError::ReadOnly { path });
        }
        self.remove_bucket(bucket, &own, &last_look.ask(None)?)
    }

    /// Removes a bucket's folder and these folders of the store in it.
    fn remove_bucket(&self, bucket: &BucketName, own: &[String], _: &StillAllowed) -> Result<(), StoreError> {
        let path = self.path_of(bucket, "");
        let folder = self.bucket(bucket).0;
        let failed = |error: Errno| self.fault(folder, path.clone(), error.into());
        for name in own {
            // Gone, or in use by an upload that ends in NoSuchBucket.
            _ = fs::remove_dir_all(path.join(name));
        }
        match rfs::unlinkat(&folder.kept()?.opened, bucket.as_str(), AtFlags::REMOVEDIR) {
            Ok(()) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => return Err(StoreError::BucketNotEmpty(bucket.clone())),
            Err(Errno::NOENT) => return Err(StoreError::NoSuchBucket(bucket.clone())),
            Err(error) => return Err(failed(error)),
        }
        if self.durable {
            rfs::fsync(&folder.kept()?.opened).map_err(failed)?;
        }
        Ok(())
    }
}

/// When the folder was made; where the file system does not know, when its entries last changed.
fn created(folder: Option<fs::Metadata>) -> OffsetDateTime {
    let at = folder.and_then(|folder| folder.created().or_else(|_| folder.modified()).ok());
    at.map_or(OffsetDateTime::UNIX_EPOCH, OffsetDateTime::from)
}
