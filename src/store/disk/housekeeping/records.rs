//! Spilled records that no object names: left by a process that was killed between an object's
//! replacement and the removal of the record before, or by a user who removed files by hand.
//!
//! A record is removed only if its object is certainly gone. The object under its key does not name it,
//! and no other file of any bucket does: a file that was moved by hand takes its attribute along. That
//! is found by reading the attribute of every file, twice, and only where there are such records at all.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Read},
    os::fd::AsFd,
    os::unix::fs::MetadataExt,
    time::Duration,
};

use rustix::{
    fs::{self as rfs, AtFlags, Mode, OFlags},
    io::Errno,
};

use crate::{
    store::{
        StoreError,
        disk::{
            DiskStore, Failure, Folders, confine,
            record::{
                Attribute, MAX_SPILLED_BYTES, NameKind, RecordName, SPILLED, SpilledKey, read_attribute,
            },
        },
    },
    types::BucketName,
};

use super::{
    LOOKED_AT_ONCE,
    tree::{Walk, is_there},
};

/// The folder of records, as far as it has been read.
struct Unread {
    folder: File,
    entries: rfs::Dir,
}

/// What becomes of a record.
enum Fate {
    /// Its object names it, or it cannot be known.
    Kept,
    /// The object under its key does not name it.
    Unnamed,
    /// Its object is gone for certain.
    Gone,
}

impl DiskStore {
    /// The records that the object under their key does not name, and has not for this long.
    pub(super) async fn unnamed_records(
        &self,
        bucket: &BucketName,
        leftover_for: Duration,
    ) -> Result<HashSet<RecordName>, StoreError> {
        let mut unnamed = HashSet::new();
        let mut unread = self
            .turn(bucket, |folders, bucket| folders.open_records(bucket))
            .await?;
        while let Some(mut rest) = unread {
            let look = move |folders: &Folders, bucket: &BucketName| {
                let (found, goes_on) = folders.look_at_records(bucket, &mut rest, leftover_for)?;
                Ok((found, goes_on.then_some(rest)))
            };
            let (found, goes_on) = self.turn(bucket, look).await?;
            unnamed.extend(found);
            unread = goes_on;
        }
        Ok(unnamed)
    }

    /// Removes those of these records that no file of any bucket names: one may have been moved there by
    /// hand. How many comes out.
    pub(super) async fn remove_records(
        &self,
        buckets: &[BucketName],
        mut unnamed: HashMap<BucketName, HashSet<RecordName>>,
    ) -> usize {
        let mut removed = 0usize;
        // A file that is moved from what is not looked at yet to what has been is found by the second.
        for _ in 0..2 {
            if unnamed.values().all(HashSet::is_empty) {
                return 0;
            }
            for bucket in buckets {
                match self.keep_named(bucket, &mut unnamed).await {
                    Ok(()) | Err(StoreError::NoSuchBucket(_)) => {}
                    // What cannot be read may name any record. `check` says what it is.
                    Err(error) => {
                        tracing::debug!(%bucket, %error, "no record is removed");
                        return 0;
                    }
                }
            }
        }
        for (bucket, records) in unnamed {
            let remove = move |folders: &Folders, bucket: &BucketName| {
                let opened = folders.open_bucket(bucket).map_err(io::Error::other)?;
                // What the files name now must be what they name after a power cut.
                sync_all(&opened)?;
                let mut removed = 0usize;
                let Some(found) = folders.open_records(bucket)? else {
                    return Ok(0);
                };
                for record in &records {
                    let named = (record, NameKind::Random);
                    if let Fate::Unnamed = folders.fate(bucket, &found.folder, named, Duration::ZERO)? {
                        folders.remove_record(&opened, record);
                        removed = removed.saturating_add(1);
                    }
                }
                Ok(removed)
            };
            let done = super::tell(&bucket, self.turn(&bucket, remove).await);
            removed = removed.saturating_add(done);
        }
        removed
    }

    /// Takes out the records that a file of this bucket names.
    async fn keep_named(
        &self,
        bucket: &BucketName,
        unnamed: &mut HashMap<BucketName, HashSet<RecordName>>,
    ) -> Result<(), StoreError> {
        let mut walk = self.turn(bucket, Walk::begin).await?;
        loop {
            let look = move |_: &Folders, _: &BucketName| {
                let (named, goes_on) = named_records(&mut walk)?;
                Ok((named, goes_on.then_some(walk)))
            };
            let (named, goes_on) = self.turn(bucket, look).await?;
            for records in unnamed.values_mut() {
                records.retain(|record| !named.contains(record));
            }
            match goes_on {
                Some(rest) => walk = rest,
                None => return Ok(()),
            }
        }
    }
}

