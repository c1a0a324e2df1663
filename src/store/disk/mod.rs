//! Objects as plain files: bucket `b`, key `films/a.mp4` is the file `b/films/a.mp4` below the root. An operator can drop a file in
//! and link to it.

mod attributes;
mod buckets;
mod buffers;
mod confine;
mod documents;
mod folder;
mod folding;
mod gate;
mod invisible;
mod known;
mod list;
mod lock;
mod look;
pub mod mapping;
mod metadata;
mod multipart;
mod opened;
mod place;
mod problem;
pub mod read;
mod remove;
mod room;
mod store;
mod structure;
mod sweep;
mod temporary;
mod unsynced;
mod upload;
mod version;
mod watch;

pub use gate::Waiting;
pub use invisible::{Invisible, bucket_names, invisible};
pub use look::look;
pub use opened::ObjectFile;
pub use read::{Cached, FileBody};
pub use room::FolderRoom;
pub use upload::DiskUpload;

use std::{
    collections::HashMap,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::fd::AsFd,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

use arc_swap::ArcSwap;
use rustix::io::Errno;

use crate::{
    clock::Clock,
    obstacle::{Obstacle, Wanted},
    types::{BucketName, ObjectAttributes, ObjectKey},
};

use super::{BucketFolder, OpenError, Settings, StoreError};
use confine::Wait;
use folder::Folder;
use gate::{Gate, Purpose};

/// A store over a folder of folders. A copy is another handle on the same.
#[derive(Clone)]
pub struct DiskStore(Arc<Parts>);

struct Parts {
    /// Swapped whole when a folder goes out of service or comes back.
    folders: ArcSwap<Folders>,
    health: watch::Health,
    /// Is the file system being asked how much room it has?
    asking_for_room: AtomicBool,
}

struct Folders {
    root: Arc<Folder>,
    /// Buckets that are folders elsewhere.
    mounted: HashMap<BucketName, Arc<Folder>>,
    /// Is a change on stable storage before it is told?
    durable: bool,
    /// Can the file system exchange two names? It is taken for one that can until it says otherwise.
    exchange: AtomicBool,
    listings: list::Listings,
    known: known::Known,
    /// One of these is held while what a name stands for changes. They are the same whatever is swapped: what began before may still be at it.
    locks: Arc<[Mutex<()>; 64]>,
    unsynced: Arc<unsynced::Unsynced>,
    completions: Arc<multipart::Completions>,
}

impl DiskStore {
    /// Opens the root, which is made where it is missing, and every folder that is a bucket elsewhere. The root is this
    /// process's alone from here on.
    pub fn open(settings: &Settings, buckets: &[BucketFolder]) -> Result<Self, OpenError> {
        fs::create_dir_all(&settings.root).map_err(|source| OpenError::Create {
            path: settings.root.clone(),
            obstacle: Obstacle::new(&settings.root, Wanted::Write, source),
        })?;
        let root = Arc::new(Folder::open(&settings.root, &[], true)?);
        let mut mounted: HashMap<BucketName, Arc<Folder>> = HashMap::new();
        for bucket in buckets {
            let others: Vec<_> = mounted.values().chain([&root]).map(|folder| &**folder).collect();
            let folder = Folder::open(&bucket.path, &others, false)?;
            if mounted.insert(bucket.name.clone(), Arc::new(folder)).is_some() {
                return Err(OpenError::DuplicateBucket(bucket.name.clone()));
            }
        }
        let folders = Folders::new(root, mounted, settings.durable);
        folders.sweep();
        let health = watch::Health::default();
        health.remember(folders.every().filter_map(|folder| folder.lock()));
        Ok(Self(Arc::new(Parts {
            folders: ArcSwap::from_pointee(folders),
            health,
            asking_for_room: AtomicBool::new(false),
        })))
    }

    /// The folders as they are now, for what goes on another thread.
    fn now(&self) -> Arc<Folders> {
        self.0.now()
    }
}

impl Parts {
    fn now(&self) -> Arc<Folders> {
        self.folders.load_full()
    }
}

impl Folders {
    fn new(root: Arc<Folder>, mounted: HashMap<BucketName, Arc<Folder>>, durable: bool) -> Self {
        Self {
            root,
            mounted,
            durable,
            exchange: AtomicBool::new(true),
            listings: list::Listings::new(),
            known: known::Known::new(Clock::system()),
            locks: Arc::new(std::array::from_fn(|_| Mutex::new(()))),
            unsynced: Arc::default(),
            completions: Arc::default(),
        }
    }

    /// The same, with this folder in the place of that of its path. What was known of the one before is not known of it: neither what its file
    /// system can nor what its folders hold.
    fn with(&self, folder: Folder) -> Self {
        let folder = Arc::new(folder);
        let replaced = |old: &Arc<Folder>| match old.path == folder.path {
            true => folder.clone(),
            false => old.clone(),
        };
        let mounted = self.mounted.iter();
        Self {
            locks: self.locks.clone(),
            unsynced: self.unsynced.clone(),
            completions: self.completions.clone(),
            ..Self::new(
                replaced(&self.root),
                mounted.map(|(name, old)| (name.clone(), replaced(old))).collect(),
                self.durable,
            )
        }
    }

    /// Every folder.
    fn every(&self) -> impl Iterator<Item = &Arc<Folder>> {
        [&self.root].into_iter().chain(self.mounted.values())
    }

    /// The folder to open from, the bucket's path below it (empty for a folder that is the bucket).
    fn bucket<'a>(&'a self, bucket: &'a BucketName) -> (&'a Folder, &'a str) {
        match self.mounted.get(bucket) {
            Some(folder) => (folder, ""),
            None => (&self.root, bucket.as_str()),
        }
    }

    /// Finds an object, waiting for the disk as long as it takes.
    fn find_now(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Opened, StoreError> {
        self.find(bucket, key, Wait::Allowed)
            .map_err(|failure| match failure {
                Failure::Told(error) => error,
                Failure::WouldWait => {
                    StoreError::unreadable(self.root.path.clone(), io::ErrorKind::WouldBlock.into())
                }
            })
    }

    fn find(&self, bucket: &BucketName, key: &ObjectKey, wait: Wait) -> Result<Opened, Failure> {
        let (folder, bucket_path) = self.bucket(bucket);
        let kept = folder.kept().map_err(Failure::Told)?;
        let mut path = String::with_capacity(bucket_path.len() + key.as_str().len() + 8);
        if !bucket_path.is_empty() {
            path.push_str(bucket_path);
            path.push('/');
        }
        mapping::push_path(&mut path, key);
        let mut found = self.open_at(folder, &path, wait, bucket)?;
        if found.1.is_dir() {
            path = format!("{path}/{}", mapping::OBJECT_OF_FOLDER);
            found = self.open_at(folder, &path, wait, bucket)?;
        }
        let (file, metadata) = found;
        if !metadata.is_file() {
            return Err(Failure::Told(StoreError::NoSuchKey));
        }
        if kept.folds {
            match wait {
                Wait::Never => return Err(Failure::WouldWait),
                Wait::Allowed if folding::is_spelled(&folder.path, &path) => {}
                Wait::Allowed => return Err(Failure::Told(StoreError::NoSuchKey)),
            }
        }
        let bucket = metadata::Bucket {
            folder: kept.opened.as_fd(),
            path: bucket_path,
        };
        let look = || attributes::of(bucket, &file, &metadata, key);
        match self.known.attributes(&metadata, key, look) {
            Ok(attributes) => Ok(Opened {
                attributes,
                file,
                metadata,
            }),
            Err(source) => Err(Failure::Told(StoreError::unreadable(
                folder.path.join(path),
                source,
            ))),
        }
    }

    fn open_at(
        &self,
        folder: &Folder,
        path: &str,
        wait: Wait,
        bucket: &BucketName,
    ) -> Result<(File, fs::Metadata), Failure> {
        let unreadable = |source| Failure::Told(StoreError::unreadable(folder.path.join(path), source));
        let kept = folder.kept().map_err(Failure::Told)?;
        match confine::open(kept.opened.as_fd(), path, wait) {
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
            return folder.kept().map(|_| true);
        }
        let unreadable = |source| StoreError::unreadable(folder.path.join(path), source);
        match confine::open(folder.kept()?.opened.as_fd(), path, Wait::Allowed) {
            Ok(file) => Ok(file.metadata().map_err(unreadable)?.is_dir()),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => Ok(false),
            Err(error) => Err(unreadable(error.into())),
        }
    }

    /// Is there a bucket of this name, as far as that can be told without waiting for the disk?
    fn is_cached_bucket(&self, bucket: &BucketName) -> bool {
        let (folder, path) = self.bucket(bucket);
        let Ok(kept) = folder.kept() else { return false };
        path.is_empty()
            || confine::open(kept.opened.as_fd(), path, Wait::Never)
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
        let [only, ..] = &*self.locks;
        let at = usize::try_from(hash.finish() % self.locks.len() as u64).unwrap_or(0);
        let lock = self.locks.get(at).unwrap_or(only);
        // Nothing is protected but the order of system calls: a panic elsewhere leaves nothing half done in memory.
        lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An object as it was found.
struct Opened {
    attributes: Arc<ObjectAttributes>,
    file: File,
    metadata: fs::Metadata,
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
        _ => StoreError::unwritable(path, error),
    }
}

impl Folders {
    /// The same, of a folder whose beginnings are known: one that was writable then has a fault, and is not meant to be read only.
    fn fault(&self, folder: &Folder, path: PathBuf, error: io::Error) -> StoreError {
        let fault = fault(path, error);
        match &fault {
            StoreError::ReadOnly { path } if folder.was_writable() => {
                folder.gate.write_failed();
                StoreError::OutOfService(format!(
                    "{} has become read-only: nothing can be uploaded until it is mounted writable again",
                    path.display()
                ))
            }
            StoreError::Unwritable { .. } => {
                folder.gate.write_failed();
                fault
            }
            _ => fault,
        }
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

/// Looks for something where that may wait for a disk, on the blocking pool. `bucket` says whose disk: none is that of the root.
async fn look_off_thread<T: Send + 'static>(
    folders: Arc<Folders>,
    bucket: Option<&BucketName>,
    work: impl FnOnce(&Folders) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let gate = folders.gate(bucket);
    gate.pass(Purpose::Look, move || work(&folders)).await
}

/// Changes something, on the blocking pool. Where the folder's path has come to lead elsewhere by the end of it, nobody would find the change: it
/// is not told as done.
async fn change_off_thread<T: Send + 'static>(
    folders: Arc<Folders>,
    bucket: Option<&BucketName>,
    work: impl FnOnce(&Folders) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let gate = folders.gate(bucket);
    let bucket = bucket.cloned();
    let work = move || {
        folders.folder(bucket.as_ref()).is_in_place()?;
        let done = work(&folders)?;
        folders.folder(bucket.as_ref()).is_in_place()?;
        Ok(done)
    };
    gate.pass(Purpose::Change, work).await
}

impl Folders {
    fn folder(&self, bucket: Option<&BucketName>) -> &Folder {
        let mounted = bucket.and_then(|bucket| self.mounted.get(bucket));
        mounted.unwrap_or(&self.root)
    }

    fn gate(&self, bucket: Option<&BucketName>) -> Arc<Gate> {
        self.folder(bucket).gate.clone()
    }
}

#[cfg(test)]
mod tests;
