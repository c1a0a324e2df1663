//! The origins that a client may have signed for, and what the request names under each.
//!
//! Bucket and key are a function of the signed host and the signed canonical path alone:
//! [`Origin::read`] is that function. How a request arrived decides only which origins are tried.

use std::sync::Arc;

use crate::{
    s3::{S3Error, Target},
    sigv4,
    types::{BrokenEscape, BucketName, CanonicalPath, RequestHead, Scheme},
};

use super::Settings;

/// An origin under which clients reach the gateway when a proxy or a container stands in between:
/// `https://files.example.com` or, with a path in front, `https://example.com/s3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    text: Arc<str>,
    scheme: Scheme,
    authority: String,
    path_prefix: CanonicalPath<'static>,
}

/// The text is no public URL, and the rule that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a public URL: it {0}")]
pub struct PublicUrlError(&'static str);

impl PublicUrl {
    /// Takes `http://` or `https://`, a host, a port where it is not the scheme's own, and a path
    /// prefix where there is one.
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
        let path_prefix = CanonicalPath::parse(uri.path())
            .map_err(|_| PublicUrlError("must not hold a % without two hexadecimal digits after it"))?
            .trimmed();
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
    pub fn path_prefix(&self) -> &CanonicalPath<'static> {
        &self.path_prefix
    }

    /// Whether a host is this URL's. It may name the port that is the scheme's own.
    fn is_of(&self, authority: &str) -> bool {
        let (name, port) = match authority.split_at_checked(self.authority.len()) {
            Some((name, port)) => (name, port),
            None => return false,
        };
        let own_port = if self.scheme == Scheme::Https {
            ":443"
        } else {
            ":80"
        };
        name.eq_ignore_ascii_case(&self.authority) && (port.is_empty() || port == own_port)
    }
}

/// A host and a path that the client may have signed, and the public URL that they lie below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin<'r> {
    /// The signed `host`.
    authority: &'r str,
    /// The signed path.
    signed_path: CanonicalPath<'r>,
    /// The public URL whose prefix is not part of bucket and key; none if no public URL fits.
    public: Option<&'r PublicUrl>,
}

impl<'r> Origin<'r> {
    /// Reads a signed host and path: of the public URLs that they lie below, the one with the
    /// longest prefix counts. No other text of the request enters.
    fn read(authority: &'r str, signed_path: CanonicalPath<'r>, settings: &'r Settings) -> Self {
        let fits = |url: &&PublicUrl| url.is_of(authority) && signed_path.below(&url.path_prefix).is_some();
        let length = |url: &&PublicUrl| url.path_prefix.as_str().len();
        // Of several of one length the first in the configuration counts.
        let public = settings.public_urls.iter().rev().filter(fits).max_by_key(length);
        Self {
            authority,
            signed_path,
            public,
        }
    }

    /// The request as it arrived.
    pub(super) fn of(head: &'r RequestHead, settings: &'r Settings) -> Result<Self, BrokenEscape> {
        Ok(Self::read(head.authority(), head.canonical_path()?, settings))
    }

    /// Every origin to try, without twins: the request as it arrived; then each public URL whose
    /// proxy cut the prefix off, or passed it on under another host.
    pub(super) fn readings(head: &'r RequestHead, settings: &'r Settings) -> Result<Vec<Self>, BrokenEscape> {
        let arrived = head.canonical_path()?;
        let mut signed = vec![(head.authority(), arrived.clone())];
        for url in &settings.public_urls {
            let passed_on = arrived.below(&url.path_prefix).is_some().then(|| arrived.clone());
            let cut_off = arrived.after(&url.path_prefix);
            for path in passed_on.into_iter().chain([cut_off]) {
                let pair = (url.authority(), path);
                if !signed.contains(&pair) {
                    signed.push(pair);
                }
            }
        }
        let read = |(authority, path)| Self::read(authority, path, settings);
        Ok(signed.into_iter().map(read).collect())
    }

