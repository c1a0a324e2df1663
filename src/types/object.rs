//! What is known of a stored object besides its bytes.

use std::{collections::BTreeMap, fmt};

use time::OffsetDateTime;

use super::{Checksum, Parts};

/// An entity tag as S3 gives it, without its quotes: the MD5 of what was uploaded, or, for a file dropped into the folder,
/// a text that cannot be mistaken for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// Takes a tag that the store made: visible ASCII without quotes.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The tag of content uploaded whole: its MD5 in lower-case hexadecimal.
    pub fn of_md5(digest: [u8; 16]) -> Self {
        Self(hex::encode(digest))
    }

    /// The tag of content uploaded in parts: the MD5 of the parts' MD5s, a hyphen and their number.
    pub fn of_parts(digest: [u8; 16], count: usize) -> Self {
        Self(format!("{}-{count}", hex::encode(digest)))
    }

    /// Is it the MD5 of the content? Those of parts and of dropped-in files have other forms.
    pub fn is_md5(&self) -> bool {
        self.0.len() == 32 && self.0.bytes().all(|b| b.is_ascii_hexdigit())
    }

    /// The tag without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows the tag as a header carries it: in quotes.
impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// What answers about an object are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectAttributes {
    /// The object's length in bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: ETag,
    /// When it was last written.
    pub last_modified: OffsetDateTime,
    /// What its writer said of it.
    pub properties: Properties,
}

/// What a writer says of an object, kept with it and given back when it is read.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// Its media type, `Content-Type`.
    pub content_type: String,
    /// `Cache-Control`
    pub cache_control: Option<String>,
    /// `Content-Disposition`
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    pub content_encoding: Option<String>,
    /// `Content-Language`
    pub content_language: Option<String>,
    /// `Expires`, as it was sent.
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`
    pub website_redirect_location: Option<String>,
    /// `x-amz-storage-class`, where it is not `STANDARD`: an echo, since there is one kind of storage.
    pub storage_class: Option<String>,
    /// `x-amz-meta-NAME`, by NAME in lower case.
    pub user_metadata: BTreeMap<String, String>,
    /// The object's tags, in the order they were given.
    pub tags: Vec<Tag>,
    /// The checksum that its writer declared or asked for, and that held.
    pub checksum: Option<Checksum>,
    /// The parts that it was uploaded in, where it was.
    pub parts: Option<Parts>,
}

/// One tag of an object.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// 1 to 128 characters.
    pub key: String,
    /// Up to 256 characters.
    pub value: String,
}

/// What must hold of the object that is there now for a write or a deletion to happen. It is looked at in the same breath as
/// the write itself.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WriteCondition {
    /// Nothing.
    #[default]
    Always,
    /// `If-None-Match: *`: there is none.
    Absent,
    /// `If-Match`: there is one, and its ETag (without quotes) is this one; `*` is any.
    Matches(String),
}

impl WriteCondition {
    /// Whether its outcome tells something of the object's content, and not only that there is an
    /// object.
    pub fn is_on_content(&self) -> bool {
        match self {
            Self::Always | Self::Absent => false,
            Self::Matches(tag) => tag != "*",
        }
    }
}
