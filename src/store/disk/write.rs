//! An object on its way to the disk.

use std::ops::Range;

use bytes::Bytes;

use crate::{
    store::{Content, StoreError, Upload},
    types::{ETag, ObjectAttributes, ObjectKey, Properties, WriteCondition},
};

/// An object on its way to the disk.
pub struct DiskUpload(std::convert::Infallible);

impl Upload for DiskUpload {
    async fn write(&mut self, _data: Bytes) -> Result<(), StoreError> {
        match self.0 {}
    }

    async fn write_from(&mut self, _content: &Content, _range: Range<u64>) -> Result<(), StoreError> {
        match self.0 {}
    }

    async fn commit(
        self,
        _key: &ObjectKey,
        _etag: ETag,
        _properties: Properties,
        _condition: WriteCondition,
    ) -> Result<ObjectAttributes, StoreError> {
        match self.0 {}
    }
}
