//! Who signs: a signer with its statements, and its keys. Nothing here prints a secret.

use std::sync::Arc;

use crate::types::{AccessKeyId, SecretKey};

use super::{error::Location, revocation::SignerRevocation, statement::Statement};

/// One who signs: a name, and the statements that bind it.
pub struct Signer {
    pub(super) name: Arc<str>,
    /// Indices of its keys in the snapshot.
    pub(super) keys: std::ops::Range<usize>,
    /// Shared lists: those of every signer first, then its own, its policies' and its documents'.
    pub(super) statements: Vec<Arc<[Statement]>>,
    pub(super) revocation: SignerRevocation,
}

/// A key of the snapshot.
pub(super) struct StoredKey {
    pub(super) id: AccessKeyId,
    pub(super) secret: SecretKey,
    /// Index of its signer.
    pub(super) signer: usize,
    /// Where it says that the key is revoked.
    pub(super) revoked: Option<Location>,
}

/// A known access key and its signer, as one snapshot has them.
#[derive(Clone, Copy)]
pub struct Key<'s> {
    pub(super) index: usize,
    pub(super) stored: &'s StoredKey,
    pub(super) signer: &'s Signer,
}

impl Signer {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name, to be kept.
    pub fn shared_name(&self) -> Arc<str> {
        self.name.clone()
    }

    /// Every statement that binds it, those of every signer included.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().flat_map(|list| list.iter())
    }
}

impl<'s> Key<'s> {
    /// The public half.
    pub fn access_key_id(&self) -> &'s AccessKeyId {
        &self.stored.id
    }

    /// The secret half, for signing as this signer. It cannot be printed.
    pub fn secret_access_key(&self) -> &'s SecretKey {
        &self.stored.secret
    }

    /// Do both sign alike? The other may be of another snapshot.
    pub fn has_the_secret_of(&self, other: &Key<'_>) -> bool {
        self.stored.secret.expose() == other.stored.secret.expose()
    }

    /// Whose key it is.
    pub fn signer(&self) -> &'s Signer {
        self.signer
    }
}
