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
    metadata::{self, Record},
    place::{Placing, tags_of},
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
        let opened = self.open_bucket(bucket)?;
        let _guard = self.lock(bucket, key);
        let placing = Placing {
            folders: self,
            bucket,
            key,
            ends: None,
            last_look,
        };
        let found = placing.holds(condition)?;
        let allowed = last_look.ask(Some(tags_of(found.as_ref())))?;
        match found {
            Some(found) => {
                let spilled = metadata::spill_name(&found.metadata);
                self.unlink(&opened, (bucket, key), &spilled, &allowed)
            }
            None => Ok(()),
        }
    }

    /// Unlinks an object's file, and what is kept for it elsewhere.
    fn unlink(
        &self,
        opened: &File,
        (bucket, key): (&BucketName, &ObjectKey),
        spilled: &str,
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
        if self.durable {
            rfs::fsync(&parent).map_err(failed)?;
        }
        metadata::remove_spilled(opened.as_fd(), spilled);
        structure::remove_empty_folders(opened.as_fd(), front);
        Ok(())
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
        let _guard = self.lock(bucket, key);
        let found = self.find_now(bucket, key)?;
        let allowed = last_look.ask(Some(&found.attributes.properties.tags))?;
        self.write_tags((bucket, key), found, tags, &allowed)
    }

    fn write_tags(
        &self,
        (bucket, key): (&BucketName, &ObjectKey),
        found: Opened,
        tags: Vec<Tag>,
        _: &StillAllowed,
    ) -> Result<(), StoreError> {
        let opened = self.open_bucket(bucket)?;
        let Opened {
            attributes,
            file,
            metadata,
        } = found;
        let failed = |error| self.unwritable_at(bucket, &mapping::to_path(key), error);
        let mut properties = attributes.properties.clone();
        properties.tags = tags;
        let record = Record::new(&metadata, &attributes.etag, &properties);
        let write = || record.write(opened.as_fd(), &file, key);
        self.known.changing(&file, &metadata, write).map_err(failed)?;
        if self.durable {
            file.sync_all().map_err(failed)?;
        }
        Ok(())
    }
}