    /// Bucket and key.
    pub(super) fn target(&self, settings: &Settings) -> Result<Target, S3Error> {
        let below = self
            .public
            .and_then(|url| self.signed_path.below(&url.path_prefix));
        let named = below.as_ref().unwrap_or(&self.signed_path);
        Target::parse(self.authority, named, &settings.virtual_host_domains)
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

/// Every bucket that a request can be about, before anything of it is verified. For what decides
/// nothing: which pages may read an answer.
pub fn buckets_named(head: &RequestHead, settings: &Settings) -> Vec<BucketName> {
    let mut buckets: Vec<BucketName> = Vec::new();
    for origin in Origin::readings(head, settings).unwrap_or_default() {
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

    fn settings(public: &[&str]) -> Settings {
        let urls = public.iter().map(|text| PublicUrl::parse(text).unwrap());
        Settings {
            public_urls: urls.collect(),
            ..Settings::default()
        }
    }

    fn head(host: &str, path: &str) -> RequestHead {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        RequestHead::new(Method::GET, Scheme::Http, path.parse().unwrap(), headers).unwrap()
    }

    /// Signed host, signed path, and `bucket/key`.
    fn readings(host: &str, path: &str, public: &[&str]) -> Vec<(String, String, String)> {
        let (head, settings) = (head(host, path), settings(public));
        let row = |origin: Origin<'_>| {
            let named = match origin.target(&settings) {
                Ok(Target::Object(bucket, key)) => format!("{bucket}/{}", key.as_str()),
                Ok(Target::Bucket(bucket)) => bucket.to_string(),
                Ok(Target::Service) => String::new(),
                Err(error) => format!("{:?}", error.code()),
            };
            (origin.authority.to_owned(), origin.signed_path.to_string(), named)
        };
        Origin::readings(&head, &settings)
            .unwrap()
            .into_iter()
            .map(row)
            .collect()
    }

    fn row(authority: &str, signed: &str, named: &str) -> (String, String, String) {
        (authority.to_owned(), signed.to_owned(), named.to_owned())
    }

    #[test]
    fn without_public_urls_there_is_one_reading() {
        assert_eq!(
            readings("h:9000", "/abc/k", &[]),
            [row("h:9000", "/abc/k", "abc/k")]
        );
    }

    #[test]
    fn a_prefix_is_tried_as_passed_on_and_as_cut_off() {
        assert_eq!(
            readings("h:9000", "/s31/abc/k", &["https://example.com/s31/"]),
            [
                row("h:9000", "/s31/abc/k", "s31/abc/k"),
                row("example.com", "/s31/abc/k", "abc/k"),
                row("example.com", "/s31/s31/abc/k", "s31/abc/k"),
            ]
        );
    }

    #[test]
    fn what_was_signed_never_has_two_readings() {
        let found = readings(
            "example.com",
            "/s31/abc/k",
            &["https://example.com/s31", "https://example.com"],
        );
        assert_eq!(
            found.first(),
            Some(&row("example.com", "/s31/abc/k", "abc/k")),
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
    fn encoded_prefix_is_the_same_prefix() {
        for path in [
            "/files/public/report.pdf",
            "/%66iles/public/report.pdf",
            "/files%2fpublic/report.pdf",
        ] {
            let found = readings("h", path, &["http://h/files"]);
            assert_eq!(
                found.first(),
                Some(&row("h", "/files/public/report.pdf", "public/report.pdf")),
                "{path}"
            );
        }
        assert_eq!(
            readings("h:80", "/files/abc/k", &["http://h/files"])[0].2,
            "abc/k"
        );
        assert_eq!(readings("h", "/files", &["http://h/files"])[0].2, "");
        assert_eq!(
            readings("h", "/filesystem/k", &["http://h/files"])[0].2,
            "filesystem/k"
        );
    }

    #[test]
    fn longest_prefix_wins_however_a_request_arrives() {
        let urls = ["http://h", "http://h/media", "http://h/media/deep"];
        for (path, signed, named) in [
            ("/media/reports/q3.pdf", "/media/reports/q3.pdf", "reports/q3.pdf"),
            ("/reports/q3.pdf", "/media/reports/q3.pdf", "reports/q3.pdf"),
            ("/media/deep/abc/k", "/media/deep/abc/k", "abc/k"),
            ("/deep/abc/k", "/media/deep/abc/k", "abc/k"),
            ("/other/k", "/other/k", "other/k"),
        ] {
            let found = readings("h", path, &urls);
            assert!(found.contains(&row("h", signed, named)), "{path}: {found:?}");
            let of_signed = found.iter().filter(|(_, path, _)| path == signed);
            assert_eq!(of_signed.count(), 1, "{path}");
        }
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
                .path_prefix()
                .as_str(),
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
            "https://a.example/%zz",
        ] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
