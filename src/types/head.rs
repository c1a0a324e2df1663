//! A request's head, as the gateway's rules see it.

use http::{HeaderMap, HeaderName, Method, Uri, header};

use super::{BrokenEscape, CanonicalPath, Query, QueryError};

/// The scheme that a request came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// Method, target, host and headers of one request, of either HTTP version. The host is settled
/// here, once: what is signed, what names the bucket and what is logged is this one.
#[derive(Clone, Debug)]
pub struct RequestHead {
    method: Method,
    scheme: Scheme,
    authority: String,
    uri: Uri,
    headers: HeaderMap,
}

/// Why a request's head cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Neither a `Host` header nor an authority in the target.
    #[error("the request names no host")]
    NoHost,
    /// More than one `Host` header, or one that differs from the authority beside it.
    #[error("the request names more than one host")]
    SeveralHosts,
    /// The host holds a byte that no host has.
    #[error("the request's host is not one")]
    BadHost,
    /// The body's end is told twice, or in a coding that is not read here: whoever stands between
    /// could find another end.
    #[error(
        "the length of the request's body is told in more than one way, or in a transfer coding other than chunked"
    )]
    Framing,
    /// An `x-amz-*` header in more than one line, each of which could be taken for its value.
    #[error("the header {0} is sent more than once")]
    Repeated(HeaderName),
    /// A target in absolute form with a scheme other than http or https.
    #[error("the request's target has a scheme that is neither http nor https")]
    ForeignScheme,
}

/// The `x-amz-*` headers that are lists, which the AWS SDK for Go writes as one line for each
/// element.
const LISTS: [&str; 2] = ["x-amz-object-attributes", "x-amz-optional-object-attributes"];

impl RequestHead {
    /// Settles the host: an authority in the target (HTTP/2, or HTTP/1.1's absolute form) counts
    /// before `Host`, as RFC 9112 section 3.2.2 and RFC 9113 section 8.3.1 want, and must not
    /// contradict it, which is stricter than RFC 9112 asks.
    ///
    /// How long the body is must be told once: by one `Content-Length`, or by `Transfer-Encoding:
    /// chunked` and nothing else (RFC 9112 section 6.1 lets a server read more, and names the
    /// smuggling that comes of it).
    pub fn new(method: Method, scheme: Scheme, uri: Uri, headers: HeaderMap) -> Result<Self, HeadError> {
        framed_once(&headers)?;
        said_once(&headers)?;
        if uri
            .scheme_str()
            .is_some_and(|scheme| !["http", "https"].contains(&scheme))
        {
            return Err(HeadError::ForeignScheme);
        }
        let mut hosts = headers.get_all(header::HOST).iter();
        let named = hosts
            .next()
            .map(|host| host.to_str().map_err(|_| HeadError::BadHost))
            .transpose()?;
        if hosts.next().is_some() {
            return Err(HeadError::SeveralHosts);
        }
        let authority = match (uri.authority().map(|a| a.as_str()), named) {
            (Some(target), Some(host)) if !target.eq_ignore_ascii_case(host) => {
                return Err(HeadError::SeveralHosts);
            }
            (Some(target), _) => target,
            (None, Some(host)) => host,
            (None, None) => return Err(HeadError::NoHost),
        };
        let shaped = |b: u8| b.is_ascii_alphanumeric() || b"-._~:[]".contains(&b);
        if authority.is_empty() || !authority.bytes().all(shaped) {
            return Err(HeadError::BadHost);
        }
        let authority = authority.to_owned();
        Ok(Self {
            method,
            scheme,
            authority,
            uri,
            headers,
        })
    }

    /// The method as sent.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// HTTP or HTTPS.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and, where one was sent, port: `localhost:9000`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path as sent, for people and logs: percent-encoded, never normalised, at least `/`.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The path in the form that is signed and that names bucket and key.
    pub fn canonical_path(&self) -> Result<CanonicalPath<'_>, BrokenEscape> {
        CanonicalPath::parse(self.path())
    }

    /// Path and query as sent.
    pub fn path_and_query(&self) -> &str {
        self.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    /// The query string, taken apart.
    pub fn query(&self) -> Result<Query<'_>, QueryError> {
        Query::parse(self.uri.query().unwrap_or_default())
    }

    /// Every header as sent, names in lower case.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

fn framed_once(headers: &HeaderMap) -> Result<(), HeadError> {
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let coding = codings.next();
    let chunked = coding.is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if lengths > 1 || (lengths == 1 && coding.is_some()) || !chunked || codings.next().is_some() {
        return Err(HeadError::Framing);
    }
    Ok(())
}

