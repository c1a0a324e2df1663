//! What is known of an object, as a document.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    s3::{ObjectAttribute, xml::Document},
    types::{Checksum, ChecksumAlgorithm, ObjectAttributes},
};

use super::instant;

/// The answer to CopyObject.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
pub fn copied(object: &ObjectAttributes) -> Vec<u8> {
    let mut document = Document::new("CopyObjectResult");
    document.text("LastModified", &instant(object.last_modified));
    document.text("ETag", &object.etag.to_string());
    if let Some(checksum) = &object.properties.checksum {
        put_checksum(&mut document, checksum);
    }
    document.finish()
}

/// The answer to GetObjectAttributes. An object that was uploaded whole has no parts to tell of.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>
pub fn object_attributes(wanted: &BTreeSet<ObjectAttribute>, object: &ObjectAttributes) -> Vec<u8> {
    let mut document = Document::new("GetObjectAttributesResponse");
    let wants = |attribute| wanted.contains(&attribute);
    if wants(ObjectAttribute::ETag) {
        document.text("ETag", object.etag.as_str());
    }
    if let (true, Some(checksum)) = (wants(ObjectAttribute::Checksum), &object.properties.checksum) {
        document.element("Checksum", |element| put_checksum(element, checksum));
    }
    if wants(ObjectAttribute::StorageClass) {
        let class = object.properties.storage_class.as_deref();
        document.text("StorageClass", class.unwrap_or("STANDARD"));
    }
    if wants(ObjectAttribute::ObjectSize) {
        document.text("ObjectSize", &object.size.to_string());
    }
    document.finish()
}

fn put_checksum(document: &mut Document, checksum: &Checksum) {
    let name = match checksum.algorithm {
        ChecksumAlgorithm::Crc32 => "ChecksumCRC32",
        ChecksumAlgorithm::Crc32c => "ChecksumCRC32C",
        ChecksumAlgorithm::Crc64Nvme => "ChecksumCRC64NVME",
        ChecksumAlgorithm::Sha1 => "ChecksumSHA1",
        ChecksumAlgorithm::Sha256 => "ChecksumSHA256",
    };
    document.text(name, &STANDARD.encode(&checksum.value));
    document.text("ChecksumType", "FULL_OBJECT");
}
