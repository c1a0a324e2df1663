//! Objects: where their bytes and attributes come from. A bucket and a key go in, attributes and content come out, or
//! a typed reason why not. Nothing here knows HTTP, a policy or a clock; [`disk`] is the one store so far, and the
//! [`Store`] interface asks nothing that a store over another object store could not answer.

pub mod disk;
mod error;
mod settings;

use std::{fs::File, future::Future, sync::Arc};

use crate::types::{BucketName, ObjectAttributes, ObjectKey};

pub use disk::{DiskStore, FileBody};
pub use error::{OpenError, StoreError};
pub use settings::{BucketFolder, Settings};

/// Where objects are kept.
pub trait Store: Send + Sync + 'static {
    /// Finds an object: its attributes, and its content ready to be sent. The content stays that of the moment of opening
    /// where the object is replaced afterwards.
    fn open(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> impl Future<Output = Result<Object, StoreError>> + Send;

    /// Is there a bucket of this name?
    fn bucket_exists(&self, bucket: &BucketName) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Every bucket's name, sorted.
    fn buckets(&self) -> impl Future<Output = Result<Vec<BucketName>, StoreError>> + Send;
}

/// An object as found.
#[derive(Clone, Debug)]
pub struct Object {
    /// What is known of it besides its bytes.
    pub attributes: ObjectAttributes,
    /// Its bytes.
    pub content: Content,
}

/// An object's bytes, in the form that the store has them: the server picks the cheapest way to send each.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Content {
    /// A file on disk, to be read by position (its cursor is shared, so never by `read`): [`FileBody`] streams a range of it.
    File(Arc<File>),
}
