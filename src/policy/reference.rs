//! What a policy file refers to, for the caller to read: this layer opens no file.

use std::{collections::HashMap, path::PathBuf};

use zeroize::Zeroizing;

/// Something outside a policy file that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// A file that holds a secret access key, perhaps with a line end behind it. Relative paths begin at the policy file's folder.
    SecretFile(PathBuf),
    /// An environment variable that holds a secret access key.
    SecretEnvironment(String),
    /// An IAM policy document, JSON. Relative paths begin at the policy file's folder.
    Document(PathBuf),
}

impl Reference {
    /// What it is, as an error names it.
    pub(super) fn described(&self) -> String {
        match self {
            Self::SecretFile(path) => format!("the secret file {}", path.display()),
            Self::SecretEnvironment(name) => format!("the environment variable {name}"),
            Self::Document(path) => format!("the policy document {}", path.display()),
        }
    }
}

/// The contents of what a policy file refers to, read by the caller. They hold secrets, so they cannot be printed, and
/// they are wiped when dropped.
#[derive(Default)]
pub struct References(HashMap<Reference, Result<Zeroizing<String>, String>>);

impl References {
    /// None, for a policy file that refers to nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what was read, whole.
    pub fn insert(&mut self, reference: Reference, content: String) {
        self.0.insert(reference, Ok(Zeroizing::new(content)));
    }

    /// Adds why something could not be read, for the error that names the line that refers to it.
    pub fn insert_failure(&mut self, reference: Reference, reason: String) {
        self.0.insert(reference, Err(reason));
    }

    /// What was read, or why it was not.
    pub(super) fn content(&self, reference: &Reference) -> Result<&str, String> {
        match self.0.get(reference) {
            Some(Ok(content)) => Ok(content),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err("it was not loaded".to_owned()),
        }
    }
}
