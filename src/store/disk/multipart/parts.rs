//! The parts of an upload: files whose names say what they are.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    fs::{self as rfs, AtFlags, Mode, OFlags},
    io::Errno,
};
use time::OffsetDateTime;

use crate::{
    store::{LastLook, Part, PartsQuery, StillAllowed, StoreError, StoredPart, UploadName},
    types::{Checksum, ChecksumAlgorithm, MAX_PARTS, PartNumber},
};

use super::super::{Folders, structure, temporary::Temporary};

/// How many parts share a folder: to replace one, its folder is looked through.
const PARTS_OF_A_FOLDER: u32 = 100;

/// A part as found, under its name.
pub(super) struct PartFile {
    pub(super) stored: StoredPart,
    name: String,
    /// When it came here: the later of two files for one number counts.
    placed: (i64, i64),
}

impl Folders {
    /// Makes a written file a part, in place of the one of its number.
    pub(in crate::store::disk) fn place_part(
        &self,
        file: Temporary,
        upload: &UploadName,
        part: Part,
        last_look: &LastLook,
    ) -> Result<StoredPart, StoreError> {
        let failed = |error| self.unwritable(&upload.bucket, error);
        if self.durable {
            file.file.sync_all().map_err(failed)?;
        }
        let metadata = file.file.metadata().map_err(failed)?;
        let name = file_name(&part);
        {
            let _guard = self.lock(&upload.bucket, &upload.key);
            let (folder, _) = self.open_upload(upload)?;
            let allowed = last_look.ask(None)?;
            let put = self.put_part(&folder, file, (part.number, &name), &allowed);
            put.map_err(|error| failed(error.into()))?;
        }
        let last_modified = OffsetDateTime::from(metadata.modified().map_err(failed)?);
        Ok(StoredPart {
            part,
            size: metadata.len(),
            last_modified,
        })
    }

    /// Renames a written file into its group, and removes the part of its number that was there.
    fn put_part(
        &self,
        upload: &File,
        file: Temporary,
        (number, name): (PartNumber, &str),
        _: &StillAllowed,
    ) -> Result<(), Errno> {
        let group = self.group(upload, number)?;
        let before = files(group.as_fd())?;
        rfs::renameat(&file.folder, file.name(), &group, name)?;
        super::super::failpoint("part placed");
        file.placed();
        let sync = || match self.durable {
            true => rfs::fsync(&group),
            false => Ok(()),
        };
        sync()?;
        // The new one is on stable storage.
        let mut is_any_old = false;
        for old in before {
            if old.stored.part.number == number && old.name != name {
                _ = rfs::unlinkat(&group, &old.name, AtFlags::empty());
                is_any_old = true;
            }
        }
        match is_any_old {
            true => sync(),
            false => Ok(()),
        }
    }

    /// The folder of a part, made where it is missing. Its name is on stable storage when this returns,
    /// whichever request made it.
    fn group(&self, upload: &File, number: PartNumber) -> Result<File, Errno> {
        let name = group_name(number);
        let group = match structure::open_folder(upload.as_fd(), &name) {
            Err(Errno::NOENT) => {
                if self.durable {
                    self.unsynced.add(upload).map_err(structure::errno)?;
                }
                match rfs::mkdirat(upload, &name, Mode::from_raw_mode(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error),
                }
                structure::open_folder(upload.as_fd(), &name)?
            }
            opened => opened?,
        };
        if let Some(unsynced) = self.unsynced.find(upload).map_err(structure::errno)? {
            rfs::fsync(upload)?;
            self.unsynced.synced(&[unsynced]);
        }
        Ok(group)
    }

    /// The parts that have come, in the order of their numbers. Only the groups that are asked for are
    /// read, so a page costs what a page holds.
    pub(in crate::store::disk) fn parts(
        &self,
        upload: &UploadName,
        query: PartsQuery,
    ) -> Result<Vec<StoredPart>, StoreError> {
        let (folder, _) = self.open_upload(upload)?;
        let failed = |error: Errno| self.unreadable(&upload.bucket, super::UPLOADS, error.into());
        let mut all = Vec::new();
        for group in query.after / PARTS_OF_A_FOLDER..MAX_PARTS.div_ceil(PARTS_OF_A_FOLDER) {
            if all.len() >= query.limit {
                break;
            }
            let group = match structure::open_folder(folder.as_fd(), &format!("{group:02}")) {
                Ok(group) => group,
                Err(Errno::NOENT | Errno::NOTDIR) => continue,
                Err(error) => return Err(failed(error)),
            };
            let mut found: BTreeMap<PartNumber, PartFile> = BTreeMap::new();
            for file in files(group.as_fd()).map_err(failed)? {
                let number = file.stored.part.number;
                if number.get() > query.after
                    && found.get(&number).is_none_or(|other| other.placed < file.placed)
                {
                    found.insert(number, file);
                }
            }
            all.extend(found.into_values().map(|file| file.stored));
        }
        all.truncate(query.limit);
        Ok(all)
    }

