//! Writing records: of files that are not visible yet, and of objects whose tags change.

use std::{
    fs::{File, Metadata},
    io,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    fs::{self as rfs, AtFlags, Mode, Timespec, Timestamps, UTIME_OMIT, XattrFlags},
    io::Errno,
};

use crate::{
    store::disk::temporary::{self, Temporary, UsedName, WritableBucket, write_synced},
    types::ObjectKey,
};

use super::{ATTRIBUTE, MAX_ATTRIBUTE_BYTES, Record, RecordName, SPILLED, content::modified};

/// How many names are tried for a record on a file system without attributes. Each one taken is that
/// of another upload of the same key in the same tick of the file system's clock.
const MOST_NAMES: usize = 100;
/// By how much a file's time moves for the next name: the coarsest grain.
const NEXT_TIME: i64 = 2;

/// A spilled record that was written. Dropped before it is kept, it is gone.
#[derive(Debug)]
pub(in crate::store::disk) struct SpilledRecord {
    folder: File,
    name: RecordName,
    kept: bool,
    /// No housekeeping takes it for left over meanwhile.
    _in_use: UsedName,
}

impl SpilledRecord {
    /// An object's file names it from here on. Its folder comes out.
    pub(in crate::store::disk) fn keep(mut self) -> io::Result<File> {
        self.kept = true;
        self.folder.try_clone()
    }

    fn sync(&self, durable: bool) -> io::Result<()> {
        sync_folder(&self.folder, durable)
    }
}

impl Drop for SpilledRecord {
    fn drop(&mut self) {
        if !self.kept {
            _ = rfs::unlinkat(&self.folder, self.name.as_str(), AtFlags::empty());
        }
    }
}

impl Record {
    /// Puts the record beside the data of a file that is not visible yet. A spilled record is on stable
    /// storage afterwards, the attribute is once the file is. The file's state afterwards comes out: its
    /// time may have moved.
    pub(in crate::store::disk) fn describe(
        self,
        bucket: WritableBucket<'_>,
        file: &File,
        key: &ObjectKey,
    ) -> io::Result<(Metadata, Option<SpilledRecord>)> {
        let spilled = match self.set_attribute(file)? {
            Set::Attribute => None,
            Set::TooLong => Some(self.spill(bucket, file, key)?),
            Set::Unsupported => Some(self.spill_by_key(bucket, file, key)?),
        };
        Ok((file.metadata()?, spilled))
    }

    /// Replaces the record of an object. `before` is its spilled record, if it has one. Whether that is
    /// of no use any more comes out.
    pub(in crate::store::disk) fn replace(
        self,
        bucket: WritableBucket<'_>,
        file: &File,
        key: &ObjectKey,
        before: Option<&RecordName>,
    ) -> io::Result<bool> {
        match self.set_attribute(file)? {
            Set::Attribute => {}
            Set::TooLong => {
                self.spill(bucket, file, key)?.keep()?;
            }
            Set::Unsupported => {
                let name = RecordName::of_key(key, &file.metadata()?);
                // It is the object's record from here on: a failed sync must not take it away.
                let folder = self.write_file(bucket, key, &name)?.keep()?;
                sync_folder(&folder, bucket.durable)?;
                return Ok(before.is_some_and(|before| *before != name));
            }
        }
        Ok(before.is_some())
    }

