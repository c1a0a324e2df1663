//! What is left over in `~!tmp`: files and folders that are not in flight. Most are removed. A folder that
//! was to take the place of an object gets there, and an upload whose object did not appear is put back.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::AsFd,
    path::Path,
};

use rustix::{
    fs::{self as rfs, AtFlags, Mode, OFlags},
    io::Errno,
};

use crate::{
    store::{
        StoreError,
        disk::{
            DiskStore, Folders, confine,
            mapping::OBJECT_OF_FOLDER,
            multipart::COMPLETING,
            structure::{self, JOURNAL, JOURNAL_SUFFIX},
            temporary::FOLDER,
        },
    },
    types::{BucketName, UploadId},
};

use super::{
    LOOKED_AT_ONCE,
    records::sync_all,
    tree::{is_there, make_folders},
};

/// Where folders that hold objects may be looked for, for a journal of format 1.
const MOST_FOLDERS: usize = 100_000;
/// Longer than a path and a name of any object.
const MAX_JOURNAL_BYTES: u64 = 8 * 1024;

impl DiskStore {
    pub(super) async fn clear_temporary(&self, bucket: &BucketName) -> Result<usize, StoreError> {
        let mut all = 0usize;
        loop {
            let cleared = self
                .turn(bucket, |folders, bucket| {
                    folders.clear_temporary(bucket, LOOKED_AT_ONCE)
                })
                .await?;
            all = all.saturating_add(cleared);
            if cleared < LOOKED_AT_ONCE {
                return Ok(all);
            }
        }
    }
}

impl Folders {
    /// Removes, or puts right, what is in `~!tmp` and not in flight: at most `limit` of it. How many were
    /// removed comes out.
    pub(super) fn clear_temporary(&self, bucket: &BucketName, limit: usize) -> io::Result<usize> {
        let opened = self.open_bucket(bucket).map_err(io::Error::other)?;
        let folder = match confine::open(opened.as_fd(), FOLDER, confine::Wait::Allowed) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let mut names = Vec::new();
        for entry in rfs::Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." && !self.in_flight.holds(&name) {
                names.push(name);
            }
        }
        if !names.is_empty() {
            // Parts and folders may only go once what came of them is on stable storage.
            sync_all(&opened)?;
        }
        let mut cleared = 0usize;
        for name in names {
            if cleared >= limit {
                break;
            }
            let done = self.clear(bucket, (&opened, &folder), &name);
            match done {
                Ok(()) => cleared = cleared.saturating_add(1),
                Err(error) => {
                    tracing::warn!(%bucket, name, %error, "cannot remove what is left over in {FOLDER}")
                }
            }
        }
        Ok(cleared)
    }

    fn clear(&self, bucket: &BucketName, (opened, folder): (&File, &File), name: &str) -> io::Result<()> {
        if let Some(beside) = name.strip_suffix(JOURNAL_SUFFIX) {
            finish_folder(opened, folder, beside, name)?;
            remove_if_named(folder, beside)?;
        } else if is_there(folder, &format!("{name}{JOURNAL_SUFFIX}"))? {
            // It may hold the only name of an object: it goes with its journal.
            return Ok(());
        } else if let Some(id) = name.strip_prefix(COMPLETING).and_then(UploadId::parse) {
            return self.finish_completion(bucket, (opened, folder), name, id);
        } else if let Ok(inner) = structure::open_folder(folder.as_fd(), name)
            && let Some(place) = read(&inner, JOURNAL)?
        {
            self.finish_folder_of_format_1(bucket, (folder, name), &place)?;
        }
        remove_if_named(folder, name)
    }

    /// The same for a journal of format 1, which names the parent folder by its inode.
    fn finish_folder_of_format_1(
        &self,
        bucket: &BucketName,
        (folder, beside): (&File, &str),
        place: &str,
    ) -> io::Result<()> {
        let Some((parent, name)) = place.split_once('\n') else {
            return Ok(());
        };
        let path = self.path_of(bucket, "");
        let parent = parent.parse().ok().and_then(|inode| find_folder(&path, inode));
        // What is beside may be the only name of the object.
        let parent = parent.ok_or(io::ErrorKind::NotFound)?;
        let parent = File::open(parent)?;
        take_place(folder, beside, &parent, name)?;
        // Where it took its place, the journal went with it.
        if let Ok(placed) = structure::open_folder(parent.as_fd(), name) {
            _ = rfs::unlinkat(&placed, JOURNAL, AtFlags::empty());
        }
        Ok(())
    }
}

/// Removes what is left over, unless it is a folder that holds the only name of an object.
fn remove_if_named(folder: &File, name: &str) -> io::Result<()> {
    if let Ok(inner) = structure::open_folder(folder.as_fd(), name)
        && let Ok(object) = rfs::statat(&inner, OBJECT_OF_FOLDER, AtFlags::SYMLINK_NOFOLLOW)
        && object.st_nlink < 2
    {
        return Err(io::Error::other("it holds an object that has no other name"));
    }
    Ok(structure::remove_tree(folder.as_fd(), name)?)
}

/// Puts a folder that holds an object into the place of that object's file, if that is gone.
fn finish_folder(bucket: &File, folder: &File, beside: &str, journal: &str) -> io::Result<()> {
    let Some(place) = read(folder, journal)? else {
        return Ok(());
    };
    let Some((front, name)) = place.split_once('\n') else {
        return Ok(());
    };
    take_place(folder, beside, &make_folders(bucket, front)?, name)
}

/// Without a file in its place, what is beside is the only name of the object.
fn take_place(folder: &File, beside: &str, parent: &File, name: &str) -> io::Result<()> {
    if is_there(folder, beside)? && !is_there(parent, name)? {
        rfs::renameat(folder, beside, parent, name)?;
        rfs::fsync(parent)?;
    }
    Ok(())
}

/// Reads a small file. None: it is not there.
fn read(folder: &File, name: &str) -> io::Result<Option<String>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rfs::openat(folder, name, flags, Mode::empty()) {
        Ok(file) => {
            let mut text = String::new();
            let mut file = File::from(file).take(MAX_JOURNAL_BYTES);
            // One that is cut was never acted upon.
            Ok(file.read_to_string(&mut text).ok().map(|_| text))
        }
        Err(Errno::NOENT | Errno::LOOP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The folder of this inode, below the bucket.
fn find_folder(bucket: &Path, inode: u64) -> Option<std::path::PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let mut folders = vec![bucket.to_owned()];
    let mut seen = 0usize;
    while let Some(folder) = folders.pop() {
        if folder.symlink_metadata().ok()?.ino() == inode {
            return Some(folder);
        }
        seen = seen.saturating_add(1);
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let room = MOST_FOLDERS.saturating_sub(seen);
        folders.extend(inner.map(|entry| entry.path()).take(room));
    }
    None
}
