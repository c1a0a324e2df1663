//! A look at every folder of the store, every few seconds: is it still the one that was opened, marked, writable, and does its disk answer? What is found
//! turns readiness, and a folder that was gone and is the store again is opened anew.
//!
//! Looking may hang as long as the disk does, so a thread is made for each look, and no second one for a folder that has not answered. The thread
//! that waits for them never touches a disk itself.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::{clock::Clock, types::Span};

use super::{
    DiskStore, Folders, Parts,
    folder::{Found, WRITTEN},
    lock::Lock,
    problem::Problem,
};

/// For how long a disk may not answer before it counts as stalled: longer than a disk takes to spin up under load, shorter than a client's patience.
const STALLED_AFTER: Duration = Duration::from_secs(5);
/// How often the thread that waits looks at what has not come back.
const TICK: Duration = Duration::from_secs(1);
/// What a look needs of a stack.
const STACK: usize = 256 * 1024;

/// What was found, by folder.
#[derive(Default)]
pub(super) struct Health {
    problems: Mutex<BTreeMap<PathBuf, Arc<Problem>>>,
    /// Locks that were ever taken: one that is still held by what has not ended is shared with the folder that comes back.
    locks: Mutex<Vec<Weak<Lock>>>,
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Health {
    /// Keeps these in mind.
    pub(super) fn remember<'l>(&self, taken: impl Iterator<Item = &'l Arc<Lock>>) {
        let mut locks = locked(&self.locks);
        locks.retain(|lock| lock.strong_count() > 0);
        locks.extend(taken.map(Arc::downgrade));
    }

    fn held(&self) -> Vec<Arc<Lock>> {
        locked(&self.locks).iter().filter_map(Weak::upgrade).collect()
    }
}

impl DiskStore {
    /// What is wrong with the folders of the store, each with its path and the remedy, if anything is.
    pub fn problem(&self) -> Option<String> {
        let problems = locked(&self.0.health.problems);
        let texts: Vec<_> = problems.values().map(|problem| problem.to_string()).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    /// Looks at every folder now and every so often, until the store is dropped.
    pub fn watch(&self, every: Span, clock: Clock) -> io::Result<()> {
        let parts = Arc::downgrade(&self.0);
        let thread = thread::Builder::new()
            .name("storage".to_owned())
            .stack_size(STACK);
        thread.spawn(move || watch(&parts, every.duration(), &clock))?;
        Ok(())
    }

    /// Looks once, and waits for it.
    #[cfg(test)]
    pub(super) fn look_around(&self) {
        let folders = self.0.now();
        for folder in folders.every() {
            let found = folder.probe(&self.0.health.held());
            self.0.found(&folder.path, found);
        }
    }
}

fn watch(parts: &Weak<Parts>, every: Duration, clock: &Clock) {
    let (tell, told) = mpsc::channel::<(PathBuf, Found)>();
    let mut under_way: HashMap<PathBuf, Instant> = HashMap::new();
    while let Some(store) = parts.upgrade() {
        for folder in store.now().every() {
            let path = folder.path.clone();
            if under_way.contains_key(&path) {
                continue;
            }
            let (tell, held, folder) = (tell.clone(), store.health.held(), folder.clone());
            let grains = store.now().grains.clone();
            let look = thread::Builder::new()
                .name("storage look".to_owned())
                .stack_size(STACK)
                .spawn(move || {
                    let found = folder.probe(&held);
                    // It may be on another file system now.
                    if let Found::Back(kept) = &found {
                        grains.find(kept.opened.as_fd(), WRITTEN, &Clock::system());
                    }
                    drop(held);
                    _ = tell.send((folder.path.clone(), found));
                });
            // Without a thread nothing is learned in this round.
            if look.is_ok() {
                under_way.insert(path, clock.moment());
            }
        }
        drop(store);
        let round = clock.moment();
        loop {
            let left = every.saturating_sub(clock.moment().duration_since(round));
            if left.is_zero() {
                break;
            }
            let answer = told.recv_timeout(left.min(TICK));
            let Some(store) = parts.upgrade() else { return };
            if let Ok((path, found)) = answer {
                under_way.remove(&path);
                store.found(&path, found);
            }
            for (path, since) in &under_way {
                if clock.moment().duration_since(*since) > STALLED_AFTER {
                    store.stalls(path);
                }
            }
        }
    }
}

impl Parts {
    fn stalls(&self, path: &Path) {
        let problem = Problem::Stalls {
            path: path.to_owned(),
            seconds: STALLED_AFTER.as_secs(),
        };
        self.turn(path, Some(Arc::new(problem)));
        self.gates(path, true);
    }

    fn gates(&self, path: &Path, stalls: bool) {
        let folders = self.now();
        for folder in folders.every().filter(|folder| folder.path == path) {
            folder.gate.set_stalls(stalls);
        }
    }

    /// Takes what a look has found: whatever it is, the disk has answered.
    fn found(&self, path: &Path, found: Found) {
        self.gates(path, false);
        match found {
            Found::Well => self.turn(path, None),
            Found::Unknown => {}
            Found::Ailing(problem) => self.turn(path, Some(Arc::new(problem))),
            Found::Lost(problem) => {
                let problem = Arc::new(problem);
                self.turn(path, Some(problem.clone()));
                let folders = self.now();
                let lost = folders.every().find(|folder| folder.path == path);
                if let Some(lost) = lost.and_then(|folder| folder.lost(problem)) {
                    self.swap(&folders, lost);
                }
            }
            Found::Back(kept) => {
                self.health.remember(kept.lock.iter());
                let folders = self.now();
                if let Some(folder) = folders.every().find(|folder| folder.path == path) {
                    self.swap(&folders, folder.back(kept));
                }
                self.turn(path, None);
            }
        }
    }

    /// One folder in the place of that of its path. What has begun with the one before ends with that one: it may read to its end, and every change
    /// asks whether it is still in place.
    fn swap(&self, folders: &Folders, folder: super::Folder) {
        self.folders.store(Arc::new(folders.with(folder)));
    }

    /// One line of the log when something goes wrong, or wrong in another way, and one when it is well again.
    fn turn(&self, path: &Path, problem: Option<Arc<Problem>>) {
        let before = {
            let mut problems = locked(&self.health.problems);
            match &problem {
                Some(problem) => problems.insert(path.to_owned(), problem.clone()),
                None => problems.remove(path),
            }
        };
        match (before, problem) {
            (None, Some(problem)) => tracing::error!("{problem}"),
            (Some(before), Some(problem)) if before.to_string() != problem.to_string() => {
                tracing::error!("{problem}")
            }
            (Some(_), None) => tracing::warn!("{} is well again", path.display()),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
}
