//! Which way of authenticating a request uses. A head and its query go in, one mechanism comes out, or the refusal of two
//! at once and of those that S3 does not speak.
//!
//! Stricter than AWS is known to be: any one of the six `X-Amz-*` parameters makes a request without an Authorization header
//! a presigned one, so a link that lost its signature on the way is told so instead of being served as anonymous.

use http::header::AUTHORIZATION;

use super::reject::{ErrorText, Reject};
use crate::types::{Query, RequestHead};

/// How a request says who it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// By `X-Amz-*` query parameters.
    Presigned,
    /// By an Authorization header of Signature Version 4.
    Header,
    /// By the policy of a form.
    Form,
    /// Not at all, as far as the head says: a form's signature is in its body.
    Anonymous,
}

/// What the names of a query's parameters claim.
#[derive(Default)]
struct Claims {
    /// A presigned request, even beside an Authorization header.
    version_4: bool,
    /// A presigned request, but for those that a header-signed one may also carry, to no effect.
    detail: bool,
    version_2: bool,
}

impl Claims {
    fn of(query: &Query<'_>) -> Self {
        let mut claims = Self::default();
        for parameter in query.iter() {
            match parameter.name.as_ref() {
                "X-Amz-Algorithm" | "X-Amz-Credential" | "X-Amz-Signature" => claims.version_4 = true,
                "X-Amz-Date" | "X-Amz-Expires" | "X-Amz-SignedHeaders" => claims.detail = true,
                "Signature" | "AWSAccessKeyId" => claims.version_2 = true,
                _ => {}
            }
        }
        claims
    }
}

impl Mechanism {
    /// Decides from the Authorization header, whatever its scheme, and the names of the query parameters. The errors are
    /// [`Reject::SeveralMechanisms`], [`Reject::SignatureVersion2`] and [`Reject::UnsupportedAuthorization`].
    pub fn of(head: &RequestHead, query: &Query<'_>) -> Result<Self, Reject> {
        let mut authorizations = head.headers().get_all(AUTHORIZATION).iter();
        let authorization = authorizations.next();
        let text = || authorization.map(|value| ErrorText::new(value.as_bytes()));
        let Claims {
            version_4,
            detail,
            version_2,
        } = Claims::of(query);
        let claims = [
            version_4,
            version_2,
            authorization.is_some(),
            authorizations.next().is_some(),
        ];
        if claims.into_iter().filter(|claim| *claim).count() > 1 {
            return Err(Reject::SeveralMechanisms {
                authorization: text(),
            });
        }
        if version_2 {
            return Err(Reject::SignatureVersion2);
        }
        let Some(authorization) = authorization.map(|value| value.as_bytes()) else {
            return Ok(if version_4 || detail {
                Self::Presigned
            } else {
                Self::Anonymous
            });
        };
        if authorization.starts_with(b"AWS4-") {
            return Ok(Self::Header);
        }
        if authorization.starts_with(b"AWS ") {
            return Err(Reject::SignatureVersion2);
        }
        Err(Reject::UnsupportedAuthorization {
            authorization: ErrorText::new(authorization),
        })
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;
    use crate::types::Scheme;

    fn of(query: &str, authorizations: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in authorizations {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        let uri = format!("http://h/b/k?{query}").parse().unwrap();
        let head = RequestHead::new(Method::GET, Scheme::Http, uri, headers).unwrap();
        let query = head.query().unwrap();
        match Mechanism::of(&head, &query) {
            Ok(mechanism) => format!("{mechanism:?}"),
            Err(reject) => reject.name().to_owned(),
        }
    }

    #[test]
    fn one_mechanism_is_named_and_two_are_refused() {
        let v4 = "X-Amz-Algorithm=a&X-Amz-Signature=s";
        let v2 = "Signature=s&AWSAccessKeyId=k&Expires=1";
        let header = "AWS4-HMAC-SHA256 Credential=k/20130524/us-east-1/s3/aws4_request";
        for (query, authorizations, expected) in [
            ("", vec![], "Anonymous"),
            ("response-content-type=x&Expires=1", vec![], "Anonymous"),
            (v4, vec![], "Presigned"),
            ("X-Amz-Algorithm=", vec![], "Presigned"),
            ("X-Amz-Credential=", vec![], "Presigned"),
            ("X-Amz-Signature=", vec![], "Presigned"),
            ("X-Amz-Date=", vec![], "Presigned"),
            ("X-Amz-Expires=", vec![], "Presigned"),
            ("X-Amz-SignedHeaders=", vec![], "Presigned"),
            ("", vec![header], "Header"),
            ("X-Amz-Date=20130524T000000Z", vec![header], "Header"),
            (v2, vec![], "SignatureVersion2"),
            ("Signature=s", vec![], "SignatureVersion2"),
            ("AWSAccessKeyId=s", vec![], "SignatureVersion2"),
            ("", vec!["AWS k:sig"], "SignatureVersion2"),
            ("", vec!["Basic dTpw"], "UnsupportedAuthorization"),
            ("", vec!["Bearer t"], "UnsupportedAuthorization"),
            ("", vec![""], "UnsupportedAuthorization"),
            (v4, vec![header], "SeveralMechanisms"),
            (v4, vec!["Basic dTpw"], "SeveralMechanisms"),
            (v4, vec!["Bearer t"], "SeveralMechanisms"),
            (v4, vec![""], "SeveralMechanisms"),
            ("X-Amz-Credential=c", vec!["Bearer t"], "SeveralMechanisms"),
            (v2, vec![header], "SeveralMechanisms"),
            (&format!("{v4}&{v2}"), vec![], "SeveralMechanisms"),
            ("", vec![header, header], "SeveralMechanisms"),
        ] {
            assert_eq!(of(query, &authorizations), expected, "{query} {authorizations:?}");
        }
    }
}
