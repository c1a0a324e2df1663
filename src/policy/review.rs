//! What a reviewer of a policy should look at again: a denial of something that is not there, a permission that another statement takes away. In goes a
//! snapshot and the buckets that there are; out come remarks. A policy with remarks is valid, and may be meant so.

use std::fmt;

use crate::types::BucketName;

use super::{
    evaluate::StatementReference,
    snapshot::Snapshot,
    statement::{Effect, Statement},
};

/// Something to look at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// A denial that names a bucket which is not there: misspelt, or not there yet.
    NoSuchBucket {
        /// The statement.
        statement: StatementReference,
        /// The bucket that it names.
        bucket: String,
    },
    /// A permission that can never take effect, because a denial without conditions covers all of it.
    Unreachable {
        /// The permission.
        statement: StatementReference,
        /// The denial.
        by: StatementReference,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchBucket { statement, bucket } => {
                write!(
                    f,
                    "{statement}: denies something of the bucket {bucket:?}, which is not there: it matches nothing"
                )
            }
            Self::Unreachable { statement, by } => {
                write!(
                    f,
                    "{statement}: can never take effect, since {by} denies all of it"
                )
            }
        }
    }
}

impl Snapshot {
    /// What to look at again, each statement once. `buckets` are those that the store has; none where nobody knows.
    pub fn remarks(&self, buckets: Option<&[BucketName]>) -> Vec<Remark> {
        let mut remarks: Vec<Remark> = Vec::new();
        for signer in self.signers() {
            let denials: Vec<&Statement> = signer
                .statements()
                .filter(|s| s.effect() == Effect::Deny)
                .collect();
            let of_denials = denials.iter().flat_map(|denial| {
                let named = denial.named_buckets();
                let missing = named.into_iter().filter(|name| {
                    buckets.is_some_and(|buckets| !buckets.iter().any(|bucket| bucket.as_str() == name))
                });
                missing.map(|bucket| Remark::NoSuchBucket {
                    statement: denial.reference().clone(),
                    bucket,
                })
            });
            let allowed = signer.statements().filter(|s| s.effect() == Effect::Allow);
            let unreachable = allowed.filter_map(|allow| {
                let by = denials.iter().find(|denial| denial.covers(allow))?;
                Some(Remark::Unreachable {
                    statement: allow.reference().clone(),
                    by: by.reference().clone(),
                })
            });
            for remark in of_denials.chain(unreachable) {
                if !remarks.contains(&remark) {
                    remarks.push(remark);
                }
            }
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::snapshot;
    use super::*;

    fn remarks(statements: &str) -> Vec<String> {
        let head = "[[signer]]\nname = \"alice\"\naccess_key_id = \"A\"\nsecret_access_key = \"x\"\n";
        let snapshot = snapshot(&format!("{head}{statements}"));
        let buckets = [BucketName::parse("films").unwrap()];
        snapshot
            .remarks(Some(&buckets))
            .iter()
            .map(Remark::to_string)
            .collect()
    }

    fn statement(effect: &str, action: &str, resource: &str, more: &str) -> String {
        format!(
            "[[signer.statement]]\nEffect = '{effect}'\nAction = '{action}'\nResource = 'arn:aws:s3:::{resource}'\n{more}\n"
        )
    }

    #[test]
    fn a_denial_of_a_bucket_that_is_not_there_is_remarked() {
        for (resource, bucket) in [
            ("flims/*", Some("flims")),
            ("flims", Some("flims")),
            ("films/*", None),
            ("f*/a", None),
            ("*", None),
            ("${aws:username}/*", None),
        ] {
            let found = remarks(&statement("Deny", "s3:GetObject", resource, ""));
            assert_eq!(
                found.len(),
                usize::from(bucket.is_some()),
                "{resource}: {found:?}"
            );
            assert!(
                bucket.is_none_or(|bucket| found[0].contains(&format!("\"{bucket}\""))),
                "{found:?}"
            );
        }
        assert!(remarks(&statement("Allow", "s3:GetObject", "flims/*", "")).is_empty());
    }

    #[test]
    fn a_permission_that_a_denial_covers_is_remarked_and_one_that_it_only_touches_is_not() {
        let if_secure = "Condition = { Bool = { 'aws:SecureTransport' = false } }";
        for (allow, deny, covered) in [
            (("s3:GetObject", "films/a/*", ""), ("s3:*", "films/*", ""), true),
            (
                ("s3:GetObject", "films/a", ""),
                ("s3:GetObject", "films/a", ""),
                true,
            ),
            (("s3:GetObject", "films/a*b", ""), ("s3:Get*", "*", ""), true),
            (("s3:GetObject", "films/a", if_secure), ("s3:*", "*", ""), true),
            (("s3:GetObject", "films/a", ""), ("s3:*", "*", if_secure), false),
            (("s3:*", "films/a", ""), ("s3:GetObject", "films/a", ""), false),
            (
                ("s3:GetObject", "films/*", ""),
                ("s3:GetObject", "films/a/*", ""),
                false,
            ),
            (
                ("s3:GetObject", "films/*", ""),
                ("s3:GetObject", "films/*.mp4", ""),
                false,
            ),
        ] {
            let text =
                statement("Allow", allow.0, allow.1, allow.2) + &statement("Deny", deny.0, deny.1, deny.2);
            let found = remarks(&text);
            assert_eq!(
                found.iter().any(|remark| remark.contains("never take effect")),
                covered,
                "{allow:?} {deny:?} {found:?}"
            );
        }
    }
}
