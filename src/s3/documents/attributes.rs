//! What is known of an object, as a document.

use crate::{
    s3::{ObjectAttribute, WantedAttributes, checksum, xml::Document},
    types::{ObjectAttributes, PartNumber, Properties},
};

use super::{instant, names::put_boolean};

/// The answer to CopyObject.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
pub fn copied(object: &ObjectAttributes) -> Vec<u8> {
    let mut document = Document::new("CopyObjectResult");
    document.text("LastModified", &instant(object.last_modified));
    document.text("ETag", &object.etag.to_string());
    if let Some(found) = &object.properties.checksum {
        checksum::put(&mut document, found);
    }
    document.finish()
}

/// The answer to GetObjectAttributes. An object that was uploaded whole has no parts to tell of.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>
pub fn object_attributes(wanted: &WantedAttributes, object: &ObjectAttributes) -> Vec<u8> {
    let mut document = Document::new("GetObjectAttributesResponse");
    let wants = |attribute| wanted.wants(attribute);
    if wants(ObjectAttribute::ETag) {
        document.text("ETag", object.etag.as_str());
    }
    if let (true, Some(found)) = (wants(ObjectAttribute::Checksum), &object.properties.checksum) {
        document.element("Checksum", |element| checksum::put(element, found));
    }
    if wants(ObjectAttribute::ObjectParts) {
        put_parts(&mut document, wanted, &object.properties);
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

/// How many parts there are, and, where they have checksums, each of one page. Those without are told of by their number alone, as on AWS.
fn put_parts(document: &mut Document, wanted: &WantedAttributes, properties: &Properties) {
    let Some(parts) = &properties.parts else { return };
    let count = parts.count();
    document.element("ObjectParts", |element| {
        if let Some(of) = properties
            .checksum
            .as_ref()
            .filter(|_| !parts.checksums().is_empty())
        {
            let last = wanted.parts_after.saturating_add(wanted.max_parts).min(count);
            put_boolean(element, "IsTruncated", last < count);
            element.text("MaxParts", &wanted.max_parts.to_string());
            element.text("NextPartNumberMarker", &last.to_string());
            element.text("PartNumberMarker", &wanted.parts_after.to_string());
            let page = (wanted.parts_after..last)
                .filter_map(|before| PartNumber::new(u32::try_from(before).ok()?.checked_add(1)?));
            for number in page {
                let (Some(range), Some(value)) = (parts.range(number), parts.checksum(number)) else {
                    continue;
                };
                element.element("Part", |part| {
                    part.text(checksum::element(of.algorithm), &checksum::encoded(value));
                    part.text("PartNumber", &number.to_string());
                    part.text("Size", &range.end.saturating_sub(range.start).to_string());
                });
            }
        }
        element.text("PartsCount", &count.to_string());
    });
}
