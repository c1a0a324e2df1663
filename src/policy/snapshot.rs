//! One policy in force. In goes a whole policy once; out come keys, signing keys and decisions, all of one generation. It never
//! changes: a new policy is a new snapshot, swapped whole.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::types::{Action, CacheUse, LinkId, Resource, SecretKey, SigningKey};

use super::{
    compile::Compiled,
    condition::Context,
    evaluate::{Decision, Denial, StatementReference, evaluate},
    pattern::ResourceText,
    revocation::{RevocationReference, RevokedLink, Signed, revoked, rule_of_link, rules_of},
    signer::{Key, Signer},
    signing_keys::{MAX_SIGNING_KEYS, Scope, SigningKeys},
    statement::{Effect, Statement},
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

    /// The same, before it has derived anything, with its signing keys counted where those of other snapshots are.
    pub fn counting_into(self, used: Arc<CacheUse>) -> Self {
        let signing_keys = SigningKeys::with_limit(MAX_SIGNING_KEYS, used);
        Self { signing_keys, ..self }
    }

    fn over(
        policy: Arc<Compiled>,
        generation: u64,
        digest: String,
        denies_all: Option<StatementReference>,
    ) -> Self {
        let signing_keys = SigningKeys::with_limit(MAX_SIGNING_KEYS, Arc::default());
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

    /// The rule that revokes what was signed with this key, where there is one. `now` ends the rules about links that have expired since.
    pub fn revoked(&self, key: &Key<'_>, signed: Signed, now: OffsetDateTime) -> Option<RevocationReference> {
        let (signer, stored) = (key.signer, key.stored);
        revoked(
            (&signer.name, &signer.revocation),
            (&stored.id, stored.revoked.as_ref()),
            &self.policy.revoked_links,
            signed,
            now,
        )
    }

    /// The rule about a link, whether it still counts or not.
    pub(super) fn revoked_link(&self, id: LinkId) -> Option<&RevokedLink> {
        self.policy.revoked_links.get(&id)
    }

    /// Every rule that revokes, in the order of the file's signers, then of its links.
    pub fn revocations(&self) -> Vec<RevocationReference> {
        let of_signers = self.signers().flat_map(|signer| {
            let keys = self
                .keys_of(signer)
                .map(|key| (&key.stored.id, key.stored.revoked.as_ref()));
            rules_of(&signer.name, &signer.revocation, keys)
        });
        let mut links: Vec<_> = self
            .policy
            .revoked_links
            .iter()
            .map(|(id, link)| rule_of_link(*id, link))
            .collect();
        links.sort_by_key(|rule| rule.location().line);
        of_signers.chain(links).collect()
    }

    /// Whether the signer may do this, and by which statement.
    pub fn evaluate(
        &self,
        signer: &Signer,
        action: Action,
        resource: Resource<'_>,
        context: &dyn Context,
    ) -> Decision {
        match &self.denies_all {
            Some(reason) => Decision::Deny(Denial::Explicit(reason.clone())),
            None => evaluate(signer.statements(), action, resource, context),
        }
    }

    /// The statements that speak of this action on this resource, and do not count because of their conditions.
    pub fn failing_conditions<'s>(
        &'s self,
        signer: &'s Signer,
        action: Action,
        resource: Resource<'_>,
        context: &'s dyn Context,
    ) -> impl Iterator<Item = &'s Statement> {
        let text = ResourceText::of(resource);
        signer
            .statements()
            .filter(move |statement| statement.fails_by_condition(action, &text, context))
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

#[cfg(test)]
mod tests {
    use super::{
        super::{
            PolicyError, PolicyFile,
            testing::{decide, snapshot},
        },
        *,
    };

    const POLICY: &str = r#"
[[signer]]
name = "alice"
[[signer.key]]
access_key_id = "FIRST"
secret_access_key = "hush-do-not-print"
[[signer.key]]
access_key_id = "SECOND"
secret_access_key = "another"
[[signer.statement]]
Effect = "Allow"
Action = "s3:GetObject"
Resource = "*"
[[signer.statement]]
Effect = "Allow"
Action = "s3:*"
Resource = "arn:aws:s3:::films/*"
[[signer.statement]]
Effect = "Allow"
Action = "s3:GetObject"
Resource = "arn:aws:s3:::films/*"
"#;

    #[test]
    fn keys_are_found_by_their_id_and_belong_to_their_signer() {
        let snapshot = snapshot(POLICY);
        let key = snapshot.key("SECOND").unwrap();
        assert_eq!(
            (key.access_key_id().as_str(), key.signer().name()),
            ("SECOND", "alice")
        );
        assert_eq!(key.secret_access_key().expose(), "another");
        assert!(snapshot.key("second").is_none() && snapshot.key("").is_none());
        let signer = snapshot.signer("alice").unwrap();
        let ids: Vec<_> = snapshot
            .keys_of(signer)
            .map(|key| key.access_key_id().as_str().to_owned())
            .collect();
        assert_eq!(ids, ["FIRST", "SECOND"]);
        assert_eq!((snapshot.generation(), snapshot.digest()), (7, "digest"));
    }

    #[test]
    fn denying_all_keeps_the_keys_and_denies_what_was_allowed() {
        let open = snapshot(POLICY);
        let closed = open.denying_all(8);
        assert!(decide(&open, "alice", "s3:GetObject", "arn:aws:s3:::films/a").is_allowed());
        let denied = decide(&closed, "alice", "s3:GetObject", "arn:aws:s3:::films/a");
        let Decision::Deny(Denial::Explicit(reason)) = denied else {
            panic!("{denied:?}")
        };
        assert!(
            reason.to_string().starts_with("on_invalid = \"deny\""),
            "{reason}"
        );
        assert!(closed.key("FIRST").is_some());
        assert_eq!((closed.generation(), closed.digest()), (8, "digest"));
    }

    #[test]
    fn broad_grants_are_those_on_every_action_or_resource() {
        let snapshot = snapshot(POLICY);
        let found: Vec<_> = snapshot
            .broad_grants()
            .map(|grant| {
                (
                    grant.signer,
                    grant.statement.location().unwrap().line,
                    grant.every_action,
                    grant.every_resource,
                )
            })
            .collect();
        assert_eq!(found, [("alice", 10, false, true), ("alice", 14, true, false)]);
    }

    #[test]
    fn statements_read_as_they_were_written() {
        let snapshot = snapshot(POLICY);
        let statement = snapshot.signer("alice").unwrap().statements().next().unwrap();
        let shown = format!(
            "{} {} on {}",
            statement.effect(),
            statement.actions(),
            statement.resources()
        );
        assert_eq!(shown, "Allow Action s3:GetObject on Resource *");
    }

    #[test]
    fn a_signing_key_is_derived_once_per_key_day_and_region_and_dies_with_its_snapshot() {
        let (one, other) = (snapshot(POLICY), snapshot(POLICY));
        let make = |byte| move |_: &crate::types::SecretKey| SigningKey::new([byte; 32]);
        let key = one.key("FIRST").unwrap();
        let get = |snapshot: &Snapshot, key: &Key<'_>, date: &str, byte| {
            *snapshot.signing_key(key, date, "us-east-1", make(byte)).expose()
        };
        assert_eq!(get(&one, &key, "20261123", 1), [1; 32]);
        assert_eq!(get(&one, &key, "20261123", 2), [1; 32], "kept");
        assert_eq!(get(&one, &key, "20261124", 3), [3; 32], "another day");
        assert_eq!(
            get(&one, &one.key("SECOND").unwrap(), "20261123", 4),
            [4; 32],
            "another key"
        );
        assert_eq!(get(&other, &key, "20261123", 5), [5; 32], "another snapshot");
        let own = other.key("FIRST").unwrap();
        assert_eq!(
            get(&other, &own, "20261123", 6),
            [6; 32],
            "a strange key was not kept as this one's"
        );
        assert_eq!(
            get(&one.denying_all(2), &key, "20261123", 7),
            [7; 32],
            "a new generation begins empty"
        );
    }

    #[test]
    fn a_snapshot_goes_to_any_thread() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<Snapshot>();
        shared::<PolicyFile>();
        shared::<PolicyError>();
    }
}
