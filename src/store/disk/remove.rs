//! Removing objects, and replacing their tags: what changes an object that is there.

use std::{fs::File, os::fd::AsFd};

use rustix::{
    fs::{self as rfs, AtFlags},
    io::Errno,
};

use crate::{
    store::{LastLook, StillAllowed, StoreError},
    types::{BucketName, ObjectKey, Tag, WriteCondition},
};

use super::{
    Folders, Opened, confine,
    mapping::{self, OBJECT_OF_FOLDER},
    multipart::UPLOADS,
    place::{Before, Placing},
    record::{Record, RecordName, SPILLED},
    structure,
};

impl Folders {
    /// Removes an object and the folders that only it kept.
    pub(super) fn delete(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        condition: &WriteCondition,
        last_look: &LastLook,
    ) -> Result<(), StoreError> {
        let lock = self.lock(bucket, key);
        // Under the lock: the bucket may have been deleted and made again meanwhile.
        let opened = self.open_bucket(bucket)?;
        let placing = Placing {
            folders: self,
            bucket,
            key,
            ends: None,
            last_look,
        };
        let found = placing.holds(condition)?;
        let allowed = last_look.ask(found.tags())?;
        if matches!(found, Before::Nothing) {
            drop(lock);
            // It may be gone since a moment ago, and its folder not yet on stable storage.
            return self.sync_folder_of(&opened, (bucket, key));
        }
        self.unlink(&opened, (bucket, key), &allowed)?;
        // What is kept of the object holds no longer, before its record is gone.
        drop(lock);
        if let Some(record) = found.obsolete_record() {
            self.remove_record(&opened, &record);
        }
        Ok(())
    }

    /// Unlinks an object's file, and the folders that only it kept.
    fn unlink(
        &self,
        opened: &File,
        (bucket, key): (&BucketName, &ObjectKey),
        _: &StillAllowed,
    ) -> Result<(), StoreError> {
        let mut path = mapping::to_path(key);
        let unreadable = |source| self.unreadable(bucket, &path, source);
        let is_folder = match confine::open(opened.as_fd(), &path, confine::Wait::Allowed) {
            Ok(file) => file.metadata().map_err(unreadable)?.is_dir(),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => false,
            Err(error) => return Err(unreadable(error.into())),
        };
        if is_folder {
            path = format!("{path}/{OBJECT_OF_FOLDER}");
        }
        let failed = |error: Errno| self.unwritable_at(bucket, &path, error.into());
        let (front, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let parent = match front {
            "" => opened.try_clone().map_err(|_| failed(Errno::MFILE))?,
            front => confine::open(opened.as_fd(), front, confine::Wait::Allowed).map_err(failed)?,
        };
        match rfs::unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(failed(error)),
        }
        self.entries_changed(bucket, key, false);
        super::failpoint("unlinked object");
        if self.durable {
            rfs::fsync(&parent).map_err(failed)?;
        }
        if structure::remove_empty_folders(opened.as_fd(), front) {
            self.entries_changed(bucket, key, true);
        }
        Ok(())
    }

    /// Syncs the folder in which a key's file would be, or the nearest above it that is there: so what
    /// was removed stays removed.
    pub(super) fn sync_folder_of(
        &self,
        opened: &File,
        (bucket, key): (&BucketName, &ObjectKey),
    ) -> Result<(), StoreError> {
        if !self.durable {
            return Ok(());
        }
        let path = mapping::to_path(key);
        let mut front = path.as_str();
        loop {
            let folder = match front {
                "" => opened.try_clone().map_err(|_| Errno::MFILE),
                front => confine::open(opened.as_fd(), front, confine::Wait::Allowed),
            };
            let synced = folder.and_then(|folder| match structure::is_folder(&folder)? {
                true => rfs::fsync(&folder).map(|()| true),
                false => Ok(false),
            });
            match synced {
                Ok(true) => return Ok(()),
                Ok(false) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {}
                Err(error) => return Err(self.unwritable_at(bucket, front, error.into())),
            }
            if front.is_empty() {
                return Ok(());
            }
            front = front.rsplit_once('/').map_or("", |(front, _)| front);
        }
    }

