//! What a killed process left behind: at the start, when nothing of this store can be on its way, its temporary files go, a folder that was
//! being put in the place of an object gets there or goes, and spilled records without their file go. Only the buckets' own folders are
//! looked through, never the objects, and only in folders that this process has locked.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::Path,
};

use rustix::fs::{self as rfs, AtFlags};

use crate::{
    store::StoreError,
    types::{BucketName, ObjectKey},
};

use super::{
    Folders,
    metadata::{self, SPILLED},
    structure::JOURNAL,
    temporary,
};

/// The most spilled records that one start looks at: a start must be quick.
const MOST_SPILLED: usize = 1000;
/// Where folders that hold objects may be looked for, for a journal.
const MOST_FOLDERS: usize = 100_000;

impl Folders {
    /// Sweeps every bucket that can be written to.
    pub(super) fn sweep(&self) {
        for bucket in self.buckets().unwrap_or_default() {
            if self.bucket(&bucket.name).0.lock().is_none() {
                continue;
            }
            if let Err(error) = self.sweep_bucket(&bucket.name)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(bucket = %bucket.name, %error, "cannot sweep what an earlier run left behind");
            }
        }
    }

    fn sweep_bucket(&self, bucket: &BucketName) -> io::Result<()> {
        let path = self.path_of(bucket, "");
        let temporary = path.join(temporary::FOLDER);
        if temporary.symlink_metadata()?.is_dir() {
            for entry in fs::read_dir(&temporary)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    finish_or_remove(&path, &entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        let spilled = path.join(SPILLED);
        if spilled.symlink_metadata()?.is_dir() {
            for entry in fs::read_dir(&spilled)?.take(MOST_SPILLED) {
                let entry = entry?;
                if !self.is_described(bucket, &entry) {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// Is the file that the record describes still there? A record that cannot be looked into is kept: a disk that fails must not make objects lose what
    /// is said of them.
    fn is_described(&self, bucket: &BucketName, entry: &fs::DirEntry) -> bool {
        let mut text = Vec::new();
        let read = File::open(entry.path()).and_then(|file| file.take(1 << 21).read_to_end(&mut text));
        if read.is_err() {
            return true;
        }
        let key: Option<ObjectKey> = metadata::key_of_spilled(&text);
        match key.map(|key| self.find_now(bucket, &key)) {
            None | Some(Err(StoreError::NoSuchKey)) => false,
            Some(Err(_)) => true,
            Some(Ok(found)) => {
                let name = metadata::spill_name(&found.metadata);
                entry.file_name().to_str() == Some(name.as_str())
            }
        }
    }
}

/// A folder with an object in it that was to take the place of that object's file. Without a journal the file is still in its place, or
/// the folder was exchanged for it: either way what is here is a second name of it.
fn finish_or_remove(bucket: &Path, folder: &Path) -> io::Result<()> {
    if let Ok(place) = fs::read_to_string(folder.join(JOURNAL))
        && let Some((parent, name)) = place.split_once('\n')
        && let Some(parent) = parent.parse().ok().and_then(|inode| find_folder(bucket, inode))
    {
        let opened = File::open(&parent)?;
        let taken = rfs::statat(opened.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        if !taken {
            fs::rename(folder, parent.join(name))?;
            return fs::remove_file(parent.join(name).join(JOURNAL));
        }
    }
    fs::remove_dir_all(folder)
}

/// The folder of this inode, below the bucket. It runs only after a crash in the midst of two renames.
fn find_folder(bucket: &Path, inode: u64) -> Option<std::path::PathBuf> {
    let mut folders = vec![bucket.to_owned()];
    let mut seen = 0usize;
    while let Some(folder) = folders.pop() {
        if folder.symlink_metadata().ok()?.ino() == inode {
            return Some(folder);
        }
        seen = seen.saturating_add(1);
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.extend(
            inner
                .map(|entry| entry.path())
                .take(MOST_FOLDERS.saturating_sub(seen)),
        );
    }
    None
}

/// A folder can be opened below the bucket: used by tests to look inside.
#[cfg(test)]
pub(super) fn own_names(bucket: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for own in [temporary::FOLDER, SPILLED] {
        let entries = fs::read_dir(bucket.join(own)).into_iter().flatten().flatten();
        names.extend(entries.map(|entry| format!("{own}/{}", entry.file_name().to_string_lossy())));
    }
    names.sort();
    names
}
