//! Walking a bucket's folder tree a few entries at a time, and removing folders that hold nothing. A
//! process that is killed between the removal of an object and that of its folder leaves such folders, and
//! so does one that is killed between making folders and putting an object there.

use std::{ffi::CStr, fs::File, io, os::fd::AsFd, time::Duration};

use rustix::{
    fs::{self as rfs, AtFlags, FileType},
    io::Errno,
};

use crate::{
    store::{
        StoreError,
        disk::{
            DiskStore, Folders, confine,
            mapping::OWN_PREFIX,
            structure::{self, open_folder},
        },
    },
    types::BucketName,
};

use super::{LOOKED_AT_ONCE, records::is_older};

/// How deep folders are followed: deeper than any key leads.
const MOST_DEPTH: usize = 1100;
/// Above this depth a folder stays open while those in it are walked; deeper ones are read at once, so
/// that a deep key does not take every descriptor.
const MOST_OPEN: usize = 32;

/// A walk through the folders of a bucket. The store's own folders are left out.
pub(super) struct Walk {
    bucket: File,
    leftover_for: Duration,
    levels: Vec<Level>,
}

/// A folder, as far as it has been read.
struct Level {
    /// Below the bucket; empty for the bucket itself.
    path: String,
    entries: Entries,
    /// Whether nothing is in it.
    is_empty: bool,
    /// Whether it had been left alone for long enough when the walk came to it.
    is_old: bool,
}

/// What is left to read of a folder.
enum Entries {
    Open(rfs::Dir),
    Read(Vec<(String, FileType)>),
}

/// What a walk comes to, by its path below the bucket.
enum Step {
    /// A regular file.
    File(String),
    /// A folder that the walk has left, and whether it may be removed.
    Left(String, bool),
    /// Something else.
    Other,
    /// Nothing any more.
    End,
}

impl Entries {
    fn next(&mut self) -> Result<Option<(String, FileType)>, Errno> {
        match self {
            Self::Open(entries) => match entries.next() {
                Some(entry) => named(entry?).map(Some),
                None => Ok(None),
            },
            Self::Read(entries) => Ok(entries.pop()),
        }
    }
}

fn named(entry: rfs::DirEntry) -> Result<(String, FileType), Errno> {
    Ok((
        entry.file_name().to_string_lossy().into_owned(),
        entry.file_type(),
    ))
}

impl Walk {
    pub(super) fn begin(folders: &Folders, bucket: &BucketName) -> io::Result<Self> {
        Self::of_old(folders, bucket, Duration::ZERO)
    }

    fn of_old(folders: &Folders, bucket: &BucketName, leftover_for: Duration) -> io::Result<Self> {
        let bucket = folders.open_bucket(bucket).map_err(io::Error::other)?;
        let mut walk = Self {
            bucket: bucket.try_clone()?,
            leftover_for,
            levels: Vec::new(),
        };
        walk.enter(&bucket, String::new())?;
        Ok(walk)
    }

    fn enter(&mut self, folder: &File, path: String) -> io::Result<()> {
        let entries = rfs::Dir::read_from(folder)?;
        let entries = match self.levels.len() < MOST_OPEN {
            true => Entries::Open(entries),
            false => Entries::Read(entries.map(|entry| named(entry?)).collect::<Result<_, _>>()?),
        };
        self.levels.push(Level {
            path,
            entries,
            is_empty: true,
            is_old: is_older(folder, self.leftover_for)?,
        });
        Ok(())
    }

    /// The next file. `Some(None)`: what came next was none, or is gone.
    pub(super) fn next_file(&mut self) -> io::Result<Option<Option<File>>> {
        match self.step()? {
            Step::End => Ok(None),
            Step::File(path) => match confine::open(self.bucket.as_fd(), &path, confine::Wait::Allowed) {
                Ok(file) => Ok(Some(Some(file))),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => Ok(Some(None)),
                Err(error) => Err(error.into()),
            },
            Step::Left(..) | Step::Other => Ok(Some(None)),
        }
    }

