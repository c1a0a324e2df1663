//! Listings as documents.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html>

use std::borrow::Cow;

use crate::{
    s3::{ListObjects, token, xml::Document},
    types::{BucketName, ObjectAttributes, ObjectKey},
};

use super::{
    instant,
    names::{encoded, put_boolean},
};

/// One entry of a page.
#[derive(Clone, Copy, Debug)]
pub enum ListEntry<'p> {
    /// An object.
    Object(&'p ObjectKey, &'p ObjectAttributes),
    /// What keys are rolled up to.
    CommonPrefix(&'p str),
}

/// One page of a listing.
#[derive(Clone, Copy, Debug)]
pub struct ListPage<'p> {
    /// The bucket.
    pub bucket: &'p BucketName,
    /// What was asked for.
    pub call: &'p ListObjects,
    /// The account that owns every object.
    pub account_id: &'p str,
    /// In the order of their names.
    pub entries: &'p [ListEntry<'p>],
    /// Is there more?
    pub more: bool,
}

/// The answer to ListObjects.
pub fn objects_v1(page: &ListPage<'_>) -> Vec<u8> {
    let ListPage { call, .. } = page;
    let mut document = page.begin();
    document.text(
        "Marker",
        &page.name(call.start.after.as_deref().unwrap_or_default()),
    );
    // Without a delimiter a client goes on behind the last key of the page.
    if let (true, Some(_), Some(last)) = (page.more, &call.delimiter, page.entries.last()) {
        document.text("NextMarker", &page.name(last.name()));
    }
    document.text("MaxKeys", &call.max_keys.to_string());
    page.end(document)
}

/// The answer to ListObjectsV2.
pub fn objects_v2(page: &ListPage<'_>) -> Vec<u8> {
    let ListPage { call, .. } = page;
    let mut document = page.begin();
    let start_after = call.start.after.as_deref().map(|text| page.name(text));
    document.optional("StartAfter", start_after.as_deref());
    document.optional(
        "ContinuationToken",
        call.start.token.as_ref().map(|(given, _)| given.as_str()),
    );
    if let (true, Some(last)) = (page.more, page.entries.last()) {
        document.text("NextContinuationToken", &token(last.name()));
    }
    document.text("KeyCount", &page.entries.len().to_string());
    document.text("MaxKeys", &call.max_keys.to_string());
    page.end(document)
}

impl ListEntry<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Object(key, _) => key.as_str(),
            Self::CommonPrefix(prefix) => prefix,
        }
    }
}

impl ListPage<'_> {
    fn name<'t>(&self, text: &'t str) -> Cow<'t, str> {
        encoded(text, self.call.url_encoded)
    }

    fn begin(&self) -> Document {
        let mut document = Document::new("ListBucketResult");
        document.text("Name", self.bucket.as_str());
        document.text("Prefix", &self.name(&self.call.prefix));
        document
    }

    fn end(&self, mut document: Document) -> Vec<u8> {
        let delimiter = self.call.delimiter.as_deref().map(|text| self.name(text));
        document.optional("Delimiter", delimiter.as_deref());
        document.optional("EncodingType", self.call.url_encoded.then_some("url"));
        put_boolean(&mut document, "IsTruncated", self.more);
        for entry in self.entries {
            if let ListEntry::Object(key, attributes) = entry {
                document.element("Contents", |contents| self.contents(contents, key, attributes));
            }
        }
        for entry in self.entries {
            if let ListEntry::CommonPrefix(prefix) = entry {
                document.element("CommonPrefixes", |element| {
                    element.text("Prefix", &self.name(prefix))
                });
            }
        }
        document.finish()
    }

    fn contents(&self, contents: &mut Document, key: &ObjectKey, attributes: &ObjectAttributes) {
        let properties = &attributes.properties;
        contents.text("Key", &self.name(key.as_str()));
        contents.text("LastModified", &instant(attributes.last_modified));
        contents.text("ETag", &attributes.etag.to_string());
        if let Some(checksum) = &properties.checksum {
            contents.text("ChecksumAlgorithm", checksum.algorithm.name());
            contents.text("ChecksumType", checksum.kind().name());
        }
        contents.text("Size", &attributes.size.to_string());
        if self.call.with_owner {
            contents.element("Owner", |owner| owner.text("ID", self.account_id));
        }
        contents.text(
            "StorageClass",
            properties.storage_class.as_deref().unwrap_or("STANDARD"),
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::{
        s3::Start,
        types::{ETag, Properties},
    };

    fn page(call: ListObjects, entries: &[(&str, bool)], more: bool, v2: bool) -> String {
        let attributes = ObjectAttributes {
            size: 5,
            etag: ETag::new("tag".to_owned()),
            last_modified: datetime!(2026-11-24 12:00 UTC),
            properties: Properties::default(),
        };
        let keys: Vec<_> = entries
            .iter()
            .map(|(name, _)| ObjectKey::parse(name).unwrap())
            .collect();
        let entries: Vec<_> = entries
            .iter()
            .zip(&keys)
            .map(|((name, object), key)| match object {
                true => ListEntry::Object(key, &attributes),
                false => ListEntry::CommonPrefix(name),
            })
            .collect();
        let page = ListPage {
            bucket: &BucketName::parse("films").unwrap(),
            call: &call,
            account_id: "000000000000",
            entries: &entries,
            more,
        };
        let document = if v2 { objects_v2(&page) } else { objects_v1(&page) };
        String::from_utf8(document).unwrap()
    }

    #[test]
    fn a_page_of_each_version_is_s3s_own() {
        let call = ListObjects {
            prefix: "a b".to_owned(),
            delimiter: Some("/".to_owned()),
            start: Start {
                after: Some("a".to_owned()),
                token: None,
            },
            max_keys: 2,
            url_encoded: true,
            with_owner: false,
        };
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <Name>films</Name><Prefix>a%20b</Prefix>";
        let tail = "<MaxKeys>2</MaxKeys><Delimiter>/</Delimiter><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
            <Contents><Key>a%20b%2B</Key><LastModified>2026-11-24T12:00:00.000Z</LastModified><ETag>\"tag\"</ETag><Size>5</Size>\
            <StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>a%20b/</Prefix></CommonPrefixes></ListBucketResult>";
        let entries = [("a b+", true), ("a b/", false)];
        assert_eq!(
            page(call.clone(), &entries, true, false).replace("&quot;", "\""),
            format!("{head}<Marker>a</Marker><NextMarker>a%20b/</NextMarker>{tail}")
        );
        assert_eq!(
            page(call, &entries, true, true).replace("&quot;", "\""),
            format!(
                "{head}<StartAfter>a</StartAfter><NextContinuationToken>{}</NextContinuationToken><KeyCount>2</KeyCount>{tail}",
                token("a b/")
            )
        );
    }

    proptest! {
        #[test]
        fn any_key_comes_back_from_its_encoded_form(key in "\\PC{1,40}|[\\x00-\\x1f +/%&<>]{1,20}") {
            let call = ListObjects { url_encoded: true, ..ListObjects::default() };
            let text = page(call, &[(&key, true)], false, true);
            let encoded = text.split_once("<Key>").unwrap().1.split_once("</Key>").unwrap().0.to_owned();
            let decoded = percent_encoding::percent_decode_str(&encoded).decode_utf8().unwrap();
            prop_assert_eq!(decoded, key);
        }
    }
}
