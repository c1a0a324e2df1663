//! What is known of a file in a bucket: the file goes in, attributes come out. Those of a file that was dropped in are its own: its content type comes
//! from the key's extension, its ETag from identity, size and time.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt,
};

use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::types::{ETag, ObjectAttributes, ObjectKey, Properties};

use super::{
    known::Looked,
    record::{Bucket, Found, Record},
};

/// What S3 says of an object whose type nobody gave.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
const UNKNOWN_TYPE: &str = "binary/octet-stream";

/// The attributes of a regular file: those that are kept with it, and for a file that was dropped in or changed by hand what it says of
/// itself. The time is cut to whole seconds, as S3 keeps it; the ETag of a dropped-in file tells nanoseconds apart. A record
/// that cannot be read is an error: the object must not look as if it had none.
pub(super) fn of(
    bucket: Bucket<'_>,
    file: &File,
    metadata: &Metadata,
    key: &ObjectKey,
) -> io::Result<Looked> {
    let Found {
        record,
        spilled,
        shows,
    } = Record::of(bucket, file, metadata, key)?;
    let has_record = record.is_some();
    let attributes = match record {
        Some(record) => written(metadata, ETag::new(record.etag.clone()), record.properties()),
        None => of_file(metadata, key),
    };
    Ok(Looked {
        attributes,
        spilled,
        has_record,
        shows,
    })
}

/// What a file says of itself.
pub(super) fn of_file(metadata: &Metadata, key: &ObjectKey) -> ObjectAttributes {
    let properties = Properties {
        content_type: content_type(key),
        ..Properties::default()
    };
    written(metadata, etag(metadata), properties)
}

/// The attributes of a file of which everything is known.
pub(super) fn written(metadata: &Metadata, etag: ETag, properties: Properties) -> ObjectAttributes {
    let last_modified = OffsetDateTime::from_unix_timestamp(metadata.mtime());
    ObjectAttributes {
        size: metadata.size(),
        etag,
        // A file system may hold a time that no calendar has.
        last_modified: last_modified.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        properties,
    }
}

/// `file-` and 32 digits. Neither `f-i-l-e` nor the place of the hyphen fits S3's MD5 (`hex`) or its multipart form
/// (`hex-parts`), so no client compares it with a hash of the content. Hashed, since inode numbers are nobody's business.
fn etag(metadata: &Metadata) -> ETag {
    let mut hash = Sha256::new();
    hash.update(metadata.dev().to_be_bytes());
    hash.update(metadata.ino().to_be_bytes());
    hash.update(metadata.size().to_be_bytes());
    hash.update(metadata.mtime().to_be_bytes());
    hash.update(metadata.mtime_nsec().to_be_bytes());
    let digest = hash.finalize();
    ETag::new(format!(
        "file-{}",
        hex::encode(digest.get(..16).unwrap_or_default())
    ))
}

fn content_type(key: &ObjectKey) -> String {
    let name = key.as_str().rsplit('/').next().unwrap_or_default();
    let guess = mime_guess::from_path(name).first_raw();
    guess.unwrap_or(UNKNOWN_TYPE).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_comes_from_the_last_segments_extension() {
        for (key, expected) in [
            ("a.txt", "text/plain"),
            ("films/a.MP4", "video/mp4"),
            ("index.html", "text/html"),
            ("a.png/b", UNKNOWN_TYPE),
            ("a.png/", UNKNOWN_TYPE),
            ("README", UNKNOWN_TYPE),
            ("a.nobody-knows", UNKNOWN_TYPE),
        ] {
            assert_eq!(content_type(&ObjectKey::parse(key).unwrap()), expected, "{key}");
        }
    }

    #[test]
    fn the_etag_holds_while_the_file_does_and_is_no_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let tag = || etag(&std::fs::metadata(&path).unwrap()).as_str().to_owned();
        std::fs::write(&path, "one").unwrap();
        let first = tag();
        assert_eq!(tag(), first);
        assert!(first.starts_with("file-") && first.len() == 37, "{first}");
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified + std::time::Duration::from_secs(4))
            .unwrap();
        let touched = tag();
        assert_ne!(touched, first);
        file.set_len(2).unwrap();
        file.set_modified(modified).unwrap();
        assert!(![first.clone(), touched].contains(&tag()));
        // Another file of the same size and time is another object.
        let other = folder.path().join("y");
        std::fs::write(&other, "two").unwrap();
        file.set_len(3).unwrap();
        file.set_modified(modified).unwrap();
        std::fs::File::options()
            .write(true)
            .open(&other)
            .unwrap()
            .set_modified(modified)
            .unwrap();
        assert_ne!(etag(&std::fs::metadata(&other).unwrap()).as_str(), tag());
    }
}
