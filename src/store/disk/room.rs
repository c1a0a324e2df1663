//! How much room there is where objects are kept. The file system is asked, which may never answer: a mount whose server is gone holds whoever asks.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use crate::types::{CacheCounts, Room};

use super::{
    DiskStore, Folders, Parts,
    folder::{Folder, Kept},
};

/// The room of the file system that a folder is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRoom {
    /// The folder, as configured.
    pub path: PathBuf,
    /// Its file system's room; none where the system cannot say.
    pub room: Option<Room>,
}

impl DiskStore {
    /// The room below the root, then that of each bucket's own folder, on the blocking pool. None while an earlier question is still unanswered:
    /// a file system that does not answer holds one thread, and not one more for each time it is asked.
    pub async fn rooms(&self) -> Option<Vec<FolderRoom>> {
        let parts = self.0.clone();
        if parts.asking_for_room.swap(true, Ordering::Acquire) {
            return None;
        }
        let asked = tokio::task::spawn_blocking(move || {
            let asking = Asking(parts);
            asking.0.now().rooms()
        });
        asked.await.ok()
    }

    /// How often the attributes of an object were at hand, and how often they were read, since the start.
    pub fn attributes(&self) -> CacheCounts {
        self.now().known.counts()
    }

    /// How often listings found a sorted folder at hand, and how often they read it, since the start.
    pub fn listings(&self) -> CacheCounts {
        self.now().listings.counts()
    }
}

/// A question under way.
struct Asking(Arc<Parts>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking_for_room.store(false, Ordering::Release);
    }
}

impl Folders {
    fn rooms(&self) -> Vec<FolderRoom> {
        let room = |path: &Path, folder: &Folder| FolderRoom {
            path: path.to_owned(),
            room: folder.kept().ok().and_then(|kept| room(kept).ok()),
        };
        let mut rooms: Vec<_> = self
            .mounted
            .values()
            .map(|folder| room(&folder.path, folder))
            .collect();
        rooms.sort_by(|a, b| a.path.cmp(&b.path));
        rooms.dedup_by(|a, b| a.path == b.path);
        rooms.insert(0, room(&self.root.path, &self.root));
        rooms
    }
}

/// `statvfs(3)`: blocks are counted in the size of a fragment, and root's reserve is not free to others.
fn room(folder: &Kept) -> io::Result<Room> {
    let told = rustix::fs::fstatvfs(&folder.opened)?;
    Ok(Room {
        free_bytes: told.f_bavail.saturating_mul(told.f_frsize),
        total_bytes: told.f_blocks.saturating_mul(told.f_frsize),
        free_inodes: told.f_favail,
        total_inodes: told.f_files,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{BucketFolder, Settings};
    use crate::types::BucketName;

    #[tokio::test]
    async fn the_root_comes_first_and_one_question_is_asked_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (root, films) = (folder.path().join("data"), folder.path().join("films"));
        std::fs::create_dir(&films).unwrap();
        let settings = Settings {
            root: root.clone(),
            ..Settings::default()
        };
        let bucket = |name: &str| BucketFolder {
            name: BucketName::parse(name).unwrap(),
            path: films.clone(),
        };
        let store = DiskStore::open(&settings, &[bucket("films"), bucket("movies")]).unwrap();
        let rooms = store.rooms().await.unwrap();
        let paths: Vec<_> = rooms.iter().map(|room| &room.path).collect();
        assert_eq!(paths, [&root, &films], "a folder of two names is told once");
        let room = rooms[0].room.unwrap();
        assert!(
            // A file system without a size tells of none.
            (room.free_bytes > 0 || room.total_bytes == 0) && room.total_bytes >= room.free_bytes,
            "{room:?}"
        );

        store.0.asking_for_room.store(true, Ordering::Release);
        assert_eq!(store.rooms().await, None);
        store.0.asking_for_room.store(false, Ordering::Release);
        assert!(store.rooms().await.is_some());
    }
}
