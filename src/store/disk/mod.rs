//! Objects as plain files: bucket `b`, key `films/a.mp4` is the file `b/films/a.mp4` below the root. An operator can drop a file in
//! and link to it.

mod attributes;
mod buckets;
mod buffers;
mod confine;
mod documents;
mod find;
mod folder;
mod folding;
mod gate;
mod generations;
mod grain;
mod housekeeping;
mod inspect;
mod invisible;
mod known;
mod list;
mod lock;
mod locks;
mod look;
pub mod mapping;
mod multipart;
mod opened;
mod place;
mod problem;
pub mod read;
mod record;
mod remove;
mod room;
mod store;
mod structure;
mod temporary;
mod unsynced;
mod upload;
mod version;
mod watch;

pub use gate::Waiting;
pub use housekeeping::Removed;
pub use inspect::{Few, Inspection, inspect};
pub use invisible::{Invisible, bucket_names, invisible};
pub use look::look;
pub use opened::ObjectFile;
pub use read::{Cached, FileBody};
pub use room::FolderRoom;
pub use upload::DiskUpload;

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::PathBuf,
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use arc_swap::ArcSwap;

use crate::{
    clock::Clock,
    obstacle::{Obstacle, Wanted},
    types::BucketName,
};

use super::{BucketFolder, OpenError, Settings, StoreError};
use find::{Failure, Opened};
use folder::Folder;
use gate::{Gate, Purpose};
use temporary::{InFlight, WritableBucket};

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
    /// Counts of this process's own changes.
    generations: Arc<generations::Generations>,
    grains: Arc<grain::Grains>,
    in_flight: Arc<InFlight>,
    /// One of these is held while what a name stands for changes. They are the same whatever is swapped: what began before may still be at it.
    locks: Arc<[Mutex<()>; 64]>,
    /// The same for buckets elsewhere: a disk of theirs that hangs must not hold up those of the root.
    locks_elsewhere: Arc<[Mutex<()>; 64]>,
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
        folders.find_grains();
        folders.recover();
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
        let generations = Arc::<generations::Generations>::default();
        let grains = Arc::<grain::Grains>::default();
        Self {
            root,
            mounted,
            durable,
            exchange: AtomicBool::new(true),
            listings: list::Listings::new(generations.clone(), grains.clone()),
            known: known::Known::new(Clock::system(), generations.clone(), grains.clone()),
            generations,
            grains,
            in_flight: Arc::default(),
            locks: Arc::new(std::array::from_fn(|_| Mutex::new(()))),
            locks_elsewhere: Arc::new(std::array::from_fn(|_| Mutex::new(()))),
            unsynced: Arc::default(),
            completions: Arc::default(),
        }
    }

    /// The same, with this folder in the place of that of its path. What was known of the one before is
    /// not known of it: neither what its file system can nor what its folders hold.
    fn with(&self, folder: Folder) -> Self {
        let folder = Arc::new(folder);
        let replaced = |old: &Arc<Folder>| match old.path == folder.path {
            true => folder.clone(),
            false => old.clone(),
        };
        let mounted = self.mounted.iter();
        let (root, mounted) = (
            replaced(&self.root),
            mounted.map(|(name, old)| (name.clone(), replaced(old))).collect(),
        );
        let (generations, grains) = (self.generations.clone(), self.grains.clone());
        Self {
            root,
            mounted,
            durable: self.durable,
            exchange: AtomicBool::new(true),
            listings: list::Listings::new(generations.clone(), grains.clone()),
            known: known::Known::new(Clock::system(), generations.clone(), grains.clone()),
            generations,
            grains,
            in_flight: self.in_flight.clone(),
            locks: self.locks.clone(),
            locks_elsewhere: self.locks_elsewhere.clone(),
            unsynced: self.unsynced.clone(),
            completions: self.completions.clone(),
        }
    }

    /// Asks the file system of each folder how far apart the times of two changes are, and that of each
    /// bucket which is on another.
    fn find_grains(&self) {
        for folder in self.every() {
            if let Ok(kept) = folder.kept()
                && kept.lock.is_some()
            {
                self.grains
                    .find(kept.opened.as_fd(), folder::WRITTEN, &Clock::system());
            }
        }
        for bucket in self.buckets().unwrap_or_default() {
            let Ok(opened) = self.open_bucket(&bucket.name) else {
                continue;
            };
            let is_known = |metadata: fs::Metadata| self.grains.knows(metadata.dev());
            if self.bucket(&bucket.name).0.lock().is_some() && !opened.metadata().is_ok_and(is_known) {
                self.grains
                    .find(opened.as_fd(), folder::WRITTEN, &Clock::system());
            }
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

    /// A path below a bucket, for messages.
    fn path_of(&self, bucket: &BucketName, path: &str) -> PathBuf {
        let (folder, bucket_path) = self.bucket(bucket);
        folder.path.join(bucket_path).join(path)
    }

    /// What is needed to write into a bucket's open folder.
    fn writable<'b>(&'b self, bucket: &'b File) -> WritableBucket<'b> {
        WritableBucket {
            folder: bucket.as_fd(),
            durable: self.durable,
            in_flight: &self.in_flight,
        }
    }
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
