//! A query string, taken apart once.

use std::borrow::Cow;

use super::{
    cut::{cut, halves},
    percent::{PercentError, decode_query, undecoded},
};

/// A request's query parameters in the order they were sent, decoded. Signing and routing both read
/// this one value, so they cannot see different parameters.
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
    /// Takes the raw text behind the `?`. A `+` is a space, as in AWS's own reading of query
    /// strings.
    pub fn parse(raw: &'a str) -> Result<Self, QueryError> {
        if raw.is_empty() {
            return Ok(Self::default());
        }
        // Room for a link's six and some more.
        let mut parameters = Vec::with_capacity(8);
        let mut rest = raw;
        // Where the rest begins to need decoding: most parameters need none.
        let mut plain = undecoded(rest);
        while !rest.is_empty() {
            let end = memchr::memchr(b'&', rest.as_bytes()).unwrap_or(rest.len());
            let (pair, behind) = halves(rest, end).unwrap_or((rest, ""));
            let (name, value) = cut(pair, b'=').unwrap_or((pair, ""));
            if pair.len() > plain {
                parameters.push(Parameter {
                    name: decode_query(name)?,
                    value: decode_query(value)?,
                });
                plain = undecoded(behind);
            } else {
                if !pair.is_empty() {
                    parameters.push(Parameter {
                        name: Cow::Borrowed(name),
                        value: Cow::Borrowed(value),
                    });
                }
                plain = plain.saturating_sub(end + 1);
            }
            rest = behind;
        }
        Ok(Self { parameters })
    }

    /// Every parameter, in the order sent.
    pub fn iter(&self) -> std::slice::Iter<'_, Parameter<'a>> {
        self.parameters.iter()
    }

    /// A parameter whose name comes a second time with another value, other than these names.
    ///
    /// The canonical query is sorted, so a signature holds in every order of such a pair: the first
    /// of them is whichever the sender put first.
    pub fn repeated(&self, other_than: &[&str]) -> Option<&Parameter<'a>> {
        let mut sorted: Vec<_> = self.parameters.iter().collect();
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        sorted.windows(2).find_map(|pair| match pair {
            [a, b] if a.name == b.name && a.value != b.value => {
                (!other_than.contains(&b.name.as_ref())).then_some(*b)
            }
            _ => None,
        })
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
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

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
    fn repeated_parameter_is_found_in_any_order() {
        for (raw, repeated) in [
            ("a=1&b=2", None),
            ("a=1&a=1", None),
            ("a=1&A=2", None),
            ("a=1&b=1&a=2", Some("a")),
            ("a=2&b=1&a=1", Some("a")),
            ("a&a=1", Some("a")),
            ("%61=1&a=2", Some("a")),
        ] {
            let query = Query::parse(raw).unwrap();
            assert_eq!(query.repeated(&[]).map(|p| p.name.as_ref()), repeated, "{raw}");
        }
    }

    #[test]
    fn broken_escapes_and_broken_utf8_are_refused() {
        for raw in ["a=%", "a=%2", "a=%zz", "%f", "a=%2%30"] {
            assert_eq!(Query::parse(raw), Err(QueryError::Escape), "{raw}");
        }
        assert_eq!(Query::parse("a=%ff"), Err(QueryError::Utf8));
    }

    proptest! {
        #[test]
        fn any_query_is_taken_apart_as_it_is_defined(raw in "([ab=&é+]|%[0-7][0-9a-f]|%C3%A9){0,16}") {
            let decoded = |text: &str| {
                let spaced = text.replace('+', " ");
                percent_decode_str(&spaced).decode_utf8().unwrap().into_owned()
            };
            let pairs = raw.split('&').filter(|pair| !pair.is_empty());
            let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            let expected: Vec<_> = pairs.map(|(name, value)| (decoded(name), decoded(value))).collect();
            let query = Query::parse(&raw).unwrap();
            let found = query.iter().map(|p| (p.name.to_string(), p.value.to_string()));
            prop_assert_eq!(found.collect::<Vec<_>>(), expected);
        }
    }
}
