//! What a person means by a link, a key, a signer or an object, in one way for every command: to take it back, to give it back, to look it up in the
//! audit trail.

use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    audit::Record,
    clock::Clock,
    sigv4::Presigned,
    types::{BucketName, LinkId, Query},
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
            Some("now") => Selector::SignedBefore(name, Some(next_second(Clock::system().now()))),
            Some(before) => Selector::SignedBefore(name, Some(whole_second(instant(before)?))),
        }))
    }

    /// What is meant, where something must be.
    pub(super) fn required(&self) -> Result<Selector, Problem> {
        let selector = self.selector()?;
        Ok(selector.ok_or("what? Name one of --url, --link, --signer, --key and --object")?)
    }

    /// What is to be given back. An instant that nobody named is whichever the file holds.
    pub(super) fn to_restore(&self) -> Result<Selector, Problem> {
        Ok(match self.required()? {
            Selector::SignedBefore(name, _) if self.signed_before.as_deref() == Some("now") => {
                Selector::SignedBefore(name, None)
            }
            selector => selector,
        })
    }

    /// The whole URL, where that was given.
    pub(super) fn url(&self) -> Option<&str> {
        self.url.as_deref()
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

/// The instant, or the next whole second after it. Signatures are dated by whole seconds, so an instant within one would
/// spare what was signed earlier in that second.
pub(super) fn whole_second(at: OffsetDateTime) -> OffsetDateTime {
    match at.nanosecond() {
        0 => at,
        _ => next_second(at),
    }
}

/// The first whole second after this instant, which what was signed up to now comes before.
fn next_second(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0)
        .unwrap_or(at)
        .saturating_add(Duration::SECOND)
}

/// A link's name, and until when it could be used. Nothing else of the URL is kept.
fn link(url: &str) -> Result<Selector, Problem> {
    const SHAPE: &str =
        "this is no presigned URL: its query has no X-Amz-Signature, or not all that belongs to one";
    let (_, query) = url.split_once('?').ok_or(SHAPE)?;
    let query = Query::parse(query.split('#').next().unwrap_or(query)).map_err(|_| SHAPE)?;
    let presigned = Presigned::parse(&query).map_err(|reject| format!("{SHAPE} ({reject})"))?;
    Ok(Selector::Link {
        id: presigned.link_id().ok_or(SHAPE)?,
        until: Some(presigned.expires_at()),
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
    fn signed_before_closes_the_second_that_has_begun() {
        let at = |text| OffsetDateTime::parse(text, &Rfc3339).unwrap();
        for (instant, whole, next) in [
            (
                "2026-11-24T12:00:00Z",
                "2026-11-24T12:00:00Z",
                "2026-11-24T12:00:01Z",
            ),
            (
                "2026-11-24T12:00:00.000000001Z",
                "2026-11-24T12:00:01Z",
                "2026-11-24T12:00:01Z",
            ),
            (
                "2026-11-24T23:59:59.999Z",
                "2026-11-25T00:00:00Z",
                "2026-11-25T00:00:00Z",
            ),
        ] {
            assert_eq!(whole_second(at(instant)), at(whole), "{instant}");
            assert_eq!(next_second(at(instant)), at(next), "{instant}");
        }
        let args = |before: &str| SelectorArgs {
            signer: Some("bob".to_owned()),
            signed_before: Some(before.to_owned()),
            ..SelectorArgs::default()
        };
        let Selector::SignedBefore(_, Some(before)) = args("now").required().unwrap() else {
            panic!("no instant")
        };
        // A link is dated by the second in which it was signed.
        let signed_at = Clock::system().now().replace_nanosecond(0).unwrap() - Duration::SECOND;
        assert!(before > signed_at && before.nanosecond() == 0, "{before}");
        let given = args("2026-11-24T12:00:00.5Z").required().unwrap();
        let expected = Selector::SignedBefore("bob".to_owned(), Some(at("2026-11-24T12:00:01Z")));
        assert_eq!(given, expected);
        let any = Selector::SignedBefore("bob".to_owned(), None);
        assert_eq!(args("now").to_restore().unwrap(), any);
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
