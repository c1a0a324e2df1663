//! What a person means by a link, a key, a signer or an object, in one way for every command: to take it back, to give it back, to look it up in the
//! audit trail.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    audit::Record,
    clock::Clock,
    sigv4::Presigned,
    types::{BucketName, LinkId, Query, Span},
};

use super::{Problem, s3_url::S3Url};

/// One of several ways to say what is meant.
#[derive(Debug, Default, clap::Args)]
#[command(group(clap::ArgGroup::new("selector").multiple(false).args(["url", "link", "signer", "key", "object"])))]
pub(super) struct SelectorArgs {
    /// One link: the whole URL
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// One link, by the name that the log and the audit trail give it
    #[arg(long, value_name = "ID")]
    link: Option<String>,
    /// All that this signer signed, or, with --signed-before, what it signed until then
    #[arg(long, value_name = "NAME")]
    signer: Option<String>,
    /// What was signed with this access key id
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// An object, a prefix that ends with a slash, or a bucket, whoever signs
    #[arg(long, value_name = "S3URL")]
    object: Option<String>,
    /// With --signer: only what it signed before this time (2026-11-23T12:00:00Z, or now)
    #[arg(long, value_name = "TIME", requires = "signer", num_args = 0..=1, default_missing_value = "now")]
    signed_before: Option<String>,
}

/// What is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selector {
    /// One link. `until`: from when on it has expired anyway.
    Link {
        id: LinkId,
        until: Option<OffsetDateTime>,
    },
    /// All of a signer's.
    Signer(String),
    /// What one key signed.
    Key(String),
    /// What a signer signed before an instant; none where it is given back.
    SignedBefore(String, Option<OffsetDateTime>),
    /// An object, a prefix that ends with a slash, or a bucket, whoever signed.
    Object(BucketName, Option<String>),
}

impl SelectorArgs {
    /// What is meant, where something is.
    pub(super) fn selector(&self) -> Result<Option<Selector>, Problem> {
        if let Some(url) = &self.url {
            return link(url).map(Some);
        }
        if let Some(id) = &self.link {
            let id = LinkId::parse(id)
                .ok_or("--link takes a link_id of the log or the audit trail: 64 hexadecimal digits")?;
            return Ok(Some(Selector::Link { id, until: None }));
        }
        if let Some(id) = &self.key {
            return Ok(Some(Selector::Key(id.clone())));
        }
        if let Some(object) = &self.object {
            let url = S3Url::parse(object).map_err(|error| format!("{object:?}: {error}"))?;
            return Ok(Some(Selector::Object(url.bucket, url.rest)));
        }
        let Some(name) = self.signer.clone() else {
            return Ok(None);
        };
        Ok(Some(match self.signed_before.as_deref() {
            None => Selector::Signer(name),
            Some(before) => Selector::SignedBefore(name, Some(instant(before)?)),
        }))
    }

    /// What is meant, where something must be.
    pub(super) fn required(&self) -> Result<Selector, Problem> {
        let selector = self.selector()?;
        Ok(selector.ok_or("what? Name one of --url, --link, --signer, --key and --object")?)
    }

    /// Is it one link?
    pub(super) fn is_link(&self) -> bool {
        self.url.is_some() || self.link.is_some()
    }
}

/// A time as people give it: RFC 3339, or `now`.
pub(super) fn instant(text: &str) -> Result<OffsetDateTime, Problem> {
    match text {
        "now" => Ok(Clock::system().now()),
        text => Ok(OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| format!("{text:?} is no time with an offset, such as 2026-11-23T12:00:00Z"))?),
    }
}

/// A link's name, and until when it could be used. Nothing else of the URL is kept.
fn link(url: &str) -> Result<Selector, Problem> {
    const SHAPE: &str =
        "this is no presigned URL: its query has no X-Amz-Signature, or not all that belongs to one";
    let (_, query) = url.split_once('?').ok_or(SHAPE)?;
    let query = Query::parse(query.split('#').next().unwrap_or(query)).map_err(|_| SHAPE)?;
    let presigned = Presigned::parse(&query).map_err(|reject| format!("{SHAPE} ({reject})"))?;
    let life: u64 = query
        .first("X-Amz-Expires")
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let until = presigned
        .signed_at()
        .saturating_add(Span::from_seconds(life).duration().try_into()?);
    Ok(Selector::Link {
        id: presigned.link_id().ok_or(SHAPE)?,
        until: Some(until),
    })
}

impl Selector {
    /// Is the record about it? A request counts for a signer, a key or a link only where its signature held.
    pub(super) fn selects(&self, record: &Record) -> bool {
        match self {
            Self::Link { id, .. } => record.link_id.as_deref() == Some(id.to_string().as_str()),
            Self::Signer(name) => record.signer.as_deref() == Some(name),
            Self::Key(id) => record.access_key_id.as_deref() == Some(id),
            Self::SignedBefore(name, before) => {
                let signed = record.signed_at.zip(*before);
                record.signer.as_deref() == Some(name)
                    && signed.is_some_and(|(signed, before)| signed < before)
            }
            Self::Object(bucket, key) => {
                let names = |found_bucket: &str, found_key: Option<&str>| {
                    found_bucket == bucket.as_str()
                        && match key.as_deref() {
                            None | Some("") => true,
                            Some(prefix) if prefix.ends_with('/') => {
                                found_key.is_some_and(|key| key.starts_with(prefix))
                            }
                            Some(key) => found_key == Some(key),
                        }
                };
                let own = record
                    .bucket
                    .as_deref()
                    .is_some_and(|bucket| names(bucket, record.key.as_deref()));
                let source = record.source.as_deref().and_then(|source| source.split_once('/'));
                own || source.is_some_and(|(bucket, key)| names(bucket, Some(key)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(json: &str) -> Record {
        serde_json::from_str(&format!(
            "{{\"time\":\"2026-11-24T12:00:00Z\",\"outcome\":\"served\",{json}}}"
        ))
        .unwrap()
    }

    #[test]
    fn records_are_selected_by_what_they_are_about() {
        let bucket = BucketName::parse("films").unwrap();
        let object = |key: Option<&str>| Selector::Object(bucket.clone(), key.map(str::to_owned));
        let get = r#""signer":"alice","access_key_id":"A","signed_at":"2026-11-24T11:00:00Z","bucket":"films","key":"a/b""#;
        let copy = r#""signer":"bob","bucket":"other","key":"x","source":"films/a/b""#;
        let noon = time::macros::datetime!(2026-11-24 12:00 UTC);
        for (selector, of_get, of_copy) in [
            (Selector::Signer("alice".to_owned()), true, false),
            (Selector::Key("A".to_owned()), true, false),
            (
                Selector::SignedBefore("alice".to_owned(), Some(noon)),
                true,
                false,
            ),
            (
                Selector::SignedBefore("alice".to_owned(), Some(noon - time::Duration::hours(1))),
                false,
                false,
            ),
            (object(None), true, true),
            (object(Some("a/")), true, true),
            (object(Some("a/b")), true, true),
            (object(Some("a")), false, false),
            (object(Some("b/")), false, false),
        ] {
            assert_eq!(selector.selects(&record(get)), of_get, "{selector:?}");
            assert_eq!(selector.selects(&record(copy)), of_copy, "{selector:?}");
        }
    }
}
