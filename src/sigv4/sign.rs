//! The offline signer. A request, a key and a time go in, a presigned URL comes out; no server is asked. It builds the very
//! canonical request that verifying builds.
//!
//! Stricter than AWS's SDKs: what could never verify (a life of nothing or over a week, a parameter of the signature's own, a
//! second mechanism) is refused here instead of by the server.

use hmac::Mac;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use time::{Duration, OffsetDateTime};

use super::{
    ALGORITHM, MAX_EXPIRES_SECONDS, SERVICE, TERMINATOR,
    canonical::{CanonicalRequest, StringToSign, put_query, signed},
    encode::{put_component, put_key},
    payload::{Payload, UNSIGNED_PAYLOAD},
    signing_key::signing_key,
    window::format_date,
};
use crate::types::{
    AccessKeyId, BucketName, CanonicalPath, LinkId, ObjectKey, Query, Region, Scheme, SecretKey, Signature,
    Span,
};

/// Where a URL points to: scheme, host with its port, and a path prefix that a proxy may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    authority: String,
    prefix: String,
}

impl Endpoint {
    /// Takes `http://host[:port][/prefix]` or the same with https. The scheme's own port is dropped, as clients drop it from
    /// `Host`.
    pub fn parse(text: &str) -> Result<Self, SignError> {
        let uri: Uri = text.parse().map_err(|_| SignError::Endpoint)?;
        let (scheme, port) = match uri.scheme_str() {
            Some("http") => (Scheme::Http, ":80"),
            Some("https") => (Scheme::Https, ":443"),
            Some(_) | None => return Err(SignError::Endpoint),
        };
        let authority = uri.authority().ok_or(SignError::Endpoint)?.as_str();
        if uri.query().is_some() || authority.contains('@') || text.contains('#') {
            return Err(SignError::Endpoint);
        }
        Ok(Self {
            scheme,
            authority: authority.strip_suffix(port).unwrap_or(authority).to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// HTTP or HTTPS.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, and the port where it is not the scheme's own.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

/// Where the bucket's name goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressingStyle {
    /// `http://host/bucket/key`
    Path,
    /// `http://bucket.host/key`
    VirtualHost,
}

/// What is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct SignRequest<'a> {
    /// The method that the link will be used with.
    pub method: &'a Method,
    /// Where the gateway is.
    pub endpoint: &'a Endpoint,
    /// Where the bucket's name goes.
    pub style: AddressingStyle,
    /// The bucket; none for a request on the service.
    pub bucket: Option<&'a BucketName>,
    /// The key; none for a request on the bucket.
    pub key: Option<&'a ObjectKey>,
    /// Headers that whoever uses the link must send as they are here. `host` is always signed and not among them.
    pub headers: &'a [(String, String)],
    /// Query parameters, decoded, such as `response-content-type`.
    pub query: &'a [(String, String)],
    /// The session token of a temporary key.
    pub session_token: Option<&'a str>,
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The endpoint is no `http://host[:port][/prefix]`.
    #[error("an endpoint is http:// or https://, a host, and if need be a port and a path")]
    Endpoint,
    /// The life is not within 1 second and 7 days.
    #[error("a link lives from 1 second to 7 days, not {0}")]
    Expires(Span),
    /// A header's name or value is none, or the header cannot be chosen.
    #[error(
        "the header {0:?} cannot be signed: it is malformed, or its value is not for the caller to choose"
    )]
    Header(String),
    /// A parameter that the signature itself needs, or that means another mechanism.
    #[error("the query parameter {0:?} is the signature's own")]
    Parameter(String),
    /// The path of the endpoint holds a broken escape.
    #[error("a percent sign in the endpoint's path is not followed by two hexadecimal digits")]
    Prefix,
}

/// A presigned URL. Whoever holds it can use it, so it is printed only on purpose, by [`into_string`](SignedUrl::into_string).
///
/// ```compile_fail
/// fn log(url: &postern::sigv4::SignedUrl) { println!("{url:?}"); }
/// ```
/// ```compile_fail
/// fn log(url: &postern::sigv4::SignedUrl) { println!("{url}"); }
/// ```
pub struct SignedUrl {
    url: String,
    link_id: LinkId,
    expires_at: OffsetDateTime,
}

impl SignedUrl {
    /// The URL, to be handed to whoever may use it.
    pub fn into_string(self) -> String {
        self.url
    }

    /// The link's name, by which it can be revoked.
    pub fn link_id(&self) -> LinkId {
        self.link_id
    }

    /// From when on it is expired.
    pub fn expires_at(&self) -> OffsetDateTime {
        self.expires_at
    }
}

/// What only the signer sets, and what would make a second mechanism.
const OWN_PARAMETERS: [&str; 9] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "Signature",
    "AWSAccessKeyId",
];

