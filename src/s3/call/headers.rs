//! The headers that a call is read from. The value of each is the one that was hashed: see
//! [`FoldedHeaders`].
//!
//! `x-amz-*` in a presigned query is signed as well. AWS keeps metadata and storage class from
//! there and honours encryption. It ignores tagging, checksums and copy source. For ACL, object
//! lock, expected owner, conditions and write offset nothing is known: here they count as the
//! header does, so that none of them is ignored.

use std::borrow::Cow;

use http::HeaderMap;

use crate::{
    s3::S3Error,
    types::{FoldedHeaders, Query, folded},
};

/// What parameters of a query begin with that count as a header of their name does, in any case.
const IN_QUERY: [&str; 14] = [
    "x-amz-acl",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-bypass-governance-retention",
    "x-amz-copy-source-if-",
    "x-amz-copy-source-server-side-encryption-",
    "x-amz-expected-bucket-owner",
    "x-amz-grant-",
    "x-amz-if-match-",
    "x-amz-meta-",
    "x-amz-object-lock-",
    "x-amz-server-side-encryption",
    "x-amz-source-expected-bucket-owner",
    "x-amz-storage-class",
    "x-amz-write-offset-bytes",
];

/// Parameters that say how a link is signed, as signers write them. None counts as a header, and
/// every link has them: they are told apart first.
const OF_SIGNATURE: [&str; 6] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
];

/// The headers of a call, and the parameters of its query that count as headers.
#[derive(Clone, Copy)]
pub(in crate::s3) struct CallHeaders<'a> {
    headers: FoldedHeaders<'a>,
    /// None if no parameter counts as a header.
    query: Option<&'a Query<'a>>,
}

impl<'a> CallHeaders<'a> {
    /// Errors: `InvalidArgument` for a name that has two values.
    pub(in crate::s3) fn parse(headers: &'a HeaderMap, query: &'a Query<'a>) -> Result<Self, S3Error> {
        let headers = Self {
            headers: FoldedHeaders::new(headers),
            query: Some(query),
        };
        let mut query = None;
        for (name, value) in headers.parameters() {
            query = headers.query;
            if headers.value(&name).is_some_and(|first| first != value) {
                return Err(S3Error::invalid_argument(
                    "The argument is given more than once, with different values.",
                    &name,
                    &String::from_utf8_lossy(&value),
                ));
            }
        }
        // Most queries hold no such parameter: they are not searched again.
        Ok(Self { query, ..headers })
    }

    /// Headers alone: those of a form, or the trailers of a body.
    pub(in crate::s3) fn alone(headers: &'a HeaderMap) -> Self {
        Self {
            headers: FoldedHeaders::new(headers),
            query: None,
        }
    }

    /// The parameters that count as headers: names in lower case, values as a header's.
    fn parameters(self) -> impl Iterator<Item = (String, Cow<'a, [u8]>)> {
        let begins = |name: &str, start: &str| {
            let front = name.get(..start.len());
            front.is_some_and(|front| front.eq_ignore_ascii_case(start))
        };
        let listed = self.query.and_then(|query| query.first("X-Amz-SignedHeaders"));
        let counts = move |name: &str| {
            if !begins(name, "x-amz-") || OF_SIGNATURE.contains(&name) {
                return false;
            }
            // A listed header that was not sent is signed with the parameter's value.
            let mut listed = listed.unwrap_or_default().split(';');
            IN_QUERY.iter().any(|start| begins(name, start))
                || listed.any(|listed| listed.eq_ignore_ascii_case(name))
        };
        let parameters = self.query.into_iter().flat_map(Query::iter);
        let counting = parameters.filter(move |parameter| counts(&parameter.name));
        counting.map(|parameter| {
            (
                parameter.name.to_ascii_lowercase(),
                folded(parameter.value.as_bytes()),
            )
        })
    }

    /// A value, whatever its bytes.
    pub(in crate::s3) fn value(self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.headers.value(name).or_else(|| {
            let found = self.parameters().find(|(own, _)| own == name);
            found.map(|(_, value)| value)
        })
    }

    /// A value that selects or authorises.
    ///
    /// Errors: `InvalidArgument` for one that is not printable ASCII: it must not count as absent.
    pub(in crate::s3) fn text(self, name: &str) -> Result<Option<Cow<'a, str>>, S3Error> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let refused = |value: &[u8]| {
            let shown = String::from_utf8_lossy(value);
            S3Error::invalid_argument("Header value is not valid.", name, &shown)
        };
        if !value
            .iter()
            .all(|byte| (b' '..=b'~').contains(byte) || *byte == b'\t')
        {
            return Err(refused(&value));
        }
        match value {
            Cow::Borrowed(value) => std::str::from_utf8(value)
                .map(|text| Some(Cow::Borrowed(text)))
                .map_err(|_| refused(value)),
            Cow::Owned(value) => match String::from_utf8(value) {
                Ok(text) => Ok(Some(Cow::Owned(text))),
                Err(error) => Err(refused(error.as_bytes())),
            },
        }
    }

    /// A value that is only kept and sent again, with its inner spaces as they came; none when it
    /// is not ASCII.
    pub(in crate::s3) fn kept(self, name: &str) -> Option<String> {
        let lines: Option<Vec<&str>> = self.headers.lines(name).map(|line| line.to_str().ok()).collect();
        lines
            .filter(|lines| !lines.is_empty())
            .map(|lines| lines.join(","))
    }

    /// Whether a header of this name was sent, or a parameter that counts as one.
    pub(in crate::s3) fn contains(self, name: &str) -> bool {
        self.headers.contains(name) || self.parameters().any(|(own, _)| own == name)
    }

    /// The first name that begins so.
    pub(in crate::s3) fn name_with(self, start: &str) -> Option<Cow<'a, str>> {
        let header = self.headers.names().find(|name| name.starts_with(start));
        header.map(Cow::Borrowed).or_else(|| {
            let found = self.parameters().find(|(name, _)| name.starts_with(start));
            found.map(|(name, _)| Cow::Owned(name))
        })
    }

    /// The user's metadata: names without `x-amz-meta-`, lines joined, inner spaces as they came.
    pub(in crate::s3) fn user_metadata(self) -> impl Iterator<Item = (String, String)> {
        let own = |name: &str| name.strip_prefix("x-amz-meta-").map(str::to_owned);
        let of_headers = self.headers.names().filter_map(move |name| {
            let lines = self.headers.lines(name);
            let lines: Vec<_> = lines
                .map(|line| String::from_utf8_lossy(line.as_bytes()))
                .collect();
            Some((own(name)?, lines.join(",")))
        });
        let of_query = self.parameters().filter_map(move |(name, value)| {
            let is_header = self.headers.contains(&name);
            let own = own(&name).filter(|_| !is_header)?;
            Some((own, String::from_utf8_lossy(&value).into_owned()))
        });
        of_headers.chain(of_query)
    }
}
