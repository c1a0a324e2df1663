//! Completing an upload: its parts become one file, which is then placed like any other upload.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::{
    store::{Completion, Content, StoreError, StoredPart, Upload, UploadName},
    types::{BucketName, ObjectAttributes, UploadId},
};

use super::super::{DiskUpload, Folders, ObjectFile, change_off_thread, look_off_thread};

/// The uploads that are being completed. Each is by one request at a time: many at once would each join
/// the parts into a file of their own, and all but one of them in vain.
#[derive(Default)]
pub(in crate::store::disk) struct Completions(Mutex<UploadLocks>);

type UploadLocks = HashMap<(BucketName, UploadId), Arc<AsyncMutex<()>>>;

/// The turn of one request to complete an upload, or its place among those who wait.
struct Turn {
    completions: Arc<Completions>,
    upload: (BucketName, UploadId),
    lock: Option<Arc<AsyncMutex<()>>>,
    held: Option<OwnedMutexGuard<()>>,
}

impl Completions {
    /// Waits until no other request completes this upload.
    async fn turn(self: &Arc<Self>, upload: &UploadName) -> Turn {
        let upload = (upload.bucket.clone(), upload.id.clone());
        let lock = self.map(|locks| locks.entry(upload.clone()).or_default().clone());
        let mut turn = Turn {
            completions: self.clone(),
            upload,
            lock: Some(lock.clone()),
            held: None,
        };
        turn.held = Some(lock.lock_owned().await);
        turn
    }

    /// Whether no upload is being completed.
    #[cfg(test)]
    pub(in crate::store::disk) fn is_empty(&self) -> bool {
        self.map(|locks| locks.is_empty())
    }

    fn map<T>(&self, work: impl FnOnce(&mut UploadLocks) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let completions = self.completions.clone();
        completions.map(|locks| {
            (self.held, self.lock) = (None, None);
            // The map's own is left: nobody waits.
            if locks
                .get(&self.upload)
                .is_some_and(|lock| Arc::strong_count(lock) == 1)
            {
                locks.remove(&self.upload);
            }
        });
    }
}

/// Joins the parts and places the object. The parts' bytes are shared where the file system can, else copied by the kernel; one part alone
/// is the object's file as it is.
pub(in crate::store::disk) async fn complete(
    folders: &Arc<Folders>,
    upload: &UploadName,
    completion: Completion,
) -> Result<ObjectAttributes, StoreError> {
    let _turn = folders.completions.turn(upload).await;
    let mut object = match completion.parts.as_slice() {
        [only] => {
            let (name, only) = (upload.clone(), only.clone());
            let work = move |folders: &Folders| folders.link_part(&name, &only.part);
            let file = change_off_thread(folders.clone(), Some(&upload.bucket), work).await?;
            let file = file.ok_or_else(|| gone(upload))?;
            DiskUpload::with(
                folders.clone(),
                upload.bucket.clone(),
                file,
                completion.last_look.clone(),
            )
        }
        parts => {
            let mut object = DiskUpload::new(
                folders.clone(),
                upload.bucket.clone(),
                completion.last_look.clone(),
            );
            for part in parts {
                let content = open(folders, upload, part).await?;
                object.write_from(&content, 0..part.size).await?;
            }
            object
        }
    };
    object.ends(upload.clone());
    object
        .commit(
            &upload.key,
            completion.etag,
            completion.properties,
            completion.condition,
        )
        .await
}

async fn open(folders: &Arc<Folders>, upload: &UploadName, part: &StoredPart) -> Result<Content, StoreError> {
    let (name, part) = (upload.clone(), part.part.clone());
    let work = move |folders: &Folders| {
        let file = folders.open_part(&name, &part)?;
        let Some(file) = file else { return Ok(None) };
        let metadata = file
            .metadata()
            .map_err(|error| folders.unreadable(&name.bucket, "", error))?;
        let gate = folders.gate(Some(&name.bucket));
        Ok(Some(ObjectFile::new(file, &metadata, gate)))
    };
    let file = look_off_thread(folders.clone(), Some(&upload.bucket), work).await?;
    Ok(Content::File(file.ok_or_else(|| gone(upload))?))
}

/// A part was replaced while the upload was being completed: what the client named is not there.
fn gone(upload: &UploadName) -> StoreError {
    StoreError::NoSuchUpload(upload.id.clone())
}