    /// Syncs an object that is there, every folder above it, and that of the uploads, one of which it
    /// may have been.
    ///
    /// Errors: `NoSuchKey`, and whatever keeps it from being synced.
    pub(super) fn sync_object(&self, bucket: &BucketName, key: &ObjectKey) -> Result<(), StoreError> {
        let found = self.find_now(bucket, key)?;
        if !self.durable {
            return Ok(());
        }
        let opened = self.open_bucket(bucket)?;
        let mut path = mapping::to_path(key);
        let failed = |path: &str, error: Errno| self.unwritable_at(bucket, path, error.into());
        rfs::fsync(&found.file).map_err(|error| failed(&path, error))?;
        match confine::open(opened.as_fd(), UPLOADS, confine::Wait::Allowed) {
            Ok(uploads) => rfs::fsync(&uploads).map_err(|error| failed(UPLOADS, error))?,
            Err(Errno::NOENT) => {}
            Err(error) => return Err(failed(UPLOADS, error)),
        }
        loop {
            let folder = match path.as_str() {
                "" => opened.try_clone().map_err(|_| Errno::MFILE),
                path => confine::open(opened.as_fd(), path, confine::Wait::Allowed),
            };
            let synced = folder.and_then(|folder| match structure::is_folder(&folder)? {
                true => rfs::fsync(&folder),
                false => Ok(()),
            });
            synced.map_err(|error| failed(&path, error))?;
            match path.rsplit_once('/') {
                Some((front, _)) => path = front.to_owned(),
                None if path.is_empty() => return Ok(()),
                None => path.clear(),
            }
        }
    }

    /// Removes a spilled record that no object names any more. What is left of it in spite of an error
    /// goes with the next housekeeping.
    pub(super) fn remove_record(&self, bucket: &File, name: &RecordName) {
        let folder = confine::open(bucket.as_fd(), SPILLED, confine::Wait::Allowed);
        if let Ok(folder) = folder {
            _ = rfs::unlinkat(&folder, name.as_str(), AtFlags::empty());
        }
    }

    /// Writes the object's record again, with these tags. A dropped-in file gets a record with the ETag
    /// that it has. The last look is asked with the tags that the object has in this moment.
    pub(super) fn replace_tags(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        tags: Vec<Tag>,
        last_look: &LastLook,
    ) -> Result<(), StoreError> {
        let lock = self.lock(bucket, key);
        let opened = self.open_bucket(bucket)?;
        let found = self.find_now(bucket, key)?;
        let allowed = last_look.ask(Some(&found.attributes.properties.tags))?;
        let obsolete = self.write_tags(&opened, (bucket, key), found, tags, &allowed)?;
        // What is kept of the object holds no longer, before its record is gone.
        drop(lock);
        if let Some(record) = obsolete {
            self.remove_record(&opened, &record);
        }
        Ok(())
    }

    /// The spilled record that is of no use any more comes out.
    fn write_tags(
        &self,
        opened: &File,
        (bucket, key): (&BucketName, &ObjectKey),
        found: Opened,
        tags: Vec<Tag>,
        _: &StillAllowed,
    ) -> Result<Option<RecordName>, StoreError> {
        let Opened {
            attributes,
            spilled,
            file,
            metadata,
            ..
        } = found;
        let failed = |error| self.unwritable_at(bucket, &mapping::to_path(key), error);
        let mut properties = attributes.properties.clone();
        properties.tags = tags;
        let record = Record::new(&metadata, &attributes.etag, &properties);
        let write = || record.replace(self.writable(opened), &file, key, spilled.as_ref());
        let is_obsolete = self.known.changing(&file, &metadata, write).map_err(failed)?;
        super::failpoint("tags written");
        if self.durable {
            file.sync_all().map_err(failed)?;
        }
        Ok(spilled.filter(|_| is_obsolete))
    }
}
