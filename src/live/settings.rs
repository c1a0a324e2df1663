//! What an operator may set of the policy: `[policy]`.

use std::path::PathBuf;

use crate::separation::UserFolders;

/// Where the policy is, and what counts while it is invalid.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The policy file. It is reloaded when it changes, together with what it refers to.
    pub file: PathBuf,
    /// What counts while the policy file is invalid or gone.
    pub on_invalid: OnInvalid,
    /// Is a transfer ended that a change of the policy denies?
    pub cut_transfers: bool,
    /// Where neither the policy file nor a file that it refers to may lie.
    #[serde(skip)]
    pub user_folders: UserFolders,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            file: PathBuf::from("policy.toml"),
            on_invalid: OnInvalid::Keep,
            cut_transfers: true,
            user_folders: UserFolders::default(),
        }
    }
}

/// What counts while the policy file is invalid or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnInvalid {
    /// The last good policy stays in force. Without one, at start, the gateway does not start.
    Keep,
    /// Every request is denied until the file is mended; so it is at start too, where the gateway starts and denies.
    Deny,
}
