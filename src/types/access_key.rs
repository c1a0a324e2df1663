//! The public half of a pair of keys.

use std::{fmt, sync::Arc};

/// An access key id: 1 to 128 bytes without control characters or white space. AWS's own are 20 upper-case letters and
/// digits, but AWS clients accept any string, so `minioadmin` and ids with a `/` are ids too. A copy costs one count.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccessKeyId(Arc<str>);

/// Why a text is no access key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessKeyIdError {
    /// It is empty or over 128 bytes.
    #[error("an access key id has 1 to 128 bytes")]
    Length,
    /// It holds white space or a control character.
    #[error("an access key id holds no white space and no control character")]
    Character,
}

impl AccessKeyId {
    /// Takes an id as it stands in a policy file or a credential.
    pub fn parse(text: &str) -> Result<Self, AccessKeyIdError> {
        if text.is_empty() || text.len() > 128 {
            return Err(AccessKeyIdError::Length);
        }
        let printable = text.bytes().all(|b| b.is_ascii_graphic());
        if !printable && text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(AccessKeyIdError::Character);
        }
        Ok(Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lets a map keyed by id be asked with the text of a request, without a copy.
impl std::borrow::Borrow<str> for AccessKeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_string_that_clients_accept_is_an_id_and_nothing_else() {
        for good in ["AKIAIOSFODNN7EXAMPLE", "minioadmin", "a/b", "ключ"] {
            assert_eq!(AccessKeyId::parse(good).unwrap().as_str(), good);
        }
        assert_eq!(AccessKeyId::parse(""), Err(AccessKeyIdError::Length));
        assert_eq!(
            AccessKeyId::parse(&"x".repeat(129)),
            Err(AccessKeyIdError::Length)
        );
        for bad in ["a b", "a\n", "a\u{0}b"] {
            assert_eq!(AccessKeyId::parse(bad), Err(AccessKeyIdError::Character));
        }
    }
}
