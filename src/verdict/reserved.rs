//! Names that begin with `x-postern-`, in any case: reserved for limits inside links.
//!
//! This version knows none of them, so each is refused, wherever it stands. A gateway that ignored
//! one would serve a link without the limit that its signer put into it.

use crate::{
    s3::{S3Error, is_reserved},
    types::{FoldedHeaders, Query, RequestHead},
};

/// Refuses a request that names a reserved header, query parameter or trailer. (A field of a POST
/// form is refused where forms are read.)
///
/// Errors: `InvalidArgument`.
pub(super) fn refuse_reserved(head: &RequestHead, query: &Query<'_>) -> Result<(), S3Error> {
    let headers = FoldedHeaders::new(head.headers());
    if let Some(name) = headers.names().find(|name| is_reserved(name)) {
        let value = headers.value(name).unwrap_or_default();
        return Err(S3Error::reserved_argument(name, &String::from_utf8_lossy(&value)));
    }
    if let Some(parameter) = query.iter().find(|parameter| is_reserved(&parameter.name)) {
        return Err(S3Error::reserved_argument(&parameter.name, &parameter.value));
    }
    let trailers = headers.value("x-amz-trailer").unwrap_or_default();
    let trailers = String::from_utf8_lossy(&trailers);
    match trailers.split(',').map(str::trim).find(|name| is_reserved(name)) {
        Some(name) => Err(S3Error::reserved_argument(name, "")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, Method};

    use super::*;
    use crate::{s3::ErrorCode, types::Scheme};

    fn refused(query: &str, headers: &[(&str, &str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        map.insert("host", "h".parse().unwrap());
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        let uri = format!("/b/k?{query}").parse().unwrap();
        let head = RequestHead::new(Method::GET, Scheme::Http, uri, map).unwrap();
        let error = refuse_reserved(&head, &head.query().unwrap()).err()?;
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        let named = error.elements().iter().find(|(name, _)| *name == "ArgumentName");
        named.map(|(_, value)| value.clone())
    }

    #[test]
    fn reserved_name_is_refused_in_any_case_and_place() {
        for name in [
            "x-postern-max-uses",
            "X-Postern-Max-Uses",
            "X-POSTERN-",
            "x-postern-unknown",
        ] {
            assert_eq!(refused(&format!("{name}=1"), &[]).as_deref(), Some(name), "query");
            assert_eq!(refused(name, &[]).as_deref(), Some(name), "query without a value");
            let lower = name.to_ascii_lowercase();
            assert_eq!(
                refused("", &[(name, "1")]).as_deref(),
                Some(lower.as_str()),
                "header"
            );
            let trailers = format!("x-amz-checksum-crc32, {name}");
            assert_eq!(
                refused("", &[("x-amz-trailer", &trailers)]).as_deref(),
                Some(name),
                "trailer"
            );
        }
        assert_eq!(
            refused("%58-postern-%69p=1", &[]).as_deref(),
            Some("X-postern-ip"),
            "encoded"
        );
        for other in ["x-postern", "xx-postern-ip", "postern-ip"] {
            assert_eq!(
                refused(&format!("{other}=1"), &[(other, "1"), ("x-amz-trailer", other)]),
                None
            );
        }
    }
}
