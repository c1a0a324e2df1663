//! The signer of requests that are sent at once: a request, a key and a time go in, its address and its headers come out, `Authorization`
//! among them. It builds the very canonical request that verifying builds.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use time::OffsetDateTime;

use super::{
    ALGORITHM, SERVICE, TERMINATOR,
    canonical::{CanonicalRequest, put_query},
    payload::Payload,
    sign::{
        SignError, SignRequest, address, canonical_path, checked_headers, encoded_query, scheme, signature,
    },
    window::format_date,
};
use crate::types::{AccessKeyId, Query, Region, SecretKey};

/// A request to be sent as it is. It cannot be printed: its headers are as good as a password for 15 minutes.
///
/// ```compile_fail
/// fn log(request: &postern::sigv4::SignedRequest) { println!("{request:?}"); }
/// ```
pub struct SignedRequest {
    /// The address, with every query parameter and nothing secret.
    pub url: String,
    /// Every header to send besides `Host`.
    pub headers: HeaderMap,
}

/// Signs a request to be sent now. `payload` is its `x-amz-content-sha256`: the body's SHA-256 in hexadecimal, or one of AWS's words.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
pub fn sign_header(
    request: &SignRequest<'_>,
    access_key_id: &AccessKeyId,
    secret: &SecretKey,
    region: &Region,
    now: OffsetDateTime,
    payload: &str,
) -> Result<SignedRequest, SignError> {
    let refused = |name: &HeaderName| SignError::Header(name.as_str().to_owned());
    let mut headers = checked_headers(request.headers)?;
    let date = format_date(now);
    let scope_date = date.get(..8).unwrap_or_default();
    Payload::parse(payload).ok_or_else(|| SignError::Header("x-amz-content-sha256".to_owned()))?;
    let own = [
        ("x-amz-date", Some(date.as_str())),
        ("x-amz-content-sha256", Some(payload)),
        ("x-amz-security-token", request.session_token),
    ];
    for (name, value) in own {
        let name = HeaderName::from_static(name);
        if let Some(value) = value {
            let value = HeaderValue::from_str(value).map_err(|_| refused(&name))?;
            headers.insert(name, value);
        }
    }
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).chain(["host"]).collect();
    names.sort_unstable();
    let signed_headers = names.join(";");

    let raw_query = encoded_query(std::iter::empty(), request.query)?;
    let query = Query::parse(&raw_query).map_err(|_| SignError::Parameter(String::new()))?;
    let (authority, path) = address(request);
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
    let authorization = format!(
        "{ALGORITHM} Credential={access_key_id}/{scope_date}/{region}/{SERVICE}/{TERMINATOR}, SignedHeaders={signed_headers}, \
         Signature={}",
        signature.expose_hex()
    );
    let mut authorization =
        HeaderValue::from_str(&authorization).map_err(|_| refused(&header::AUTHORIZATION))?;
    authorization.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, authorization);

    let mut sorted = Vec::new();
    put_query(&mut sorted, &query);
    let sorted = String::from_utf8_lossy(&sorted);
    let mark = if sorted.is_empty() { "" } else { "?" };
    let scheme = scheme(request.endpoint);
    Ok(SignedRequest {
        url: format!("{scheme}://{authority}{path}{mark}{sorted}"),
        headers,
    })
}
