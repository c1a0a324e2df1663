//! A query string, taken apart once.

use std::borrow::Cow;

use super::percent::{PercentError, decode_query};

/// A request's query parameters in the order they were sent, decoded. Signing and routing both read this one value, so they
/// cannot see different parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query<'a> {
    parameters: Vec<Parameter<'a>>,
}

/// One `name=value`. `name` alone is the same as `name=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// The decoded name.
    pub name: Cow<'a, str>,
    /// The decoded value, empty where there was none.
    pub value: Cow<'a, str>,
}

/// Why a query string is none: AWS's `InvalidURI`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A `%` without two hexadecimal digits behind it.
    #[error("a percent sign in the query is not followed by two hexadecimal digits")]
    Escape,
    /// The decoded bytes are no UTF-8.
    #[error("the query is not UTF-8 once decoded")]
    Utf8,
}

impl<'a> Query<'a> {
    /// Takes the raw text behind the `?`. A `+` is a space, as in AWS's own reading of query strings.
    pub fn parse(raw: &'a str) -> Result<Self, QueryError> {
        if raw.is_empty() {
            return Ok(Self::default());
        }
        // Room for a link's six and some more.
        let mut parameters = Vec::with_capacity(8);
        let mut rest = Some(raw);
        while let Some(raw) = rest {
            let (pair, behind) = halves(raw, b'&');
            rest = behind;
            if !pair.is_empty() {
                let (name, value) = halves(pair, b'=');
                parameters.push(Parameter {
                    name: decode_query(name)?,
                    value: decode_query(value.unwrap_or_default())?,
                });
            }
        }
        Ok(Self { parameters })
    }

    /// Every parameter, in the order sent.
    pub fn iter(&self) -> std::slice::Iter<'_, Parameter<'a>> {
        self.parameters.iter()
    }

    /// The first value under this exact name: where a parameter is repeated, AWS takes the first.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|p| p.name == name)
            .map(|p| p.value.as_ref())
    }

    /// Is there a parameter of this exact name, with or without a value?
    pub fn has(&self, name: &str) -> bool {
        self.first(name).is_some()
    }
}

/// What stands before the first of an ASCII byte, and what stands behind it, where there is one.
fn halves(text: &str, byte: u8) -> (&str, Option<&str>) {
    match memchr::memchr(byte, text.as_bytes()).and_then(|at| text.split_at_checked(at)) {
        Some((front, behind)) => (front, behind.get(1..)),
        None => (text, None),
    }
}

impl From<PercentError> for QueryError {
    fn from(error: PercentError) -> Self {
        match error {
            PercentError::Escape => Self::Escape,
            PercentError::Utf8 => Self::Utf8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_order_and_are_decoded_once() {
        let query = Query::parse("b=1&a=x%2520y+z&&b=2&acl").unwrap();
        let pairs: Vec<_> = query
            .iter()
            .map(|p| (p.name.as_ref(), p.value.as_ref()))
            .collect();
        assert_eq!(pairs, [("b", "1"), ("a", "x%20y z"), ("b", "2"), ("acl", "")]);
        assert_eq!(query.first("b"), Some("1"));
        assert!(query.has("acl") && !query.has("ACL"));
    }

    #[test]
    fn broken_escapes_and_broken_utf8_are_refused() {
        for raw in ["a=%", "a=%2", "a=%zz", "%f", "a=%2%30"] {
            assert_eq!(Query::parse(raw), Err(QueryError::Escape), "{raw}");
        }
        assert_eq!(Query::parse("a=%ff"), Err(QueryError::Utf8));
    }
}
