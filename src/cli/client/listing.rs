//! Listings: pages of ListObjectsV2 and the answer of ListBuckets go in, entries come out, one page at a time.
//!
//! Keys are asked for with `encoding-type=url`, since XML cannot carry every key.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use std::collections::HashSet;

use http::Method;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use crate::types::BucketName;

use super::{Call, ClientError, S3Client, tree::Element};

/// One thing in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Entry {
    /// What all keys up to the next delimiter share.
    Prefix(String),
    /// An object.
    Object(Listed),
}

/// An object as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Listed {
    pub(in crate::cli) key: String,
    /// Bytes.
    pub(in crate::cli) size: u64,
    /// As S3 writes it: `2026-11-24T09:00:00.000Z`.
    pub(in crate::cli) last_modified: String,
    pub(in crate::cli) etag: String,
}

/// A page, and where the next one begins.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    entries: Vec<Entry>,
    next: Option<String>,
}

/// Pages without an entry that may follow one another. S3 sends some where many objects were deleted.
const MOST_EMPTY: usize = 100;

/// What is listed, page after page. It ends, whatever the server says: a page must not lead back to an earlier one, and
/// must not repeat the one before.
pub(in crate::cli) struct Listing<'a> {
    client: &'a S3Client,
    bucket: &'a BucketName,
    prefix: &'a str,
    delimiter: Option<char>,
    next: Next,
    /// The hashes of the tokens so far, and that of the last page's entries.
    tokens: HashSet<[u8; 32]>,
    last: Option<[u8; 32]>,
    empty: usize,
}

enum Next {
    Start,
    From(String),
    End,
}

impl<'a> Listing<'a> {
    /// Lists the keys that begin with a prefix; with a delimiter, those of one level.
    pub(in crate::cli) fn new(
        client: &'a S3Client,
        bucket: &'a BucketName,
        prefix: &'a str,
        delimiter: Option<char>,
    ) -> Self {
        Self {
            client,
            bucket,
            prefix,
            delimiter,
            next: Next::Start,
            tokens: HashSet::new(),
            last: None,
            empty: 0,
        }
    }

    /// The next page's entries, in S3's order; `None` behind the last page.
    pub(in crate::cli) async fn page(&mut self) -> Result<Option<Vec<Entry>>, ClientError> {
        let mut query: Vec<(String, String)> = [
            ("list-type", "2"),
            ("encoding-type", "url"),
            ("prefix", self.prefix),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if let Some(delimiter) = self.delimiter {
            query.push(("delimiter".to_owned(), delimiter.to_string()));
        }
        match &self.next {
            Next::Start => {}
            Next::From(token) => query.push(("continuation-token".to_owned(), token.clone())),
            Next::End => return Ok(None),
        }
        let call = Call {
            bucket: Some(self.bucket),
            query: &query,
            ..Call::default()
        };
        let response = self.client.send(Method::GET, call).await?;
        let text = self.client.text(response.into_body()).await?;
        let not_s3 = || ClientError::NotS3(self.client.authority(), "a listing that cannot be read");
        let page = read_page(&text).ok_or_else(not_s3)?;
        self.next = match page.next {
            Some(token) if self.leads_on(&page.entries, &token) => Next::From(token),
            Some(_) => {
                let why = "a listing that never ends";
                return Err(ClientError::NotS3(self.client.authority(), why));
            }
            None => Next::End,
        };
        Ok(Some(page.entries))
    }

    /// Whether asking for the page of this token can get any further.
    fn leads_on(&mut self, entries: &[Entry], token: &str) -> bool {
        let mut names = Sha256::new();
        for entry in entries {
            names.update(name(entry));
            names.update([0]);
        }
        let names = (!entries.is_empty()).then(|| names.finalize().into());
        self.empty = if entries.is_empty() { self.empty + 1 } else { 0 };
        let repeats = names.is_some() && self.last == names;
        self.last = names;
        self.tokens.insert(Sha256::digest(token).into()) && !repeats && self.empty <= MOST_EMPTY
    }
}

fn read_page(text: &str) -> Option<Page> {
    let root = Element::parse(text).filter(|root| root.name == "ListBucketResult")?;
    let encoded = root.text_of("EncodingType") == Some("url");
    let decoded = |text: &str| {
        if encoded {
            decode(text)
        } else {
            Some(text.to_owned())
        }
    };
    let mut entries = Vec::new();
    for prefix in root.all("CommonPrefixes") {
        entries.push(Entry::Prefix(decoded(prefix.text_of("Prefix")?)?));
    }
    for object in root.all("Contents") {
        entries.push(Entry::Object(Listed {
            key: decoded(object.text_of("Key")?)?,
            size: object.text_of("Size")?.parse().ok()?,
            last_modified: object.text_of("LastModified").unwrap_or_default().to_owned(),
            etag: object
                .text_of("ETag")
                .unwrap_or_default()
                .trim_matches('"')
                .to_owned(),
        }));
    }
    // S3 tells prefixes and objects apart; people look for a name where it sorts.
    entries.sort_by(|a, b| name(a).cmp(name(b)));
    let next = match root.text_of("IsTruncated") {
        Some("true") => Some(root.text_of("NextContinuationToken")?.to_owned()),
        Some(_) | None => None,
    };
    Some(Page { entries, next })
}

fn name(entry: &Entry) -> &str {
    match entry {
        Entry::Prefix(prefix) => prefix,
        Entry::Object(object) => &object.key,
    }
}

/// AWS writes a space as `+` and a plus as `%2B`.
fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    Some(percent_decode_str(&spaced).decode_utf8().ok()?.into_owned())
}

