//! Uploads in parts on disk. An upload is the folder `~!uploads/ID` of its bucket: what was said of it when it began, and its parts, each
//! a file of its own on the file system of the bucket, so that completing can share their bytes.
//!
//! ```text
//! ~!uploads/ID/upload.json               key, initiator, what is said of the object
//! ~!uploads/ID/00/00007.MD5.CRC32.VALUE  part 7: everything that is known of it is in its name and its size
//! ```

mod complete;
mod list;
mod parts;
mod stale;

pub(super) use complete::{Completions, complete};
pub(super) use list::list;

use std::{
    fs::{self, File, Metadata},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
};

use rustix::{
    fs::{self as rfs, AtFlags, Mode, OFlags},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    store::{LastLook, MultipartUpload, NewMultipart, StillAllowed, StoreError, UploadName},
    types::{BucketName, ChecksumAlgorithm, ChecksumType, ObjectKey, UploadId},
};

use super::{Folders, confine, metadata::Record, structure, temporary};

/// The bucket's own folder of uploads.
pub(super) const UPLOADS: &str = "~!uploads";
const DESCRIPTION: &str = "upload.json";
/// The form of the description. Another one is not understood: the upload is not there.
const VERSION: u8 = 1;
/// Longer than any description: metadata and tags have limits.
const MAX_DESCRIPTION_BYTES: u64 = 256 * 1024;

/// What is kept of an upload besides its parts.
#[derive(Serialize, Deserialize)]
struct Description {
    version: u8,
    key: String,
    initiator: String,
    /// Algorithm and type by AWS's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<(String, String)>,
    said: Record,
}

impl Description {
    fn new(upload: NewMultipart) -> Self {
        Self {
            version: VERSION,
            key: upload.key.as_str().to_owned(),
            initiator: upload.initiator,
            checksum: upload
                .checksum
                .map(|(algorithm, kind)| (algorithm.name().to_owned(), kind.name().to_owned())),
            said: Record::said(&upload.properties),
        }
    }

    /// None: it is not one of this version's.
    fn upload(self, id: UploadId, file: &Metadata) -> Option<MultipartUpload> {
        let checksum = match self.checksum {
            Some((algorithm, kind)) => {
                Some((ChecksumAlgorithm::parse(&algorithm)?, ChecksumType::parse(&kind)?))
            }
            None => None,
        };
        let initiated = OffsetDateTime::from_unix_timestamp(file.mtime());
        (self.version == VERSION).then_some(())?;
        Some(MultipartUpload {
            id,
            initiated: initiated.unwrap_or(OffsetDateTime::UNIX_EPOCH),
            began: NewMultipart {
                key: ObjectKey::parse(&self.key).ok()?,
                initiator: self.initiator,
                properties: self.said.properties(),
                checksum,
            },
        })
    }
}

