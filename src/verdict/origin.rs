//! The origins that a client may have signed for, and what the request names under each.

use std::{borrow::Cow, sync::Arc};

use crate::{
    s3::{S3Error, Target},
    sigv4,
    types::{BucketName, RequestHead, Scheme},
};

use super::Settings;

/// An origin under which clients reach the gateway when a proxy or a container stands in between:
/// `https://files.example.com` or, with a path in front, `https://example.com/s3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    text: Arc<str>,
    scheme: Scheme,
    authority: String,
    path_prefix: String,
}

/// The text is no public URL, and the rule that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a public URL: it {0}")]
pub struct PublicUrlError(&'static str);

impl PublicUrl {
    /// Takes `http://` or `https://`, a host, a port where it is not the scheme's own, and a path prefix where there is one.
    pub fn parse(text: &str) -> Result<Self, PublicUrlError> {
        let uri: http::Uri = text.parse().map_err(|_| PublicUrlError("is not a URL"))?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            Some(_) | None => return Err(PublicUrlError("must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or(PublicUrlError("names no host"))?.as_str();
        if authority.contains('@') {
            return Err(PublicUrlError("must not hold a user name"));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(PublicUrlError("must not hold a query or a fragment"));
        }
        let default_port = if scheme == Scheme::Https { ":443" } else { ":80" };
        let authority = authority
            .strip_suffix(default_port)
            .unwrap_or(authority)
            .to_owned();
        let path_prefix = uri.path().trim_end_matches('/').to_owned();
        let shown = if scheme == Scheme::Https { "https" } else { "http" };
        Ok(Self {
            text: format!("{shown}://{authority}{path_prefix}").into(),
            scheme,
            authority,
            path_prefix,
        })
    }

    /// The URL, without a port that is its scheme's own and without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// HTTP or HTTPS.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and, where it is not the scheme's own, port: what a client signs as `host`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path in front of every bucket, empty or beginning with `/` and not ending in it.
    pub fn path_prefix(&self) -> &str {
        &self.path_prefix
    }
}

/// One reading of a request: what the client would have signed, and what that names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin<'r> {
    /// The signed `host`.
    authority: &'r str,
    /// The signed path.
    signed_path: Cow<'r, str>,
    /// The path that names bucket and key: the signed path without the origin's prefix.
    named_path: &'r str,
    /// The public URL that it is read under; none where it is read as it arrived.
    public: Option<&'r PublicUrl>,
}

impl<'r> Origin<'r> {
    /// The reading of a request as it arrived.
    pub(super) fn of(head: &'r RequestHead) -> Self {
        Self {
            authority: head.authority(),
            signed_path: Cow::Borrowed(head.path()),
            named_path: head.path(),
            public: None,
        }
    }

    /// Every reading to try, in order and without twins: those whose host is the one that was reached, a configured prefix
    /// before none; then the other public URLs. Two readings never share what was signed, so what verified names
    /// one bucket and one key.
    pub(super) fn readings(head: &'r RequestHead, settings: &'r Settings) -> Vec<Self> {
        let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
        for public in &settings.public_urls {
            let same_host = public.authority.eq_ignore_ascii_case(head.authority());
            let list = if same_host { &mut here } else { &mut elsewhere };
            list.extend(Self::below(public, head.path()));
        }
        here.push(Self::of(head));
        here.append(&mut elsewhere);
        let mut readings: Vec<Self> = Vec::with_capacity(here.len());
        for reading in here {
            let twin = |r: &Self| r.authority == reading.authority && r.signed_path == reading.signed_path;
            if !readings.iter().any(twin) {
                readings.push(reading);
            }
        }
        readings
    }

    /// The readings under one public URL: its proxy passed the prefix on, or cut it off.
    fn below(public: &'r PublicUrl, path: &'r str) -> impl Iterator<Item = Self> {
        let prefix = public.path_prefix();
        let reading = |signed_path, named_path| Self {
            authority: public.authority(),
            signed_path,
            named_path,
            public: Some(public),
        };
        let signed = match prefix {
            "" => Cow::Borrowed(path),
            prefix => Cow::Owned([prefix, path].concat()),
        };
        let cut = reading(signed, path);
        let passed_on = path
            .strip_prefix(prefix)
            .filter(|rest| rest.starts_with('/') && !prefix.is_empty());
        let passed_on = passed_on.map(|rest| reading(Cow::Borrowed(path), rest));
        passed_on.into_iter().chain([cut])
    }

    /// Bucket and key as this reading names them.
    pub(super) fn target(&self, settings: &Settings) -> Result<Target, S3Error> {
        Target::parse(self.authority, self.named_path, &settings.virtual_host_domains)
    }

    /// What was signed, for the signature's own check.
    pub(super) fn signed(&self) -> sigv4::Target<'_> {
        sigv4::Target {
            authority: self.authority,
            path: &self.signed_path,
        }
    }

    /// The public URL's text, to be kept.
    pub(super) fn public_text(&self) -> Option<Arc<str>> {
        self.public.map(|public| public.text.clone())
    }
}

/// Every bucket that a request can be about, before anything of it is verified. For what decides nothing: which pages may read an answer.
pub fn buckets_named(head: &RequestHead, settings: &Settings) -> Vec<BucketName> {
    let mut buckets: Vec<BucketName> = Vec::new();
    for origin in Origin::readings(head, settings) {
        if let Ok(target) = origin.target(settings)
            && let Some(bucket) = target.bucket().filter(|bucket| !buckets.contains(bucket))
        {
            buckets.push(bucket.clone());
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, header::HOST};

    use super::*;

    fn readings(host: &str, path: &str, public: &[&str]) -> Vec<(String, String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        let head = RequestHead::new(Method::GET, Scheme::Http, path.parse().unwrap(), headers).unwrap();
        let public_urls = public
            .iter()
            .map(|text| PublicUrl::parse(text).unwrap())
            .collect();
        let settings = Settings {
            public_urls,
            ..Settings::default()
        };
        let tuple = |o: Origin<'_>| row(o.authority, &o.signed_path, o.named_path);
        Origin::readings(&head, &settings)
            .into_iter()
            .map(tuple)
            .collect()
    }

    fn row(authority: &str, signed: &str, named: &str) -> (String, String, String) {
        (authority.to_owned(), signed.to_owned(), named.to_owned())
    }

    #[test]
    fn without_public_urls_there_is_one_reading() {
        assert_eq!(readings("h:9000", "/b/k", &[]), [row("h:9000", "/b/k", "/b/k")]);
    }

    #[test]
    fn a_prefix_is_tried_as_passed_on_and_as_cut_off() {
        assert_eq!(
            readings("h:9000", "/s3/b/k", &["https://example.com/s3/"]),
            [
                row("h:9000", "/s3/b/k", "/s3/b/k"),
                row("example.com", "/s3/b/k", "/b/k"),
                row("example.com", "/s3/s3/b/k", "/s3/b/k"),
            ]
        );
    }

    #[test]
    fn what_was_signed_never_has_two_readings() {
        let found = readings(
            "example.com",
            "/s3/b/k",
            &["https://example.com/s3", "https://example.com"],
        );
        assert_eq!(
            found.first(),
            Some(&row("example.com", "/s3/b/k", "/b/k")),
            "the configured prefix counts"
        );
        let mut signed: Vec<_> = found
            .iter()
            .map(|(authority, path, _)| (authority, path))
            .collect();
        signed.sort();
        signed.dedup();
        assert_eq!(signed.len(), found.len());
    }

    #[test]
    fn public_urls_are_origins_and_nothing_else() {
        assert_eq!(
            PublicUrl::parse("https://a.example:443").unwrap().authority(),
            "a.example"
        );
        assert_eq!(
            PublicUrl::parse("http://a.example:8080/x/")
                .unwrap()
                .path_prefix(),
            "/x"
        );
        for bad in [
            "",
            "a.example",
            "ftp://a.example",
            "https://u@a.example",
            "https://a.example/?q",
            "/x",
            "https://",
        ] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
