//! Uploads that a killed process left between the two steps of their completion.

use std::{fs::File, io, os::fd::AsFd};

use rustix::{fs as rfs, io::Errno};

use crate::{
    store::{
        StillAllowed, StoreError, UploadName,
        disk::{
            Folders,
            multipart::{self, UPLOADS},
            structure,
        },
    },
    types::{BucketName, ObjectKey, Parts, UploadId},
};

impl Folders {
    /// Ends every upload whose object is there: a completion takes effect once.
    pub(super) fn end_completed_uploads(&self, bucket: &BucketName) -> io::Result<()> {
        let opened = self.open_bucket(bucket).map_err(io::Error::other)?;
        for found in self.multiparts(bucket).map_err(io::Error::other)? {
            let upload = UploadName {
                bucket: bucket.clone(),
                key: found.began.key,
                id: found.id,
            };
            if let Err(error) = self.end_completed_upload(&opened, &upload) {
                let id = &upload.id;
                tracing::error!(%bucket, upload_id = %id, %error, "cannot see whether this upload has ended");
            }
        }
        Ok(())
    }

    fn end_completed_upload(&self, opened: &File, upload: &UploadName) -> io::Result<()> {
        let _lock = self.lock(&upload.bucket, &upload.key);
        if self.has_become_object(&upload.bucket, &upload.key, &upload.id)? {
            let ended = self.end_upload(opened, upload, &StillAllowed::housekeeping());
            ended.map_err(io::Error::other)?.remove();
        }
        Ok(())
    }

    /// Decides what becomes of an upload whose completion did not end: its object is there, and it has
    /// ended; or it is not, and the upload goes on.
    pub(super) fn finish_completion(
        &self,
        bucket: &BucketName,
        (opened, folder): (&File, &File),
        name: &str,
        id: UploadId,
    ) -> io::Result<()> {
        let described = structure::open_folder(folder.as_fd(), name).map_err(io::Error::from);
        let described = match described.and_then(|inner| multipart::describe(&inner, id.clone())) {
            Ok(described) => described,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let Some(found) = described else {
            return Ok(structure::remove_tree(folder.as_fd(), name)?);
        };
        let _lock = self.lock(bucket, &found.began.key);
        if self.in_flight.holds(name) {
            return Ok(());
        }
        if self.has_become_object(bucket, &found.began.key, &id)? {
            return Ok(structure::remove_tree(folder.as_fd(), name)?);
        }
        let uploads = crate::store::disk::temporary::own_folder(opened.as_fd(), UPLOADS)?;
        match rfs::renameat(folder, name, &uploads, id.as_str()) {
            Ok(()) => Ok(rfs::fsync(&uploads)?),
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the object under this key is what the upload has become.
    fn has_become_object(&self, bucket: &BucketName, key: &ObjectKey, id: &UploadId) -> io::Result<bool> {
        match self.find_now(bucket, key) {
            Ok(found) => {
                let parts = found.attributes.properties.parts.as_ref();
                let upload = parts.and_then(Parts::came_by);
                Ok(upload.is_some_and(|upload| upload.upload_id == *id))
            }
            Err(StoreError::NoSuchKey) => Ok(false),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}
