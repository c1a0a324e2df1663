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
    fs::{File, Metadata},
    io::{self, Read},
    os::{fd::AsFd, unix::fs::MetadataExt},
};

use rustix::{
    fs::{self as rfs, Mode, OFlags},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    store::{LastLook, MultipartUpload, NewMultipart, StillAllowed, StoreError, UploadName},
    types::{BucketName, ChecksumAlgorithm, ChecksumType, ObjectKey, UploadId},
};

use super::{
    Folders, confine,
    record::Record,
    structure,
    temporary::{self, TemporaryFolder, UsedName, write_synced},
};

/// The bucket's own folder of uploads.
pub(super) const UPLOADS: &str = "~!uploads";
const DESCRIPTION: &str = "upload.json";
/// Begins the name in `~!tmp` of an upload whose object is being put into place.
pub(super) const COMPLETING: &str = "completing-";
/// The form of the description. Another one is an error.
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

    /// None: it is damaged.
    fn upload(self, id: UploadId, file: &Metadata) -> Option<MultipartUpload> {
        let checksum = match self.checksum {
            Some((algorithm, kind)) => {
                Some((ChecksumAlgorithm::parse(&algorithm)?, ChecksumType::parse(&kind)?))
            }
            None => None,
        };
        let initiated = OffsetDateTime::from_unix_timestamp(file.mtime());
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
        let name = self.put_upload(&opened, upload, last_look).map_err(failed)?;
        UploadId::parse(&name).ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))
    }

    fn put_upload(&self, bucket: &File, upload: NewMultipart, last_look: &LastLook) -> io::Result<String> {
        let made = TemporaryFolder::create(self.writable(bucket))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = File::from(rfs::openat(
            &made.folder,
            DESCRIPTION,
            flags,
            Mode::from_raw_mode(0o600),
        )?);
        let description = serde_json::to_vec(&Description::new(upload))?;
        write_synced(&file, &description, self.durable)?;
        let uploads = temporary::own_folder(bucket.as_fd(), UPLOADS)?;
        if self.durable {
            rfs::fsync(&made.folder)?;
        }
        super::failpoint("upload described");
        let allowed = last_look.ask(None).map_err(io::Error::other)?;
        self.show_upload(made, &uploads, &allowed)
    }

    /// Renames a described upload into the folder of uploads. Its name comes out.
    fn show_upload(&self, made: TemporaryFolder, uploads: &File, _: &StillAllowed) -> io::Result<String> {
        let name = made.name().to_owned();
        rfs::renameat(&made.parent, &name, uploads, &name)?;
        made.placed();
        if self.durable {
            rfs::fsync(uploads)?;
        }
        Ok(name)
    }

    /// Finds an upload by all of its name.
    pub(super) fn multipart(&self, upload: &UploadName) -> Result<MultipartUpload, StoreError> {
        self.open_upload(upload).map(|(_, found)| found)
    }

    /// Looks at an upload, and once more if it is not there: while its object is put into place it is
    /// neither an upload nor an object, under the lock that is waited for here.
    pub(super) fn settled<T>(
        &self,
        upload: &UploadName,
        look: impl Fn() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match look() {
            Err(StoreError::NoSuchUpload(_)) => {
                drop(self.lock(&upload.bucket, &upload.key));
                look()
            }
            found => found,
        }
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
    pub(super) fn multiparts(&self, bucket: &BucketName) -> Result<Vec<MultipartUpload>, StoreError> {
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
                // One of another version: it must not keep the others from being listed.
                io::ErrorKind::InvalidData => Ok(None),
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
        let ended = {
            let _lock = self.lock(&upload.bucket, &upload.key);
            let bucket = self.open_bucket(&upload.bucket)?;
            self.open_upload(upload)?;
            self.end_upload(&bucket, upload, &last_look.ask(None)?)?
        };
        ended.remove();
        Ok(())
    }

    /// Takes an upload away, in one rename: from here on it is not there.
    pub(super) fn end_upload(
        &self,
        bucket: &File,
        upload: &UploadName,
        _: &StillAllowed,
    ) -> Result<EndedUpload, StoreError> {
        let failed = |error| self.ending_failed(upload, error);
        let name = UsedName::random(&self.in_flight).map_err(failed)?;
        let (ended, uploads) = self.rename_away(bucket, upload, name).map_err(failed)?;
        super::failpoint("upload ended");
        if self.durable {
            rfs::fsync(&uploads).map_err(|error| failed(error.into()))?;
        }
        Ok(ended)
    }

    /// Takes an upload away until the object is in place that it becomes. Dropped before, it is put back.
    pub(super) fn begin_ending<'f>(
        &'f self,
        bucket: &File,
        upload: &'f UploadName,
        _: &StillAllowed,
    ) -> Result<Ending<'f>, StoreError> {
        let name = UsedName::new(&self.in_flight, completing(&upload.id));
        let renamed = self.rename_away(bucket, upload, name);
        let (ended, uploads) = renamed.map_err(|error| self.ending_failed(upload, error))?;
        Ok(Ending {
            folders: self,
            upload,
            uploads,
            ended: Some(ended),
            is_placed: false,
        })
    }

    fn rename_away(
        &self,
        bucket: &File,
        upload: &UploadName,
        name: UsedName,
    ) -> io::Result<(EndedUpload, File)> {
        let folder = temporary::own_folder(bucket.as_fd(), temporary::FOLDER)?;
        let uploads = temporary::own_folder(bucket.as_fd(), UPLOADS)?;
        rfs::renameat(&uploads, upload.id.as_str(), &folder, name.as_str())?;
        Ok((EndedUpload { folder, name }, uploads))
    }

    fn ending_failed(&self, upload: &UploadName, error: io::Error) -> StoreError {
        match error.kind() {
            io::ErrorKind::NotFound => StoreError::NoSuchUpload(upload.id.clone()),
            _ => self.unwritable_at(&upload.bucket, UPLOADS, error),
        }
    }
}

