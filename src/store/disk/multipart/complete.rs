//! Completing an upload: its parts become one file, which is then placed like any other upload.

use std::sync::Arc;

use crate::{
    store::{Completion, Content, StoreError, StoredPart, Upload, UploadName},
    types::ObjectAttributes,
};

use super::super::{DiskUpload, Folders, ObjectFile, change_off_thread, look_off_thread};

/// Joins the parts and places the object. The parts' bytes are shared where the file system can, else copied by the kernel; one part alone
/// is the object's file as it is.
pub(in crate::store::disk) async fn complete(
    folders: &Arc<Folders>,
    upload: &UploadName,
    completion: Completion,
) -> Result<ObjectAttributes, StoreError> {
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
