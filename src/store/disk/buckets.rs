//! Buckets as folders: made, found and removed.

use std::{fs, os::fd::AsFd};

use rustix::{
    fs::{self as rfs, AtFlags, Mode},
    io::Errno,
};
use time::OffsetDateTime;

use crate::{
    store::{Bucket, StoreError},
    types::BucketName,
};

use super::{Folders, fault, mapping::OWN_PREFIX};

impl Folders {
    /// Every bucket: the folders below the root that carry a bucket's name, and those elsewhere.
    pub(super) fn buckets(&self) -> Result<Vec<Bucket>, StoreError> {
        let unreadable = |source| StoreError::Unreadable {
            path: self.root.path.clone(),
            source,
        };
        let mut buckets: Vec<_> = self
            .mounted
            .iter()
            .map(|(name, folder)| Bucket {
                name: name.clone(),
                created: created(folder.opened.metadata().ok()),
            })
            .collect();
        for entry in fs::read_dir(&self.root.path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry
                .file_name()
                .to_str()
                .and_then(|name| BucketName::parse(name).ok());
            if let (Some(name), true) = (name, entry.file_type().is_ok_and(|kind| kind.is_dir()))
                && !self.mounted.contains_key(&name)
            {
                let created = created(entry.metadata().ok());
                buckets.push(Bucket { name, created });
            }
        }
        buckets.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(buckets)
    }

    /// Makes a bucket's folder. `false`: the bucket was there already.
    pub(super) fn create_bucket(&self, bucket: &BucketName) -> Result<bool, StoreError> {
        if self.mounted.contains_key(bucket) {
            return Ok(false);
        }
        let failed = |error: Errno| fault(self.root.path.join(bucket.as_str()), error.into());
        match rfs::mkdirat(&self.root.opened, bucket.as_str(), Mode::from_raw_mode(0o777)) {
            Ok(()) => {}
            Err(Errno::EXIST) if self.bucket_folder(bucket)? => return Ok(false),
            Err(error) => return Err(failed(error)),
        }
        if self.durable {
            rfs::fsync(&self.root.opened).map_err(failed)?;
        }
        Ok(true)
    }

    /// Removes a bucket's folder, where nothing is in it but what is the store's own. What is no object keeps it too: it is
    /// somebody's. A folder elsewhere is never removed.
    pub(super) fn delete_bucket(&self, bucket: &BucketName) -> Result<(), StoreError> {
        let opened = self.open_bucket(bucket)?;
        let path = self.path_of(bucket, "");
        let failed = |error: Errno| fault(path.clone(), error.into());
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
        for name in own {
            // Gone, or in use by an upload that ends in NoSuchBucket.
            _ = fs::remove_dir_all(path.join(name));
        }
        match rfs::unlinkat(&self.root.opened, bucket.as_str(), AtFlags::REMOVEDIR) {
            Ok(()) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => return Err(StoreError::BucketNotEmpty(bucket.clone())),
            Err(Errno::NOENT) => return Err(StoreError::NoSuchBucket(bucket.clone())),
            Err(error) => return Err(failed(error)),
        }
        if self.durable {
            rfs::fsync(self.root.opened.as_fd()).map_err(failed)?;
        }
        Ok(())
    }
}

/// When the folder was made; where the file system does not know, when its entries last changed.
fn created(folder: Option<fs::Metadata>) -> OffsetDateTime {
    let at = folder.and_then(|folder| folder.created().or_else(|_| folder.modified()).ok());
    at.map_or(OffsetDateTime::UNIX_EPOCH, OffsetDateTime::from)
}
