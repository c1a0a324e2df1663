//! One policy in force. In goes a whole policy once; out come keys, signing keys and decisions, all of one generation. It never
//! changes: a new policy is a new snapshot, swapped whole.

use std::sync::Arc;

use crate::types::{Action, Resource, SecretKey, SigningKey};

use super::{
    compile::Compiled,
    evaluate::{Decision, Denial, StatementReference, evaluate},
    signer::{Key, Signer},
    signing_keys::{MAX_SIGNING_KEYS, Scope, SigningKeys},
    statement::Effect,
};

/// One policy in force: keys, signers, statements, and the signing keys derived from them. It holds secrets, so it cannot be printed.
///
/// ```compile_fail
/// fn print(snapshot: &postern::policy::Snapshot) { println!("{snapshot:?}"); }
/// ```
/// ```compile_fail
/// fn print(key: postern::policy::Key<'_>) { println!("{key:?}"); }
/// ```
pub struct Snapshot {
    policy: Arc<Compiled>,
    generation: u64,
    digest: String,
    signing_keys: SigningKeys,
    denies_all: Option<StatementReference>,
}

/// A statement that allows much, for `postern check` to warn of.
#[derive(Clone, Copy, Debug)]
pub struct BroadGrant<'s> {
    /// The name of the signer that may.
    pub signer: &'s str,
    /// The statement that allows it.
    pub statement: &'s StatementReference,
    /// Whether it allows every action, or all but some.
    pub every_action: bool,
    /// Whether it allows them on every resource, or on all but some.
    pub every_resource: bool,
}

impl Snapshot {
    /// Puts a policy in force, as this generation; `digest` names the contents it was made of.
    pub fn new(compiled: Compiled, generation: u64, digest: String) -> Self {
        Self::over(Arc::new(compiled), generation, digest, None)
    }

    /// The same keys, so that a signature is still told from a forgery, but every decision is a denial: what
    /// `on_invalid = "deny"` puts in force.
    pub fn denying_all(&self, generation: u64) -> Self {
        let reason = Some(StatementReference::on_invalid());
        Self::over(self.policy.clone(), generation, self.digest.clone(), reason)
    }

    fn over(
        policy: Arc<Compiled>,
        generation: u64,
        digest: String,
        denies_all: Option<StatementReference>,
    ) -> Self {
        let signing_keys = SigningKeys::with_limit(MAX_SIGNING_KEYS);
        Self {
            policy,
            generation,
            digest,
            signing_keys,
            denies_all,
        }
    }

    /// The key with this id, or none.
    pub fn key(&self, access_key_id: &str) -> Option<Key<'_>> {
        self.key_at(*self.policy.by_id.get(access_key_id)?)
    }

    fn key_at(&self, index: usize) -> Option<Key<'_>> {
        let stored = self.policy.keys.get(index)?;
        Some(Key {
            index,
            stored,
            signer: self.policy.signers.get(stored.signer)?,
        })
    }

    /// The signing key of this key for a day (`yyyymmdd`, UTC) and a region, kept once `derive` has made it.
    /// `key` must be of this snapshot.
    pub fn signing_key(
        &self,
        key: &Key<'_>,
        date: &str,
        region: &str,
        derive: impl FnOnce(&SecretKey) -> SigningKey,
    ) -> SigningKey {
        // A key of another snapshot has no place in this one's cache: its index names somebody else here.
        let own = self
            .policy
            .keys
            .get(key.index)
            .is_some_and(|stored| std::ptr::eq(stored, key.stored));
        let scope = if own {
            Scope::new(key.index, date, region)
        } else {
            None
        };
        self.signing_keys
            .find_or_derive(scope, || derive(&key.stored.secret))
    }

    /// Whether the signer may do this, and by which statement.
    pub fn evaluate(&self, signer: &Signer, action: Action, resource: Resource<'_>) -> Decision {
        match &self.denies_all {
            Some(reason) => Decision::Deny(Denial::Explicit(reason.clone())),
            None => evaluate(signer.statements(), action, resource),
        }
    }

    /// The number of this snapshot among those of the process.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The name of the contents that the policy was made of.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Every signer, in the order of the file.
    pub fn signers(&self) -> impl Iterator<Item = &Signer> {
        self.policy.signers.iter()
    }

    /// The signer of this name, or none.
    pub fn signer(&self, name: &str) -> Option<&Signer> {
        self.signers().find(|signer| signer.name() == name)
    }

    /// A signer's keys, in the order of the file.
    pub fn keys_of<'s>(&'s self, signer: &'s Signer) -> impl Iterator<Item = Key<'s>> {
        signer.keys.clone().filter_map(|index| self.key_at(index))
    }

    /// The statements that allow every action, or anything on every resource.
    pub fn broad_grants(&self) -> impl Iterator<Item = BroadGrant<'_>> {
        self.signers().flat_map(|signer| {
            signer
                .statements()
                .filter(|statement| statement.effect() == Effect::Allow)
                .filter_map(|statement| {
                    let (every_action, every_resource) =
                        (statement.has_broad_actions(), statement.has_broad_resources());
                    (every_action || every_resource).then(|| BroadGrant {
                        signer: signer.name(),
                        statement: statement.reference(),
                        every_action,
                        every_resource,
                    })
                })
        })
    }
}
