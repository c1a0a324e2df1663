//! The arguments of ListObjects, ListObjectsV2 and ListBuckets.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    s3::{ErrorCode, S3Error},
    types::Query,
};

/// The most entries of one page.
const MOST_KEYS: usize = 1000;
const MOST_BUCKETS: usize = 10_000;
/// What a token of ours begins with, before it is encoded: another form later gets another.
const TOKEN_MARK: &str = "1:";

/// The arguments of a listing, of either version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListObjects {
    /// Only keys that begin so.
    pub prefix: String,
    /// What keys are rolled up at.
    pub delimiter: Option<String>,
    /// Where the page begins.
    pub start: Start,
    /// As asked for, at most 1,000.
    pub max_keys: usize,
    /// `encoding-type=url`
    pub url_encoded: bool,
    /// `fetch-owner=true`
    pub with_owner: bool,
}

/// Where a page begins, as the client said it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// `marker`, or `start-after`.
    pub after: Option<String>,
    /// `continuation-token` and what it stands for.
    pub token: Option<(String, String)>,
}

impl Start {
    /// Only keys behind this are listed: a token counts before `start-after`.
    pub fn position(&self) -> Option<&str> {
        let of_token = self.token.as_ref().map(|(_, position)| position.as_str());
        of_token.or(self.after.as_deref())
    }
}

impl ListObjects {
    pub(super) fn parse_v1(query: &Query<'_>) -> Result<Self, S3Error> {
        let mut list = Self::parse(query)?;
        list.start.after = given(query, "marker");
        list.with_owner = true;
        Ok(list)
    }

    pub(super) fn parse_v2(query: &Query<'_>) -> Result<Self, S3Error> {
        if let Some(version) = query.first("list-type").filter(|version| *version != "2") {
            return Err(S3Error::invalid_argument(
                "Invalid List Type specified in Request",
                "list-type",
                version,
            ));
        }
        let mut list = Self::parse(query)?;
        list.start = Start {
            after: given(query, "start-after"),
            token: token_of(query)?,
        };
        list.with_owner = query
            .first("fetch-owner")
            .is_some_and(|text| text.eq_ignore_ascii_case("true"));
        Ok(list)
    }

    fn parse(query: &Query<'_>) -> Result<Self, S3Error> {
        Ok(Self {
            prefix: query.first("prefix").unwrap_or_default().to_owned(),
            delimiter: given(query, "delimiter"),
            start: Start::default(),
            max_keys: count(query, "max-keys", MOST_KEYS)?.min(MOST_KEYS),
            url_encoded: url_encoded(query)?,
            with_owner: false,
        })
    }
}

/// The arguments of ListBuckets.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListBuckets {
    /// Only names that begin so.
    pub prefix: Option<String>,
    /// Only buckets of this region.
    pub region: Option<String>,
    /// Only names behind this.
    pub after: Option<String>,
    /// The most buckets of a page.
    pub max_buckets: usize,
}

impl ListBuckets {
    pub(super) fn parse(query: &Query<'_>) -> Result<Self, S3Error> {
        let max_buckets = count(query, "max-buckets", MOST_BUCKETS)?;
        if !(1..=MOST_BUCKETS).contains(&max_buckets) {
            return Err(S3Error::invalid_argument(
                "Argument max-buckets must be an integer between 1 and 10000",
                "max-buckets",
                query.first("max-buckets").unwrap_or_default(),
            ));
        }
        Ok(Self {
            prefix: given(query, "prefix"),
            region: given(query, "bucket-region"),
            after: token_of(query)?.map(|(_, position)| position),
            max_buckets,
        })
    }
}

/// The token that leads behind this entry. Opaque to clients, and without a state here.
pub fn token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{TOKEN_MARK}{last}"))
}

fn token_of(query: &Query<'_>) -> Result<Option<(String, String)>, S3Error> {
    let Some(given) = query.first("continuation-token") else {
        return Ok(None);
    };
    let decoded = URL_SAFE_NO_PAD
        .decode(given)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let position = decoded.as_deref().and_then(|text| text.strip_prefix(TOKEN_MARK));
    match position {
        Some(position) => Ok(Some((given.to_owned(), position.to_owned()))),
        None => Err(S3Error::invalid_argument(
            "The continuation token provided is incorrect",
            "continuation-token",
            given,
        )),
    }
}

/// Are names to be encoded? `encoding-type` knows `url` alone.
pub(super) fn url_encoded(query: &Query<'_>) -> Result<bool, S3Error> {
    match query.first("encoding-type") {
        None | Some("") => Ok(false),
        Some("url") => Ok(true),
        Some(other) => Err(S3Error::invalid_argument(
            "Invalid Encoding Method specified in Request",
            "encoding-type",
            other,
        )),
    }
}

/// A parameter that is the same empty and absent.
pub(super) fn given(query: &Query<'_>, name: &str) -> Option<String> {
    query
        .first(name)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// A number from 0 to the largest of 32 bits.
pub(super) fn count(query: &Query<'_>, name: &'static str, default: usize) -> Result<usize, S3Error> {
    let Some(text) = query.first(name).filter(|text| !text.is_empty()) else {
        return Ok(default);
    };
    let refused = |message: String| {
        S3Error::new(ErrorCode::InvalidArgument)
            .message(message)
            .with("ArgumentName", name)
            .with("ArgumentValue", text)
    };
    match text.parse::<i32>() {
        Ok(number) => usize::try_from(number).map_err(|_| {
            refused(format!(
                "Argument {name} must be an integer between 0 and 2147483647"
            ))
        }),
        Err(_) => Err(refused(format!(
            "Provided {name} not an integer or within integer range"
        ))),
    }
}