impl Folders {
    fn open_records(&self, bucket: &BucketName) -> io::Result<Option<Unread>> {
        let opened = self.open_bucket(bucket).map_err(io::Error::other)?;
        match confine::open(opened.as_fd(), SPILLED, confine::Wait::Allowed) {
            Ok(folder) => Ok(Some(Unread {
                entries: rfs::Dir::read_from(&folder)?,
                folder,
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks at some more records. Those that no object under their key names come out, and whether
    /// there are more.
    fn look_at_records(
        &self,
        bucket: &BucketName,
        unread: &mut Unread,
        leftover_for: Duration,
    ) -> io::Result<(Vec<RecordName>, bool)> {
        let mut unnamed = Vec::new();
        for _ in 0..LOOKED_AT_ONCE {
            let Some(entry) = unread.entries.next() else {
                return Ok((unnamed, false));
            };
            let entry = entry?;
            let found = entry.file_name().to_str().ok().and_then(RecordName::found);
            let Some((name, kind)) = found else { continue };
            if self.in_flight.holds(name.as_str()) {
                continue;
            }
            match self.fate(bucket, &unread.folder, (&name, kind), leftover_for)? {
                Fate::Kept => {}
                Fate::Unnamed => unnamed.push(name),
                Fate::Gone => {
                    _ = rfs::unlinkat(&unread.folder, name.as_str(), AtFlags::empty());
                }
            }
        }
        Ok((unnamed, true))
    }

    fn fate(
        &self,
        bucket: &BucketName,
        folder: &File,
        (name, kind): (&RecordName, NameKind),
        leftover_for: Duration,
    ) -> io::Result<Fate> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rfs::openat(folder, name.as_str(), flags, Mode::empty()) {
            Ok(file) => File::from(file),
            // Removed meanwhile, or none of ours.
            Err(Errno::NOENT | Errno::LOOP) => return Ok(Fate::Kept),
            Err(error) => return Err(error.into()),
        };
        let mut text = Vec::new();
        (&file).take(MAX_SPILLED_BYTES).read_to_end(&mut text)?;
        let is_old = is_older(&file, leftover_for)?;
        let Some(record) = SpilledKey::parse(&text) else {
            return Ok(Fate::Kept);
        };
        let _lock = self.lock(bucket, &record.key);
        let object = match self.open_object(bucket, &record.key, confine::Wait::Allowed) {
            Ok((file, metadata, _)) => Some((file, metadata)),
            Err(Failure::Told(StoreError::NoSuchKey)) => None,
            Err(Failure::Told(error)) => return Err(io::Error::other(error)),
            Err(Failure::WouldWait) => return Ok(Fate::Kept),
        };
        let fate = match (kind, object) {
            (NameKind::Random, Some((object, _))) => match read_attribute(&object) {
                Ok(Attribute::Spilled(named)) if named == *name => Fate::Kept,
                Ok(_) => Fate::Unnamed,
                // It may be named there.
                Err(_) => Fate::Kept,
            },
            (NameKind::Random, None) => Fate::Unnamed,
            (NameKind::Key, Some((_, metadata))) => {
                let current = RecordName::of_key(&record.key, &metadata);
                if current == *name {
                    Fate::Kept
                } else if is_there(folder, current.as_str())? {
                    Fate::Gone
                } else if record.record.describes(&metadata) {
                    // The object was restored with a coarser time: so its record has another name now.
                    rfs::renameat(folder, name.as_str(), folder, current.as_str())?;
                    Fate::Kept
                } else {
                    // A copy may have lost the object's time.
                    Fate::Kept
                }
            }
            // Without attributes a file that was moved has no record anyway.
            (NameKind::Key, None) => Fate::Gone,
            // Start has converted what could be.
            (NameKind::Inode, _) => Fate::Kept,
        };
        Ok(if is_old { fate } else { Fate::Kept })
    }
}

/// Whether a file was last changed, in any way, longer ago than this. A copy from a backup is young.
pub(super) fn is_older(file: &File, than: Duration) -> io::Result<bool> {
    let metadata = file.metadata()?;
    let changed = Duration::new(
        metadata.ctime().try_into().unwrap_or(0),
        metadata.ctime_nsec().try_into().unwrap_or(0),
    );
    let now = crate::clock::Clock::system().now() - time::OffsetDateTime::UNIX_EPOCH;
    let now = Duration::try_from(now).unwrap_or_default();
    Ok(changed.saturating_add(than) <= now)
}

/// The records that the next files name, and whether there are more files.
fn named_records(walk: &mut Walk) -> io::Result<(HashSet<RecordName>, bool)> {
    let mut named = HashSet::new();
    for _ in 0..LOOKED_AT_ONCE {
        let Some(file) = walk.next_file()? else {
            return Ok((named, false));
        };
        let Some(file) = file else { continue };
        // An attribute that cannot be read may name any record.
        if let Attribute::Spilled(name) = read_attribute(&file)? {
            named.insert(name);
        }
    }
    Ok((named, true))
}

#[cfg(target_os = "linux")]
pub(super) fn sync_all(folder: &File) -> io::Result<()> {
    Ok(rfs::syncfs(folder)?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn sync_all(_: &File) -> io::Result<()> {
    rfs::sync();
    Ok(())
}
