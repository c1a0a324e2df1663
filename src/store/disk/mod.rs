//! Objects as plain files: bucket `b`, key `films/a.mp4` is the file `b/films/a.mp4` below the root. An operator can drop a file in
//! and link to it.

mod attributes;
mod confine;
mod folding;
mod lock;
pub mod mapping;
mod read;
mod write;

pub use read::FileBody;
pub use write::DiskUpload;

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::io::Errno;

use time::OffsetDateTime;

use crate::types::{BucketName, ObjectKey, Tag, WriteCondition};

use super::{Bucket, BucketFolder, Content, ListQuery, Object, OpenError, Page, Settings, Store, StoreError};
use confine::Wait;

/// A store over a folder of folders. A copy is another handle on the same.
#[derive(Clone)]
pub struct DiskStore(Arc<Folders>);

struct Folders {
    root: Folder,
    /// Buckets that are folders elsewhere.
    mounted: HashMap<BucketName, Folder>,
    /// Held for its lock.
    _lock: Option<File>,
}

struct Folder {
    path: PathBuf,
    opened: File,
    /// Does the file system take two spellings for one name?
    folds: bool,
}

impl DiskStore {
    /// Opens the root, which is made where it is missing, and every folder that is a bucket elsewhere. The root is this
    /// process's alone from here on.
    pub fn open(settings: &Settings, buckets: &[BucketFolder]) -> Result<Self, OpenError> {
        let uid = rustix::process::getuid().as_raw();
        let path = settings.root.clone();
        fs::create_dir_all(&path).map_err(|source| OpenError::Create { path, uid, source })?;
        let root = Folder::open(&settings.root)?;
        let lock = lock::take(&settings.root)?;
        let mut mounted = HashMap::new();
        for bucket in buckets {
            if mounted
                .insert(bucket.name.clone(), Folder::open(&bucket.path)?)
                .is_some()
            {
                return Err(OpenError::DuplicateBucket(bucket.name.clone()));
            }
        }
        Ok(Self(Arc::new(Folders {
            root,
            mounted,
            _lock: lock,
        })))
    }
}

impl Folder {
    fn open(path: &Path) -> Result<Self, OpenError> {
        let uid = rustix::process::getuid().as_raw();
        let failed = |source| OpenError::Open {
            path: path.to_owned(),
            uid,
            source,
        };
        let opened = File::open(path).map_err(failed)?;
        if !opened.metadata().map_err(failed)?.is_dir() {
            return Err(failed(io::Error::from(io::ErrorKind::NotADirectory)));
        }
        let folds = folding::folds(path);
        if folds {
            tracing::warn!(
                "{} is on a file system that folds letter case or Unicode forms: every name is looked up twice",
                path.display()
            );
        }
        Ok(Self {
            path: path.to_owned(),
            opened,
            folds,
        })
    }
}

impl Folders {
    /// The folder to open from, the bucket's path below it (empty for a folder that is the bucket).
    fn bucket(&self, bucket: &BucketName) -> (&Folder, String) {
        match self.mounted.get(bucket) {
            Some(folder) => (folder, String::new()),
            None => (&self.root, bucket.as_str().to_owned()),
        }
    }

    fn find(&self, bucket: &BucketName, key: &ObjectKey, wait: Wait) -> Result<Object, Failure> {
        let (folder, bucket_path) = self.bucket(bucket);
        let mut path = mapping::to_path(key);
        if !bucket_path.is_empty() {
            path = format!("{bucket_path}/{path}");
        }
        let mut found = self.open_at(folder, &path, wait, bucket)?;
        if found.1.is_dir() {
            path = format!("{path}/{}", mapping::OBJECT_OF_FOLDER);
            found = self.open_at(folder, &path, wait, bucket)?;
        }
        let (file, metadata) = found;
        if !metadata.is_file() {
            return Err(Failure::Told(StoreError::NoSuchKey));
        }
        if folder.folds {
            match wait {
                Wait::Never => return Err(Failure::WouldWait),
                Wait::Allowed if folding::is_spelled(&folder.path, &path) => {}
                Wait::Allowed => return Err(Failure::Told(StoreError::NoSuchKey)),
            }
        }
        let attributes = attributes::of_file(&metadata, key);
        Ok(Object {
            attributes,
            content: Content::File(Arc::new(file)),
        })
    }

    fn open_at(
        &self,
        folder: &Folder,
        path: &str,
        wait: Wait,
        bucket: &BucketName,
    ) -> Result<(File, fs::Metadata), Failure> {
        let unreadable = |source| {
            Failure::Told(StoreError::Unreadable {
                path: folder.path.join(path),
                source,
            })
        };
        match confine::open(folder.opened.as_fd(), path, wait) {
            Ok(file) => {
                let metadata = file.metadata().map_err(unreadable)?;
                Ok((file, metadata))
            }
            Err(Errno::AGAIN) if wait == Wait::Never => Err(Failure::WouldWait),
            // A missing bucket is looked for only once something is missing; that may wait for the disk.
            Err(Errno::NOENT) if wait == Wait::Never => Err(Failure::WouldWait),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(Failure::Told(match self.bucket_folder(bucket) {
                Ok(true) => StoreError::NoSuchKey,
                Ok(false) => StoreError::NoSuchBucket(bucket.clone()),
                Err(error) => error,
            })),
            // A symlink, a socket or a device without its driver, a name that the file system cannot hold: no object.
            Err(Errno::LOOP | Errno::XDEV | Errno::NXIO | Errno::NODEV | Errno::NAMETOOLONG) => {
                Err(Failure::Told(StoreError::NoSuchKey))
            }
            Err(error) => Err(unreadable(error.into())),
        }
    }