/// Refuses an `x-amz-*` header in several lines, other than metadata and lists.
fn said_once(headers: &HeaderMap) -> Result<(), HeadError> {
    if headers.len() == headers.keys_len() {
        return Ok(());
    }
    let is_single =
        |name: &str| name.starts_with("x-amz-") && !name.starts_with("x-amz-meta-") && !LISTS.contains(&name);
    let repeated =
        |name: &&HeaderName| is_single(name.as_str()) && headers.get_all(*name).iter().nth(1).is_some();
    match headers.keys().find(repeated) {
        Some(name) => Err(HeadError::Repeated(name.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(uri: &str, hosts: &[&str]) -> Result<RequestHead, HeadError> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        RequestHead::new(Method::GET, Scheme::Http, uri.parse().unwrap(), headers)
    }

    #[test]
    fn one_host_is_settled_from_target_or_header() {
        assert_eq!(
            head("/b/k", &["localhost:9000"]).unwrap().authority(),
            "localhost:9000"
        );
        assert_eq!(head("http://a:1/b/k", &["a:1"]).unwrap().authority(), "a:1");
        assert_eq!(head("https://a/b/k", &[]).unwrap().authority(), "a");
    }

    #[test]
    fn no_host_several_hosts_and_odd_hosts_are_refused() {
        assert_eq!(head("/b/k", &[]).unwrap_err(), HeadError::NoHost);
        assert_eq!(head("/b/k", &["a", "a"]).unwrap_err(), HeadError::SeveralHosts);
        assert_eq!(head("http://a/b/k", &["b"]).unwrap_err(), HeadError::SeveralHosts);
        for odd in ["", "a/b", "a b", "user@host", "a,b"] {
            assert_eq!(head("/b/k", &[odd]).unwrap_err(), HeadError::BadHost, "{odd}");
        }
    }

    #[test]
    fn the_end_of_a_body_is_told_once() {
        let (length, coding) = (header::CONTENT_LENGTH, header::TRANSFER_ENCODING);
        let rows: &[(&[(&header::HeaderName, &str)], bool)] = &[
            (&[], true),
            (&[(&length, "3")], true),
            (&[(&coding, "chunked")], true),
            (&[(&coding, "Chunked")], true),
            (&[(&length, "3"), (&length, "3")], false),
            (&[(&length, "3"), (&coding, "chunked")], false),
            (&[(&coding, "gzip, chunked")], false),
            (&[(&coding, "identity")], false),
            (&[(&coding, "chunked"), (&coding, "chunked")], false),
            (&[(&coding, "identity"), (&coding, "chunked")], false),
        ];
        for (sent, taken) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "h".parse().unwrap());
            for (name, value) in *sent {
                headers.append(*name, value.parse().unwrap());
            }
            let head = RequestHead::new(Method::PUT, Scheme::Http, "/b/k".parse().unwrap(), headers);
            let expected = if *taken { None } else { Some(HeadError::Framing) };
            assert_eq!(head.err(), expected, "{sent:?}");
        }
    }

    #[test]
    fn repeated_amz_header_is_refused() {
        for (name, taken) in [
            ("x-amz-copy-source", false),
            ("x-amz-tagging", false),
            ("x-amz-date", false),
            ("x-amz-content-sha256", false),
            ("x-amz-metadata-directive", false),
            ("x-amz-meta-a", true),
            ("x-amz-object-attributes", true),
            ("x-amz-optional-object-attributes", true),
            ("range", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "h".parse().unwrap());
            headers.append(name, "a".parse().unwrap());
            headers.append(name, "a".parse().unwrap());
            let head = RequestHead::new(Method::PUT, Scheme::Http, "/b/k".parse().unwrap(), headers);
            let expected = (!taken).then(|| HeadError::Repeated(HeaderName::from_static(name)));
            assert_eq!(head.err(), expected, "{name}");
        }
    }

    #[test]
    fn absolute_target_is_http_or_https() {
        for (uri, taken) in [
            ("http://h/b/k", true),
            ("HTTPS://h/b/k", true),
            ("ftp://h/b/k", false),
            ("ws://h/b/k", false),
            ("httpx://h/b/k", false),
        ] {
            let expected = (!taken).then_some(HeadError::ForeignScheme);
            assert_eq!(head(uri, &[]).err(), expected, "{uri}");
        }
    }

    #[test]
    fn the_path_is_never_normalised() {
        assert_eq!(
            head("/b//a/../%2e/%2F?x", &["h"]).unwrap().path(),
            "/b//a/../%2e/%2F"
        );
        assert_eq!(head("http://h", &["h"]).unwrap().path(), "/");
    }
}
