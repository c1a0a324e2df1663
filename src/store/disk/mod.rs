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
mod generations;
mod grain;
mod housekeeping;
mod inspect;
mod invisible;
mod known;
mod list;
mod lock;
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
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::{fd::AsFd, unix::fs::MetadataExt},
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
use record::RecordError;
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
        for _ in 0..MOST_LOOKS {
            // Before the file is opened: what changes from here on is another state.
            let generation = self.generations.now(&self.changes_of(bucket, key));
            let found = self.look(bucket, key, wait, generation);
            // One that replaces the object removes its spilled record, and the file that was opened is
            // then without.
            let may_have_gone = match &found {
                Ok(found) => !found.has_record,
                Err(Failure::Told(StoreError::Undescribed { .. })) => true,
                Err(_) => false,
            };
            if !may_have_gone || self.generations.is_current(generation) {
                return found;
            }
        }
        self.look(
            bucket,
            key,
            wait,
            self.generations.now(&self.changes_of(bucket, key)),
        )
    }

    fn look(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        wait: Wait,
        generation: generations::Generation,
    ) -> Result<Opened, Failure> {
        let (folder, bucket_path) = self.bucket(bucket);
        let (file, metadata, path) = self.open_object(bucket, key, wait)?;
        let above = record::Bucket {
            folder: folder.kept().map_err(Failure::Told)?.opened.as_fd(),
            path: bucket_path,
        };
        let look = || attributes::of(above, &file, &metadata, key);
        match self.known.attributes(&metadata, (key, generation), look) {
            Ok(found) => Ok(Opened {
                attributes: found.attributes,
                spilled: found.spilled,
                has_record: found.has_record,
                file,
                metadata,
            }),
            Err(source) => {
                let path = folder.path.join(path);
                let is_of_record = source.get_ref().is_some_and(|inner| inner.is::<RecordError>());
                Err(Failure::Told(match is_of_record {
                    true => StoreError::Undescribed { path, source },
                    false => StoreError::unreadable(path, source),
                }))
            }
        }
    }

    /// What an object's file says of itself, for one whose record cannot be had.
    fn undescribed(&self, bucket: &BucketName, key: &ObjectKey) -> Result<ObjectAttributes, StoreError> {
        match self.open_object(bucket, key, Wait::Allowed) {
            Ok((_, metadata, _)) => Ok(attributes::of_file(&metadata, key)),
            Err(Failure::Told(error)) => Err(error),
            Err(Failure::WouldWait) => Err(StoreError::NoSuchKey),
        }
    }

    /// Opens an object's file. Its state and its path below the folder that holds its bucket come out
    /// too.
    fn open_object(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        wait: Wait,
    ) -> Result<(File, fs::Metadata, String), Failure> {
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
        Ok((file, metadata, path))
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

    /// Held while a name of this key's first folder changes: whatever can be in the way of a key shares
    /// it. What is kept of the object no longer holds once it is released.
    fn lock<'f>(&'f self, bucket: &'f BucketName, key: &'f ObjectKey) -> ChangeLock<'f> {
        let path = mapping::to_path(key);
        let first = path.split('/').next().unwrap_or_default();
        let mut hash = DefaultHasher::new();
        (bucket, first).hash(&mut hash);
        let locks = match self.mounted.contains_key(bucket) {
            true => &self.locks_elsewhere,
            false => &self.locks,
        };
        let [only, ..] = &**locks;
        let at = usize::try_from(hash.finish() % locks.len() as u64).unwrap_or(0);
        ChangeLock {
            folders: self,
            bucket,
            key,
            _guard: locked(locks.get(at).unwrap_or(only)),
        }
    }

    /// Held while a bucket of the root goes: no name in it changes. Each key's lock is one of these, and no thread
    /// that holds one waits for another.
    fn lock_all(&self) -> Vec<MutexGuard<'_, ()>> {
        self.locks.iter().map(locked).collect()
    }

    /// What this process's changes of an object are counted by.
    fn changes_of<'b>(&'b self, bucket: &'b BucketName, key: &'b ObjectKey) -> impl Hash {
        let (folder, path) = self.bucket(bucket);
        (&folder.path, path, key.as_str())
    }

    /// What this process's changes of a folder's entries are counted by. `prefix` is how all keys in it
    /// begin.
    fn changes_in<'b>(&'b self, bucket: &'b BucketName, prefix: &'b str) -> impl Hash {
        let (folder, path) = self.bucket(bucket);
        (&folder.path, path, "entries", prefix)
    }

    /// The entries of the folder that holds this key have changed, and with `above` those of every folder
    /// above it.
    fn entries_changed(&self, bucket: &BucketName, key: &ObjectKey, above: bool) {
        let mut front = key.as_str();
        while let Some(end) = front.rfind('/') {
            let prefix = front.get(..=end).unwrap_or_default();
            self.generations.changed(&self.changes_in(bucket, prefix));
            if !above {
                return;
            }
            front = front.get(..end).unwrap_or_default();
        }
        self.generations.changed(&self.changes_in(bucket, ""));
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

/// The lock of a change of an object.
struct ChangeLock<'f> {
    folders: &'f Folders,
    bucket: &'f BucketName,
    key: &'f ObjectKey,
    _guard: MutexGuard<'f, ()>,
}

impl Drop for ChangeLock<'_> {
    fn drop(&mut self) {
        let folders = self.folders;
        folders
            .generations
            .changed(&folders.changes_of(self.bucket, self.key));
    }
}

fn locked(lock: &Mutex<()>) -> MutexGuard<'_, ()> {
    // Nothing is protected but the order of system calls: a panic elsewhere leaves nothing half done in
    // memory.
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often an object is looked at that changes meanwhile.
const MOST_LOOKS: usize = 16;

/// An object as it was found.
struct Opened {
    attributes: Arc<ObjectAttributes>,
    /// The file of its record, if that is another than the object's.
    spilled: Option<record::RecordName>,
    /// Whether a record was found.
    has_record: bool,
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
