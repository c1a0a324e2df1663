//! What is known of a stored object besides its bytes.

use std::fmt;

use time::OffsetDateTime;

/// An entity tag as S3 gives it, without its quotes: the MD5 of what was uploaded, or, for a file dropped into the folder,
/// a text that cannot be mistaken for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// Takes a tag that the store made: visible ASCII without quotes.
    pub fn new(text: String) -> Self {
        Self(text)
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
    /// Its media type.
    pub content_type: String,
}