/// The name in `~!tmp` of an upload whose object is being put into place. A killed process may have left
/// it before or after that; `housekeeping` looks at the object.
pub(super) fn completing(upload: &UploadId) -> String {
    format!("{COMPLETING}{upload}")
}

/// An upload that is no more. What is left of its parts in spite of an error goes with the next
/// housekeeping.
pub(super) struct EndedUpload {
    folder: File,
    name: UsedName,
}

impl EndedUpload {
    /// Removes its parts.
    pub(super) fn remove(self) {
        if let Err(error) = structure::remove_tree(self.folder.as_fd(), self.name.as_str()) {
            tracing::warn!(name = self.name.as_str(), %error, "cannot remove the parts of an upload that has ended");
        }
    }
}

/// An upload that ends with the appearance of its object.
pub(super) struct Ending<'f> {
    folders: &'f Folders,
    upload: &'f UploadName,
    uploads: File,
    ended: Option<EndedUpload>,
    is_placed: bool,
}

impl Ending<'_> {
    /// The object is in place: the upload does not come back, whatever becomes of the object. Called
    /// under the lock of the object.
    pub(super) fn object_is_placed(mut self) -> Self {
        self.is_placed = true;
        let Some(ended) = self.ended.take() else {
            return self;
        };
        self.ended = Some(ended.renamed());
        self
    }

    /// Ends the upload for good, once the object's name is on stable storage.
    pub(super) fn end(mut self) -> Result<Option<EndedUpload>, StoreError> {
        if self.folders.durable {
            let failed = |error: Errno| self.folders.ending_failed(self.upload, error.into());
            rfs::fsync(&self.uploads).map_err(failed)?;
        }
        Ok(self.ended.take())
    }
}

impl EndedUpload {
    /// Gives it a name that says nothing of an upload. Where that fails, the name stays in use: no
    /// housekeeping of this process takes the upload for one that goes on.
    fn renamed(self) -> Self {
        let renamed = UsedName::random(&self.name.in_flight()).and_then(|name| {
            rfs::renameat(&self.folder, self.name.as_str(), &self.folder, name.as_str())?;
            Ok(name)
        });
        match renamed {
            Ok(name) => Self {
                folder: self.folder,
                name,
            },
            Err(_) => self,
        }
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let Some(ended) = self.ended.take() else { return };
        if self.is_placed {
            if ended.name.as_str().starts_with(COMPLETING) {
                ended.name.keep_in_use();
            }
            return;
        }
        let (name, id) = (ended.name.as_str(), self.upload.id.as_str());
        if let Err(error) = rfs::renameat(&ended.folder, name, &self.uploads, id) {
            tracing::error!(upload_id = id, %error, "cannot put back an upload whose completion failed: the next housekeeping does");
        }
    }
}

/// What an upload's folder says of it.
pub(super) fn describe(folder: &File, id: UploadId) -> io::Result<Option<MultipartUpload>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rfs::openat(folder, DESCRIPTION, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    let mut text = Vec::new();
    file.take(MAX_DESCRIPTION_BYTES).read_to_end(&mut text)?;
    #[derive(Deserialize)]
    struct AnyVersion {
        version: u8,
    }
    match serde_json::from_slice::<AnyVersion>(&text) {
        Ok(AnyVersion { version: VERSION }) => {}
        Ok(AnyVersion { version }) => {
            let unknown =
                format!("the upload has version {version}, which this version of postern does not know");
            return Err(io::Error::new(io::ErrorKind::InvalidData, unknown));
        }
        Err(_) => return Ok(None),
    }
    let description: Option<Description> = serde_json::from_slice(&text).ok();
    Ok(description.and_then(|description| description.upload(id, &metadata)))
}
