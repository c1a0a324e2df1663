//! The file system's notices of changes, in this module's own words. In go the folders to watch; out come [`Notice`]s. Only
//! Linux tells when a writer closes a file, so only there notices are used; everywhere the watcher looks for itself too.

use std::path::PathBuf;

/// Something the watcher should know of.
#[derive(Debug)]
pub(super) enum Notice {
    /// A writer has changed this file and has it open still.
    Written(PathBuf),
    /// A writer has closed this file, or this name was given to another file or symlink in one step.
    Whole(PathBuf),
    /// This name is gone.
    Gone(PathBuf),
    /// Notices were lost.
    Lost,
    /// Someone asks for the policy to be taken as it stands.
    ReloadNow,
    /// The end.
    Stop,
}

#[cfg(target_os = "linux")]
pub(super) use linux::Folders;
#[cfg(not(target_os = "linux"))]
pub(super) use polled::Folders;

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        collections::BTreeMap,
        path::{Path, PathBuf},
        sync::mpsc::Sender,
    };

    use notify::{
        Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
        event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode},
    };

    use super::{super::trail::Identity, Notice};

    /// The folders being watched, by inotify.
    pub(in super::super) struct Folders {
        watcher: Option<RecommendedWatcher>,
        watched: BTreeMap<PathBuf, Option<Identity>>,
    }

    impl Folders {
        /// Begins without any folder. Notices go to `to`.
        pub(in super::super) fn new(to: Sender<Notice>) -> Self {
            let handler = move |event: notify::Result<Event>| {
                for notice in event.map_or_else(|_| vec![Notice::Lost], notices) {
                    // Nobody listens any more: the watcher has ended, and this goes with it.
                    _ = to.send(notice);
                }
            };
            let watcher = notify::recommended_watcher(handler).inspect_err(unwatched).ok();
            Self {
                watcher,
                watched: BTreeMap::new(),
            }
        }

        /// Watches these folders and no others. Costs nothing while they stay the same.
        pub(in super::super) fn watch(&mut self, folders: &BTreeMap<PathBuf, Option<Identity>>) {
            let Some(watcher) = &mut self.watcher else { return };
            if self.watched == *folders {
                return;
            }
            let same = |folder: &Path, identity| folders.get(folder) == Some(identity);
            for (folder, _) in self
                .watched
                .iter()
                .filter(|(folder, identity)| !same(folder, identity))
            {
                // A folder that is gone has lost its watch already.
                _ = watcher.unwatch(folder);
            }
            for (folder, identity) in folders {
                if identity.is_some() && self.watched.get(folder) != Some(identity) {
                    _ = watcher
                        .watch(folder, RecursiveMode::NonRecursive)
                        .inspect_err(unwatched);
                }
            }
            self.watched.clone_from(folders);
        }
    }

    fn unwatched(error: &notify::Error) {
        tracing::warn!(%error, "no change notices for the policy: a change takes up to a second to be seen");
    }

    /// What an event means. Reading is no event here, or every look would cause the next.
    fn notices(event: Event) -> Vec<Notice> {
        if event.need_rescan() {
            return vec![Notice::Lost];
        }
        let to: fn(PathBuf) -> Notice = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Notice::Whole,
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Notice::Whole,
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => Notice::Gone,
            EventKind::Modify(ModifyKind::Data(_)) => Notice::Written,
            // A symlink is made whole; a file is made empty, and its writer will close it.
            EventKind::Create(CreateKind::File) if event.paths.iter().all(|path| path.is_symlink()) => {
                Notice::Whole
            }
            EventKind::Create(_)
            | EventKind::Access(_)
            | EventKind::Modify(_)
            | EventKind::Any
            | EventKind::Other => return Vec::new(),
        };
        event.paths.into_iter().map(to).collect()
    }
}

#[cfg(not(target_os = "linux"))]
mod polled {
    use std::{collections::BTreeMap, path::PathBuf, sync::mpsc::Sender};

    use super::{super::trail::Identity, Notice};

    /// No folder is watched here.
    pub(in super::super) struct Folders;

    impl Folders {
        pub(in super::super) fn new(_: Sender<Notice>) -> Self {
            Self
        }

        pub(in super::super) fn watch(&mut self, _: &BTreeMap<PathBuf, Option<Identity>>) {}
    }
}
