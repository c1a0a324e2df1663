//! The six `response-*` parameters, by which a signed link sets headers of its own answer.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::types::Query;

use super::S3Error;

/// Every such parameter and the header that it sets.
static PARAMETERS: [(&str, HeaderName); 6] = [
    ("response-cache-control", header::CACHE_CONTROL),
    ("response-content-disposition", header::CONTENT_DISPOSITION),
    ("response-content-encoding", header::CONTENT_ENCODING),
    ("response-content-language", header::CONTENT_LANGUAGE),
    ("response-content-type", header::CONTENT_TYPE),
    ("response-expires", header::EXPIRES),
];

/// Headers that a link sets, each checked to be one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseOverrides(Vec<(HeaderName, HeaderValue)>);

impl ResponseOverrides {
    /// Reads them from a query. A value with a line break or another control character is `InvalidArgument`: it would
    /// put headers of the link's choice into the answer.
    pub fn parse(query: &Query<'_>) -> Result<Self, S3Error> {
        let mut overrides = Vec::new();
        for (parameter, name) in &PARAMETERS {
            let Some(value) = query.first(parameter) else {
                continue;
            };
            let refused = || S3Error::invalid_argument("Header value is not valid.", parameter, value);
            let header = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refused())?;
            overrides.push((name.clone(), header));
        }
        Ok(Self(overrides))
    }

    /// Does the link set no header?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets them, in place of what the object would have said.
    pub(super) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_six_set_their_header() {
        let raw = "response-content-type=text%2Fx&response-content-language=de&response-expires=0\
            &response-cache-control=no-store&response-content-disposition=attachment%3B%20filename%3D%22%C3%BC.txt%22\
            &response-content-encoding=gzip&other=x";
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        ResponseOverrides::parse(&Query::parse(raw).unwrap())
            .unwrap()
            .apply(&mut headers);
        assert_eq!(headers.len(), 6);
        assert_eq!(headers[header::CONTENT_TYPE], "text/x");
        assert_eq!(
            headers[header::CONTENT_DISPOSITION].as_bytes(),
            "attachment; filename=\"ü.txt\"".as_bytes()
        );
    }

    #[test]
    fn no_value_puts_in_a_header_of_its_own() {
        for value in ["a%0d%0aSet-Cookie:%20x", "a%0ab", "a%0db", "a%00b", "a%7fb"] {
            let raw = format!("response-content-type={value}");
            let error = ResponseOverrides::parse(&Query::parse(&raw).unwrap()).unwrap_err();
            assert_eq!(error.code(), super::super::ErrorCode::InvalidArgument, "{value}");
        }
    }
}
