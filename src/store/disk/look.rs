//! Is an object there? For commands beside a running gateway: it takes no lock, and changes nothing.

use std::{path::Path, sync::Arc};

use crate::{
    store::{BucketFolder, Settings, StoreError},
    types::{BucketName, ObjectKey},
};

use super::{Folder, Folders};

/// Looks for an object, or with no key for its bucket.
///
/// Errors: [`StoreError::NoSuchBucket`], [`StoreError::NoSuchKey`], and whatever keeps one from looking.
pub fn look(
    settings: &Settings,
    buckets: &[BucketFolder],
    bucket: &BucketName,
    key: Option<&ObjectKey>,
) -> Result<(), StoreError> {
    let mounted = buckets.iter().filter(|folder| folder.name == *bucket);
    let mounted = mounted.map(|folder| Ok((folder.name.clone(), opened(&folder.path)?)));
    let mounted = mounted.collect::<Result<_, StoreError>>()?;
    let folders = Folders::new(opened(&settings.root)?, mounted, false);
    match key {
        Some(key) => folders.find_now(bucket, key).map(drop),
        None if folders.bucket_folder(bucket)? => Ok(()),
        None => Err(StoreError::NoSuchBucket(bucket.clone())),
    }
}

pub(super) fn opened(path: &Path) -> Result<Arc<Folder>, StoreError> {
    let opened = Folder::look(path).map_err(|error| StoreError::OutOfService(error.to_string()))?;
    Ok(Arc::new(opened))
}
