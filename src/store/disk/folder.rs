//! A folder that holds buckets, or is one: opened at the start, out of service while its path leads elsewhere, and opened anew when it leads there
//! again.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{self as rfs, AtFlags, Mode, OFlags};

use crate::{
    obstacle::{Obstacle, Wanted},
    store::{OpenError, StoreError},
};

use super::{
    folding,
    gate::Gate,
    lock::{self, Lock, Made, NotOurs},
    problem::Problem,
};

/// What is written to see whether anything can be. It can be neither a bucket nor a key.
pub(super) const WRITTEN: &str = "~!written";

/// A folder of the store.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) gate: Arc<Gate>,
    /// When its mark was made. None where nothing could be written at the start: such a folder has none.
    made: Option<Made>,
    service: Service,
}

enum Service {
    Open(Kept),
    /// Its path leads elsewhere, so it was let go of.
    Lost(Identity, Arc<Problem>),
}

/// What is held of it while it is in service.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) opened: File,
    identity: Identity,
    /// Does the file system take two spellings for one name?
    pub(super) folds: bool,
    /// Held: this process alone writes here. None where nothing can be written.
    pub(super) lock: Option<Arc<Lock>>,
}

/// Device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

/// How a folder was found.
#[derive(Debug)]
pub(super) enum Found {
    /// As it was opened.
    Well,
    /// It could not be looked at, for a want of this process.
    Unknown,
    /// As it was opened, and in trouble.
    Ailing(Problem),
    /// It is out of service, and is the store again.
    Back(Kept),
    /// Its path does not lead to the store.
    Lost(Problem),
}

impl Identity {
    fn of(metadata: &fs::Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

impl Kept {
    fn open(path: &Path) -> io::Result<Self> {
        let opened = File::open(path)?;
        let metadata = opened.metadata()?;
        if !metadata.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            identity: Identity::of(&metadata),
            opened,
            folds: false,
            lock: None,
        })
    }

    fn folds(&mut self, path: &Path) {
        self.folds = folding::folds(path);
        if self.folds {
            tracing::warn!(
                "{} is on a file system that folds letter case or Unicode forms: every name is looked up twice",
                path.display()
            );
        }
    }
}

impl Folder {
    /// Opens a folder, to be written to under its lock. Without `needed` a folder that this user cannot write to is opened for reading.
    pub(super) fn open(path: &Path, others: &[&Self], needed: bool) -> Result<Self, OpenError> {
        let mut folder = Self::look(path)?;
        let Service::Open(kept) = &mut folder.service else {
            return Ok(folder);
        };
        kept.folds(path);
        let same = others.iter().find_map(|other| match &other.service {
            Service::Open(other) if other.identity == kept.identity => Some(other.lock.clone()),
            Service::Open(_) | Service::Lost(..) => None,
        });
        kept.lock = match same {
            // One folder under two names: one lock.
            Some(lock) => lock,
            None => match lock::take(path) {
                Ok(lock) => lock.map(Arc::new),
                Err(OpenError::Create { .. }) if !needed => None,
                Err(error) => return Err(error),
            },
        };
        folder.made = kept.lock.as_ref().map(|lock| lock.made.clone());
        Ok(folder)
    }