    fn set_attribute(&self, file: &File) -> io::Result<Set> {
        let text = serde_json::to_vec(self)?;
        if text.len() > MAX_ATTRIBUTE_BYTES {
            return match rfs::fgetxattr(file, ATTRIBUTE, &mut [0; 1]) {
                Err(Errno::OPNOTSUPP | Errno::PERM) => Ok(Set::Unsupported),
                _ => Ok(Set::TooLong),
            };
        }
        match rfs::fsetxattr(file, ATTRIBUTE, &text, XattrFlags::empty()) {
            Ok(()) => Ok(Set::Attribute),
            // Too many attributes of others on this file.
            Err(Errno::NOSPC | Errno::TOOBIG | Errno::RANGE) => Ok(Set::TooLong),
            Err(Errno::OPNOTSUPP | Errno::PERM) => Ok(Set::Unsupported),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the record under a fresh name, and then that name into the file's attribute.
    fn spill(self, bucket: WritableBucket<'_>, file: &File, key: &ObjectKey) -> io::Result<SpilledRecord> {
        let name = RecordName::random()?;
        let written = self.write_file(bucket, key, &name)?;
        written.sync(bucket.durable)?;
        mark_as_spilled(file, &name)?;
        Ok(written)
    }

    /// Writes the record under a name that the file's key, size and time make. That of another file must
    /// not be written over: it may be the visible one. So the time moves until the name is free.
    fn spill_by_key(
        self,
        bucket: WritableBucket<'_>,
        file: &File,
        key: &ObjectKey,
    ) -> io::Result<SpilledRecord> {
        let folder = temporary::own_folder(bucket.folder, SPILLED)?;
        for _ in 0..MOST_NAMES {
            let metadata = file.metadata()?;
            let name = RecordName::of_key(key, &metadata);
            // No other process writes here, so a name that no request uses and no file has is free.
            if let Some(in_use) = UsedName::unused(bucket.in_flight, name.as_str().to_owned()) {
                match rfs::statat(&folder, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
                    Err(Errno::NOENT) => {
                        let written = self.at(&metadata).write_as(bucket, key, &name, in_use)?;
                        written.sync(bucket.durable)?;
                        return Ok(written);
                    }
                    Ok(_) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            move_time(file.as_fd(), &metadata)?;
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Writes the record into a file of this name, which it replaces. Its name is yet to be synced.
    fn write_file(
        self,
        bucket: WritableBucket<'_>,
        key: &ObjectKey,
        name: &RecordName,
    ) -> io::Result<SpilledRecord> {
        let in_use = UsedName::new(bucket.in_flight, name.as_str().to_owned());
        self.write_as(bucket, key, name, in_use)
    }

    fn write_as(
        self,
        bucket: WritableBucket<'_>,
        key: &ObjectKey,
        name: &RecordName,
        in_use: UsedName,
    ) -> io::Result<SpilledRecord> {
        let folder = temporary::own_folder(bucket.folder, SPILLED)?;
        let beside = Temporary::create(bucket, Mode::from_raw_mode(0o600))?;
        let text = serde_json::to_vec(&self.of_key(key))?;
        write_synced(&beside.file, &text, bucket.durable)?;
        rfs::renameat(&beside.folder, beside.name(), &folder, name.as_str())?;
        beside.placed();
        Ok(SpilledRecord {
            folder,
            name: name.clone(),
            kept: false,
            _in_use: in_use,
        })
    }
}

/// What became of an attempt to keep a record in the attribute.
enum Set {
    /// It is there.
    Attribute,
    /// It does not fit.
    TooLong,
    /// The file system has no attributes.
    Unsupported,
}

/// Writes the name of a spilled record into a file's attribute.
pub(in crate::store::disk) fn mark_as_spilled(file: &File, name: &RecordName) -> Result<(), Errno> {
    let mark = format!("{{\"spilled\":2,\"record\":\"{name}\"}}");
    rfs::fsetxattr(file, ATTRIBUTE, mark.as_bytes(), XattrFlags::empty())
}

fn sync_folder(folder: &File, durable: bool) -> io::Result<()> {
    match durable {
        true => Ok(rfs::fsync(folder)?),
        false => Ok(()),
    }
}

/// Moves a file's time of change forward.
fn move_time(file: BorrowedFd<'_>, metadata: &Metadata) -> io::Result<()> {
    let seconds = modified(metadata).div_euclid(1_000_000_000);
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: seconds.saturating_add(NEXT_TIME),
            tv_nsec: 0,
        },
    };
    Ok(rfs::futimens(file, &times)?)
}
