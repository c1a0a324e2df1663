//! A region's name, as a credential scope carries it.

use std::{fmt, sync::Arc};

/// A region's name: 1 to 64 characters of letters, digits and hyphens, such as `us-east-1`. Any such word may be
/// configured; AWS's list is not checked. A copy costs one count.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(Arc<str>);

/// The text is no region's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a region has 1 to 64 letters, digits and hyphens")]
pub struct RegionError;

impl Region {
    /// Takes a region from a configuration file or a command line.
    pub fn parse(text: &str) -> Result<Self, RegionError> {
        let shaped =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if shaped {
            Ok(Self(text.into()))
        } else {
            Err(RegionError)
        }
    }

    /// AWS's first region, which is the default of its tools.
    pub fn us_east_1() -> Self {
        Self("us-east-1".into())
    }

    /// The same name in memory of its own: a clone shares it.
    pub fn copied(&self) -> Self {
        Self((*self.0).into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Region {
    type Error = RegionError;

    fn try_from(text: String) -> Result<Self, RegionError> {
        Self::parse(&text)
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0.as_ref().to_owned()
    }
}