    fn bucket_folder(&self, bucket: &BucketName) -> Result<bool, StoreError> {
        let (folder, path) = self.bucket(bucket);
        if path.is_empty() {
            return Ok(true);
        }
        match confine::open(folder.opened.as_fd(), &path, Wait::Allowed) {
            Ok(file) => Ok(file.metadata().is_ok_and(|metadata| metadata.is_dir())),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => Ok(false),
            Err(error) => Err(StoreError::Unreadable {
                path: folder.path.join(path),
                source: error.into(),
            }),
        }
    }

    fn buckets(&self) -> Result<Vec<Bucket>, StoreError> {
        let unreadable = |source| StoreError::Unreadable {
            path: self.root.path.clone(),
            source,
        };
        let mut names: Vec<_> = self.mounted.keys().cloned().collect();
        for entry in fs::read_dir(&self.root.path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry
                .file_name()
                .to_str()
                .and_then(|name| BucketName::parse(name).ok());
            if let (Some(name), true) = (name, entry.file_type().is_ok_and(|kind| kind.is_dir())) {
                names.push(name);
            }
        }
        names.sort();
        names.dedup();
        let created = OffsetDateTime::UNIX_EPOCH;
        Ok(names.into_iter().map(|name| Bucket { name, created }).collect())
    }

    fn read_only(&self, bucket: &BucketName) -> StoreError {
        let (folder, path) = self.bucket(bucket);
        StoreError::ReadOnly {
            path: folder.path.join(path),
        }
    }
}

/// Why nothing was found, as long as the disk was not waited for.
enum Failure {
    /// Only a call that may wait can say.
    WouldWait,
    /// This.
    Told(StoreError),
}

impl Store for DiskStore {
    type Upload = DiskUpload;

    async fn open(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Object, StoreError> {
        match self.0.find(bucket, key, Wait::Never) {
            Ok(object) => return Ok(object),
            Err(Failure::Told(error)) => return Err(error),
            Err(Failure::WouldWait) => {}
        }
        let (bucket, key) = (bucket.clone(), key.clone());
        off_thread(&self.0, move |folders| {
            folders
                .find(&bucket, &key, Wait::Allowed)
                .map_err(|failure| match failure {
                    Failure::Told(error) => error,
                    Failure::WouldWait => StoreError::Unreadable {
                        path: folders.root.path.clone(),
                        source: io::ErrorKind::WouldBlock.into(),
                    },
                })
        })
        .await
    }

    async fn upload(&self, bucket: &BucketName, _length: Option<u64>) -> Result<DiskUpload, StoreError> {
        Err(self.0.read_only(bucket))
    }

    async fn delete(
        &self,
        bucket: &BucketName,
        _key: &ObjectKey,
        _condition: WriteCondition,
    ) -> Result<(), StoreError> {
        Err(self.0.read_only(bucket))
    }

    async fn replace_tags(
        &self,
        bucket: &BucketName,
        _key: &ObjectKey,
        _tags: Vec<Tag>,
    ) -> Result<(), StoreError> {
        Err(self.0.read_only(bucket))
    }

    async fn list(&self, _bucket: &BucketName, _query: ListQuery) -> Result<Page, StoreError> {
        Ok(Page::default())
    }

    async fn create_bucket(&self, bucket: &BucketName) -> Result<bool, StoreError> {
        Err(self.0.read_only(bucket))
    }

    async fn delete_bucket(&self, bucket: &BucketName) -> Result<(), StoreError> {
        Err(self.0.read_only(bucket))
    }

    async fn bucket_exists(&self, bucket: &BucketName) -> Result<bool, StoreError> {
        let bucket = bucket.clone();
        off_thread(&self.0, move |folders| folders.bucket_folder(&bucket)).await
    }

    async fn buckets(&self) -> Result<Vec<Bucket>, StoreError> {
        off_thread(&self.0, Folders::buckets).await
    }
}

/// Does what may wait for a disk on the blocking pool.
async fn off_thread<T: Send + 'static>(
    folders: &Arc<Folders>,
    work: impl FnOnce(&Folders) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (folders, path) = (folders.clone(), folders.root.path.clone());
    let done = tokio::task::spawn_blocking(move || work(&folders)).await;
    done.unwrap_or_else(|error| {
        Err(StoreError::Unreadable {
            path,
            source: io::Error::other(error),
        })
    })
}

#[cfg(test)]
mod tests;