impl Folders {
    /// Begins an upload: its folder appears with its description, on stable storage.
    pub(super) fn create_multipart(
        &self,
        bucket: &BucketName,
        upload: NewMultipart,
        last_look: &LastLook,
    ) -> Result<UploadId, StoreError> {
        let opened = self.open_bucket(bucket)?;
        let failed = |error| self.unwritable_at(bucket, UPLOADS, error);
        let name = temporary::name().map_err(failed)?;
        self.put_upload(opened.as_fd(), &name, upload, last_look)
            .map_err(failed)?;
        UploadId::parse(&name).ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))
    }

    fn put_upload(
        &self,
        bucket: BorrowedFd<'_>,
        name: &str,
        upload: NewMultipart,
        last_look: &LastLook,
    ) -> io::Result<()> {
        let temporary = temporary::folder(bucket)?;
        rfs::mkdirat(&temporary, name, Mode::from_raw_mode(0o777))?;
        let folder = structure::open_folder(temporary.as_fd(), name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rfs::openat(&folder, DESCRIPTION, flags, Mode::from_raw_mode(0o600))?;
        let mut file = File::from(file);
        file.write_all(&serde_json::to_vec(&Description::new(upload))?)?;
        let uploads = temporary::own_folder(bucket, UPLOADS)?;
        if self.durable {
            file.sync_all()?;
            rfs::fsync(&folder)?;
        }
        super::failpoint("upload described");
        match last_look.ask(None) {
            Ok(allowed) => self.show_upload(&temporary, &uploads, name, &allowed),
            Err(withdrawn) => {
                _ = rfs::unlinkat(&folder, DESCRIPTION, AtFlags::empty());
                _ = rfs::unlinkat(&temporary, name, AtFlags::REMOVEDIR);
                Err(io::Error::other(withdrawn))
            }
        }
    }

    /// Renames a described upload into the folder of uploads.
    fn show_upload(&self, temporary: &File, uploads: &File, name: &str, _: &StillAllowed) -> io::Result<()> {
        rfs::renameat(temporary, name, uploads, name)?;
        if self.durable {
            rfs::fsync(uploads)?;
        }
        Ok(())
    }

    /// Finds an upload by all of its name.
    pub(super) fn multipart(&self, upload: &UploadName) -> Result<MultipartUpload, StoreError> {
        self.open_upload(upload).map(|(_, found)| found)
    }

    /// Opens an upload's folder.
    fn open_upload(&self, upload: &UploadName) -> Result<(File, MultipartUpload), StoreError> {
        let bucket = self.open_bucket(&upload.bucket)?;
        let missing = || StoreError::NoSuchUpload(upload.id.clone());
        let path = format!("{UPLOADS}/{}", upload.id);
        let folder = match confine::open(bucket.as_fd(), &path, confine::Wait::Allowed) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Err(missing()),
            Err(error) => return Err(self.unreadable(&upload.bucket, &path, error.into())),
        };
        let described = match describe(&folder, upload.id.clone()) {
            Ok(described) => described,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(self.unreadable(&upload.bucket, &path, error)),
        };
        let found = described
            .filter(|found| found.began.key == upload.key)
            .ok_or_else(missing)?;
        Ok((folder, found))
    }

    /// Every upload of a bucket, in no order.
    fn multiparts(&self, bucket: &BucketName) -> Result<Vec<MultipartUpload>, StoreError> {
        let Some(uploads) = self.open_uploads(bucket)? else {
            return Ok(Vec::new());
        };
        let failed = |error: Errno| self.unreadable_uploads(bucket, error);
        let mut found = Vec::new();
        for entry in rfs::Dir::read_from(&uploads).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let id = entry.file_name().to_str().ok().and_then(UploadId::parse);
            let Some(id) = id else { continue };
            found.extend(self.described(bucket, &uploads, id)?);
        }
        Ok(found)
    }

    /// Opens a bucket's folder of uploads. None: no upload has begun there.
    fn open_uploads(&self, bucket: &BucketName) -> Result<Option<File>, StoreError> {
        let opened = self.open_bucket(bucket)?;
        match confine::open(opened.as_fd(), UPLOADS, confine::Wait::Allowed) {
            Ok(uploads) => Ok(Some(uploads)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.unreadable_uploads(bucket, error)),
        }
    }

    /// Reads what one upload's folder says of it. None: it has ended meanwhile, or is none of ours.
    fn described(
        &self,
        bucket: &BucketName,
        uploads: &File,
        id: UploadId,
    ) -> Result<Option<MultipartUpload>, StoreError> {
        let folder = structure::open_folder(uploads.as_fd(), id.as_str()).map_err(io::Error::from);
        match folder.and_then(|folder| describe(&folder, id)) {
            Ok(upload) => Ok(upload),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
                _ => Err(self.unreadable(bucket, UPLOADS, error)),
            },
        }
    }

    fn unreadable_uploads(&self, bucket: &BucketName, error: Errno) -> StoreError {
        self.unreadable(bucket, UPLOADS, error.into())
    }

    /// Ends an upload and removes its parts.
    pub(super) fn abort_multipart(
        &self,
        upload: &UploadName,
        last_look: &LastLook,
    ) -> Result<(), StoreError> {
        let bucket = self.open_bucket(&upload.bucket)?;
        let ended = {
            let _guard = self.lock(&upload.bucket, &upload.key);
            self.open_upload(upload)?;
            self.end_upload(bucket.as_fd(), upload, &last_look.ask(None)?)?
        };
        self.remove_ended(upload, &ended);
        Ok(())
    }

    /// Takes an upload away, in one rename: from here on it is not there. Its new name among the temporary files comes out.
    pub(super) fn end_upload(
        &self,
        bucket: BorrowedFd<'_>,
        upload: &UploadName,
        _: &StillAllowed,
    ) -> Result<String, StoreError> {
        let ended = || -> io::Result<String> {
            let (temporary, name) = (temporary::folder(bucket)?, temporary::name()?);
            let uploads = temporary::own_folder(bucket, UPLOADS)?;
            rfs::renameat(&uploads, upload.id.as_str(), &temporary, &name)?;
            super::failpoint("upload ended");
            if self.durable {
                rfs::fsync(&uploads)?;
            }
            Ok(name)
        };
        ended().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::NoSuchUpload(upload.id.clone()),
            _ => self.unwritable_at(&upload.bucket, UPLOADS, error),
        })
    }

    /// Removes what [`end_upload`](Self::end_upload) took away. What is left of it in spite of an error goes at the next start.
    pub(super) fn remove_ended(&self, upload: &UploadName, name: &str) {
        let path = format!("{}/{name}", temporary::FOLDER);
        let path = self.path_of(&upload.bucket, &path);
        if let Err(error) = fs::remove_dir_all(&path) {
            tracing::warn!(path = %path.display(), %error, "cannot remove the parts of an upload that has ended");
        }
    }
}

/// What an upload's folder says of it.
fn describe(folder: &File, id: UploadId) -> io::Result<Option<MultipartUpload>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rfs::openat(folder, DESCRIPTION, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    let mut text = Vec::new();
    file.take(MAX_DESCRIPTION_BYTES).read_to_end(&mut text)?;
    let description: Option<Description> = serde_json::from_slice(&text).ok();
    Ok(description.and_then(|description| description.upload(id, &metadata)))
}