    /// Opens a folder to look into it, without its lock.
    pub(super) fn look(path: &Path) -> Result<Self, OpenError> {
        let kept = Kept::open(path).map_err(|source| OpenError::Open {
            path: path.to_owned(),
            obstacle: Obstacle::new(path, Wanted::Read, source),
        })?;
        // Messages name it whole, and it is asked for again and again.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self {
            gate: Gate::new(&path),
            path,
            made: None,
            service: Service::Open(kept),
        })
    }

    /// The folder where it is in service.
    pub(super) fn kept(&self) -> Result<&Kept, StoreError> {
        match &self.service {
            Service::Open(kept) => Ok(kept),
            Service::Lost(_, problem) => Err(StoreError::OutOfService(problem.to_string())),
        }
    }

    /// Its lock, where this process may write.
    pub(super) fn lock(&self) -> Option<&Arc<Lock>> {
        self.kept().ok()?.lock.as_ref()
    }

    /// Could it be written to when it was opened?
    pub(super) fn was_writable(&self) -> bool {
        self.made.is_some()
    }

    /// Does its path still lead to what was opened? Asked before and after each change: one that went where nobody finds it must not be told as done.
    pub(super) fn is_in_place(&self) -> Result<(), StoreError> {
        let kept = self.kept()?;
        match fs::metadata(&self.path) {
            Ok(found) if Identity::of(&found) == kept.identity => Ok(()),
            Ok(_) => Err(StoreError::OutOfService(
                Problem::Elsewhere {
                    path: self.path.clone(),
                }
                .to_string(),
            )),
            Err(source) => Err(StoreError::OutOfService(
                Problem::Gone {
                    path: self.path.clone(),
                    source,
                }
                .to_string(),
            )),
        }
    }

    /// The same folder, in service as this.
    pub(super) fn back(&self, kept: Kept) -> Self {
        self.with(Service::Open(kept))
    }

    /// The same folder, out of service. None: it is already.
    pub(super) fn lost(&self, problem: Arc<Problem>) -> Option<Self> {
        match &self.service {
            Service::Open(kept) => Some(self.with(Service::Lost(kept.identity, problem))),
            Service::Lost(..) => None,
        }
    }

    fn with(&self, service: Service) -> Self {
        Self {
            path: self.path.clone(),
            gate: self.gate.clone(),
            made: self.made.clone(),
            service,
        }
    }

    /// Looks how it is. It may hang as long as the disk does. `held` are the locks that this process still has.
    pub(super) fn probe(&self, held: &[Arc<Lock>]) -> Found {
        let mut found = match Kept::open(&self.path) {
            Ok(found) => found,
            Err(source) if StoreError::is_want_of_descriptors(&source) => return Found::Unknown,
            Err(source) => {
                let path = self.path.clone();
                return Found::Lost(Problem::Gone { path, source });
            }
        };
        match &self.service {
            Service::Open(kept) if kept.identity == found.identity => match self.ails(&found) {
                Ok(None) => Found::Well,
                Ok(Some(problem)) => Found::Ailing(problem),
                Err(_) => Found::Unknown,
            },
            Service::Open(_) => Found::Lost(Problem::Elsewhere {
                path: self.path.clone(),
            }),
            Service::Lost(identity, _) => match &self.made {
                Some(made) => match lock::retake(found.opened.as_fd(), made, held) {
                    Ok(lock) => {
                        found.lock = Some(lock);
                        found.folds(&self.path);
                        Found::Back(found)
                    }
                    Err(why) => Found::Lost(self.not_ours(why)),
                },
                // Without a mark it is only known by what it was.
                None if *identity == found.identity => {
                    found.folds(&self.path);
                    Found::Back(found)
                }
                None => Found::Lost(Problem::Unmarked {
                    path: self.path.clone(),
                }),
            },
        }
    }

    /// What is wrong with a folder that is still the one that was opened. An error: this process has no descriptor left to look with.
    fn ails(&self, found: &Kept) -> io::Result<Option<Problem>> {
        if !self.was_writable() {
            return Ok(None);
        }
        let path = self.path.clone();
        match lock::read_mark(found.opened.as_fd()) {
            Err(NotOurs::Unmarked) => return Ok(Some(Problem::MarkGone { path })),
            Err(NotOurs::Unreadable(error)) if StoreError::is_want_of_descriptors(&error) => {
                return Err(error);
            }
            Err(why) => return Ok(Some(self.not_ours(why))),
            Ok(()) => {}
        }
        let is_read_only = rfs::fstatvfs(&found.opened)
            .is_ok_and(|system| system.f_flag.contains(rfs::StatVfsMountFlags::RDONLY));
        if is_read_only {
            return Ok(Some(Problem::ReadOnly { path }));
        }
        // Nothing is written while all is well: a disk that sleeps is left asleep. A file system that has stopped writing after an error does not always
        // say so (ext4 since Linux 6.12), so once a write has failed, writing is what tells.
        if !self.gate.is_in_doubt() {
            return Ok(None);
        }
        match write(found.opened.as_fd()) {
            Ok(()) => {
                self.gate.is_well();
                Ok(None)
            }
            Err(error) if StoreError::is_want_of_descriptors(&error) => Err(error),
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                Ok(Some(Problem::ReadOnly { path }))
            }
            Err(source) => Ok(Some(Problem::Unwritable { path, source })),
        }
    }

    fn not_ours(&self, why: NotOurs) -> Problem {
        let path = self.path.clone();
        match why {
            NotOurs::Unmarked => Problem::Elsewhere { path },
            NotOurs::Another => Problem::Another { path },
            NotOurs::Locked => Problem::Locked { path },
            NotOurs::Unreadable(source) => Problem::Unreadable { path, source },
        }
    }
}

/// Writes a file to stable storage, and removes it.
fn write(folder: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = File::from(rfs::openat(folder, WRITTEN, flags, Mode::from_raw_mode(0o600))?);
    let written = file
        .write_all(b"written to see whether it can be\n")
        .and_then(|()| file.sync_all());
    rfs::unlinkat(folder, WRITTEN, AtFlags::empty())?;
    written
}