/// Signs a request for `expires` from `now` on. The URL's query is the canonical one, the signature behind it.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
pub fn presign(
    request: &SignRequest<'_>,
    access_key_id: &AccessKeyId,
    secret: &SecretKey,
    region: &Region,
    now: OffsetDateTime,
    expires: Span,
) -> Result<SignedUrl, SignError> {
    // The wire knows whole seconds only.
    let now = now.replace_nanosecond(0).unwrap_or(now);
    if !(1..=MAX_EXPIRES_SECONDS).contains(&expires.seconds()) {
        return Err(SignError::Expires(expires));
    }
    let headers = checked_headers(request.headers)?;
    let date = format_date(now);
    let scope_date = date.get(..8).unwrap_or_default();
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).chain(["host"]).collect();
    names.sort_unstable();
    let signed_headers = names.join(";");

    let credential = format!("{access_key_id}/{scope_date}/{region}/{SERVICE}/{TERMINATOR}");
    let expires_text = expires.seconds().to_string();
    let own = [
        ("X-Amz-Algorithm", Some(ALGORITHM)),
        ("X-Amz-Credential", Some(credential.as_str())),
        ("X-Amz-Date", Some(date.as_str())),
        ("X-Amz-Expires", Some(expires_text.as_str())),
        ("X-Amz-SignedHeaders", Some(signed_headers.as_str())),
        ("X-Amz-Security-Token", request.session_token),
    ];
    let own = own
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)));
    let raw_query = encoded_query(own, request.query)?;
    let query = Query::parse(&raw_query).map_err(|_| SignError::Parameter(String::new()))?;

    let (authority, path) = address(request);
    let payload = declared_payload(&headers, &query)?;
    let canonical_request = CanonicalRequest {
        method: request.method,
        authority: &authority,
        path: &canonical_path(&path)?,
        query: &query,
        headers: &headers,
        signed_headers: &signed_headers,
        payload,
    };
    let signature = signature(&canonical_request, &date, region, secret);

    let scheme = scheme(request.endpoint);
    let mut sorted = Vec::new();
    put_query(&mut sorted, &query);
    let sorted = String::from_utf8_lossy(&sorted);
    let digits = signature.expose_hex();
    let seconds = i64::try_from(expires.seconds()).unwrap_or(i64::MAX);
    Ok(SignedUrl {
        url: format!("{scheme}://{authority}{path}?{sorted}&X-Amz-Signature={digits}"),
        link_id: signature.link_id(),
        expires_at: now.saturating_add(Duration::seconds(seconds)),
    })
}

/// The signature over a canonical request, at this date.
pub(super) fn signature(
    canonical_request: &CanonicalRequest<'_>,
    date: &str,
    region: &Region,
    secret: &SecretKey,
) -> Signature {
    let canonical_request = canonical_request.bytes();
    let scope_date = date.get(..8).unwrap_or_default();
    let string_to_sign = StringToSign {
        date,
        scope_date,
        region: region.as_str(),
        canonical_request: &canonical_request,
    };
    let key = signing_key(secret, scope_date, region.as_str());
    let mac = signed(&key, &string_to_sign.bytes());
    Signature::new(mac.finalize().into_bytes().into())
}

/// The path that is signed; the prefix of an endpoint may hold a broken escape.
pub(super) fn canonical_path(path: &str) -> Result<CanonicalPath<'_>, SignError> {
    CanonicalPath::parse(path).map_err(|_| SignError::Prefix)
}

/// As a URL writes it.
pub(super) fn scheme(endpoint: &Endpoint) -> &'static str {
    match endpoint.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    }
}

/// Host and encoded path of a request.
pub(super) fn address(request: &SignRequest<'_>) -> (String, String) {
    let Endpoint {
        authority, prefix, ..
    } = request.endpoint;
    let mut path = Vec::from(prefix.as_bytes());
    let authority = match (request.style, request.bucket) {
        (AddressingStyle::Path, Some(bucket)) => {
            path.push(b'/');
            path.extend_from_slice(bucket.as_str().as_bytes());
            authority.clone()
        }
        (AddressingStyle::VirtualHost, Some(bucket)) => format!("{bucket}.{authority}"),
        (AddressingStyle::Path | AddressingStyle::VirtualHost, None) => authority.clone(),
    };
    if request.key.is_some() || request.bucket.is_none() || request.style == AddressingStyle::VirtualHost {
        path.push(b'/');
    }
    put_key(&mut path, request.key.map_or("", ObjectKey::as_str));
    (authority, String::from_utf8_lossy(&path).into_owned())
}

pub(super) fn encoded_query<'a>(
    own: impl Iterator<Item = (&'a str, &'a str)>,
    extra: &'a [(String, String)],
) -> Result<String, SignError> {
    let taken = |name: &str| OWN_PARAMETERS.iter().any(|own| own.eq_ignore_ascii_case(name));
    if let Some((name, _)) = extra.iter().find(|(name, _)| name.is_empty() || taken(name)) {
        return Err(SignError::Parameter(name.clone()));
    }
    let extra = extra.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut raw = Vec::new();
    for (name, value) in own.chain(extra) {
        if !raw.is_empty() {
            raw.push(b'&');
        }
        put_component(&mut raw, name);
        raw.push(b'=');
        put_component(&mut raw, value);
    }
    Ok(String::from_utf8_lossy(&raw).into_owned())
}

pub(super) fn checked_headers(headers: &[(String, String)]) -> Result<HeaderMap, SignError> {
    let mut checked = HeaderMap::new();
    for (name, value) in headers {
        let refused = || SignError::Header(name.clone());
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refused())?;
        let reserved = parsed == header::HOST
            || parsed == header::AUTHORIZATION
            || parsed.as_str() == "x-amz-security-token";
        if reserved {
            return Err(refused());
        }
        checked.append(parsed, value);
    }
    Ok(checked)
}

/// The payload line: what the header declares, else the query parameter, else that the payload is not signed.
fn declared_payload<'a>(headers: &'a HeaderMap, query: &'a Query<'_>) -> Result<&'a str, SignError> {
    const NAME: &str = "x-amz-content-sha256";
    let refused = || SignError::Header(NAME.to_owned());
    let mut lines = headers.get_all(NAME).iter();
    let line = match (lines.next(), lines.next()) {
        (Some(line), None) => line.to_str().map_err(|_| refused())?,
        (Some(_), Some(_)) => return Err(refused()),
        (None, _) => query.first("X-Amz-Content-Sha256").unwrap_or(UNSIGNED_PAYLOAD),
    };
    Payload::parse(line).map(|_| line).ok_or_else(refused)
}
