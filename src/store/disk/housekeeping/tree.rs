//! Walking a bucket's folder tree a few entries at a time, and removing folders that hold nothing. A
//! process that is killed between the removal of an object and that of its folder leaves such folders, and
//! so does one that is killed between making folders and putting an object there.

use std::{fs::File, io, os::fd::AsFd, time::Duration};

use rustix::{
    fs::{self as rfs, FileType, Mode, OFlags},
    io::Errno,
};

use crate::{
    store::{
        StoreError,
        disk::{
            DiskStore, Folders,
            mapping::OWN_PREFIX,
            structure::{self, open_folder},
        },
    },
    types::BucketName,
};

use super::{LOOKED_AT_ONCE, records::is_older};

/// How deep folders are followed: deeper than any key leads.
const MOST_DEPTH: usize = 1100;

/// A walk through the folders of a bucket. The store's own folders are left out.
pub(super) struct Walk(Vec<Level>);

/// A folder, as far as it has been read.
struct Level {
    folder: File,
    name: String,
    entries: rfs::Dir,
    /// Whether nothing is in it.
    is_empty: bool,
    /// Whether it had been left alone for long enough when the walk came to it.
    is_old: bool,
}

/// What a walk comes to.
enum Step {
    /// A regular file, by its name in the folder.
    File(File, String),
    /// A folder that the walk has left: its parent, its name, and whether it may be removed.
    Left(File, String, bool),
    /// Something else.
    Other,
    /// Nothing any more.
    End,
}

impl Level {
    fn open(folder: File, name: String, leftover_for: Duration) -> io::Result<Self> {
        Ok(Self {
            is_old: is_older(&folder, leftover_for)?,
            entries: rfs::Dir::read_from(&folder)?,
            folder,
            name,
            is_empty: true,
        })
    }
}

impl Walk {
    pub(super) fn begin(folders: &Folders, bucket: &BucketName) -> io::Result<Self> {
        Self::of_old(folders, bucket, Duration::ZERO)
    }

    fn of_old(folders: &Folders, bucket: &BucketName, leftover_for: Duration) -> io::Result<Self> {
        let opened = folders.open_bucket(bucket).map_err(io::Error::other)?;
        Level::open(opened, String::new(), leftover_for).map(|level| Self(vec![level]))
    }

    /// The next file. `Some(None)`: what came next was none, or is gone.
    pub(super) fn next_file(&mut self) -> io::Result<Option<Option<File>>> {
        match self.step(Duration::ZERO)? {
            Step::End => Ok(None),
            Step::File(folder, name) => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                match rfs::openat(&folder, &name, flags, Mode::empty()) {
                    Ok(file) => Ok(Some(Some(file.into()))),
                    Err(Errno::NOENT | Errno::LOOP) => Ok(Some(None)),
                    Err(error) => Err(error.into()),
                }
            }
            Step::Left(..) | Step::Other => Ok(Some(None)),
        }
    }

    fn step(&mut self, leftover_for: Duration) -> io::Result<Step> {
        let depth = self.0.len();
        let Some(level) = self.0.last_mut() else {
            return Ok(Step::End);
        };
        let Some(entry) = level.entries.next() else {
            return Ok(self.leave());
        };
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "." || name == ".." || name.starts_with(OWN_PREFIX) {
            return Ok(Step::Other);
        }
        level.is_empty = false;
        let kind = match entry.file_type() {
            FileType::Unknown => match rfs::statat(&level.folder, &name, rfs::AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => FileType::from_raw_mode(found.st_mode),
                Err(Errno::NOENT) => return Ok(Step::Other),
                Err(error) => return Err(error.into()),
            },
            known => known,
        };
        match kind {
            FileType::RegularFile => Ok(Step::File(level.folder.try_clone()?, name)),
            FileType::Directory if depth < MOST_DEPTH => {
                match open_folder(level.folder.as_fd(), &name) {
                    Ok(inner) => self.0.push(Level::open(inner, name, leftover_for)?),
                    Err(Errno::NOENT | Errno::NOTDIR) => {}
                    Err(error) => return Err(error.into()),
                }
                Ok(Step::Other)
            }
            _ => Ok(Step::Other),
        }
    }

    fn leave(&mut self) -> Step {
        let left = self.0.pop();
        match (left, self.0.last()) {
            (Some(left), Some(parent)) => match parent.folder.try_clone() {
                Ok(folder) => Step::Left(folder, left.name, left.is_empty && left.is_old),
                Err(_) => Step::Other,
            },
            // The bucket's own folder stays.
            (_, _) => Step::End,
        }
    }
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
                let (removed, goes_on) = remove_some(&mut walk, leftover_for)?;
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

fn remove_some(walk: &mut Walk, leftover_for: Duration) -> io::Result<(usize, bool)> {
    let mut removed = 0usize;
    for _ in 0..LOOKED_AT_ONCE {
        match walk.step(leftover_for)? {
            Step::End => return Ok((removed, false)),
            Step::Left(parent, name, true) => {
                // What is put there meanwhile keeps it, and what is about to be put there makes it again.
                if structure::remove_empty_folder(parent.as_fd(), &name).is_ok() {
                    removed = removed.saturating_add(1);
                    if let Some(above) = walk.0.last_mut() {
                        above.lost_an_entry()?;
                    }
                }
            }
            Step::Left(_, _, false) | Step::File(..) | Step::Other => {}
        }
    }
    Ok((removed, true))
}

impl Level {
    /// A folder in it is gone: it may hold nothing now.
    fn lost_an_entry(&mut self) -> io::Result<()> {
        let mut entries = rfs::Dir::read_from(&self.folder)?;
        let is_of_folder = |name: &std::ffi::CStr| {
            let name = name.to_bytes();
            name != b"." && name != b".." && !name.starts_with(OWN_PREFIX.as_bytes())
        };
        self.is_empty = !entries.any(|entry| entry.map_or(true, |entry| is_of_folder(entry.file_name())));
        Ok(())
    }
}
