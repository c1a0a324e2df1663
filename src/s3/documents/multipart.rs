//! Uploads in parts as documents.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use time::OffsetDateTime;

use crate::{
    s3::{
        ErrorCode, ListMultipartUploads, ListParts, S3Error, checksum,
        xml::{Document, Element, malformed},
    },
    types::{
        BucketName, Checksum, ChecksumAlgorithm, ChecksumType, ETag, MAX_PARTS, ObjectAttributes, ObjectKey,
        PartNumber, UploadId,
    },
};

use super::{
    instant,
    names::{encoded, put_boolean},
};

/// One part as CompleteMultipartUpload names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPart {
    /// Its number.
    pub number: PartNumber,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its checksum as given: algorithm and base64.
    pub checksum: Option<(ChecksumAlgorithm, String)>,
}

/// A part as it is told of.
#[derive(Clone, Copy, Debug)]
pub struct ListedPart<'p> {
    /// Its number.
    pub number: PartNumber,
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag.
    pub etag: &'p ETag,
    /// Its checksum.
    pub checksum: Option<&'p Checksum>,
    /// When it came.
    pub last_modified: OffsetDateTime,
}

/// An upload as it is told of.
#[derive(Clone, Copy, Debug)]
pub struct ListedUpload<'u> {
    /// The key of the object to be.
    pub key: &'u ObjectKey,
    /// Its id.
    pub id: &'u UploadId,
    /// Who began it.
    pub initiator: &'u str,
    /// When.
    pub initiated: OffsetDateTime,
    /// Where it is not `STANDARD`.
    pub storage_class: Option<&'u str>,
    /// The checksum that the object is to have.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

/// One page of parts.
#[derive(Clone, Copy, Debug)]
pub struct PartsPage<'p> {
    /// The bucket.
    pub bucket: &'p BucketName,
    /// The upload.
    pub upload: ListedUpload<'p>,
    /// What was asked for.
    pub call: &'p ListParts,
    /// The account that owns every object.
    pub account_id: &'p str,
    /// In the order of their numbers.
    pub parts: &'p [ListedPart<'p>],
    /// Is there more?
    pub more: bool,
}

/// One entry of a page of uploads.
#[derive(Clone, Copy, Debug)]
pub enum UploadEntry<'u> {
    /// An upload.
    Upload(ListedUpload<'u>),
    /// What keys are rolled up to.
    CommonPrefix(&'u str),
}

/// One page of uploads.
#[derive(Clone, Copy, Debug)]
pub struct UploadsPage<'p> {
    /// The bucket.
    pub bucket: &'p BucketName,
    /// What was asked for.
    pub call: &'p ListMultipartUploads,
    /// The account that owns every object.
    pub account_id: &'p str,
    /// In the order of keys, then of time.
    pub entries: &'p [UploadEntry<'p>],
    /// Is there more?
    pub more: bool,
}

/// The answer to CreateMultipartUpload.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>
pub fn multipart_created(bucket: &BucketName, key: &ObjectKey, id: &UploadId) -> Vec<u8> {
    let mut document = Document::new("InitiateMultipartUploadResult");
    document.text("Bucket", bucket.as_str());
    document.text("Key", key.as_str());
    document.text("UploadId", id.as_str());
    document.finish()
}

/// The answer to CompleteMultipartUpload; `location` is the object's URL.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
pub fn multipart_completed(
    location: &str,
    bucket: &BucketName,
    key: &ObjectKey,
    object: &ObjectAttributes,
) -> Vec<u8> {
    let mut document = Document::new("CompleteMultipartUploadResult");
    document.text("Location", location);
    document.text("Bucket", bucket.as_str());
    document.text("Key", key.as_str());
    document.text("ETag", &object.etag.to_string());
    if let Some(found) = &object.properties.checksum {
        checksum::put(&mut document, found);
    }
    document.finish()
}

/// The answer to UploadPartCopy.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
pub fn part_copied(part: &ListedPart<'_>) -> Vec<u8> {
    let mut document = Document::new("CopyPartResult");
    document.text("LastModified", &instant(part.last_modified));
    document.text("ETag", &part.etag.to_string());
    put_part_checksum(&mut document, part);
    document.finish()
}