    fn step(&mut self) -> io::Result<Step> {
        let depth = self.levels.len();
        let Some(level) = self.levels.last_mut() else {
            return Ok(Step::End);
        };
        let Some((name, kind)) = level.entries.next()? else {
            return Ok(self.leave());
        };
        if name == "." || name == ".." || name.starts_with(OWN_PREFIX) {
            return Ok(Step::Other);
        }
        level.is_empty = false;
        let path = match level.path.as_str() {
            "" => name,
            above => format!("{above}/{name}"),
        };
        match kind {
            FileType::RegularFile => Ok(Step::File(path)),
            FileType::Directory | FileType::Unknown if depth < MOST_DEPTH => {
                let found = match confine::open(self.bucket.as_fd(), &path, confine::Wait::Allowed) {
                    Ok(found) => found,
                    // Gone, none of ours, or not for this user, like `lost+found`.
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::ACCESS) => {
                        return Ok(Step::Other);
                    }
                    Err(error) => return Err(error.into()),
                };
                match structure::is_folder(&found)? {
                    true => self.enter(&found, path)?,
                    false => return Ok(Step::File(path)),
                }
                Ok(Step::Other)
            }
            _ => Ok(Step::Other),
        }
    }

    fn leave(&mut self) -> Step {
        match self.levels.pop() {
            Some(left) if !self.levels.is_empty() => Step::Left(left.path, left.is_empty && left.is_old),
            // The bucket's own folder stays.
            Some(_) | None => Step::End,
        }
    }

    /// Removes a folder that holds nothing. Whether it is gone comes out: what is put there meanwhile
    /// keeps it, and what is about to be put there makes it again.
    fn remove(&mut self, path: &str) -> io::Result<bool> {
        let (front, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = match front {
            "" => self.bucket.try_clone()?,
            front => confine::open(self.bucket.as_fd(), front, confine::Wait::Allowed)?,
        };
        if structure::remove_empty_folder(parent.as_fd(), name).is_err() {
            return Ok(false);
        }
        if let Some(above) = self.levels.last_mut() {
            above.is_empty = is_empty(&parent)?;
        }
        Ok(true)
    }
}

/// Whether nothing is in a folder but the store's own.
fn is_empty(folder: &File) -> Result<bool, Errno> {
    let is_of_user = |name: &CStr| {
        let name = name.to_bytes();
        name != b"." && name != b".." && !name.starts_with(OWN_PREFIX.as_bytes())
    };
    let mut entries = rfs::Dir::read_from(folder)?;
    Ok(!entries.any(|entry| entry.map_or(true, |entry| is_of_user(entry.file_name()))))
}

impl DiskStore {
    /// Removes folders of a bucket that have held nothing for this long. How many comes out.
    pub(super) async fn remove_empty_folders(
        &self,
        bucket: &BucketName,
        leftover_for: Duration,
    ) -> Result<usize, StoreError> {
        let mut all = 0usize;
        let begin = move |folders: &Folders, bucket: &BucketName| Walk::of_old(folders, bucket, leftover_for);
        let mut walk = self.turn(bucket, begin).await?;
        loop {
            let work = move |_: &Folders, _: &BucketName| {
                let (removed, goes_on) = remove_some(&mut walk)?;
                Ok((removed, goes_on.then_some(walk)))
            };
            let (removed, goes_on) = self.turn(bucket, work).await?;
            all = all.saturating_add(removed);
            match goes_on {
                Some(rest) => walk = rest,
                None => return Ok(all),
            }
        }
    }
}

fn remove_some(walk: &mut Walk) -> io::Result<(usize, bool)> {
    let mut removed = 0usize;
    for _ in 0..LOOKED_AT_ONCE {
        match walk.step()? {
            Step::End => return Ok((removed, false)),
            Step::Left(path, true) => {
                if walk.remove(&path)? {
                    removed = removed.saturating_add(1);
                }
            }
            Step::Left(_, false) | Step::File(_) | Step::Other => {}
        }
    }
    Ok((removed, true))
}

/// Opens a folder below the bucket, and makes what is missing of it.
pub(super) fn make_folders(bucket: &File, path: &str) -> io::Result<File> {
    let mut folder = bucket.try_clone()?;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        match rfs::mkdirat(&folder, name, rfs::Mode::from_raw_mode(0o777)) {
            Ok(()) => rfs::fsync(&folder)?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        folder = open_folder(folder.as_fd(), name)?;
    }
    Ok(folder)
}

/// Whether a name is in a folder.
pub(super) fn is_there(folder: &File, name: &str) -> Result<bool, Errno> {
    match rfs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error),
    }
}
