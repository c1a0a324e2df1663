//! Proof that a policy denies what a command revokes. A command that is about to say "revoked" asks the policy that it
//! has written, not the text: a rule that looks right and does not deny is no proof.

use time::OffsetDateTime;

use crate::types::{Action, ActionLevel, BucketName, LinkId, ObjectKey, Resource};

use super::{
    condition::{ConditionKey, Context, Fact},
    evaluate::{Decision, Denial},
    snapshot::Snapshot,
};

/// The context of any request: nothing is known of it, so a statement with a condition is no proof.
struct AnyRequest;

impl Context for AnyRequest {
    fn fact(&self, _: &ConditionKey) -> Fact<'_> {
        Fact::Unknown
    }
}

impl Snapshot {
    /// Whether this link is refused until it has expired; without an end, for ever.
    pub fn revokes_link(&self, id: LinkId, end: Option<OffsetDateTime>) -> bool {
        self.revoked_link(id).is_some_and(|link| match (link.until, end) {
            (None, _) => true,
            (Some(until), Some(end)) => until >= end,
            (Some(_), None) => false,
        })
    }

    /// Whether all that this signer signs is refused.
    pub fn revokes_signer(&self, name: &str) -> bool {
        self.signer(name)
            .is_some_and(|signer| signer.revocation.revoked.is_some())
    }

    /// Whether all that is signed with this key is refused.
    pub fn revokes_key(&self, access_key_id: &str) -> bool {
        self.key(access_key_id)
            .is_some_and(|key| key.stored.revoked.is_some() || key.signer.revocation.revoked.is_some())
    }

    /// Whether all that this signer signed before an instant is refused.
    pub fn revokes_signed_before(&self, name: &str, before: OffsetDateTime) -> bool {
        let by_time = self
            .signer(name)
            .and_then(|signer| signer.revocation.signed_before.as_ref())
            .is_some_and(|(standing, _)| *standing >= before);
        by_time || self.revokes_signer(name)
    }

    /// Whether every action on an object, on all objects below a prefix that ends with a slash, or on a bucket and all in
    /// it, is denied to every signer in every circumstance.
    pub fn denies_everyone(&self, bucket: &BucketName, key: Option<&str>) -> bool {
        let key = key.filter(|key| !key.is_empty());
        let below = |prefix: &str| ["a", "a/b.c"].map(|rest| format!("{prefix}{rest}"));
        let names: Vec<String> = match key {
            None => below("").into(),
            Some(prefix) if prefix.ends_with('/') => {
                below(prefix).into_iter().chain([prefix.to_owned()]).collect()
            }
            Some(key) => vec![key.to_owned()],
        };
        let keys: Result<Vec<ObjectKey>, _> = names.iter().map(|name| ObjectKey::parse(name)).collect();
        let Ok(keys) = keys else { return false };
        let objects = keys
            .iter()
            .map(|key| (ActionLevel::Object, Resource::Object(bucket, key)));
        let whole = key
            .is_none()
            .then_some((ActionLevel::Bucket, Resource::Bucket(bucket)));
        let resources: Vec<_> = objects.chain(whole).collect();
        self.signers().all(|signer| {
            resources.iter().all(|(level, resource)| {
                let mut actions = Action::ALL.iter().filter(|action| action.level() == *level);
                actions.all(|action| {
                    let decision = self.evaluate(signer, *action, *resource, &AnyRequest);
                    matches!(decision, Decision::Deny(Denial::Explicit(_)))
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{super::testing::snapshot, *};

    const LINK: &str = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";

    fn with(top: &str) -> Snapshot {
        snapshot(&format!(
            "[[signer]]\nname = 'alice'\naccess_key_id = 'A'\nsecret_access_key = 'a'\n\
             [[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n{top}\n"
        ))
    }

    #[test]
    fn only_an_unconditional_denial_of_everything_is_proof() {
        const RESOURCE: &str = "Resource = ['arn:aws:s3:::films', 'arn:aws:s3:::films/*']";
        let films = BucketName::parse("films").unwrap();
        for (statement, proven) in [
            (format!("Effect = 'Deny'\nAction = 's3:*'\n{RESOURCE}"), true),
            (format!("Effect = 'Deny'\nNotAction = 'iam:*'\n{RESOURCE}"), true),
            (format!("Effect = 'Allow'\nAction = 's3:*'\n{RESOURCE}"), false),
            (
                format!("Effect = 'Deny'\nNotAction = 's3:GetObject'\n{RESOURCE}"),
                false,
            ),
            (format!("Effect = 'Deny'\nAction = 's3:Get*'\n{RESOURCE}"), false),
            (
                format!(
                    "Effect = 'Deny'\nAction = 's3:*'\n{RESOURCE}\n\
                     Condition = {{ NotIpAddress = {{ 'aws:SourceIp' = '10.0.0.0/8' }} }}"
                ),
                false,
            ),
            (
                "Effect = 'Deny'\nAction = 's3:*'\nResource = 'arn:aws:s3:::films/*'".to_owned(),
                false,
            ),
        ] {
            let found = with(&format!("[[statement]]\n{statement}")).denies_everyone(&films, None);
            assert_eq!(found, proven, "{statement}");
        }
    }

    #[test]
    fn prefix_and_object_are_denied_by_what_covers_them() {
        let films = BucketName::parse("films").unwrap();
        let deny = |resource: &str| {
            with(&format!(
                "[[statement]]\nEffect = 'Deny'\nAction = 's3:*'\nResource = '{resource}'"
            ))
        };
        for (resource, key, proven) in [
            ("arn:aws:s3:::films/a/*", "a/", true),
            ("arn:aws:s3:::films/*", "a/", true),
            ("arn:aws:s3:::films/a/b*", "a/", false),
            ("arn:aws:s3:::films/a", "a", true),
            ("arn:aws:s3:::films/b", "a", false),
            ("arn:aws:s3:::films/${*}", "*", true),
        ] {
            let found = deny(resource).denies_everyone(&films, Some(key));
            assert_eq!(found, proven, "{resource} {key}");
        }
    }

    #[test]
    fn a_link_is_revoked_only_if_the_rule_lasts_as_long() {
        let end = datetime!(2026-11-30 12:00 UTC);
        let id = LinkId::parse(LINK).unwrap();
        for (until, end, proven) in [
            ("", Some(end), true),
            ("", None, true),
            ("until = 2026-11-30T12:00:00Z", Some(end), true),
            ("until = 2026-11-30T11:59:59Z", Some(end), false),
            ("until = 2026-11-30T12:00:00Z", None, false),
        ] {
            let policy = with(&format!("[[revoked_url]]\nsha256 = '{LINK}'\n{until}"));
            assert_eq!(policy.revokes_link(id, end), proven, "{until} {end:?}");
        }
        assert!(!with("").revokes_link(id, None));
        assert!(!with("").revokes_signer("alice") && !with("").revokes_key("A"));
    }
}