fn put_part_checksum(document: &mut Document, part: &ListedPart<'_>) {
    if let Some(found) = part.checksum {
        document.text(checksum::element(found.algorithm), &checksum::text(found));
    }
}

/// The body of CompleteMultipartUpload, its parts in ascending order. Errors: `MalformedXML`, `InvalidPartOrder`, `InvalidArgument`.
pub fn complete_multipart(document: &[u8]) -> Result<Vec<NamedPart>, S3Error> {
    let root = Element::parse(document, "CompleteMultipartUpload")?;
    root.only(&["Part"])?;
    let parts = root
        .children
        .iter()
        .map(named_part)
        .collect::<Result<Vec<_>, S3Error>>()?;
    if parts.is_empty() || parts.len() > MAX_PARTS as usize {
        return Err(malformed());
    }
    let ascending = parts
        .iter()
        .zip(parts.iter().skip(1))
        .all(|(one, next)| one.number < next.number);
    match ascending {
        true => Ok(parts),
        false => Err(S3Error::new(ErrorCode::InvalidPartOrder)),
    }
}

fn named_part(element: &Element) -> Result<NamedPart, S3Error> {
    let algorithms = ChecksumAlgorithm::ALL;
    let known: Vec<_> = ["PartNumber", "ETag", "Size"]
        .into_iter()
        .chain(algorithms.map(checksum::element))
        .collect();
    element.only(&known)?;
    let number = element.child("PartNumber")?.ok_or_else(malformed)?.trim();
    let number = PartNumber::parse(number).ok_or_else(|| {
        S3Error::invalid_argument("PartNumber must be >= 1 and <= 10000", "PartNumber", number)
    })?;
    let etag = element.child("ETag")?.ok_or_else(malformed)?;
    let mut found = None;
    for algorithm in algorithms {
        if let Some(value) = element.child(checksum::element(algorithm))? {
            found = Some((algorithm, value.trim().to_owned()));
        }
    }
    Ok(NamedPart {
        number,
        etag: etag.trim().trim_matches('"').to_owned(),
        checksum: found,
    })
}

/// The answer to ListParts.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>
pub fn parts(page: &PartsPage<'_>) -> Vec<u8> {
    let PartsPage { call, upload, .. } = page;
    let mut document = Document::new("ListPartsResult");
    document.text("Bucket", page.bucket.as_str());
    document.text("Key", &encoded(upload.key.as_str(), call.url_encoded));
    document.text("UploadId", upload.id.as_str());
    put_people(&mut document, upload.initiator, page.account_id);
    put_intentions(&mut document, upload);
    document.text("PartNumberMarker", &call.after.to_string());
    if let Some(last) = page.parts.last() {
        document.text("NextPartNumberMarker", &last.number.to_string());
    }
    document.text("MaxParts", &call.max_parts.to_string());
    document.optional("EncodingType", call.url_encoded.then_some("url"));
    put_boolean(&mut document, "IsTruncated", page.more);
    for part in page.parts {
        document.element("Part", |element| {
            element.text("PartNumber", &part.number.to_string());
            element.text("LastModified", &instant(part.last_modified));
            element.text("ETag", &part.etag.to_string());
            element.text("Size", &part.size.to_string());
            put_part_checksum(element, part);
        });
    }
    document.finish()
}

/// Who began it, and who will own it.
fn put_people(document: &mut Document, initiator: &str, account_id: &str) {
    document.element("Initiator", |element| {
        element.text("ID", &format!("arn:aws:iam::{account_id}:user/{initiator}"));
        element.text("DisplayName", initiator);
    });
    document.element("Owner", |owner| owner.text("ID", account_id));
}

fn put_intentions(document: &mut Document, upload: &ListedUpload<'_>) {
    document.text("StorageClass", upload.storage_class.unwrap_or("STANDARD"));
    if let Some((algorithm, kind)) = upload.checksum {
        document.text("ChecksumAlgorithm", algorithm.name());
        document.text("ChecksumType", kind.name());
    }
}