/// A bucket as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Bucket {
    pub(in crate::cli) name: String,
    pub(in crate::cli) created: String,
}

/// Every bucket of these keys' owner.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
pub(in crate::cli) async fn buckets(client: &S3Client) -> Result<Vec<Bucket>, ClientError> {
    let response = client.send(Method::GET, Call::default()).await?;
    let text = client.text(response.into_body()).await?;
    read_buckets(&text)
        .ok_or_else(|| ClientError::NotS3(client.authority(), "a list of buckets that cannot be read"))
}

fn read_buckets(text: &str) -> Option<Vec<Bucket>> {
    let root = Element::parse(text).filter(|root| root.name == "ListAllMyBucketsResult")?;
    let all = root.all("Buckets").flat_map(|buckets| buckets.all("Bucket"));
    all.map(|bucket| {
        Some(Bucket {
            name: bucket.text_of("Name")?.to_owned(),
            created: bucket.text_of("CreationDate").unwrap_or_default().to_owned(),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str) -> Entry {
        Entry::Object(Listed {
            key: key.to_owned(),
            size: 5,
            last_modified: "2026-11-24T09:00:00.000Z".to_owned(),
            etag: "e".to_owned(),
        })
    }

    fn page(encoding: &str, keys: &[&str], tail: &str) -> String {
        let contents: String = keys
            .iter()
            .map(|key| format!("<Contents><Key>{key}</Key><LastModified>2026-11-24T09:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>5</Size></Contents>"))
            .collect();
        format!("<ListBucketResult xmlns='x'>{encoding}{contents}{tail}</ListBucketResult>")
    }

    #[test]
    fn keys_are_decoded_where_the_server_says_that_they_are_encoded() {
        let url = "<EncodingType>url</EncodingType>";
        for (encoding, key, found) in [
            (url, "a%2Fb+c%2B%0Ad%C3%A9", "a/b c+\ndé"),
            (url, "a/b%20c", "a/b c"),
            ("", "a%2Fb+c &amp; d", "a%2Fb+c & d"),
        ] {
            assert_eq!(
                read_page(&page(encoding, &[key], "")).unwrap().entries,
                [object(found)],
                "{key}"
            );
        }
        assert_eq!(read_page(&page(url, &["%ff"], "")), None);
    }

    #[test]
    fn prefixes_stand_where_they_sort_and_the_next_page_has_a_token() {
        let tail = "<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes><IsTruncated>true</IsTruncated>";
        let token = "<NextContinuationToken>t+%</NextContinuationToken>";
        let found = read_page(&page("", &["a", "c"], &format!("{tail}{token}"))).unwrap();
        assert_eq!(
            found.entries,
            [object("a"), Entry::Prefix("b/".to_owned()), object("c")]
        );
        assert_eq!(found.next.as_deref(), Some("t+%"));
        assert_eq!(read_page(&page("", &["a"], tail)), None, "truncated and no token");
        assert_eq!(read_page("<html/>"), None);
    }

    #[test]
    fn buckets_are_read() {
        let text = "<ListAllMyBucketsResult><Owner><ID>o</ID></Owner><Buckets><Bucket><Name>films</Name>\
            <CreationDate>2026-11-24T09:00:00.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>";
        let films = Bucket {
            name: "films".to_owned(),
            created: "2026-11-24T09:00:00.000Z".to_owned(),
        };
        assert_eq!(read_buckets(text), Some(vec![films]));
        assert_eq!(
            read_buckets("<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"),
            Some(vec![])
        );
    }
}
