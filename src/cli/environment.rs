//! Three variables that start a store without any file: `POSTERN_ACCESS_KEY_ID`, `POSTERN_SECRET_ACCESS_KEY` and `POSTERN_BUCKETS`, and
//! `POSTERN_SEED`. Others that begin with `POSTERN_` and hold no `__` are none of ours: platforms inject such names.

use std::path::PathBuf;

use crate::{
    live::given::Keys,
    types::{AccessKeyId, BucketName, SecretKey},
};

use super::Problem;

const ACCESS_KEY_ID: &str = "POSTERN_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "POSTERN_SECRET_ACCESS_KEY";
const BUCKETS: &str = "POSTERN_BUCKETS";
const SEED: &str = "POSTERN_SEED";

/// What the environment says.
#[derive(Default)]
pub(super) struct Environment {
    /// Keys that may do everything.
    pub(super) keys: Option<Keys>,
    /// Buckets that are to be there.
    pub(super) buckets: Vec<BucketName>,
    /// A folder of folders to copy in.
    pub(super) seed: Option<PathBuf>,
}

impl Environment {
    /// Reads it; empty values count for nothing.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Problem> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let keys = match (variable(ACCESS_KEY_ID), variable(SECRET_ACCESS_KEY)) {
            (None, None) => None,
            (Some(id), Some(secret)) => Some(Keys {
                access_key_id: AccessKeyId::parse(&id)
                    .map_err(|error| format!("{ACCESS_KEY_ID}: {error}"))?,
                secret_access_key: SecretKey::parse(secret)
                    .map_err(|error| format!("{SECRET_ACCESS_KEY}: {error}"))?,
            }),
            (Some(_), None) => {
                return Err(
                    format!("{ACCESS_KEY_ID} is set, and {SECRET_ACCESS_KEY} is not: set both").into(),
                );
            }
            (None, Some(_)) => {
                return Err(
                    format!("{SECRET_ACCESS_KEY} is set, and {ACCESS_KEY_ID} is not: set both").into(),
                );
            }
        };
        let names = variable(BUCKETS).unwrap_or_default();
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        let buckets = names
            .map(|name| BucketName::parse(name).map_err(|error| format!("{BUCKETS}: {name:?} is {error}")))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            keys,
            buckets,
            seed: variable(SEED).map(PathBuf::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Environment, String> {
        let found = |name: &str| {
            let (_, value) = set.iter().find(|(set, _)| *set == name)?;
            Some((*value).to_owned())
        };
        Environment::read(found).map_err(|error| error.to_string())
    }

    #[test]
    fn both_keys_and_buckets_are_read_and_other_names_are_not() {
        let environment = read(&[
            (ACCESS_KEY_ID, "test"),
            (SECRET_ACCESS_KEY, "test"),
            (BUCKETS, "films, music,"),
            ("POSTERN_PORT", "tcp://10.0.0.1:9000"),
        ]);
        let environment = environment.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(environment.keys.unwrap().access_key_id.as_str(), "test");
        let names: Vec<_> = environment.buckets.iter().map(BucketName::as_str).collect();
        assert_eq!(names, ["films", "music"]);
        assert!(
            read(&[(BUCKETS, ""), (ACCESS_KEY_ID, "")])
                .unwrap_or_default()
                .keys
                .is_none()
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (set, said) in [
            (
                &[(ACCESS_KEY_ID, "a")][..],
                "POSTERN_SECRET_ACCESS_KEY is not: set both",
            ),
            (
                &[(SECRET_ACCESS_KEY, "s")],
                "POSTERN_ACCESS_KEY_ID is not: set both",
            ),
            (
                &[(BUCKETS, "films,No")],
                "POSTERN_BUCKETS: \"No\" is not a bucket name",
            ),
            (
                &[(ACCESS_KEY_ID, "a b"), (SECRET_ACCESS_KEY, "s")],
                "POSTERN_ACCESS_KEY_ID: ",
            ),
        ] {
            let error = read(set).err().unwrap_or_default();
            assert!(error.contains(said), "{error}");
        }
    }
}