/// The answer to ListMultipartUploads.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
pub fn multipart_uploads(page: &UploadsPage<'_>) -> Vec<u8> {
    let UploadsPage { call, .. } = page;
    let name = |text: &str| encoded(text, call.url_encoded).into_owned();
    let mut document = Document::new("ListMultipartUploadsResult");
    document.text("Bucket", page.bucket.as_str());
    document.text("KeyMarker", &name(call.key_marker.as_deref().unwrap_or_default()));
    document.text(
        "UploadIdMarker",
        call.upload_id_marker.as_deref().unwrap_or_default(),
    );
    if let (true, Some(last)) = (page.more, page.entries.last()) {
        let (key, id) = match last {
            UploadEntry::Upload(upload) => (upload.key.as_str(), upload.id.as_str()),
            UploadEntry::CommonPrefix(prefix) => (*prefix, ""),
        };
        document.text("NextKeyMarker", &name(key));
        document.text("NextUploadIdMarker", id);
    }
    document.text("Prefix", &name(&call.prefix));
    let delimiter = call.delimiter.as_deref().map(name);
    document.optional("Delimiter", delimiter.as_deref());
    document.text("MaxUploads", &call.max_uploads.to_string());
    document.optional("EncodingType", call.url_encoded.then_some("url"));
    put_boolean(&mut document, "IsTruncated", page.more);
    for entry in page.entries {
        if let UploadEntry::Upload(upload) = entry {
            document.element("Upload", |element| {
                element.text("Key", &name(upload.key.as_str()));
                element.text("UploadId", upload.id.as_str());
                put_people(element, upload.initiator, page.account_id);
                element.text("Initiated", &instant(upload.initiated));
                put_intentions(element, upload);
            });
        }
    }
    for entry in page.entries {
        if let UploadEntry::CommonPrefix(prefix) = entry {
            document.element("CommonPrefixes", |element| element.text("Prefix", &name(prefix)));
        }
    }
    document.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &str) -> Result<Vec<(u32, String)>, ErrorCode> {
        let parts = complete_multipart(
            format!("<CompleteMultipartUpload>{body}</CompleteMultipartUpload>").as_bytes(),
        );
        let shown = |part: NamedPart| (part.number.get(), part.etag);
        parts
            .map(|parts| parts.into_iter().map(shown).collect())
            .map_err(|error| error.code())
    }

    fn part(number: &str) -> String {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>\"t{number}\"</ETag></Part>")
    }

    #[test]
    fn parts_are_read_in_ascending_order_with_gaps() {
        let read = parsed(&[part("1"), part("3"), part("10000")].concat()).unwrap();
        let named = |n: u32| (n, format!("t{n}"));
        assert_eq!(read, [named(1), named(3), named(10_000)]);
        let one = "<CompleteMultipartUpload><Part><ETag>a</ETag><PartNumber>2</PartNumber><ChecksumCRC32> AAAAAA== </ChecksumCRC32></Part></CompleteMultipartUpload>";
        let one = complete_multipart(one.as_bytes()).unwrap().remove(0);
        assert_eq!(
            one.checksum,
            Some((ChecksumAlgorithm::Crc32, "AAAAAA==".to_owned()))
        );
    }

    #[test]
    fn what_is_no_list_of_parts_is_refused() {
        let many: String = (1..=10_001).map(|_| part("1")).collect();
        for (body, code) in [
            (String::new(), ErrorCode::MalformedXML),
            ("<Other/>".to_owned(), ErrorCode::MalformedXML),
            (
                "<Part><PartNumber>1</PartNumber></Part>".to_owned(),
                ErrorCode::MalformedXML,
            ),
            ("<Part><ETag>t</ETag></Part>".to_owned(), ErrorCode::MalformedXML),
            (part("0"), ErrorCode::InvalidArgument),
            (part("10001"), ErrorCode::InvalidArgument),
            (part("x"), ErrorCode::InvalidArgument),
            ([part("2"), part("1")].concat(), ErrorCode::InvalidPartOrder),
            ([part("1"), part("1")].concat(), ErrorCode::InvalidPartOrder),
            (many, ErrorCode::MalformedXML),
        ] {
            assert_eq!(parsed(&body), Err(code), "{:.60}", body);
        }
    }
}
