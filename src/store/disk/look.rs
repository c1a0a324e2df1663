//! Is an object there? For commands beside a running gateway: it takes no lock, and changes nothing.

use std::{collections::HashMap, fs::File, path::Path, sync::Mutex, sync::atomic::AtomicBool};

use crate::{
    store::{BucketFolder, Settings, StoreError},
    types::{BucketName, ObjectKey},
};

use super::{Folder, Folders, list};

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
    let folders = Folders {
        root: opened(&settings.root)?,
        mounted: mounted.collect::<Result<HashMap<_, _>, StoreError>>()?,
        durable: false,
        exchange: AtomicBool::new(true),
        listings: list::Listings::new(),
        asking_for_room: AtomicBool::new(false),
        locks: std::array::from_fn(|_| Mutex::new(())),
    };
    match key {
        Some(key) => folders.find_now(bucket, key).map(drop),
        None if folders.bucket_folder(bucket)? => Ok(()),
        None => Err(StoreError::NoSuchBucket(bucket.clone())),
    }
}

fn opened(path: &Path) -> Result<Folder, StoreError> {
    let opened = File::open(path).map_err(|source| StoreError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    Ok(Folder {
        path: path.to_owned(),
        opened,
        folds: false,
        lock: None,
    })
}
