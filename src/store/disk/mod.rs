//! Objects as plain files: bucket `b`, key `films/a.mp4` is the file `b/films/a.mp4` below the root. An operator can drop a file in
//! and link to it.

mod attributes;
mod buckets;
mod buffers;
mod confine;
mod documents;
mod folding;
mod invisible;
mod list;
mod lock;
mod look;
pub mod mapping;
mod metadata;
mod multipart;
mod place;
pub mod read;
mod remove;
mod room;
mod store;
mod structure;
mod sweep;
mod temporary;
mod upload;

pub use invisible::{Invisible, bucket_names, invisible};
pub use look::look;
pub use read::{Cached, FileBody, fetch, is_cached};
pub use room::FolderRoom;
pub use upload::DiskUpload;

use std::{
    collections::HashMap,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

use rustix::io::Errno;

use crate::{
    obstacle::{Obstacle, Wanted},
    types::{BucketName, ObjectAttributes, ObjectKey},
};

use super::{BucketFolder, OpenError, Settings, StoreError};
use confine::Wait;

/// A store over a folder of folders. A copy is another handle on the same.
#[derive(Clone)]
pub struct DiskStore(Arc<Folders>);

struct Folders {
    root: Folder,
    /// Buckets that are folders elsewhere.
    mounted: HashMap<BucketName, Folder>,
    /// Is a change on stable storage before it is told?
    durable: bool,
    /// Can the file system exchange two names? It is taken for one that can until it says otherwise.
    exchange: AtomicBool,
    listings: list::Listings,
    /// Is the file system being asked how much room it has?
    asking_for_room: AtomicBool,
    /// One of these is held while what a name stands for changes.
    locks: [Mutex<()>; 64],
}

struct Folder {
    path: PathBuf,
    opened: File,
    /// Does the file system take two spellings for one name?
    folds: bool,
    /// Held for its lock: this process alone writes here. None where nothing can be written.
    lock: Option<Arc<File>>,
}

impl DiskStore {
    /// Opens the root, which is made where it is missing, and every folder that is a bucket elsewhere. The root is this
    /// process's alone from here on.
    pub fn open(settings: &Settings, buckets: &[BucketFolder]) -> Result<Self, OpenError> {
        fs::create_dir_all(&settings.root).map_err(|source| OpenError::Create {
            path: settings.root.clone(),
            obstacle: Obstacle::new(&settings.root, Wanted::Write, source),
        })?;
        let mut root = Folder::open(&settings.root)?;
        root.lock = lock::take(&settings.root)?.map(Arc::new);
        let mut mounted = HashMap::new();
        for bucket in buckets {
            let mut folder = Folder::open(&bucket.path)?;
            folder.lock = match mounted
                .values()
                .chain([&root])
                .find(|other| other.is_same(&folder))
            {
                // One folder under two names: one lock.
                Some(other) => other.lock.clone(),
                None => match lock::take(&bucket.path) {
                    Ok(lock) => lock.map(Arc::new),
                    // A folder that this user cannot write to is served for reading.
                    Err(OpenError::Create { .. }) => None,
                    Err(error) => return Err(error),
                },
            };
            if mounted.insert(bucket.name.clone(), folder).is_some() {
                return Err(OpenError::DuplicateBucket(bucket.name.clone()));
            }
        }
        let folders = Folders {
            root,
            mounted,
            durable: settings.durable,
            exchange: AtomicBool::new(true),
            listings: list::Listings::new(),
            asking_for_room: AtomicBool::new(false),
            locks: std::array::from_fn(|_| Mutex::new(())),
        };
        folders.sweep();
        Ok(Self(Arc::new(folders)))
    }
}

impl Folder {
    fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Open {
            path: path.to_owned(),
            obstacle: Obstacle::new(path, Wanted::Read, source),
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
            lock: None,
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let identity = |folder: &Self| {
            let metadata = folder.opened.metadata().ok()?;
            Some((metadata.dev(), metadata.ino()))
        };
        identity(self).is_some_and(|own| identity(other) == Some(own))
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

    /// Finds an object, waiting for the disk as long as it takes.
    fn find_now(&self, bucket: &BucketName, key: &ObjectKey) -> Result<(ObjectAttributes, File), StoreError> {
        self.find(bucket, key, Wait::Allowed)
            .map_err(|failure| match failure {
                Failure::Told(error) => error,
                Failure::WouldWait => StoreError::Unreadable {
                    path: self.root.path.clone(),
                    source: io::ErrorKind::WouldBlock.into(),
                },
            })
    }

    fn find(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        wait: Wait,
    ) -> Result<(ObjectAttributes, File), Failure> {
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
        let bucket = metadata::Bucket {
            folder: folder.opened.as_fd(),
            path: &bucket_path,
        };
        Ok((attributes::of(bucket, &file, &metadata, key), file))
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

    /// Is there a bucket of this name, as far as that can be told without waiting for the disk?
    fn is_cached_bucket(&self, bucket: &BucketName) -> bool {
        let (folder, path) = self.bucket(bucket);
        path.is_empty()
            || confine::open(folder.opened.as_fd(), &path, Wait::Never)
                .is_ok_and(|file| file.metadata().is_ok_and(|metadata| metadata.is_dir()))
    }

    /// A path below a bucket, for messages.
    fn path_of(&self, bucket: &BucketName, path: &str) -> PathBuf {
        let (folder, bucket_path) = self.bucket(bucket);
        folder.path.join(bucket_path).join(path)
    }

    /// Held while a name of this key's first folder changes: whatever can be in the way of a key shares it.
    fn lock(&self, bucket: &BucketName, key: &ObjectKey) -> MutexGuard<'_, ()> {
        let path = mapping::to_path(key);
        let first = path.split('/').next().unwrap_or_default();
        let mut hash = DefaultHasher::new();
        (bucket, first).hash(&mut hash);
        let [only, ..] = &self.locks;
        let at = usize::try_from(hash.finish() % self.locks.len() as u64).unwrap_or(0);
        let lock = self.locks.get(at).unwrap_or(only);
        // Nothing is protected but the order of system calls: a panic elsewhere leaves nothing half done in memory.
        lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why nothing was found, as long as the disk was not waited for.
enum Failure {
    /// Only a call that may wait can say.
    WouldWait,
    /// This.
    Told(StoreError),
}

/// What the system says of a write, as the operator should read it.
fn fault(path: PathBuf, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::Full { path }
        }
        io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path },
        _ => StoreError::Unwritable { path, source: error },
    }
}

/// A point at which a test kills the process.
#[cfg(test)]
fn failpoint(name: &str) {
    tests::crash::reached(name);
}

/// A point at which a test kills the process.
#[cfg(not(test))]
#[inline(always)]
fn failpoint(_name: &str) {}

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
