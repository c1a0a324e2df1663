//! What an operator may set of the store: `[storage]` and `[[bucket]]`.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

use crate::types::{BucketName, Span};

/// Where objects are kept.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The folder that holds one folder per bucket. It is made where it is missing.
    pub root: PathBuf,
    /// Is an upload on stable storage before it is answered? Without it, what was answered in the last seconds before a power cut may be lost,
    /// each object whole or not there.
    pub durable: bool,
    /// After how long without a part an upload in parts is aborted.
    pub abort_uploads_after: Span,
    /// For how long an empty folder, or a record that no object names, stays before it is removed. So
    /// often they are looked for.
    pub remove_leftovers_after: Span,
    /// How often every folder is looked at: still there, writable, and answering?
    pub probe_every: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            root: PathBuf::from("data"),
            durable: true,
            abort_uploads_after: Span::from_seconds(7 * 86_400),
            remove_leftovers_after: Span::from_seconds(24 * 60 * 60),
            probe_every: Span::from_seconds(5),
        }
    }
}

/// An existing folder that is served as a bucket, wherever it is. It counts before a folder of this name below the root.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketFolder {
    /// The bucket's name.
    #[serde(serialize_with = "write_name", deserialize_with = "read_name")]
    pub name: BucketName,
    /// The folder. Symlinks on the way to it are followed, symlinks below it never.
    pub path: PathBuf,
}

fn write_name<S: Serializer>(name: &BucketName, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(name.as_str())
}

fn read_name<'de, D: Deserializer<'de>>(from: D) -> Result<BucketName, D::Error> {
    let text = String::deserialize(from)?;
    BucketName::parse(&text).map_err(|error| D::Error::custom(format!("{text:?}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_has_a_default_and_unknown_keys_are_errors() {
        assert_eq!(
            toml::from_str::<Settings>("").unwrap().root,
            PathBuf::from("data")
        );
        assert!(toml::from_str::<Settings>("rot = 'x'").is_err());
    }

    #[test]
    fn a_bucket_folder_has_a_valid_name() {
        let folder: BucketFolder = toml::from_str("name = 'films'\npath = '/srv/films'").unwrap();
        assert_eq!(folder.name.as_str(), "films");
        let error = toml::from_str::<BucketFolder>("name = 'Films'\npath = 'x'").unwrap_err();
        assert!(error.to_string().contains("\"Films\""), "{error}");
    }
}