    /// Opens a part's file. One that has been replaced meanwhile is not there.
    pub(super) fn open_part(&self, upload: &UploadName, part: &Part) -> Result<Option<File>, StoreError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.with_part(upload, part, |group, name| {
            Ok(rfs::openat(group, name, flags, Mode::empty())?.into())
        })
    }

    /// A second name for a part's file, among the temporary ones.
    pub(super) fn link_part(
        &self,
        upload: &UploadName,
        part: &Part,
    ) -> Result<Option<Temporary>, StoreError> {
        let bucket = self.open_bucket(&upload.bucket)?;
        self.with_part(upload, part, |group, name| {
            Temporary::linked(self.writable(&bucket), group, name)
        })
    }

    fn with_part<T>(
        &self,
        upload: &UploadName,
        part: &Part,
        work: impl FnOnce(BorrowedFd<'_>, &str) -> io::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let (folder, _) = self.open_upload(upload)?;
        let done = structure::open_folder(folder.as_fd(), &group_name(part.number))
            .map_err(io::Error::from)
            .and_then(|group| work(group.as_fd(), &file_name(part)));
        match done {
            Ok(done) => Ok(Some(done)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unreadable(&upload.bucket, super::UPLOADS, error)),
        }
    }
}

fn group_name(number: PartNumber) -> String {
    format!("{:02}", number.get().saturating_sub(1) / PARTS_OF_A_FOLDER)
}

/// `00007.MD5` or `00007.MD5.CRC32.VALUE`, values in hexadecimal.
fn file_name(part: &Part) -> String {
    let front = format!("{:05}.{}", part.number.get(), hex::encode(part.md5));
    match &part.checksum {
        Some(checksum) => {
            format!(
                "{front}.{}.{}",
                checksum.algorithm.name(),
                hex::encode(&checksum.value)
            )
        }
        None => front,
    }
}

fn parse_file_name(name: &str) -> Option<Part> {
    let mut fields = name.split('.');
    let number = PartNumber::parse(fields.next()?)?;
    let md5 = hex::decode(fields.next()?).ok()?.try_into().ok()?;
    let checksum = match fields.next() {
        None => None,
        Some(algorithm) => {
            let algorithm = ChecksumAlgorithm::parse(algorithm)?;
            let value = hex::decode(fields.next()?).ok()?;
            (value.len() == algorithm.length()).then_some(())?;
            Some(Checksum::of_whole(algorithm, value))
        }
    };
    let part = Part {
        number,
        md5,
        checksum,
    };
    (file_name(&part) == name).then_some(part)
}

/// The parts in one folder of them.
fn files(group: BorrowedFd<'_>) -> Result<Vec<PartFile>, Errno> {
    let mut found = Vec::new();
    for entry in rfs::Dir::read_from(group)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let Some(part) = parse_file_name(&name) else {
            continue;
        };
        let stat = match rfs::statat(group, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Replaced meanwhile.
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error),
        };
        let modified = OffsetDateTime::from_unix_timestamp(stat.st_mtime);
        found.push(PartFile {
            stored: StoredPart {
                part,
                size: u64::try_from(stat.st_size).unwrap_or(0),
                last_modified: modified.unwrap_or(OffsetDateTime::UNIX_EPOCH),
            },
            name,
            placed: (stat.st_ctime, i64::try_from(stat.st_ctime_nsec).unwrap_or(0)),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parts_name_says_all_of_it() {
        for checksum in [
            None,
            Some(Checksum::of_whole(ChecksumAlgorithm::Crc32, vec![1, 2, 3, 4])),
            Some(Checksum::of_whole(ChecksumAlgorithm::Sha256, vec![7; 32])),
        ] {
            let part = Part {
                number: PartNumber::new(10_000).unwrap(),
                md5: [9; 16],
                checksum,
            };
            let name = file_name(&part);
            assert!(name.len() < 200, "{name}");
            assert_eq!(parse_file_name(&name), Some(part));
        }
        for odd in [
            "upload.json",
            "1.00",
            "00001.zz",
            "00000.00000000000000000000000000000000",
            "1.00000000000000000000000000000000",
            "00001.00000000000000000000000000000000.CRC32.00",
            "00001.00000000000000000000000000000000.CRC32.00000000.x",
        ] {
            assert_eq!(parse_file_name(odd), None, "{odd}");
        }
    }
}
